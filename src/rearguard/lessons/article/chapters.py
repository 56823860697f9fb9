"""The mechanisms: an overview in pictures, then one chapter for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.border import course
from rearguard.lessons.article.document import (
    Aside,
    Bullets,
    Code,
    Heading,
    Link,
    Mark,
    Paragraph,
    Picture,
    Strong,
    Text,
)
from rearguard.lessons.article.edition import READERS
from rearguard.lessons.article.pictures import dots, grid
from rearguard.lessons.article.sequence import sequences
from rearguard.lessons.groups import INTERFACES, VERDICTS, year_of

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block, Inline, Inlines
    from rearguard.lessons.article.svg import Drawing
    from rearguard.lessons.model import Incident, Mechanism, Named

__all__ = ["mechanism_chapters"]

STORIES = 3
"""How many incidents a chapter tells in full; each is told once in the whole article."""

OTHERS = 12
"""Up to how many others it names; of more, the newest."""

CWE = "https://cwe.mitre.org/data/definitions/{}.html"
ATTACK = "https://attack.mitre.org/techniques/{}/"


def mechanism_chapters(desk: Desk) -> list[Block]:
    """Overview and chapters, the most frequent mechanism first."""
    blocks: list[Block] = [Heading(1, "The mechanisms", "mechanisms"), *_overview(desk)]
    for entry in desk.mechanisms:
        blocks += _chapter(desk, entry)
    return blocks


def _overview(desk: Desk) -> list[Block]:
    years = [str(year) for year in _years(desk)]
    mechanisms = [(each.title, f"mechanism-{each.id}") for each in _by_frequency(desk)]
    interfaces = [
        (each.title, f"interface-{each.id}") for each in INTERFACES if desk.value(f"interface-{each.id}")
    ]
    left_out = len(desk.knowledge.mechanisms) - len(desk.mechanisms)
    blocks: list[Block] = [
        Paragraph(
            desk.own(
                "Mechanisms are root causes that many incidents share; an incident may have several, so the rows "
                "of the first picture count some incidents more than once."
            )
        ),
        _over_years(desk, "Incidents by mechanism and year", mechanisms, years),
        _over_years(desk, "Incidents by the kind of management interface and year", interfaces, years),
        _matrix(desk),
    ]
    if left_out:
        blocks.append(
            Paragraph(
                (
                    Text(
                        "This edition treats the mechanisms that its readers can act on; the full article has all."
                    ),
                )
            )
        )
    return blocks


def _by_frequency(desk: Desk) -> list[Mechanism]:
    return sorted(desk.knowledge.mechanisms, key=lambda each: (-desk.value(f"mechanism-{each.id}"), each.id))


def _years(desk: Desk) -> range:
    return range(desk.value("first-year"), desk.value("last-year") + 1)


def _over_years(desk: Desk, caption: str, rows: list[tuple[str, str]], years: list[str]) -> Picture:
    values = {
        (row, place): count
        for row, (_, name) in enumerate(rows)
        for place, year in enumerate(years)
        if (count := desk.value(f"{name}-in-{year}"))
    }
    return _counted(
        grid([title for title, _ in rows], years, values, totals="all"),
        caption,
        [title for title, _ in rows],
        years,
        values,
    )


def _matrix(desk: Desk) -> Picture:
    audiences = list(READERS)
    rows = _by_frequency(desk)
    values = {
        (row, place): count
        for row, each in enumerate(rows)
        for place, audience in enumerate(audiences)
        if (count := desk.value(f"mechanism-{each.id}-for-{audience}"))
    }
    names = [
        READERS[each].split(" ")[-1].capitalize() if " " in READERS[each] else READERS[each]
        for each in audiences
    ]
    caption = "Who can act against what: recommendations by mechanism and reader"
    titles = [each.title for each in rows]
    return _counted(grid(titles, names, values), caption, titles, names, values)


def _counted(
    drawing: Drawing, caption: str, rows: list[str], columns: list[str], values: dict[tuple[int, int], int]
) -> Picture:
    """A picture of counts, and the same in words, a row a line."""
    said = []
    for row, title in enumerate(rows):
        counts = (f"{columns[place]} {count}" for (at, place), count in sorted(values.items()) if at == row)
        said.append(f"{title}: {', '.join(counts)}")
    listed = Bullets(tuple((Text(each),) for each in said))
    return Picture(drawing, f"{caption}.", f"Table of counts. {'; '.join(said)}.", listed)


def _chapter(desk: Desk, entry: Mechanism) -> list[Block]:
    some = desk.knowledge.incidents_by(entry.id)
    name = f"mechanism-{entry.id}"
    blocks: list[Block] = [Heading(2, entry.title, entry.id), Paragraph((Text(entry.definition),), "lead")]
    if some:
        sentence = (
            "{X} of {incidents} incidents, {X-first-year} to {X-last-year}. A filter at the border would have "
            "stopped {X-border-yes}, helped in part in {X-border-partly} and not helped in {X-border-no}."
        )
        blocks.append(Paragraph(desk.own(sentence.replace("{X", f"{{{name}"))))
        blocks.append(_timeline(desk, some))
    if entry.id in sequences():
        blocks += [Heading(3, "How it goes", f"{entry.id}-course", listed=False), course(entry.id)]
    blocks += _stories(desk, entry, some)
    blocks += [
        Heading(3, "What it looks like in traffic", f"{entry.id}-traffic", listed=False),
        Bullets(tuple((Text(each),) for each in entry.recognise_in_traffic)),
        *_found_by(desk, entry),
        *_fixes(desk, entry),
        Heading(3, "How to verify a device, without harm", f"{entry.id}-verify", listed=False),
        Bullets((*((Text(each),) for each in entry.check_device_non_destructively), *_checks(desk, entry))),
    ]
    if entry.note:
        blocks.append(Aside("Note", (Paragraph((Text(entry.note),)),)))
    blocks.append(Paragraph(_numbers(entry), "small"))
    return blocks


def _timeline(desk: Desk, some: tuple[Incident, ...]) -> Picture:
    marks = [(year_of(each), each.border_filter.would_help, each.title) for each in some]
    by_year = [
        f"{year}: {', '.join(title for at, _, title in marks if at == year)}"
        for year in _years(desk)
        if any(at == year for at, _, _ in marks)
    ]
    return Picture(
        dots(list(_years(desk)), marks),
        "Its incidents by year; the colour says what a border filter would have done.",
        f"Timeline. {'; '.join(by_year)}.",
        Bullets(tuple((Text(each),) for each in by_year)),
    )


def _stories(desk: Desk, entry: Mechanism, some: tuple[Incident, ...]) -> list[Block]:
    """Up to three incidents in full, those the diagram is drawn after first; then the others by name."""
    after = sequences()[entry.id].after if entry.id in sequences() else ()
    ranked = sorted(
        some, key=lambda each: (after.index(each.id) if each.id in after else len(after), each.date, each.id)
    )
    fresh = [each for each in ranked if each.id not in desk.told][:STORIES]
    blocks: list[Block] = [Heading(3, "Cases", f"{entry.id}-cases", listed=False)] if some else []
    for each in fresh:
        desk.told[each.id] = entry.id
        blocks.append(
            Paragraph(
                (
                    desk.entry(each.id), Text(f" ({each.date}). {each.what_happened} At the border: a filter "
                    f"{VERDICTS[each.border_filter.would_help]}. {each.border_filter.why} "), desk.cited(each),
                )
            )
        )  # fmt: skip
    others = [each for each in some if each not in fresh]
    if others:
        newest = others[-1 : -OTHERS - 1 : -1] if len(others) > OTHERS else others
        links: list[Inline] = [Text("Also: " if fresh else "")]
        for place, each in enumerate(newest):
            links += [Text(", ")] if place else []
            links.append(desk.entry(each.id))
        if len(newest) < len(others):
            links += [
                Text(", and older ones: "),
                Link("the incidents", "#incidents"),
                Text(" name their mechanisms"),
            ]
        blocks.append(Paragraph((*links, Text(".")), "small"))
    return blocks


def _fixes(desk: Desk, entry: Mechanism) -> list[Block]:
    items: list[Inlines] = []
    for audience in desk.edition.audiences:
        for each in desk.recommendations:
            if each.audience == audience and entry.id in each.mechanisms:
                items.append((Strong(f"{READERS[audience]}: "), *desk.advised(each)))
    shapes = [each for each in desk.knowledge.shapes if entry.id in each.mechanisms]
    if shapes and "operator" in desk.edition.audiences:
        names = ", ".join(each.title for each in shapes)
        items.append((Strong("At the border: "), Text(f"filter rules of the shape {names}.")))
    return [Heading(3, "What removes it", f"{entry.id}-fix", listed=False), Bullets(tuple(items))]


def _found_by(desk: Desk, entry: Mechanism) -> list[Block]:
    """The finding kinds of Rearguard behind which this mechanism may stand."""
    kinds = [each.id for each in desk.knowledge.findings if entry.id in each.mechanisms]
    if not kinds:
        return []
    said: list[Inline] = [Text("Rearguard reports it as ")]
    for place, kind in enumerate(kinds):
        said += [Text(", ")] if place else []
        said.append(Code(kind))
    return [Paragraph((*said, Text(".")), "small")]


def _checks(desk: Desk, entry: Mechanism) -> list[Inlines]:
    made: list[Inlines] = []
    for each in desk.knowledge.checks:
        if entry.id in each.mechanisms:
            warning = () if each.harmless else (Text(" "), Mark("laboratory units only"))
            made.append((Strong(f"{each.title}. "), Text(f"{each.how} Expected: {each.expected}"), *warning))
    return made


def _numbers(entry: Mechanism) -> Inlines:
    made: list[Inline] = []
    for head, all_, pattern in (("Weaknesses: ", entry.cwe, CWE), ("Techniques: ", entry.attack, ATTACK)):
        if all_:
            made += [Text(f"  {head}" if made else head)]
            for place, each in enumerate(all_):
                made += [Text(", ")] if place else []
                made += _named(each, pattern)
            made.append(Text("."))
    return tuple(made)


def _named(each: Named, pattern: str) -> list[Inline]:
    number = each.id.removeprefix("CWE-").replace(".", "/")
    link: list[Inline] = [Link(each.id, pattern.format(number)), Text(f" {each.name}")]
    return link if each.name_verified else [*link, Text(" "), Mark("name not verified")]
