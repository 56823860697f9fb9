"""The knowledge base as a whole: look up by id, and follow the edges that a report needs.

Files are read when somebody first asks for something out of them: a run that only fills in the numbers of
recommendations does not pay for the incidents, which are the largest part. Every edge of the base, in both
directions, is in :mod:`rearguard.lessons.graph`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from rearguard.lessons.entries import parse, parse_list
from rearguard.lessons.model import AUDIENCES, Entry, Incident, Mechanism, Recommendation, Standard
from rearguard.lessons.standards import Clause, DeviceCheck, Document, FindingLesson, RuleShape
from rearguard.model.errors import InputError
from rearguard.model.errors import Place as Where

__all__ = ["Knowledge", "load", "read"]

DATA = Path(__file__).parent / "data"

One = TypeVar("One", bound=Entry)
Value = TypeVar("Value")


class Knowledge:
    """Everything in one folder: several entries a file in its order, or one entry a file by name or date."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where it was read from."""
        return self._folder

    @cached_property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """Root causes."""
        return self._several("mechanisms", Mechanism)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """What happened, oldest first."""
        found = self._each("incidents", Incident)
        return tuple(sorted(found, key=lambda each: (each.date, each.id)))

    @cached_property
    def recommendations(self) -> tuple[Recommendation, ...]:
        """Who can do what, with the clauses that ask for the same."""
        found = self._several("recommendations", Recommendation)
        return tuple(each.with_standards(self._standards_of(each)) for each in found)

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """Standards, laws and guidelines, by id."""
        return self._each("standards", Document)

    @cached_property
    def checks(self) -> tuple[DeviceCheck, ...]:
        """How mechanisms are found on one's own devices."""
        return self._several("checks", DeviceCheck)

    @cached_property
    def shapes(self) -> tuple[RuleShape, ...]:
        """The shapes of filter rules."""
        return self._several("shapes", RuleShape)

    @cached_property
    def findings(self) -> tuple[FindingLesson, ...]:
        """What each finding kind teaches."""
        return self._several("findings", FindingLesson)

    @cached_property
    def clauses(self) -> Mapping[str, tuple[Document, Clause]]:
        """Every clause with its document, by ``document/number``."""
        return {
            f"{each.id}/{clause.number}": (each, clause) for each in self.documents for clause in each.clauses
        }

    def mechanism(self, name: str) -> Mechanism:
        """The mechanism with this id; raises :class:`InputError` with close matches when there is none."""
        return self._one(name, self._mechanisms, "mechanism")

    def incident(self, name: str) -> Incident:
        """The incident with this id; raises :class:`InputError` with close matches when there is none."""
        return self._one(name, self._incidents, "incident")

    def recommendation(self, name: str) -> Recommendation:
        """The recommendation with this id; raises :class:`InputError` when there is none."""
        return self._one(name, self._recommendations, "recommendation")

    def document(self, name: str) -> Document:
        """The standard, law or guideline with this id; raises :class:`InputError` when there is none."""
        return self._one(name, {each.id: each for each in self.documents}, "standard")

    def clause(self, name: str) -> Standard:
        """A clause by ``document/number``; raises :class:`InputError` when there is none."""
        return _standard(name, self._one(name, self.clauses, "clause"), None)

    def incidents_by(self, mechanism: str) -> tuple[Incident, ...]:
        """The incidents that had this mechanism, oldest first."""
        return tuple(each for each in self.incidents if mechanism in each.mechanisms)

    def recommendations_for(self, mechanisms: Iterable[str]) -> tuple[Recommendation, ...]:
        """What removes at least one of these mechanisms: operators' tasks first, then as AUDIENCES orders
        them; within an audience those that remove the larger part of what they are made for come first.
        """
        given = frozenset(mechanisms)
        fitting = [each for each in self.recommendations if given.intersection(each.mechanisms)]

        def rank(entry: Recommendation) -> tuple[int, float, str]:
            shared = len(given.intersection(entry.mechanisms))
            return AUDIENCES.index(entry.audience), -shared / len(entry.mechanisms), entry.id

        return tuple(sorted(fitting, key=rank))

    @cached_property
    def _mechanisms(self) -> dict[str, Mechanism]:
        return {each.id: each for each in self.mechanisms}

    @cached_property
    def _incidents(self) -> dict[str, Incident]:
        return {each.id: each for each in self.incidents}

    @cached_property
    def _recommendations(self) -> dict[str, Recommendation]:
        return {each.id: each for each in self.recommendations}

    def _standards_of(self, entry: Recommendation) -> tuple[Standard, ...]:
        return tuple(
            _standard(use.id, self._one(use.id, self.clauses, "clause"), use.note) for use in entry.clauses
        )

    def _several(self, name: str, kind: type[One]) -> tuple[One, ...]:
        file = self._folder / f"{name}.yaml"
        return parse_list(self._text(file), str(file), kind, name)

    def _each(self, name: str, kind: type[One]) -> tuple[One, ...]:
        """One entry a file; the name of the file is the id of the entry."""
        folder = self._folder / name
        files = sorted(folder.glob("*.yaml"))
        if not files:
            raise self._missing(folder, "there is no such folder, or nothing in it")
        return tuple(self._named(file, kind) for file in files)

    def _named(self, file: Path, kind: type[One]) -> One:
        entry = parse(self._text(file), str(file), kind)
        name = getattr(entry, "id", None)
        if name != file.stem:
            raise InputError(
                f"the entry is called {name}, its file {file.stem}",
                place=Where(file=str(file), key="id"),
                remedy="give both the same name",
            )
        return entry

    def _text(self, file: Path) -> str:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._missing(file, getattr(error, "strerror", None) or "it is not UTF-8") from error

    def _missing(self, file: Path, why: str) -> InputError:
        return InputError(
            f"it cannot be read: {why}",
            place=Where(file=str(file)),
            remedy="name a folder that is laid out like the one shipped: docs/contributing-incidents.md",
        )

    def _one(self, name: str, known: Mapping[str, Value], kind: str) -> Value:
        try:
            return known[name]
        except KeyError:
            close = get_close_matches(name, known, n=3, cutoff=0.5)
            raise InputError(
                f"the lessons have no {kind} {name}",
                remedy=f"did you mean {' or '.join(close)}?" if close else f"its files are in {self._folder}",
            ) from None


def _standard(name: str, found: tuple[Document, Clause], note: str | None) -> Standard:
    document, clause = found
    return Standard(
        id=name,
        document=document.title,
        clause=clause.number,
        statement=clause.statement,
        evidence=clause.evidence,
        url=clause.url or document.url,
        seen_at=clause.seen_at or document.seen_at,
        note=note or clause.note,
    )


def read(folder: Path) -> Knowledge:
    """The knowledge base of a folder; its files are read, and checked, on first use."""
    return Knowledge(folder)


@cache
def load() -> Knowledge:
    """The knowledge base that is shipped."""
    return read(DATA)
