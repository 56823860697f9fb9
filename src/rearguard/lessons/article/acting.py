"""What each reader should do: the recommendations with their reasons, clauses, and how they are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.document import Heading, Paragraph, Terms, Text
from rearguard.lessons.article.edition import READERS

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block, Inline, Inlines
    from rearguard.lessons.model import Recommendation

__all__ = ["acting_chapter", "linked"]


def acting_chapter(desk: Desk) -> list[Block]:
    """A section for each reader of the edition, a recommendation after the other in the order of the records."""
    blocks: list[Block] = [Heading(1, "What to do, and how to check that it is done", "acting")]
    for audience in desk.edition.audiences:
        mine = [each for each in desk.recommendations if each.audience == audience]
        if mine:
            blocks.append(Heading(2, READERS[audience], f"for-{audience}"))
        for entry in mine:
            blocks += _recommendation(desk, entry)
    return blocks


def _recommendation(desk: Desk, entry: Recommendation) -> list[Block]:
    facts: list[tuple[str, Inlines, str]] = [
        (f"Check ({each.type})", (Text(each.check),), "") for each in entry.how_checked
    ]
    asked: list[Inline] = []
    for place, standard in enumerate(entry.standards):
        asked += [Text("; ")] if place else []
        asked += desk.clause(standard)
    if asked:
        facts.append(("Asked for by", (*asked, Text(".")), ""))
    reach = (Text("; one of them in "), desk.figure(f"recommendation-{entry.id}"), Text(" incidents."))
    facts.append(("Removes", (*linked(desk, entry.mechanisms), *reach), ""))
    changed: list[Inline] = []
    for each in entry.would_have_changed:
        changed += [desk.entry(each.incident), Text(f": {each.how} ")]
    facts.append(("Would have changed", tuple(changed), ""))
    return [
        Heading(3, f"{entry.id}  {entry.recommendation}", entry.id, listed=False),
        Paragraph((Text(entry.rationale),)),
        Terms(tuple(facts)),
    ]


def linked(desk: Desk, names: tuple[str, ...]) -> list[Inline]:
    """Links to entries, with commas between."""
    made: list[Inline] = []
    for place, name in enumerate(names):
        made += [Text(", ")] if place else []
        made.append(desk.entry(name))
    return made
