"""What a router's list means, line by line: the form in which filters of any origin are compared.

A :class:`rearguard.filters.model.Filter` is what Rearguard compiles; an :class:`AccessList` is what a text
says, ours or an operator's own, which may match things that Rearguard never would. One line of text may be
several boxes: on Cisco's routers ``permit tcp any host 192.0.2.1 eq 80`` also takes the later fragments of TCP.

Dimensions are those of the model. TCP flags are a set of header bytes, as 256 bits of one number; for ICMP and
ICMPv6 the destination port stands for type and code (``type << 8 | code``), because lists match on these too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from rearguard.filters.model import Attachment, Filter, Packet, Piece, Rule, TcpClass, Verdict
from rearguard.filters.spans import Spans, common, holds, of_ports, of_prefixes
from rearguard.model.bits import ICMP, ICMPV6, TCP, UDP

__all__ = [
    "ALL_FLAGS",
    "PORTED",
    "AccessList",
    "Line",
    "Match",
    "crossed",
    "decide",
    "flags_of",
    "flags_with",
    "line_of",
    "lists_of",
]

ALL_FLAGS = (1 << 256) - 1
"""Every value of the flags byte."""
PORTED = frozenset({TCP, UDP, ICMP, ICMPV6})
"""Protocols whose readable packets have something in the place of ports."""

_T = TypeVar("_T")
READABLE = frozenset({Piece.READABLE})


@cache
def flags_of(kind: TcpClass) -> int:
    """The flag bytes of a kind of TCP packets."""
    return sum(1 << flags for flags in range(256) if kind.holds(flags))


@cache
def flags_with(mask: int, value: int) -> int:
    """The flag bytes whose bits under ``mask`` are those of ``value``."""
    return sum(1 << flags for flags in range(256) if flags & mask == value)


@dataclass(frozen=True, slots=True)
class Match:
    """A box of packets of one family at one attachment. ``None``: all."""

    sources: Spans | None = None
    destinations: Spans | None = None
    protocols: frozenset[int] | None = None
    pieces: frozenset[Piece] | None = None
    sports: Spans | None = None
    dports: Spans | None = None
    flags: int | None = None

    def __post_init__(self) -> None:
        if self.sports is not None or self.dports is not None:
            _reads(self, PORTED)
        if self.flags is not None:
            _reads(self, frozenset({TCP}))

    def holds(self, packet: Packet) -> bool:
        """Whether the packet, of the right family and attachment, is in the box."""
        return (
            (self.pieces is None or packet.piece in self.pieces)
            and (self.protocols is None or packet.protocol in self.protocols)
            and (self.flags is None or bool(self.flags >> packet.flags & 1))
            and holds(self.dports, packet.dport)
            and holds(self.sports, packet.sport)
            and holds(self.destinations, int(packet.destination))
            and holds(self.sources, int(packet.source))
        )


def _reads(match: Match, allowed: frozenset[int]) -> None:
    """Ports and flags are only there in readable packets of protocols that have them."""
    if match.pieces != READABLE or not match.protocols or not match.protocols <= allowed:
        raise ValueError("ports and flags can be asked of readable packets that have them only")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it holds, its verdict, and where it stands."""

    matches: tuple[Match, ...]
    verdict: Verdict
    number: int
    """Line of the text, from 1; in a compiled filter the position of the rule."""
    text: str
    """As it is written, or the rule's id."""
    rule: Rule | None = None
    """Of a compiled filter."""
    leads: bool = False
    """It stands for the end of a chain; the text's line is the one that leads there."""

    def holds(self, packet: Packet) -> bool:
        """Whether one of its boxes holds the packet."""
        return any(match.holds(packet) for match in self.matches)


@dataclass(frozen=True, slots=True)
class AccessList:
    """Lines of which the first that holds a packet decides; ``default`` is for what none holds."""

    name: str
    attachment: Attachment
    family: int
    lines: tuple[Line, ...]
    default: Verdict = Verdict.PASS
    view: str = ""
    """Which packets of a kind the model does not tell apart; a text must be right for every view of it."""

    def without(self, *numbers: int) -> AccessList:
        """The same list with the lines at these positions (from 0) taken out."""
        gone = set(numbers)
        kept = tuple(line for at, line in enumerate(self.lines) if at not in gone)
        return replace(self, lines=kept)


def decide(given: AccessList, packet: Packet) -> tuple[Verdict, Line | None]:
    """What the list does with a packet, told slowly; None: the default decides."""
    for line in given.lines:
        if line.holds(packet):
            return line.verdict, line
    return given.default, None


def lists_of(given: Filter) -> tuple[AccessList, ...]:
    """A compiled filter as lists, one for each attachment and family that has rules."""
    found = []
    for attachment in Attachment:
        for family in (4, 6):
            rules = [
                rule
                for rule in given.rules
                if rule.box.attachment is attachment and rule.box.family == family
            ]
            if rules:
                lines = tuple(line_of(rule, at) for at, rule in enumerate(rules, 1))
                found.append(AccessList(f"{attachment} v{family}", attachment, family, lines))
    return tuple(found)


def line_of(rule: Rule, number: int) -> Line:
    """A rule of a compiled filter as a line with this number."""
    return Line((_match(rule),), rule.verdict, number, rule.id, rule)


def _match(rule: Rule) -> Match:
    box = rule.box
    return Match(
        of_prefixes(box.sources),
        of_prefixes(box.destinations),
        box.protocols,
        box.pieces,
        of_ports(box.sports),
        of_ports(box.dports),
        None if box.tcp is None else flags_of(box.tcp),
    )


def crossed(one: Match, others: Iterable[Match]) -> tuple[Match, ...]:
    """What ``one`` shares with each of the others; what is empty is left out."""
    return tuple(match for other in others if (match := _crossed(one, other)) is not None)


def _crossed(one: Match, other: Match) -> Match | None:
    protocols = _both(one.protocols, other.protocols)
    pieces = _both(one.pieces, other.pieces)
    parts = (
        common(one.sources, other.sources),
        common(one.destinations, other.destinations),
        common(one.sports, other.sports),
        common(one.dports, other.dports),
    )
    flags = (
        other.flags if one.flags is None else one.flags & (ALL_FLAGS if other.flags is None else other.flags)
    )
    empty = (*parts, protocols, pieces)
    if flags == 0 or any(part is not None and not part for part in empty):
        return None
    return Match(parts[0], parts[1], protocols, pieces, parts[2], parts[3], flags)


def _both(one: frozenset[_T] | None, other: frozenset[_T] | None) -> frozenset[_T] | None:
    if one is None:
        return other
    return one if other is None else one & other
