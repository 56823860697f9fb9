"""The first page: what was found, what to do, for whom; and how the article came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.desk import texts
from rearguard.lessons.article.document import Aside, Bullets, Heading, Numbered, Paragraph, Strong, Text
from rearguard.lessons.article.edition import READERS

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block
    from rearguard.lessons.model import Audience, Recommendation

__all__ = ["first_tasks", "method", "summary"]

FIRST_FOR_ALL, FIRST_FOR_ONE = 1, 5


def summary(desk: Desk) -> list[Block]:
    """One page: the finding, four sentences of what follows, and the first task of each reader."""
    own = texts()["summary"]
    return [
        Heading(1, "Summary", "summary"),
        Paragraph(desk.own(own["lead"]), "lead"),
        Numbered(tuple(desk.own(each) for each in own["findings"])),
        _tasks(desk),
        Paragraph(desk.own(own["scope"]), "small"),
    ]


def _tasks(desk: Desk) -> Block:
    alone = desk.edition.audience is not None
    count = FIRST_FOR_ONE if alone else FIRST_FOR_ALL
    items = []
    for audience in desk.edition.audiences:
        for entry in first_tasks(desk, audience, count):
            who = () if alone else (Strong(f"{READERS[audience]}: "),)
            reach = (
                Text(" Its mechanisms occur in "),
                desk.figure(f"recommendation-{entry.id}"),
                Text(" incidents."),
            )
            items.append((*who, *desk.advised(entry), *reach))
    title = "What to do first" if alone else "What each of us should do first"
    return Aside(title, (Bullets(tuple(items)),))


def first_tasks(desk: Desk, audience: Audience, count: int) -> list[Recommendation]:
    """The recommendations for a reader whose mechanisms occur in most incidents; ties by id."""
    mine = [each for each in desk.knowledge.recommendations if each.audience == audience]
    return sorted(mine, key=lambda each: (-desk.value(f"recommendation-{each.id}"), each.id))[:count]


def method(desk: Desk) -> list[Block]:
    """How the numbers came about and how far they carry."""
    return [
        Heading(1, "How this was made, and how far it carries", "method"),
        *(Paragraph(desk.own(_worded(desk, each))) for each in texts()["method"]),
    ]


def _worded(desk: Desk, paragraph: str | list[str | dict[str, str]]) -> str:
    """A paragraph; of a sentence that has other words for zero, those that hold."""
    if isinstance(paragraph, str):
        return paragraph
    return " ".join(
        each if isinstance(each, str) else each["some" if desk.figures[each["figure"]].value else "zero"]
        for each in paragraph
    )
