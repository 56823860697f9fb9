"""What stands behind the chapters: all incidents, the clauses of standards, and how each number was counted."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rearguard.lessons.article.acting import linked
from rearguard.lessons.article.desk import short_title, texts, web
from rearguard.lessons.article.document import (
    Code,
    Heading,
    Link,
    Mark,
    Paragraph,
    Strong,
    Table,
    Terms,
    Text,
)
from rearguard.lessons.groups import VERDICTS
from rearguard.lessons.standards import DOUBTS

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block, Inline, Inlines
    from rearguard.lessons.model import Incident
    from rearguard.lessons.standards import Clause, Document

__all__ = ["counted_figures", "incident_list", "standards_map"]

SHOWN = 12
"""Up to how many records behind a figure are named in the appendix itself."""


def incident_list(desk: Desk) -> list[Block]:
    """Every incident; the story only where no chapter told it."""
    blocks: list[Block] = [
        Heading(1, "The incidents", "incidents"),
        Paragraph(desk.own("All {incidents}, oldest first. Scale is given as its sources give it.")),
    ]
    for each in desk.knowledge.incidents:
        blocks += _incident(desk, each)
    return blocks


def _incident(desk: Desk, entry: Incident) -> list[Block]:
    blocks: list[Block] = [Heading(2, f"{entry.title} ({entry.date})", entry.id, listed=False)]
    told = desk.told.get(entry.id)
    if told is None:
        blocks.append(Paragraph((Text(f"{entry.what_happened} "), desk.cited(entry))))
    ports = ", ".join(entry.interface.ports)
    facts: list[tuple[str, Inlines, str]] = (
        [] if told is None else [("Told under", (desk.entry(told), Text(".")), "")]
    )
    facts += [
        ("Interface", (Text(f"{entry.interface.name} ({ports}); managed by: {entry.managed_by}."),), "")
    ]
    if entry.scale:
        facts.append(("Scale", (Text("; ".join(each.figure for each in entry.scale) + "."),), ""))
    inferred: tuple[Inline, ...] = (
        (Text(" "), Mark("inferred by the editors")) if entry.mechanisms_inferred else ()
    )
    facts.append(("Mechanisms", (*linked(desk, entry.mechanisms), *inferred, Text(".")), ""))
    if entry.cve:
        facts.append(("CVE", (Text(", ".join(each.id for each in entry.cve) + "."),), ""))
    verdict = entry.border_filter
    facts.append(("Border filter", (Text(f"{VERDICTS[verdict.would_help]}. {verdict.why}"),), ""))
    if entry.what_stopped_it:
        facts.append(("What stopped it", (Text("; ".join(entry.what_stopped_it) + "."),), ""))
    if entry.conflicts_or_limits:
        facts.append(("Open or disputed", (Text(" ".join(entry.conflicts_or_limits)),), ""))
    if told is not None:
        facts.append(("Sources", (desk.cited(entry),), ""))
    return [*blocks, Terms(tuple(facts), form="run-in")]


def standards_map(desk: Desk) -> list[Block]:
    """Document by document, what each clause asks for, how far it was checked, and which tasks it supports."""
    uses: dict[str, list[str]] = defaultdict(list)
    for entry in desk.recommendations:
        for each in entry.clauses:
            if entry.id not in uses[each.id]:
                uses[each.id].append(entry.id)
    blocks: list[Block] = [
        Heading(1, "What standards and laws ask for", "standards"),
        Paragraph(desk.own(texts()["standards"])),
    ]
    for document in desk.knowledge.documents:
        rows = [row for clause in document.clauses if (row := _clause(desk, document, clause, uses))]
        if rows:
            version = f"{document.title}; {document.version}"
            blocks += [
                Heading(2, short_title(document.title), f"standard-{document.id}", listed=False),
                Paragraph(
                    (Link(version, document.url) if web(document.url) else Text(version), Text(".")), "small"
                ),
                Table(
                    ("Clause", "What it asks for", "Used by"),
                    tuple(rows),
                    f"Clauses of {document.title}",
                    (3, 9, 2),
                ),
            ]
    return blocks


def _clause(
    desk: Desk, document: Document, clause: Clause, uses: dict[str, list[str]]
) -> tuple[Inlines, ...] | None:
    """A row; None for a clause that no recommendation of this edition refers to."""
    names = uses.get(f"{document.id}/{clause.number}")
    if not names:
        return None
    mark = DOUBTS[clause.evidence]
    said: list[Inline] = [Text(f"{clause.statement} ({clause.status})")]
    said += [Text(" "), Mark(mark)] if mark else []
    return (Strong(clause.number),), tuple(said), tuple(linked(desk, tuple(names)))


def counted_figures(desk: Desk) -> list[Block]:
    """Each number that a sentence used, with the records behind it; to be built last."""
    items: list[tuple[str, Inlines, str]] = []
    for name in sorted(desk.used):
        figure = desk.figures[name]
        said: list[Inline] = [Strong(figure.shown), Text(f", {figure.title}; {figure.how}. ")]
        if 0 < len(figure.records) <= SHOWN:
            said += [Code(", ".join(figure.records))]
        else:
            said += [Text("Records: "), Code(f"rearguard lessons why {name}")]
        items.append((name, tuple(said), f"figure-{name}"))
    return [
        Heading(1, "How each number was counted", "figures"),
        Paragraph(
            desk.own(
                "Numbers in the text lead here. Numbers in the pictures are named after the same pattern: "
                "`mechanism-auth-bypass-in-2018`, `mechanism-auth-bypass-for-operator`."
            ),
            "small",
        ),
        Terms(tuple(items), form="dense"),
    ]
