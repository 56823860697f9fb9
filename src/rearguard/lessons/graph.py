"""The one graph: incidents, mechanisms, recommendations, clauses, interfaces, finding kinds, filter rules, checks.

Theory. Every edge is written once, in the entry that knows it, and read in both directions. An incident names its
mechanisms and interfaces; a recommendation names what it removes, who asks for it, how it is checked and what it
would have changed; a device check names what it finds; a finding kind what may be behind it; a shape of filter
rules the mechanisms whose way across the border it closes. The catalogue names mechanisms and incidents of its
interfaces and attacks. Which shape guards which interface follows from ports and is computed.

Names are unique over all kinds, so that one word is enough to ask for a node; ``kind:name`` works as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from rearguard.catalogue import Attacks, Catalogue, load_attacks
from rearguard.catalogue import load as load_catalogue
from rearguard.lessons.edges import KINDS, RELATIONS, Edge, Node, edges, nodes, shapes_of
from rearguard.lessons.knowledge import Knowledge
from rearguard.lessons.knowledge import load as load_knowledge
from rearguard.model.errors import InputError

__all__ = ["KINDS", "RELATIONS", "Edge", "Graph", "Node", "build", "load_graph", "shapes_of"]


class Graph:
    """Nodes and edges; the methods answer from tables that are made once."""

    def __init__(self, nodes: Iterable[Node], edges: Iterable[Edge]) -> None:
        self._nodes = {(node.kind, node.id): node for node in nodes}
        self.edges = tuple(dict.fromkeys(edges))
        self._named: dict[str, list[Node]] = {}
        for node in self._nodes.values():
            self._named.setdefault(node.id, []).append(node)
        self._beside: dict[tuple[str, str], dict[Node, str]] = {}
        for edge in self.edges:
            forth, back = edge.says
            if edge.first in self._nodes and edge.second in self._nodes:
                self._beside.setdefault(edge.first, {})[self._nodes[edge.second]] = forth
                self._beside.setdefault(edge.second, {})[self._nodes[edge.first]] = back

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, kind by kind."""
        return tuple(self._nodes.values())

    def resolve(self, name: str) -> Node:
        """The node with this name, or ``kind:name``. :class:`InputError` when there is none, or more than one."""
        kind, colon, rest = name.partition(":")
        if colon and kind in KINDS and (kind, rest) in self._nodes:
            return self._nodes[kind, rest]
        found = self._named.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{name} is the name of several entries",
                remedy=f"say which: {', '.join(str(node) for node in found)}",
            )
        close = get_close_matches(name, self._named, n=3, cutoff=0.5)
        raise InputError(
            f"the lessons have no entry {name}",
            remedy=f"did you mean {' or '.join(close)}?"
            if close
            else "`rearguard lessons` lists what there is",
        )

    def neighbours(self, name: str, kind: str | None = None) -> tuple[Node, ...]:
        """What an entry is tied to, of one kind or of all; raises as :meth:`resolve`."""
        return tuple(node for node, _ in self.related(name, kind))

    def related(self, name: str, kind: str | None = None) -> tuple[tuple[Node, str], ...]:
        """The neighbours and how they are tied, read from this entry: ``(node, "was seen in")``."""
        node = self.resolve(name)
        beside = self._beside.get((node.kind, node.id), {})
        return tuple((other, says) for other, says in beside.items() if kind in (None, other.kind))

    def mechanisms_of(self, *names: str) -> tuple[Node, ...]:
        """The mechanisms behind findings, interfaces, rules, attacks or incidents, those tied to most first."""
        count: dict[Node, int] = {}
        for name in names:
            for node in self.neighbours(name, "mechanism"):
                count[node] = count.get(node, 0) + 1
        return tuple(sorted(count, key=lambda node: -count[node]))

    def dangling(self) -> tuple[tuple[Edge, tuple[str, str]], ...]:
        """Edges with the end that does not exist; a whole base has none."""
        return tuple(
            (edge, end) for edge in self.edges for end in (edge.first, edge.second) if end not in self._nodes
        )

    def lonely(self) -> tuple[Node, ...]:
        """Nodes that nothing is tied to; a whole base has none."""
        return tuple(node for key, node in self._nodes.items() if key not in self._beside)

    def ambiguous(self) -> tuple[str, ...]:
        """Names that more than one node has; a whole base has none."""
        return tuple(sorted(name for name, nodes in self._named.items() if len(nodes) > 1))


def build(knowledge: Knowledge, catalogue: Catalogue, attacks: Attacks) -> Graph:
    """The graph of these entries."""
    return Graph(nodes(knowledge, catalogue, attacks), edges(knowledge, catalogue, attacks))


@cache
def load_graph() -> Graph:
    """The graph of what is shipped."""
    return build(load_knowledge(), load_catalogue(), load_attacks())
