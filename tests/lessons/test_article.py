"""The article: every number computed, every link resolved, every text escaped, the same bytes each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tests.lessons.hostile import TEXTS, hostile

from rearguard.lessons import load
from rearguard.lessons.article import build, edition_of, render
from rearguard.lessons.article import desk as desk_module
from rearguard.lessons.article.document import Counted, Document, Heading, Link, Mark, Picture, inlines_of
from rearguard.lessons.article.edition import EDITIONS
from rearguard.lessons.article.marks import marked
from rearguard.lessons.article.sequence import in_words, sequences
from rearguard.model.errors import InputError, UsageError

KNOWLEDGE = load()
AUDIENCES = [*EDITIONS, "all"]
WHOLE = build(KNOWLEDGE, edition_of(KNOWLEDGE))
NAMES = re.compile(r"RFC \d+|TR-\d+|BCP \d+|IPv[46]|(?:tcp|udp)/\d+|\b401\b|\b200\b|2FA")
"""Digits that belong to a name; any other number in a sentence of ours has to be a figure."""


class Page(HTMLParser):
    """What a page refers to, which anchors it has, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: Counter[str] = Counter()
        self.loads: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        if tag not in self.VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "a":
            self.links.append(given.get("href") or "")
        self.loads += [
            value or "" for key, value in attrs if key in ("src", "srcset", "data", "background", "poster")
        ]
        self.loads += [value or "" for key, value in attrs if key == "href" and tag != "a"]
        assert not any(key.startswith("on") for key in given), given

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            assert tag in ("line", "rect", "circle", "polygon"), tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(document: Document) -> tuple[str, Page]:
    text = render(document, "html").decode()
    return text, Page(text)


@pytest.mark.parametrize("file", ["border.yaml", "sequences.yaml"])
def test_no_number_is_typed_into_a_sentence_of_ours(file: str) -> None:
    text = desk_module.FILE.with_name(file).read_text("utf-8")
    text = re.sub(r"(?m)^\s*#.*$|after: \[.*\]|\{[^}]*\}|\[\[[^\]]*\]\]|\[@[^\]]*\]", "", text)
    assert re.findall(r"\S*\d\S*", NAMES.sub("", text)) == []


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("short", [False, True])
def test_every_edition_is_whole(audience: str, short: bool) -> None:
    document = build(KNOWLEDGE, edition_of(KNOWLEDGE, audience, short=short))
    text, parsed = page(document)
    assert max(Counter(parsed.ids).values(), default=1) == 1
    for link in parsed.links:
        if link.startswith("#"):
            assert link[1:] in parsed.ids, link
        else:
            assert link.startswith(("http://", "https://")), link
    assert render(document, "md").decode().startswith("# ")
    assert document.title in text


def test_an_edition_has_the_tasks_of_its_readers_only() -> None:
    for name, audience in EDITIONS.items():
        document = build(KNOWLEDGE, edition_of(KNOWLEDGE, name))
        shown = {each.anchor for each in document.blocks if isinstance(each, Heading)}
        for entry in KNOWLEDGE.recommendations:
            assert (entry.id in shown) == (entry.audience == audience), (name, entry.id)


def test_the_page_loads_nothing() -> None:
    text, parsed = page(WHOLE)
    assert parsed.loads == []
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert "Content-Security-Policy" in text


def test_every_number_of_a_sentence_leads_to_how_it_was_counted() -> None:
    used = {each.name for each in inlines_of(WHOLE.blocks) if isinstance(each, Counted)}
    assert len(used) > 50
    _, parsed = page(WHOLE)
    assert {f"figure-{name}" for name in used} <= set(parsed.ids)


def test_every_clause_that_was_not_read_is_marked_where_it_is_shown() -> None:
    doubtful = {
        (each.document, each.clause)
        for entry in KNOWLEDGE.recommendations
        for each in entry.standards
        if each.evidence != "read"
    }
    assert doubtful
    shown = list(inlines_of(WHOLE.blocks))
    marks = {"from a summary", "not verified"}
    for document, clause in doubtful:
        wanted = f"{desk_module.short_title(document)} {clause}"
        places = [at for at, each in enumerate(shown) if getattr(each, "text", None) == wanted]
        assert places, wanted
        for at in places:
            assert any(isinstance(each, Mark) and each.text in marks for each in shown[at : at + 3]), wanted


def test_every_incident_is_told_once() -> None:
    told = Counter()
    words = [getattr(each, "text", "") for each in inlines_of(WHOLE.blocks)]
    for incident in KNOWLEDGE.incidents:
        told[incident.id] = sum(incident.what_happened in text for text in words)
    assert set(told.values()) == {1}


def test_references_are_numbered_once_and_sources_not_read_are_marked() -> None:
    assert [each.number for each in WHOLE.references] == list(range(1, len(WHOLE.references) + 1))
    urls = {source.url for each in KNOWLEDGE.incidents for source in each.sources if source.url}
    assert {each.url for each in WHOLE.references if each.url} == urls
    unread = {source.title for each in KNOWLEDGE.incidents for source in each.sources if not source.verified}
    assert {each.title for each in WHOLE.references if "not read" in each.note} == unread


def test_pictures_say_in_words_what_they_show() -> None:
    pictures = [each for each in WHOLE.blocks if isinstance(each, Picture)]
    assert len(pictures) > 2 * len(KNOWLEDGE.mechanisms)
    for each in pictures:
        assert len(each.alt) > 40
        assert each.instead is not None
        assert each.caption
    text = render(WHOLE, "html").decode()
    assert text.count('role="img"') == len(pictures)


def test_every_mechanism_has_a_diagram_of_incidents_that_had_it() -> None:
    for mechanism in KNOWLEDGE.mechanisms:
        after = sequences()[mechanism.id].after
        assert after
        for name in after:
            assert mechanism.id in KNOWLEDGE.incident(name).mechanisms, (mechanism.id, name)
    for sequence in sequences().values():
        for name in sequence.after:
            KNOWLEDGE.incident(name)
        assert len(in_words(sequence)) == len(sequence.steps)


def test_hostile_texts_stay_texts_on_a_page() -> None:
    text, parsed = page(build(hostile(), edition_of(KNOWLEDGE)))
    assert "script" not in parsed.tags
    assert parsed.loads == []
    assert all(link.startswith(("#", "http://", "https://")) for link in parsed.links)
    assert "\x1b" not in text
    assert "\u202e" not in text
    said = "".join(parsed.words)
    for each in TEXTS[:5]:
        assert each in said, each


def test_hostile_texts_stay_texts_in_markdown() -> None:
    text = render(build(hostile(), edition_of(KNOWLEDGE)), "md").decode()
    parsed = MarkdownIt("commonmark").parse(text)
    inner = [token for block in parsed for token in (block.children or [])]
    assert not [token for token in (*parsed, *inner) if token.type in ("html_block", "html_inline", "image")]
    hrefs = [str(token.attrs["href"]) for token in inner if token.type == "link_open"]
    assert hrefs
    assert not [
        href for href in hrefs if not href.startswith(("http://", "https://")) or "evil.example" in href
    ]
    said = " ".join(
        "".join(" " if token.type == "softbreak" else token.content for token in block.children)
        for block in parsed
        if block.type == "inline" and block.children
    )
    for each in (*TEXTS[:5], TEXTS[6]):
        assert each in said, each


def test_markdown_is_wrapped_for_mail() -> None:
    lines = render(WHOLE, "md").decode().splitlines()
    long = [each for each in lines if len(each) > 78 and " " in each.strip() and not each.startswith("#")]
    assert [each for each in long if "http" not in each and "sha256" not in each] == []


BUILD = """
import sys, hashlib
from rearguard.lessons import load
from rearguard.lessons.article import build, edition_of, render
document = build(load(), edition_of(load()))
print(*(hashlib.sha256(render(document, form)).hexdigest() for form in ("html", "md", "pdf")))
"""


def test_the_same_records_give_the_same_bytes() -> None:
    def once(seed: str, **more: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "1" else "UTC", **more}
        return subprocess.run(
            [sys.executable, "-c", BUILD], env=env, capture_output=True, text=True, check=True
        ).stdout

    assert once("1") == once("2")


def test_the_day_is_given_by_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1480204800")
    assert edition_of(KNOWLEDGE).day.isoformat() == "2016-11-27"
    assert "2016-11-27" in render(build(KNOWLEDGE, edition_of(KNOWLEDGE, short=True)), "md").decode()
    for wrong in ("tomorrow", "-1", "1e9", "9" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
            edition_of(KNOWLEDGE)


def test_wrong_readers_and_formats_are_errors() -> None:
    with pytest.raises(UsageError, match="no edition for 'press'"):
        edition_of(KNOWLEDGE, "press")
    with pytest.raises(UsageError, match="no format 'docx'"):
        render(WHOLE, "docx")


def test_marks_refer_to_what_exists() -> None:
    desk = desk_module.Desk(KNOWLEDGE, edition_of(KNOWLEDGE))
    (counted,) = marked("{border-yes}", desk)
    assert counted == Counted("border-yes", desk.figures["border-yes"].shown)
    (grouped,) = marked("{border-yes@cloud}", desk)
    assert isinstance(grouped, Counted)
    assert grouped.name == "model-cloud-border-yes"
    (link,) = marked("[[mirai-2016|Mirai]]", desk)
    assert link == Link("Mirai", "#mirai-2016")
    for wrong in ("{no-such-figure}", "a { brace", "[[no-such-entry]]", "[@no-such-incident]"):
        with pytest.raises(InputError):
            marked(wrong, desk)


def test_what_the_article_is_made_from_is_part_of_the_package(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["rearguard"]
    package = project / "src" / "rearguard"
    for file in (package / "lessons" / "article").glob("*.*"):
        name = file.relative_to(package).as_posix()
        if file.suffix != ".py":
            assert any(fnmatch(name, pattern.replace("**/", "*")) for pattern in patterns), name
