"""A flow specification: what packets it holds, as the components of RFC 8955 (IPv4) and RFC 8956 (IPv6).

Theory. A packet is held when every component holds it; a component is a prefix, or a list of terms of which
those joined by AND bind tighter than OR. Numeric terms compare (less, greater, equal); bit terms ask whether any
of some bits is set, or exactly these, or not. Nothing here can be built that a router would take for malformed,
that holds nothing at all, or that holds everything: two components of one kind, an empty match, host bits in a
prefix, ports that are none, lengths that no packet has. Such rules have closed sessions and routers (RFC 8955
section 10 leaves the treatment of malformed ones to the receiver).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rearguard.filters.spans import Spans, common, merged
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import RearguardError

__all__ = [
    "BITWISE",
    "FlowError",
    "FlowRule",
    "Kind",
    "Part",
    "Prefix",
    "Term",
    "Terms",
    "one_of",
    "values_of",
]


class FlowError(RearguardError):
    """A flow specification that must not be sent, or bytes that are none."""


class Kind(IntEnum):
    """Component types (RFC 8955 section 4.2.2, RFC 8956 section 3)."""

    DESTINATION = 1
    SOURCE = 2
    PROTOCOL = 3
    PORT = 4
    DPORT = 5
    SPORT = 6
    ICMP_TYPE = 7
    ICMP_CODE = 8
    TCP_FLAGS = 9
    LENGTH = 10
    DSCP = 11
    FRAGMENT = 12
    FLOW_LABEL = 13


LESS, GREATER, EQUAL = 4, 2, 1
"""Operator bits of a numeric term (RFC 8955 section 4.2.1.1)."""
NOT, MATCH = 2, 1
"""Operator bits of a bit term: neither is "any of these bits is set" (RFC 8955 section 4.2.1.2)."""
BITWISE = frozenset({Kind.TCP_FLAGS, Kind.FRAGMENT})
_PREFIXES = frozenset({Kind.DESTINATION, Kind.SOURCE})
_PORTS = frozenset({Kind.PORT, Kind.DPORT, Kind.SPORT})
_RANGE = {
    Kind.PROTOCOL: (0, 0xFF),
    Kind.PORT: (0, 0xFFFF),
    Kind.DPORT: (0, 0xFFFF),
    Kind.SPORT: (0, 0xFFFF),
    Kind.ICMP_TYPE: (0, 0xFF),
    Kind.ICMP_CODE: (0, 0xFF),
    Kind.TCP_FLAGS: (0, 0xFF),
    Kind.LENGTH: (20, 0xFFFF),
    Kind.DSCP: (0, 0x3F),
    Kind.FRAGMENT: (0, 0x0F),
    Kind.FLOW_LABEL: (0, 0xFFFFF),
}
"""Values that a packet can have; the length counts the IP header (RFC 8955 section 4.2.2.10)."""
_IPV6_HEADER = 40
_DF = 0x01


@dataclass(frozen=True, slots=True)
class Prefix:
    """A destination or a source. ``offset``: so many leading bits are not looked at (RFC 8956 section 3.1)."""

    kind: Kind
    network: Network
    offset: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _PREFIXES:
            raise FlowError(f"a component of type {int(self.kind)} has no prefix")
        length = self.network.prefixlen
        if self.offset and (self.network.version == 4 or not 0 < self.offset < length):
            raise FlowError(f"{self.network} cannot have the offset {self.offset} (RFC 8956 section 3.1)")
        if self.offset and int(self.network.network_address) >> 128 - self.offset:
            raise FlowError(f"{self.network} has bits in front of its offset {self.offset}")

    def __str__(self) -> str:
        return str(self.network) if not self.offset else f"{self.network}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. ``joined``: by AND to the one before it, else by OR."""

    operator: int
    value: int
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """A component that is no prefix."""

    kind: Kind
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if self.kind in _PREFIXES:
            raise FlowError(f"a component of type {int(self.kind)} is a prefix")
        if not self.terms or self.terms[0].joined:
            raise FlowError(f"the component {self.kind.name} has no first term")
        low, high = _RANGE[self.kind]
        for term in self.terms:
            if not 0 <= term.operator <= (3 if self.kind in BITWISE else 7):
                raise FlowError(f"{self.kind.name}: there is no operator {term.operator}")
            if self.kind not in BITWISE and term.operator in (0, 7):
                raise FlowError(f"{self.kind.name}: a term that holds always or never says nothing")
            if not low <= term.value <= high:
                raise FlowError(f"{self.kind.name}: no packet has the value {term.value:,}")
        held = values_of(self)
        if not held:
            raise FlowError(f"{self.kind.name}: no value fulfils all of its terms")
        if held == (_RANGE[self.kind],):
            raise FlowError(f"{self.kind.name}: every value fulfils its terms")


Part = Prefix | Terms


@dataclass(frozen=True, slots=True)
class FlowRule:
    """The components of one rule, in ascending order of their types, each type once (RFC 8955 section 4.2)."""

    family: int
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        kinds = [part.kind for part in self.parts]
        if not kinds:
            raise FlowError("a rule without components would hold every packet")
        if kinds != sorted(set(kinds)):
            raise FlowError(
                "components stand in ascending order, each type once; the peer would close the session"
            )
        for part in self.parts:
            self._check(part)
        if len(kinds) == 1 and isinstance(self.parts[0], Prefix) and self.parts[0].network.prefixlen == 0:
            raise FlowError("a rule for all addresses would hold every packet")
        self._transports(frozenset(kinds))

    def _check(self, part: Part) -> None:
        if isinstance(part, Prefix):
            if part.network.version != self.family:
                raise FlowError(f"{part.network} cannot stand in a rule for IPv{self.family}")
        elif part.kind is Kind.FLOW_LABEL and self.family == 4:
            raise FlowError("IPv4 packets have no flow label")
        elif part.kind is Kind.FRAGMENT and self.family == 6 and any(each.value & _DF for each in part.terms):
            raise FlowError("IPv6 packets have no Don't Fragment bit (RFC 8956 section 3.6)")
        elif (
            part.kind is Kind.LENGTH
            and self.family == 6
            and not common(values_of(part), ((_IPV6_HEADER, 0xFFFF),))
        ):
            raise FlowError("LENGTH: an IPv6 packet has 40 bytes at least")

    def _transports(self, kinds: frozenset[Kind]) -> None:
        """Ports and flags beside a protocol that has none can hold nothing (RFC 8955 sections 4.2.2.4, 4.2.2.9)."""
        listed = self.terms(Kind.PROTOCOL)
        if listed is None:
            return
        spans = values_of(listed)
        for asked, having in ((_PORTS, (TCP, UDP)), (frozenset({Kind.TCP_FLAGS}), (TCP,))):
            if kinds & asked and not any(common(spans, ((each, each),)) for each in having):
                raise FlowError("ports or TCP flags are asked of a protocol that has none")

    def prefix(self, kind: Kind) -> Prefix | None:
        """The destination or the source, if it has one."""
        return next((part for part in self.parts if isinstance(part, Prefix) and part.kind is kind), None)

    def terms(self, kind: Kind) -> Terms | None:
        """The component of this type, if it has one."""
        return next((part for part in self.parts if isinstance(part, Terms) and part.kind is kind), None)


def values_of(part: Terms) -> Spans:
    """The values that it holds, as ascending ranges."""
    found: list[tuple[int, int]] = []
    held: Spans = ()
    for term in part.terms:
        one = _bits(part.kind, term) if part.kind in BITWISE else _numbers(part.kind, term)
        if not term.joined:
            found.extend(held)
            held = one
        else:
            held = common(held, one) or ()
    return merged([*found, *held])


def one_of(kind: Kind, spans: Spans) -> Terms:
    """The component that holds exactly these values."""
    terms: list[Term] = []
    for first, last in spans:
        if first == last:
            terms.append(Term(EQUAL, first))
        else:
            terms += (Term(GREATER | EQUAL, first), Term(LESS | EQUAL, last, joined=True))
    return Terms(kind, tuple(terms))


def _numbers(kind: Kind, term: Term) -> Spans:
    low, high = _RANGE[kind]
    found = []
    if term.operator & LESS and term.value > low:
        found.append((low, term.value - 1))
    if term.operator & EQUAL:
        found.append((term.value, term.value))
    if term.operator & GREATER and term.value < high:
        found.append((term.value + 1, high))
    return merged(found)


def _bits(kind: Kind, term: Term) -> Spans:
    _, high = _RANGE[kind]
    found = []
    for data in range(high + 1):
        held = data & term.value == term.value if term.operator & MATCH else bool(data & term.value)
        if held != bool(term.operator & NOT):
            found.append((data, data))
    return merged(found)
