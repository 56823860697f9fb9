"""The edition of two pages, for lists of operators and for people who stand in a corridor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.border import course, share_picture
from rearguard.lessons.article.desk import short_title, texts
from rearguard.lessons.article.document import Bullets, Heading, Numbered, Paragraph, Strong, Text
from rearguard.lessons.article.edition import READERS
from rearguard.lessons.article.front import first_tasks

if TYPE_CHECKING:
    from rearguard.lessons.article.desk import Desk
    from rearguard.lessons.article.document import Block, Inline, Inlines
    from rearguard.lessons.model import Recommendation

__all__ = ["brief"]

MECHANISMS = 6
TASKS_ALONE, TASKS_TOGETHER = 12, 3


def brief(desk: Desk) -> list[Block]:
    """Summary, bars, the most frequent mechanisms, the tasks, what a border does not do, and what must instead."""
    own = texts()
    border = own["border"]
    return [
        Paragraph(desk.own(own["summary"]["lead"]), "lead"),
        Numbered(tuple(desk.own(each) for each in own["summary"]["findings"])),
        share_picture(desk),
        Heading(1, "What comes back", "mechanisms"),
        Bullets(tuple(_mechanism(desk, each.id, each.title) for each in desk.mechanisms[:MECHANISMS])),
        Heading(1, "What to do", "acting"),
        Bullets(tuple(_tasks(desk))),
        Heading(1, border["limits_title"], "border-limits"),
        Bullets(tuple(desk.own(each) for each in border["limits"])),
        Heading(1, border["replace_title"], "from-anywhere"),
        Bullets(tuple(desk.own(each) for each in border["replace"])),
        course("device-initiated", border["sequence_cloud"]),
        Paragraph((*desk.own(own["summary"]["scope"]), Text(" "), *desk.own(own["short"]["more"])), "small"),
    ]


def _mechanism(desk: Desk, name: str, title: str) -> Inlines:
    sentence = (
        f"{{mechanism-{name}}} incidents, the newest in {{mechanism-{name}-last-year}}; a border would have "
        f"stopped {{mechanism-{name}-border-yes}}, helped in part in {{mechanism-{name}-border-partly}}."
    )
    return (Strong(f"{title}: "), *desk.own(sentence))


def _tasks(desk: Desk) -> list[Inlines]:
    """Each task with the first clause that asks for it and was read; in a reader's own edition with its check."""
    alone = desk.edition.audience is not None
    made: list[Inlines] = []
    for audience in desk.edition.audiences:
        for entry in first_tasks(desk, audience, TASKS_ALONE if alone else TASKS_TOGETHER):
            who: tuple[Inline, ...] = () if alone else (Text(f"{READERS[audience]}: "),)
            check = (Text(f"Check: {entry.how_checked[0].check}."),) if alone else ()
            made.append((*who, Strong(entry.recommendation), Text(" "), *_asked(entry), *check))
    return made


def _asked(entry: Recommendation) -> list[Inline]:
    read = [each for each in entry.standards if each.verified]
    return [Text(f"({short_title(read[0].document)} {read[0].clause}) ")] if read else []
