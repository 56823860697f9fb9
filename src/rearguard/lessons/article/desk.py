"""The editor's desk: looks up what a text refers to, numbers references, remembers which figures are used."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rearguard.lessons.article.document import Cite, Counted, Emphasis, Link, Mark, Reference, Text
from rearguard.lessons.article.edition import Edition
from rearguard.lessons.article.marks import marked
from rearguard.lessons.figures import Figures, figures
from rearguard.lessons.standards import DOUBTS
from rearguard.model.errors import InputError

if TYPE_CHECKING:
    from rearguard.lessons.article.document import Inline, Inlines
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Incident, Mechanism, Recommendation, Source, Standard

__all__ = ["Desk", "doubt", "short_title", "texts", "web"]

LONGEST_NAME = 60

FILE = Path(__file__).with_name("border.yaml")


@cache
def texts() -> dict[str, Any]:
    """The article's own sentences, in the markup of marks.py."""
    made = yaml.load(FILE.read_text("utf-8"), Loader=yaml.CSafeLoader)
    assert isinstance(made, dict)
    return made


class Desk:
    """One edition in the making. Asking it for a reference or a figure is what puts it into the lists."""

    def __init__(self, knowledge: Knowledge, edition: Edition) -> None:
        self.knowledge = knowledge
        self.edition = edition
        self.figures: Figures = figures(knowledge)
        self.used: dict[str, None] = {}
        """Names of figures, in the order of their first use."""
        self.told: dict[str, str] = {}
        """Incidents whose story was told already, with the mechanism under which it was."""
        self._references: dict[tuple[str, str, str], Reference] = {}
        self.mechanisms = self._chosen_mechanisms()
        self.recommendations = tuple(
            each for each in knowledge.recommendations if each.audience in edition.audiences
        )
        self._titles = {
            **{each.id: each.title for each in knowledge.mechanisms},
            **{each.id: each.title for each in knowledge.incidents},
            **{each.id: each.recommendation for each in knowledge.recommendations},
        }
        self._advice = {each.id for each in knowledge.recommendations}
        self._present: set[str] = set()
        if not edition.short:
            self._present.update(each.id for each in self.mechanisms)
            self._present.update(each.id for each in self.recommendations)
            self._present.update(each.id for each in knowledge.incidents)

    def _chosen_mechanisms(self) -> tuple[Mechanism, ...]:
        """Those that the readers of the edition can do something about; the most frequent first."""
        mine = {
            name
            for each in self.knowledge.recommendations
            if each.audience in self.edition.audiences
            for name in each.mechanisms
        }
        chosen = [each for each in self.knowledge.mechanisms if each.id in mine]
        return tuple(sorted(chosen, key=lambda each: (-len(self.knowledge.incidents_by(each.id)), each.id)))

    def own(self, text: str) -> Inlines:
        """The inlines of a sentence of ours."""
        return marked(text, self)

    def figure(self, name: str) -> Inline:
        """The figure with this name; raises :class:`InputError` when there is none."""
        found = self.figures[name]
        self.used.setdefault(name)
        return Counted(name, found.shown, linked=not self.edition.short)

    def value(self, name: str) -> int:
        """The number of a figure that is drawn, not written."""
        return self.figures[name].value if name in self.figures else 0

    def entry(self, name: str, text: str | None = None) -> Inline:
        """A link to an entry of this edition; in an edition that leaves it out, its name only."""
        if name not in self._titles:
            raise InputError(
                f"a text refers to {name}, which the lessons do not have", remedy="name an entry"
            )
        shown = text or (name if name in self._advice else self._titles[name])
        return Link(shown, f"#{name}") if name in self._present else Emphasis(shown)

    def cite(self, name: str) -> Inline:
        """The sources of an incident as reference numbers."""
        return self.cited(self.knowledge.incident(name))

    def cited(self, incident: Incident) -> Inline:
        """The same for an incident at hand; a short edition has no list of references."""
        if self.edition.short:
            return Text("")
        return Cite(tuple(self._number(source) for source in incident.sources))

    def references(self) -> tuple[Reference, ...]:
        """All references so far, by number."""
        return tuple(self._references.values())

    def clause(self, standard: Standard) -> Inlines:
        """A clause of a standard by its short name, with a mark unless its wording was read."""
        made: list[Inline] = [Text(f"{short_title(standard.document)} {standard.clause}")]
        mark = doubt(standard)
        if mark:
            made += [Text(" "), Mark(mark)]
        return tuple(made)

    def advised(self, entry: Recommendation) -> Inlines:
        """A recommendation by number and sentence."""
        return (self.entry(entry.id), Text(f"  {entry.recommendation}"))

    def _number(self, source: Source) -> int:
        address = web(source.url)
        key = (address or "", source.title, source.publisher)
        if key not in self._references:
            notes = [] if source.verified else ["not read by the editors"]
            notes += [] if address or not source.locator else [source.locator]
            self._references[key] = Reference(
                len(self._references) + 1,
                source.title,
                source.publisher,
                source.date or "",
                address,
                "; ".join(notes),
            )
        return self._references[key].number


def web(url: str | None) -> str | None:
    """An address that may become a link: http and https only, no blanks, no control characters."""
    if url is None or not url.startswith(("http://", "https://")) or not url.isprintable() or " " in url:
        return None
    return url


def doubt(standard: Standard) -> str:
    """What a reader must know before relying on a clause; empty when its wording was read."""
    return DOUBTS[standard.evidence]


def short_title(document: str) -> str:
    """A document as engineers call it: its title up to the first comma, or the number at the end of a long one."""
    name = document.partition(", ")[0]
    if len(name) > LONGEST_NAME and name.endswith(")"):
        name = name[:-1].rpartition("(")[2]
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME].rstrip()}…"
