"""What a filter is: boxes of packets in an order, and the verdict of the first one that holds the packet.

Theory. A packet is a point: where it is judged, family, source, destination, protocol, ports, TCP flags, and
which piece of a datagram it is. A :class:`Box` is a product of sets over these, ``None`` meaning all; a
:class:`Rule` gives its packets a verdict; a :class:`Filter` is a list of rules of which the first one that
matches decides, and what matches none passes. This says all that a filter means; a rendering must say the same.

Pieces follow what a filter without memory can see of a fragment. Of the first packets of a datagram some show
their ports (and TCP flags) and some are too short for that; later fragments show neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rearguard.model.address import Address
from rearguard.model.bits import ACK, HANDSHAKE_MASK, RST, SYN, TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = [
    "UNKNOWN_PROTOCOL",
    "Attachment",
    "Box",
    "Filter",
    "Left",
    "Packet",
    "Piece",
    "PortSet",
    "Reason",
    "Rule",
    "TcpClass",
    "Verdict",
]

UNKNOWN_PROTOCOL = 256
"""Beyond the numbers of IP: the chain of IPv6 extension headers is cut off before the transport is named."""


class Verdict(StrEnum):
    """Drop means discard: no reset, no ICMP error, no log line (rule C5)."""

    PASS = "pass"  # noqa: S105 - no password
    DROP = "drop"


class Attachment(StrEnum):
    """Where packets are judged: at the interfaces of an edge that face the outside (rule C3)."""

    ENTERING = "entering"
    LEAVING = "leaving"


class TcpClass(StrEnum):
    """Kinds of TCP packets that a rule can ask for."""

    OPENING = "opening"
    """Neither ACK nor RST: nothing but these can open a connection. Includes SYNs with any other bit (rule C1)."""
    ANSWER = "answer"
    """Exactly SYN and ACK, whatever the ECN, PSH and URG bits."""

    def holds(self, flags: int) -> bool:
        """Whether a packet with these flags (header byte 13) is of this kind."""
        if self is TcpClass.OPENING:
            return flags & (ACK | RST) == 0
        return flags & HANDSHAKE_MASK == SYN | ACK


class Piece(StrEnum):
    """What of a datagram the packet is."""

    READABLE = "readable"
    """A whole datagram or a first fragment that shows its ports, and with TCP its flags (14 bytes)."""
    UNREADABLE = "unreadable"
    """The same, but too short for that, or its extension headers are cut off."""
    OFFSET_ONE = "offset-one"
    """A fragment that begins at the 8th byte: in TCP it would overwrite the flags (RFC 3128)."""
    LATER = "later"
    """Any other later fragment."""


class Reason(StrEnum):
    """Why something that the policy wants dropped is not."""

    SHARED = "shared-addresses"
    """Several subscribers behind one IPv4 address: a port there says nothing (rule A7)."""
    SOFTWIRE = "softwires"
    """The IPv4 addresses are shared and their packets travel inside IPv6 (rules A7, C8)."""
    COLLATERAL = "udp-from-1024"
    """Replies to customers' own clients would be dropped; needs ``accept_collateral`` (rule C1)."""
    OPT_IN = "port-too-common"
    """Counts only where the network names the port (rule A9)."""
    CONTROLLER = "controller-listens"
    """Devices open it; there is nothing at the devices to guard (rule A1)."""


class Range(NamedTuple):
    """Ports, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class PortSet:
    """A set of ports as the fewest ranges that make it up, in ascending order."""

    ranges: tuple[Range, ...]

    @classmethod
    def of(cls, ports: Iterable[int]) -> PortSet:
        """``ValueError``: a number is no port."""
        ranges: list[Range] = []
        for port in sorted(set(ports)):
            if not 0 <= port <= 0xFFFF:
                raise ValueError(f"{port} is no port")
            if ranges and ranges[-1].last + 1 == port:
                ranges[-1] = Range(ranges[-1].first, port)
            else:
                ranges.append(Range(port, port))
        return cls(tuple(ranges))

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        return (port for first, last in self.ranges for port in range(first, last + 1))

    def __str__(self) -> str:
        return ", ".join(map(str, self.ranges))


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet at an edge. Ports and flags mean something in a ``READABLE`` TCP or UDP packet only."""

    attachment: Attachment
    source: Address
    destination: Address
    protocol: int
    piece: Piece = Piece.READABLE
    sport: int = 0
    dport: int = 0
    flags: int = 0

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.source.version


@dataclass(frozen=True, slots=True)
class Box:
    """A set of packets. ``None``: all. Ports and TCP kinds are asked of readable packets only."""

    attachment: Attachment
    family: int
    sources: PrefixSet | None = None
    destinations: PrefixSet | None = None
    protocols: frozenset[int] | None = None
    pieces: frozenset[Piece] | None = None
    sports: PortSet | None = None
    dports: PortSet | None = None
    tcp: TcpClass | None = None

    def __post_init__(self) -> None:
        reads = self.sports is not None or self.dports is not None or self.tcp is not None
        protocols = self.protocols or frozenset()
        if reads and (
            self.pieces != frozenset({Piece.READABLE}) or not frozenset() < protocols <= {TCP, UDP}
        ):
            raise ValueError("ports and TCP kinds can be asked of readable TCP and UDP packets only")
        if self.tcp is not None and protocols != frozenset({TCP}):
            raise ValueError("a TCP kind can be asked of TCP only")

    def holds(self, packet: Packet) -> bool:
        """Whether the packet is in the box."""
        return (
            packet.attachment == self.attachment
            and packet.family == self.family
            and (self.pieces is None or packet.piece in self.pieces)
            and (self.protocols is None or packet.protocol in self.protocols)
            and (self.dports is None or packet.dport in self.dports)
            and (self.sports is None or packet.sport in self.sports)
            and (self.tcp is None or self.tcp.holds(packet.flags))
            and (self.destinations is None or self.destinations.contains(packet.destination))
            and (self.sources is None or self.sources.contains(packet.source))
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A box with its verdict. ``id`` names its counter, ``text`` says in a sentence what it is for."""

    id: str
    box: Box
    verdict: Verdict
    text: str
    drop: int | None = None
    """Index in the policy's ``drop``; None for what every filter has."""
    basis: str = ""
    """Why the drop is necessary (rule C7)."""
    review_by: date | None = None
    interfaces: tuple[str, ...] = field(default=(), compare=False)
    """What the drop names and these ports are of, most ports first; no part of what the rule means."""

    def __post_init__(self) -> None:
        free_pass = self.verdict is Verdict.PASS and self.box.attachment is Attachment.ENTERING
        if free_pass and self.box.sports is not None:
            raise ValueError(f"{self.id}: whoever chooses the right source port would pass (rule C1)")


@dataclass(frozen=True, slots=True)
class Left:
    """Something that stands under ``drop`` and is not dropped, and why."""

    drop: int
    network: str
    interface: str
    ports: tuple[str, ...]  # tcp/7547
    reason: Reason
    family: int | None = None  # None: both


@dataclass(frozen=True, slots=True)
class Filter:
    """All rules of one edge, first match; what matches none passes."""

    edge: str
    outside: tuple[str, ...]
    """Interfaces that face the outside; empty: named when the filter is loaded."""
    rules: tuple[Rule, ...]
    left: tuple[Left, ...]
    policy_digest: str
    sets: tuple[tuple[str, PrefixSet], ...]
    """Names of sets of addresses that rules share, each of one family."""

    def __post_init__(self) -> None:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) < len(ids):
            raise ValueError("two rules have one id, and would share a counter")
