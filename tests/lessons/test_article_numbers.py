"""Every number that any edition prints traces: to a figure by name and by value, or to the record it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from rearguard.catalogue import load as load_catalogue
from rearguard.lessons import load
from rearguard.lessons.article import build, edition_of
from rearguard.lessons.article.desk import short_title
from rearguard.lessons.article.document import (
    Bullets,
    Cite,
    Code,
    Counted,
    Document,
    Heading,
    Picture,
    Terms,
    Text,
    inlines_of,
)
from rearguard.lessons.article.edition import EDITIONS, READERS
from rearguard.lessons.figures import figures
from rearguard.lessons.graph import load_graph
from rearguard.lessons.groups import INTERFACES, MODELS
from rearguard.lessons.why import why

KNOWLEDGE = load()
FIGURES = figures(KNOWLEDGE)
GRAPH = load_graph()
EVERY = [(audience, short) for audience in [*EDITIONS, "all"] for short in (False, True)]
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAMES = re.compile(
    r"RFC \d+|TR-\d+|BCP \d+|IPv[46]|(?:tcp|udp)/\d+|\b401\b|\b200\b|2FA|sha256:[0-9a-f]+|\d{4}(?:-\d\d){1,2}"
)
"""Digits that belong to a name, and days; a day of an incident is checked against its record where it is shown."""


@cache
def document(audience: str, short: bool) -> Document:
    return build(KNOWLEDGE, edition_of(KNOWLEDGE, audience, short=short))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from strings(key)
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif value is not None:
        yield str(value)


@cache
def recorded() -> tuple[str, ...]:
    """Every text of the files themselves that has a digit in it, read without our models, the longest first."""
    found: set[str] = set()
    for file in KNOWLEDGE.folder.rglob("*.yaml"):
        content = yaml.load(file.read_text("utf-8"), Loader=yaml.CBaseLoader)
        found |= {" ".join(each.split()) for each in strings(content)}
    found |= {" ".join(each.title.split()) for each in load_catalogue().interfaces}
    for each in KNOWLEDGE.documents:
        short = short_title(each.title)
        found |= {short, f"{each.title}; {each.version}"}
        found |= {f"{short} {clause.number}" for clause in each.clauses}
    return tuple(
        sorted((each for each in found if NUMBER.search(each) and len(each) > 1), key=len, reverse=True)
    )


def untraced(text: str) -> list[str]:
    """The numbers of a text that stand in no record and belong to no name."""
    left = " ".join(text.split())
    if not NUMBER.search(left):
        return []
    for each in recorded():
        if len(each) <= len(left) and each in left and not NUMBER.fullmatch(each):
            left = left.replace(each, " ")
            if not NUMBER.search(left):
                return []
    return [each for each in NUMBER.findall(NAMES.sub(" ", left)) if each not in years()]


@cache
def years() -> frozenset[str]:
    """Of incidents and of the sources that tell of them."""
    dates = [each.date for each in KNOWLEDGE.incidents]
    dates += [source.date for each in KNOWLEDGE.incidents for source in each.sources if source.date]
    return frozenset(each[:4] for each in dates)


@pytest.mark.parametrize(("audience", "short"), EVERY)
def test_every_counted_number_is_found_by_its_name_and_by_its_value(audience: str, short: bool) -> None:
    used = {each for each in inlines_of(document(audience, short).blocks) if isinstance(each, Counted)}
    assert used
    for each in used:
        (figure,) = why(FIGURES, each.name)
        assert figure.shown == each.shown
        assert figure in why(FIGURES, each.shown), each
        assert figure in why(FIGURES, figure.title)


def elsewhere(block: object) -> bool:
    """Pictures of counts and the appendix about figures: they have tests of their own."""
    if isinstance(block, Picture):
        return block.alt.startswith(("Table of counts", "Bars"))
    return isinstance(block, Terms) and block.form == "dense"


def test_every_other_number_stands_in_a_record() -> None:
    """Of all editions together; a text that two of them have is looked at once."""
    texts = set()
    for audience, short in EVERY:
        made = document(audience, short)
        blocks = tuple(each for each in made.blocks if not elsewhere(each))
        inlines = (each for each in inlines_of(blocks) if not isinstance(each, Counted | Cite))
        texts |= {each.text for each in inlines}
        texts |= {each.text for each in made.blocks if isinstance(each, Heading)}
    assert len(texts) > 1000
    clauses = {clause.number for each in KNOWLEDGE.documents for clause in each.clauses}
    found = {text[:120]: numbers for text in texts - clauses if (numbers := untraced(text))}
    assert found == {}


def test_the_titles_and_subtitles_count_what_the_figures_count() -> None:
    numbers = {FIGURES[name].shown for name in ("incidents", "first-year", "last-year")}
    for audience, short in EVERY:
        made = document(audience, short)
        assert set(NUMBER.findall(made.subtitle)) == numbers


def test_every_number_of_a_table_of_counts_is_a_figure() -> None:
    """The three grids: by mechanism and year, by interface and year, by mechanism and reader."""
    rows = {each.title: f"mechanism-{each.id}" for each in KNOWLEDGE.mechanisms}
    rows |= {each.title: f"interface-{each.id}" for each in INTERFACES}
    columns = {
        READERS[each].split(" ")[-1].capitalize() if " " in READERS[each] else READERS[each]: each
        for each in READERS
    }
    seen = 0
    for each in document("all", False).blocks:
        if not isinstance(each, Picture) or not each.alt.startswith("Table of counts"):
            continue
        assert isinstance(each.instead, Bullets)
        for (line,) in each.instead.items:
            assert isinstance(line, Text)
            title, counts = line.text.rsplit(": ", 1)
            for count in counts.split(", "):
                place, value = count.rsplit(" ", 1)
                name = (
                    f"{rows[title]}-in-{place}" if place.isdigit() else f"{rows[title]}-for-{columns[place]}"
                )
                (figure,) = why(FIGURES, name)
                assert figure.shown == value, name
                seen += 1
    assert seen > 150


def test_every_number_of_the_bars_is_a_figure() -> None:
    bars = next(
        each
        for each in document("all", False).blocks
        if isinstance(each, Picture) and each.alt.startswith("Bars")
    )
    models = {group.title: f"model-{group.id}-" for group in MODELS} | {"All recorded incidents": ""}
    words = {"stopped": "yes", "helped in part": "partly", "not helped": "no", "not known": "unknown"}
    seen = re.findall(r"([^:;]+): ((?:[a-z ]+ \d+(?:, )?)+)", bars.alt.removeprefix("Bars. "))
    assert len(seen) == 1 + len(MODELS)
    for title, counts in seen:
        for count in counts.split(", "):
            said, value = count.rsplit(" ", 1)
            (figure,) = why(FIGURES, f"{models[title.strip()]}border-{words[said]}")
            assert figure.shown == value


def test_the_appendix_tells_each_number_of_the_sentences_with_its_records() -> None:
    made = document("all", False)
    used = {each.name for each in inlines_of(made.blocks) if isinstance(each, Counted)}
    told = {name: said for block in made.blocks if isinstance(block, Terms) for name, said, _ in block.items}
    for name in used:
        said = told[name]
        records = [each.text for each in said if isinstance(each, Code)]
        figure = FIGURES[name]
        assert records in ([", ".join(figure.records)], [f"rearguard lessons why {name}"])
        if records == [f"rearguard lessons why {name}"]:
            assert figure.records or figure.value == 0
        for record in figure.records:
            assert GRAPH.resolve(record)
