"""The knowledge base as a whole: look up by id, and follow the edges.

Files are read when somebody first asks for something out of them: a run that only fills in the numbers of
recommendations does not pay for the incidents, which are the largest part.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from rearguard.lessons.entries import parse
from rearguard.lessons.model import AUDIENCES, Incident, Mechanism, Recommendation
from rearguard.model.errors import InputError
from rearguard.model.errors import Place as Where

__all__ = ["Knowledge", "load", "read"]

DATA = Path(__file__).parent / "data"


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Entry = TypeVar("Entry", bound=_Identified)


class Knowledge:
    """Mechanisms, incidents and recommendations of one folder, each in the order of its file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """Root causes."""
        return self._entries("mechanisms.yaml", Mechanism)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """What happened, oldest first."""
        return self._entries("incidents.yaml", Incident)

    @cached_property
    def recommendations(self) -> tuple[Recommendation, ...]:
        """Who can do what."""
        return self._entries("recommendations.yaml", Recommendation)

    def mechanism(self, name: str) -> Mechanism:
        """The mechanism with this id; raises :class:`InputError` with close matches when there is none."""
        return self._one(name, self._mechanisms, "mechanism")

    def incident(self, name: str) -> Incident:
        """The incident with this id; raises :class:`InputError` with close matches when there is none."""
        return self._one(name, self._incidents, "incident")

    def recommendation(self, name: str) -> Recommendation:
        """The recommendation with this id; raises :class:`InputError` when there is none."""
        return self._one(name, self._recommendations, "recommendation")

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

    def _entries(self, name: str, kind: type[Entry]) -> tuple[Entry, ...]:
        file = self._folder / name
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"it cannot be read: {error.strerror}",
                place=Where(file=str(file)),
                remedy="name a folder with mechanisms.yaml, incidents.yaml and recommendations.yaml",
            ) from error
        return parse(text, str(file), kind)

    def _one(self, name: str, known: dict[str, Entry], kind: str) -> Entry:
        try:
            return known[name]
        except KeyError:
            close = get_close_matches(name, known, n=3, cutoff=0.5)
            raise InputError(
                f"the lessons have no {kind} {name}",
                remedy=f"did you mean {' or '.join(close)}?" if close else f"its file is {self._folder}",
            ) from None


def read(folder: Path) -> Knowledge:
    """The knowledge base of a folder; its files are read, and checked, on first use."""
    return Knowledge(folder)


@cache
def load() -> Knowledge:
    """The knowledge base that is shipped."""
    return read(DATA)
