"""A second prover that shares nothing with the first: filters as binary decision diagrams over a packet's bits."""

from __future__ import annotations

from typing import Any

from dd.cudd import BDD

from rearguard.filters.lines import AccessList, Match
from rearguard.filters.model import UNKNOWN_PROTOCOL, Piece, Verdict
from rearguard.filters.spans import BITS, Spans
from rearguard.model.bits import TCP, UDP

_PIECES = tuple(Piece)
_ICMP = (1, 58)


class Diagrams:
    """The packets of one family as bits, the most significant first."""

    def __init__(self, family: int) -> None:
        self.bdd: Any = BDD()
        self.bdd.configure(reordering=False)
        self.family = family
        self.fields = {
            "protocol": 9, "piece": 2, "flags": 8, "dport": 16, "sport": 16,
            "destination": BITS[family], "source": BITS[family],
        }  # fmt: skip
        for name, bits in self.fields.items():
            self.bdd.declare(*(f"{name}{bit}" for bit in range(bits)))
        self.known: dict[tuple[str, frozenset[int]], Any] = {}
        self.real = self._real()

    def drops(self, given: AccessList) -> Any:
        """The packets that a list drops; the last line first."""
        found = self.real if given.default is Verdict.DROP else self.bdd.false
        for line in reversed(given.lines):
            held = self.bdd.false
            for match in line.matches:
                held |= self._match(match)
            found = found | held if line.verdict is Verdict.DROP else found & ~held
        return found & self.real

    def equal(self, one: AccessList, other: AccessList) -> bool:
        """Whether two lists drop the same packets."""
        return bool(self.drops(one) == self.drops(other))

    def _match(self, match: Match) -> Any:
        found = self.bdd.true
        for name, spans in (
            ("source", match.sources),
            ("destination", match.destinations),
            ("sport", match.sports),
            ("dport", match.dports),
        ):
            if spans is not None:
                found &= self._within(name, spans)
        if match.protocols is not None:
            found &= self._one_of("protocol", match.protocols)
        if match.pieces is not None:
            found &= self._one_of("piece", [_PIECES.index(piece) for piece in match.pieces])
        if match.flags is not None:
            found &= self._one_of("flags", [flags for flags in range(256) if match.flags >> flags & 1])
        return found

    def _real(self) -> Any:
        """Packets that there can be; what a packet does not show is nought in it."""
        readable = self._value("piece", _PIECES.index(Piece.READABLE))
        tcp = self._value("protocol", TCP)
        unknown = self._value("protocol", UNKNOWN_PROTOCOL)
        known = self._at_most("protocol", 255)
        ports = self._one_of("protocol", (TCP, UDP))
        kinds = self._one_of("protocol", _ICMP)
        quiet = self._value("flags", 0)
        none = self._value("sport", 0) & self._value("dport", 0)
        shows = (ports | (kinds & self._value("sport", 0)) | none) & (tcp | quiet)
        found = (readable & shows) | (~readable & quiet & none)
        return found & (known | (unknown & ~readable if self.family == 6 else self.bdd.false))

    def _within(self, name: str, spans: Spans) -> Any:
        found = self.bdd.false
        for first, last in spans:
            low = self.bdd.true if first == 0 else ~self._at_most(name, first - 1)
            found |= low & self._at_most(name, last)
        return found

    def _one_of(self, name: str, values: Any) -> Any:
        key = name, frozenset(values)
        if key not in self.known:
            found = self.bdd.false
            for value in values:
                found |= self._value(name, value)
            self.known[key] = found
        return self.known[key]

    def _value(self, name: str, value: int) -> Any:
        return self._at_most(name, value) & (self.bdd.true if value == 0 else ~self._at_most(name, value - 1))

    def _at_most(self, name: str, value: int) -> Any:
        """Numbers up to this one, built from the last bit to the first."""
        bits = self.fields[name]
        found = self.bdd.true
        for bit in range(bits):
            variable = self.bdd.var(f"{name}{bits - 1 - bit}")
            found = (~variable | found) if value >> bit & 1 else (~variable & found)
        return found
