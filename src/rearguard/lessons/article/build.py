"""From the knowledge base to the document of one edition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.lessons.article.acting import acting_chapter
from rearguard.lessons.article.appendix import counted_figures, incident_list, standards_map
from rearguard.lessons.article.border import border_chapter
from rearguard.lessons.article.brief import brief
from rearguard.lessons.article.chapters import mechanism_chapters
from rearguard.lessons.article.desk import Desk
from rearguard.lessons.article.document import Document
from rearguard.lessons.article.edition import READERS, Edition
from rearguard.lessons.article.front import method, summary

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge

__all__ = ["build"]

TITLE = "Who may manage what, from where?"
KEYWORDS = (
    "remote management",
    "CWMP",
    "TR-069",
    "IoT",
    "incidents",
    "best current practice",
    "border filter",
)


def build(knowledge: Knowledge, edition: Edition) -> Document:
    """The article. Raises :class:`InputError` when a text refers to an entry or a figure that does not exist."""
    desk = Desk(knowledge, edition)
    if edition.short:
        blocks = brief(desk)
    else:
        blocks = [*summary(desk), *border_chapter(desk), *mechanism_chapters(desk), *acting_chapter(desk)]
        blocks += [*incident_list(desk), *standards_map(desk), *method(desk), *counted_figures(desk)]
    day = edition.day.isoformat()
    return Document(
        title=TITLE,
        subtitle=_subtitle(desk),
        imprint=(
            f"Rearguard {edition.version}, knowledge of {day}",
            f"sha256:{edition.digest[:16]}" if edition.short else f"Records sha256:{edition.digest}",
        ),
        language="en",
        date=day,
        blocks=tuple(blocks),
        references=desk.references(),
        short=edition.short,
        keywords=KEYWORDS,
    )


def _subtitle(desk: Desk) -> str:
    count, first, last = (desk.figures[name].shown for name in ("incidents", "first-year", "last-year"))
    what = "through the remote management of home and IoT devices"
    whole = f"Lessons from {count} incidents {what}, {first} to {last}"
    audience = desk.edition.audience
    return whole if audience is None else f"{whole}. Edition for {READERS[audience].casefold()}"
