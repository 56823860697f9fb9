"""The PDF: bookmarks, links, embedded fonts, tags and alt texts; two pages when short; hostile texts are texts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject
from tests.lessons.hostile import TEXTS, hostile

from rearguard.lessons import load
from rearguard.lessons.article import build, edition_of, render
from rearguard.lessons.article.document import Document, Heading, Picture
from rearguard.lessons.article.edition import EDITIONS
from rearguard.lessons.article.typeset import source

KNOWLEDGE = load()


@pytest.fixture(scope="module")
def document() -> Document:
    return build(KNOWLEDGE, edition_of(KNOWLEDGE, "cloud"))


@pytest.fixture(scope="module")
def reader(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(render(document, "pdf")))


def bookmarks(outline: list[Any]) -> Iterator[str]:
    for each in outline:
        if isinstance(each, list):
            yield from bookmarks(each)
        else:
            yield str(each.title)


def elements(node: Any) -> Iterator[DictionaryObject]:
    """Every element of the tree of tags."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, IndirectObject):
            each = each.get_object()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, DictionaryObject):
            yield each
            waiting += [each["/K"]] if "/K" in each else []


def test_chapters_are_bookmarks(document: Document, reader: PdfReader) -> None:
    found = list(bookmarks(reader.outline))
    for each in document.blocks:
        if isinstance(each, Heading) and each.listed:
            assert each.text in found, each.text
    assert "References" in found


def test_the_summary_is_one_page_and_no_page_is_left_empty(reader: PdfReader) -> None:
    """A page with few words has a picture, or is the last."""
    texts = [page.extract_text() for page in reader.pages]
    assert "Summary" in texts[0]
    assert texts[1].lstrip().startswith("Contents")
    sparse = [at for at, text in enumerate(texts[:-1], start=1) if len(text.split()) < 60]
    assert sparse == []


def test_links_lead_inside_and_out(document: Document, reader: PdfReader) -> None:
    inside, out = 0, set()
    for page in reader.pages:
        for each in page.get("/Annots") or ():
            action = each.get_object().get("/A", {})
            if "/URI" in action:
                out.add(str(action["/URI"]))
            elif "/Dest" in each.get_object() or action.get("/S") == "/GoTo":
                inside += 1
    assert inside > 200
    assert {each.url for each in document.references if each.url} <= out
    assert all(each.startswith(("http://", "https://")) for each in out)


def test_fonts_are_embedded(reader: PdfReader) -> None:
    fonts = {}
    for page in reader.pages:
        for name, each in page["/Resources"].get("/Font", {}).items():  # type: ignore[union-attr]
            font = each.get_object()
            for inner in font.get("/DescendantFonts", [font]):
                fonts[name] = inner.get_object()["/FontDescriptor"].get_object()
    assert fonts
    for name, each in fonts.items():
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(each), name


def test_it_is_tagged_named_and_in_a_language(document: Document, reader: PdfReader) -> None:
    root = reader.trailer["/Root"].get_object()
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert reader.metadata.title == document.title
    assert "pdfuaid" in root["/Metadata"].get_object().get_data().decode()
    figures = [each for each in elements(root["/StructTreeRoot"]) if each.get("/S") == "/Figure"]
    alts = {str(each.get("/Alt", "")) for each in figures}
    assert "" not in alts
    assert {each.alt for each in document.blocks if isinstance(each, Picture)} <= alts


@pytest.mark.parametrize("audience", [*EDITIONS, "all"])
def test_the_short_edition_has_two_pages(audience: str) -> None:
    made = render(build(KNOWLEDGE, edition_of(KNOWLEDGE, audience, short=True)), "pdf")
    assert len(PdfReader(io.BytesIO(made)).pages) <= 2


def test_what_no_font_has_is_written_as_its_number() -> None:
    made = build(KNOWLEDGE, edition_of(KNOWLEDGE, short=True))
    strange = replace(made, subtitle="Роутер λ 路由器 \U0001f600")
    (said, _) = (page.extract_text() for page in PdfReader(io.BytesIO(render(strange, "pdf"))).pages)
    assert "Роутер λ" in said
    assert "[U+8DEF][U+7531][U+5668]" in said
    assert "[U+1F600]" in said


def test_hostile_texts_stay_texts_on_paper() -> None:
    document = build(hostile(), edition_of(KNOWLEDGE, "owner"))
    assert '#import "@preview' not in source(document).replace('\\"', "")
    reader = PdfReader(io.BytesIO(render(document, "pdf")))
    said = "".join("".join(page.extract_text().split()) for page in reader.pages)
    for each in (TEXTS[0], TEXTS[1]):
        assert "".join(each.split()) in said, each
    for page in reader.pages:
        for each in page.get("/Annots") or ():
            assert "javascript" not in str(each.get_object().get("/A", {}).get("/URI", ""))
