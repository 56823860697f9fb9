"""Rules as flat entries, one prefix and one range of ports each, for routers that know no sets.

TCP packets with neither ACK nor RST are one entry where flags can be asked to be unset; elsewhere two: what is
``established`` (ACK or RST) is let through, the rest of the port dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from rearguard.filters.model import Attachment, Filter, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import UsageError
from rearguard.model.prefixes import PrefixSet

__all__ = ["MOST_LINES", "Entry", "entries", "rules_of"]

MOST_LINES = 250_000
"""Entries that are written at all; no router takes as many."""

Ports = tuple[int, int]
_TRANSPORTS = frozenset({TCP, UDP})


class Entry(NamedTuple):
    """One line of a router's list."""

    rule: Rule
    verdict: Verdict
    protocol: int | None
    """None: all of IP."""
    source: Network | None
    sport: Ports | None
    destination: Network | None
    dport: Ports | None
    established: bool = False
    opening: bool = False
    answer: bool = False
    fragments: bool = False
    """Later fragments only."""
    undetermined: bool = False
    """Packets that do not show their transport only."""


def rules_of(given: Filter, attachment: Attachment, family: int) -> list[Rule]:
    """The rules that judge one family at one attachment, in order."""
    return [rule for rule in given.rules if rule.box.attachment is attachment and rule.box.family == family]


def entries(rules: Iterable[Rule], *, unset_flags: bool) -> list[Entry]:
    """The entries of these rules, in order. ``UsageError``: more than anybody could load."""
    rules = list(rules)
    count = sum(_size(rule, unset_flags) for rule in rules)
    if count > MOST_LINES:
        largest = max(rules, key=lambda rule: _size(rule, unset_flags))
        box = largest.box
        raise UsageError(
            f"this filter is {count:,} lines for a router without sets of addresses, and {MOST_LINES:,} are the "
            f"most: {largest.id} alone is {len(box.sources or (0,)):,} sources times "
            f"{len(box.destinations or (0,)):,} destinations",
            remedy="aggregate the prefixes of the networks, accept the residual own-sources where the router "
            "drops forged sources itself, or use a platform with sets",
        )
    return [entry for rule in rules for entry in _entries(rule, unset_flags)]


def _size(rule: Rule, unset_flags: bool) -> int:
    box = rule.box
    size = len(box.sources or (0,)) * len(box.destinations or (0,))
    for ports in (box.sports, box.dports):
        size *= 1 if ports is None else len(ports.ranges)
    both = box.protocols is not None and len(box.protocols & _TRANSPORTS) > 1 and box.pieces is None
    twice = both or (box.tcp is TcpClass.OPENING and not unset_flags)
    return size * 2 if twice else size


def _entries(rule: Rule, unset_flags: bool) -> Iterator[Entry]:
    box = rule.box
    shapes: list[tuple[Verdict, dict[str, bool]]] = [(rule.verdict, {})]
    protocols: list[int | None] = [None]
    if box.pieces == frozenset({Piece.UNREADABLE}):
        shapes = [(rule.verdict, {"undetermined": True})]
    elif box.pieces is not None and Piece.LATER in box.pieces:
        shapes = [(rule.verdict, {"fragments": True})]
    elif box.protocols is not None:
        protocols = [*sorted(box.protocols)]
    if box.tcp is TcpClass.ANSWER:
        shapes = [(rule.verdict, {"answer": True})]
    elif box.tcp is TcpClass.OPENING and unset_flags:
        shapes = [(rule.verdict, {"opening": True})]
    elif box.tcp is TcpClass.OPENING:
        shapes = [(Verdict.PASS, {"established": True}), (rule.verdict, {})]
    for verdict, marks in shapes:
        for protocol, source, destination, sport, dport in product(
            protocols,
            _prefixes(box.sources),
            _prefixes(box.destinations),
            _ranges(box.sports),
            _ranges(box.dports),
        ):
            yield Entry(rule, verdict, protocol, source, sport, destination, dport, **marks)


def _prefixes(prefixes: PrefixSet | None) -> Iterable[Network | None]:
    return (None,) if prefixes is None else prefixes


def _ranges(ports: PortSet | None) -> Iterable[Ports | None]:
    return (None,) if ports is None else tuple((first, last) for first, last in ports.ranges)
