"""What nodes and edges of the graph are, and how they are read off the entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rearguard.catalogue import Attacks, Catalogue, Initiator, Listener
from rearguard.lessons.identifiers import identifiers
from rearguard.lessons.knowledge import Knowledge
from rearguard.lessons.standards import Evidence

__all__ = ["KINDS", "RELATIONS", "Edge", "Node", "edges", "guards", "nodes", "shapes_of"]

KINDS = (
    "incident",
    "mechanism",
    "recommendation",
    "clause",
    "standard",
    "interface",
    "finding",
    "shape",
    "check",
    "attack",
    "weakness",
    "technique",
    "vulnerability",
)
"""What a node can be. An attack is a pattern of the catalogue; the last three are numbers of others."""

RELATIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("incident", "mechanism"): ("had", "was seen in"),
    ("incident", "interface"): ("came through", "was the way of"),
    ("incident", "vulnerability"): ("used", "was used in"),
    ("incident", "weakness"): ("shows", "is shown by"),
    ("mechanism", "weakness"): ("is of the class", "is the class of"),
    ("mechanism", "technique"): ("is used by", "uses"),
    ("recommendation", "mechanism"): ("removes", "is removed by"),
    ("recommendation", "incident"): ("would have changed", "would have been changed by"),
    ("recommendation", "clause"): ("is asked for by", "asks for"),
    ("recommendation", "check"): ("is checked by", "checks"),
    ("clause", "standard"): ("stands in", "contains"),
    ("check", "mechanism"): ("finds", "is found by"),
    ("check", "clause"): ("tests", "is tested by"),
    ("finding", "mechanism"): ("may come from", "may show as"),
    ("finding", "check"): ("is settled by", "settles"),
    ("shape", "mechanism"): ("closes the way of", "is closed out by"),
    ("shape", "interface"): ("guards", "is guarded by"),
    ("interface", "mechanism"): ("is known for", "is known of"),
    ("attack", "interface"): ("goes to", "is attacked by"),
    ("attack", "mechanism"): ("lives on", "lets in"),
    ("attack", "incident"): ("was part of", "included"),
    ("attack", "vulnerability"): ("uses", "is used by"),
}
"""What an edge says, read from its first to its second end and back."""


@dataclass(frozen=True, slots=True)
class Node:
    """One entry, whatever its kind."""

    kind: str
    id: str
    title: str
    evidence: Evidence | None = None
    """Of a clause: how far it was checked."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Edge:
    """Two ends by kind and name, as they are written; an end may not exist."""

    first: tuple[str, str]
    second: tuple[str, str]

    @property
    def says(self) -> tuple[str, str]:
        """The relation in both directions."""
        return RELATIONS[self.first[0], self.second[0]]


def nodes(knowledge: Knowledge, catalogue: Catalogue, attacks: Attacks) -> Iterator[Node]:
    """Every entry, and every number of CWE, ATT&CK and CVE that the lists have."""
    yield from (Node("incident", each.id, each.title) for each in knowledge.incidents)
    yield from (Node("mechanism", each.id, each.title) for each in knowledge.mechanisms)
    yield from (Node("recommendation", each.id, each.recommendation) for each in knowledge.recommendations)
    yield from (Node("standard", each.id, each.title) for each in knowledge.documents)
    for name, (_, clause) in knowledge.clauses.items():
        yield Node("clause", name, clause.statement, clause.evidence)
    yield from (Node("check", each.id, each.title) for each in knowledge.checks)
    yield from (Node("shape", each.id, each.title) for each in knowledge.shapes)
    yield from (Node("finding", each.id, each.meaning) for each in knowledge.findings)
    yield from (Node("interface", each.id, each.title) for each in catalogue.interfaces)
    yield from (Node("attack", each.id, each.title) for each in attacks.attacks)
    lists = identifiers()
    yield from (Node("weakness", each.id, each.name) for each in lists.weaknesses.entries)
    yield from (Node("technique", each.id, each.name) for each in lists.techniques.entries)
    yield from (Node("vulnerability", each.id, each.id) for each in lists.vulnerabilities.entries)


def edges(knowledge: Knowledge, catalogue: Catalogue, attacks: Attacks) -> Iterator[Edge]:
    """Every edge that is written or follows from ports, each from the entry that knows it."""
    yield from _of_incidents(knowledge)
    yield from _of_advice(knowledge)
    for mechanism in knowledge.mechanisms:
        yield from _ties("mechanism", mechanism.id, "weakness", (each.id for each in mechanism.cwe))
        yield from _ties("mechanism", mechanism.id, "technique", (each.id for each in mechanism.attack))
    for check in knowledge.checks:
        yield from _ties("check", check.id, "mechanism", check.mechanisms)
        yield from _ties("check", check.id, "clause", check.clauses)
    for finding in knowledge.findings:
        yield from _ties("finding", finding.id, "mechanism", finding.mechanisms)
        yield from _ties("finding", finding.id, "check", finding.checks)
    for shape in knowledge.shapes:
        yield from _ties("shape", shape.id, "mechanism", shape.mechanisms)
    for guarding, interface in guards(catalogue):
        yield Edge(("shape", guarding), ("interface", interface))
    yield from _of_catalogue(catalogue, attacks)


def _of_incidents(knowledge: Knowledge) -> Iterator[Edge]:
    for each in knowledge.incidents:
        yield from _ties("incident", each.id, "mechanism", each.mechanisms)
        yield from _ties("incident", each.id, "interface", each.interfaces)
        yield from _ties("incident", each.id, "vulnerability", (cve.id for cve in each.cve))
        yield from _ties("incident", each.id, "weakness", (cwe.id for cwe in each.cwe))


def _of_advice(knowledge: Knowledge) -> Iterator[Edge]:
    for each in knowledge.recommendations:
        yield from _ties("recommendation", each.id, "mechanism", each.mechanisms)
        yield from _ties("recommendation", each.id, "incident", each.incident_examples)
        yield from _ties("recommendation", each.id, "clause", (use.id for use in each.clauses))
        checks = (check.device_check for check in each.how_checked if check.device_check)
        yield from _ties("recommendation", each.id, "check", checks)
    for name, (document, _) in knowledge.clauses.items():
        yield Edge(("clause", name), ("standard", document.id))


def _of_catalogue(catalogue: Catalogue, attacks: Attacks) -> Iterator[Edge]:
    for each in catalogue.interfaces:
        yield from _ties("interface", each.id, "mechanism", each.mechanisms)
        for incident in each.incidents:
            yield Edge(("incident", incident), ("interface", each.id))
    for attack in attacks.attacks:
        yield from _ties("attack", attack.id, "interface", attack.interfaces)
        yield from _ties("attack", attack.id, "mechanism", attack.mechanisms)
        yield from _ties("attack", attack.id, "incident", attack.incidents)
        yield from _ties("attack", attack.id, "vulnerability", attack.cves)


def _ties(kind: str, name: str, other: str, names: Iterable[str]) -> Iterator[Edge]:
    for each in names:
        yield Edge((kind, name), (other, each))


def shapes_of(transport: str, port: int) -> tuple[str, ...]:
    """The shapes that a drop of this port can have (rule C1), the default one first. Ports from 1 to 65535."""
    if transport == "tcp":
        return ("tcp-high-new-only", "tcp-high-cut") if port >= 1024 else ("port-low",)
    return ("udp-high",) if port >= 1024 else ("port-low",)


def guards(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Shape and interface, for what can be guarded: devices listen there (rule A1)."""
    for each in catalogue.interfaces:
        if each.listener is Listener.DEVICE:
            for shape in dict.fromkeys(
                shape for port in each.ports for shape in shapes_of(port.transport, port.port)
            ):
                yield shape, each.id
        if each.listener is Listener.DEVICE and Initiator.OPERATOR_CONTROLLER in each.initiators:
            yield "controller-permit", each.id
        if each.amplifies:
            yield "anti-spoof", each.id
