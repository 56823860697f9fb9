"""The central chapter: what a border can protect, and what must take its place where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.desk import texts
from rearguard.lessons.article.document import Bullets, Heading, Numbered, Paragraph, Picture, Table, Text
from rearguard.lessons.article.pictures import Bar, bars
from rearguard.lessons.article.sequence import draw, in_words, sequences
from rearguard.lessons.border import REASONS
from rearguard.lessons.groups import MODELS, VERDICTS

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block

__all__ = ["border_chapter", "course", "share_picture"]


def border_chapter(desk: Desk) -> list[Block]:
    """The founding question, model by model, with its limits and its substitute."""
    own = texts()["border"]
    blocks: list[Block] = [
        Heading(1, "What a border can protect, and what it cannot", "border"),
        Paragraph(desk.own(own["question"])),
        share_picture(desk),
        Paragraph(desk.own(own["line"])),
    ]
    for group in MODELS:
        blocks.append(Heading(2, group.title, f"model-{group.id}"))
        blocks += [Paragraph(desk.own(each)) for each in own[group.id]]
        if group.id == "operator":
            blocks.append(course("operator-domain", own["sequence_operator"]))
    blocks += [
        Heading(2, "Why it helps, and why it does not", "border-reasons"),
        Paragraph(desk.own(own["reasons"])),
        _reasons(desk),
        Heading(2, own["limits_title"], "border-limits"),
        Bullets(tuple(desk.own(each) for each in own["limits"])),
        Heading(2, own["replace_title"], "from-anywhere"),
        Numbered(tuple(desk.own(each) for each in own["replace"])),
        course("device-initiated", own["sequence_cloud"]),
    ]
    return blocks


def _reasons(desk: Desk) -> Table:
    """The reasons by how often they were given, with what the filter would have done."""
    counts = {reason: desk.value(f"reason-{reason}") for reason in REASONS}
    rows = []
    for reason in sorted(REASONS, key=lambda each: -counts[each]):
        if counts[reason]:
            verdicts = {
                each.border_filter.would_help
                for each in desk.knowledge.incidents
                if each.border_filter.reason == reason
            }
            said = ", ".join(_SHORT[verdict] for verdict in VERDICTS if verdict in verdicts)
            rows.append(((Text(REASONS[reason]),), (desk.figure(f"reason-{reason}"),), (Text(said),)))
    return Table(
        ("Reason", "Incidents", "A filter would have"), tuple(rows), "Reasons in the records", (8, 2, 4)
    )


def share_picture(desk: Desk) -> Picture:
    """Bars by management model, with the whole base on top."""
    rows = [("All recorded incidents", "")]
    rows += [(group.title, f"model-{group.id}-") for group in MODELS if desk.value(f"model-{group.id}")]
    made = [
        Bar(
            label,
            {verdict: desk.value(f"{prefix}border-{verdict}") for verdict in VERDICTS},
            strong=not prefix,
        )
        for label, prefix in rows
    ]
    said = [
        f"{row.label}: {', '.join(f'{words} {row.counts[verdict]}' for verdict, words in _SHORT.items())}"
        for row in made
    ]
    listed = Bullets(tuple((Text(each),) for each in said))
    return Picture(bars(made), texts()["border"]["picture"], f"Bars. {'; '.join(said)}.", listed)


_SHORT = {"yes": "stopped", "partly": "helped in part", "no": "not helped", "unknown": "not known"}


def course(name: str, caption: str = "") -> Picture:
    """The sequence diagram with this name; its steps in words for readers without pictures."""
    sequence = sequences()[name]
    words = in_words(sequence)
    said = " ".join(f"{number}. {text}." for number, text in enumerate(words, start=1))
    title = caption or f"{sequence.title}. {sequence.border}"
    return Picture(
        draw(sequence), title, f"Sequence diagram. {said}", Numbered(tuple((Text(each),) for each in words))
    )
