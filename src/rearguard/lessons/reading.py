"""Where to read on from an interface or a rule's shape: its mechanisms and incidents, out of the one graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rearguard.lessons.graph import Graph
from rearguard.lessons.knowledge import Knowledge

__all__ = ["Reading", "readings", "told"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One entry of the graph as the start of a way."""

    name: str
    kind: str
    title: str
    mechanisms: tuple[str, ...]
    """Ids, those of most incidents first."""
    incidents: tuple[str, ...]
    """Ids of what came through it, or where nothing did (or it is a shape) of what had one of its mechanisms; the
    newest first."""
    through: bool
    """Whether the incidents came through it."""
    newest: str
    """The date of the newest of them; empty when there is none."""

    @property
    def show(self) -> str:
        """The command that prints the entry."""
        return f"rearguard lessons show {self.name}"

    @property
    def sentence(self) -> str:
        """What a change ticket says of it."""
        known = f" Known for {', '.join(self.mechanisms)}." if self.mechanisms else ""
        count = len(self.incidents)
        if not count:
            return f"{self.title}.{known}"
        seen = f"{count} recorded incident{'s' if count > 1 else ''}"
        where = f"{seen} came through it" if self.through else f"{seen} had one of these mechanisms"
        return f"{self.title}.{known} {where}, the newest {self.incidents[0]} ({self.newest})."

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the command."""
        return {**asdict(self), "show": self.show}


def readings(graph: Graph, knowledge: Knowledge, names: Iterable[str]) -> dict[str, Reading]:
    """By name. :class:`InputError`: the graph has no such entry, or several."""
    return {name: _reading(graph, knowledge, name) for name in names}


def told(graph: Graph, knowledge: Knowledge, names: Iterable[str]) -> dict[str, str]:
    """The sentences by name."""
    return {name: each.sentence for name, each in readings(graph, knowledge, names).items()}


def _reading(graph: Graph, knowledge: Knowledge, name: str) -> Reading:
    node = graph.resolve(name)
    mechanisms = [each.id for each in graph.neighbours(str(node), "mechanism")]
    mechanisms.sort(key=lambda each: -len(knowledge.incidents_by(each)))
    direct = {each.id for each in graph.neighbours(str(node), "incident")}
    dated = [each for each in knowledge.incidents if each.id in direct] or [
        each for each in knowledge.incidents if set(mechanisms).intersection(each.mechanisms)
    ]
    newest_first = dated[::-1]  # the base has them oldest first
    return Reading(
        node.id,
        node.kind,
        node.title,
        tuple(mechanisms),
        tuple(each.id for each in newest_first),
        bool(direct),
        newest_first[0].date if newest_first else "",
    )
