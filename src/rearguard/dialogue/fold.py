"""All segments into dialogues: the same ones for every split, order and repetition of the segments.

For each conversation the segments are put in ascending (time, record), repetitions are dropped, the rule of
:mod:`rearguard.dialogue.segments` chooses those within the budget, :mod:`~rearguard.dialogue.epochs` groups
them and :mod:`~rearguard.dialogue.stream` puts the bytes in their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rearguard.dialogue.collector import HEAD, budget_of
from rearguard.dialogue.epochs import Epoch, Piece, tcp_epochs, udp_epochs
from rearguard.dialogue.layout import BOTH_LISTED, CUT, FROM_SERVER, HAS_ACK, OPENS, START
from rearguard.dialogue.sink import Segments, Sink
from rearguard.dialogue.stream import Packet, Stream, datagrams, reassemble
from rearguard.dialogue.table import SEGMENT_COST, SPELL
from rearguard.model.bits import TCP

if TYPE_CHECKING:
    from rearguard.contacts.lanes import Lanes

__all__ = ["Dialogue", "Omitted", "dialogues", "unordered"]

Roles = Literal["handshake", "port", "ports"]

_KEY = ("hash", "client_hi", "client_lo", "server_hi", "server_lo", "client_port", "port", "proto", "lane")
_NEEDED = ("bits", "ts", "rec", "at", "seq", "ack", "wire", "length")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The first bytes of one conversation, both sides. Addresses in halves, times in ns since the epoch."""

    client_hi: int
    client_lo: int
    client_port: int
    server_hi: int
    server_lo: int
    port: int
    """The server's; where the roles come from the handshake it may be one that is no management interface."""
    proto: int
    observer: int
    sampling: int
    first: int
    """Time of the first packet with payload that was taken."""
    last: int
    client: Stream
    server: Stream
    complete: bool
    """Both streams begin where the connection began: its SYN+ACK was seen (a datagram is always whole)."""
    roles: Roles
    """Why the server is held to be the listener (rule A3): its handshake, its port alone, or a choice
    of two ports."""

    listed: tuple[int, ...]
    """Those of the two ports that are management interfaces of the catalogue."""

    @property
    def incidental(self) -> bool:
        """The listed port turned out to be the client's: no management interface is concerned (rule A3)."""
        return self.roles == "handshake" and self.port not in self.listed


@dataclass(slots=True)
class Omitted:
    """What the dialogues do not show; filled while they are made."""

    tcp: int = 0
    """Conversations beyond the limit, about."""
    udp: int = 0
    controllers: int = 0
    """Conversations with listed controllers beyond the sample, about."""
    pieces: int = 0
    """Packets of conversations that seemed to begin anew too often."""

    def sentences(self) -> list[str]:
        """For the report's list of approximations; nothing omitted, nothing said."""
        said = [
            f"about {count:,} {name} conversations on management interfaces were not read (beyond the limit)"
            for count, name in ((self.tcp, "TCP"), (self.udp, "UDP"))
            if count
        ]
        if self.controllers:
            said.append(
                f"about {self.controllers:,} conversations with your own controllers were not read (a sample was)"
            )
        if self.pieces:
            said.append(f"{self.pieces:,} packets of conversations that began anew too often were not read")
        return said


def dialogues(
    sink: Sink, lanes: Lanes, *, head: int = HEAD, omitted: Omitted | None = None
) -> list[Dialogue]:
    """All dialogues, ascending by first time, then by key."""
    return sorted(unordered(sink, lanes, head=head, omitted=omitted), key=_order)


def unordered(
    sink: Sink, lanes: Lanes, *, head: int = HEAD, omitted: Omitted | None = None
) -> Iterator[Dialogue]:
    """All dialogues one by one, holding one partition of the sink at a time; ``head`` as it was collected."""
    omitted = omitted if omitted is not None else Omitted()
    omitted.tcp, omitted.udp, omitted.controllers = sink.omitted()
    for part in sink.partitions():
        for conversation in _conversations(part):
            yield from _dialogues(conversation, lanes, head, omitted)


_order = attrgetter(
    "first",
    "client_hi",
    "client_lo",
    "client_port",
    "server_hi",
    "server_lo",
    "port",
    "proto",
    "observer",
    "sampling",
)


def _conversations(part: Segments) -> Iterator[Segments]:
    """The segments of each conversation, ascending by (time, record), each once."""
    segment = part.segment
    order = np.lexsort([segment[name] for name in ("rec", "ts", *reversed(_KEY))])
    segment = segment[order]
    if not len(segment):
        return
    same_key = np.logical_and.reduce([segment[name][1:] == segment[name][:-1] for name in _KEY])
    again = same_key & (segment["ts"][1:] == segment["ts"][:-1]) & (segment["rec"][1:] == segment["rec"][:-1])
    begins = np.flatnonzero(np.concatenate(([True], ~same_key)))
    once = np.concatenate(([True], ~again))
    loaded = np.add.reduceat(segment["length"].astype(np.int64), begins) > 0
    for begin, end, some in zip(begins, [*begins[1:], len(segment)], loaded, strict=True):
        if some:
            yield Segments(segment[begin:end][once[begin:end]], part.payload)


def _dialogues(conversation: Segments, lanes: Lanes, head: int, omitted: Omitted) -> Iterator[Dialogue]:
    first = conversation.segment[0]
    tcp = int(first["proto"]) == TCP
    pieces = _within_budget(conversation, budget_of(head))
    epochs, left_out = tcp_epochs(pieces) if tcp else udp_epochs(pieces)
    omitted.pieces += left_out
    for epoch in epochs:
        yield _dialogue(first, epoch, lanes, head)


def _within_budget(conversation: Segments, budget: int) -> list[Piece]:
    """Of each side and spell the first segments up to the budget."""
    spent: dict[tuple[int, int], int] = {}
    pieces = []
    payload = conversation.payload
    columns = (conversation.segment[name].tolist() for name in _NEEDED)
    for bits, ts, rec, at, seq, ack, wire, length in zip(*columns, strict=True):
        side = bits & FROM_SERVER
        spell = side, ts // SPELL
        before = spent.get(spell, 0)
        if before >= budget:
            continue
        spent[spell] = before + length + SEGMENT_COST
        pieces.append(
            Piece(
                ts,
                rec,
                side,
                seq,
                ack if bits & HAS_ACK else None,
                payload[at : at + length].tobytes(),
                # The length of a fragmented packet is not known; one more says that something is missing.
                wire + 1 if bits & CUT else wire,
                bool(bits & START),
                bool(bits & OPENS),
                spent[spell] >= budget,
            )
        )
    return pieces


def _dialogue(first: Any, epoch: Epoch, lanes: Lanes, head: int) -> Dialogue:
    tcp = int(first["proto"]) == TCP
    make = reassemble if tcp else datagrams
    sides = []
    for side in (0, 1):
        own = [piece for piece in epoch.pieces if piece.side == side]
        packets = [Packet(epoch.offset(p) if tcp else 0, p.payload, p.wire, p.ts, p.rec) for p in own]
        sides.append(make(packets, head, spent=any(piece.last for piece in own)))
    ends = [(int(first[f"{end}_hi"]), int(first[f"{end}_lo"])) for end in ("client", "server")]
    ports = [int(first["client_port"]), int(first["port"])]
    both = bool(first["bits"] & BOTH_LISTED)
    listed = tuple(ports) if both else (ports[1],)
    if epoch.opener == 1:
        sides.reverse()
        ends.reverse()
        ports.reverse()
    lane = int(first["lane"])
    times = [piece.ts for piece in epoch.pieces]
    roles: Roles = "handshake" if epoch.opener is not None else "ports" if both else "port"
    return Dialogue(
        *ends[0], ports[0], *ends[1], ports[1], int(first["proto"]),
        int(lanes.observer[lane]), int(lanes.sampling[lane]),
        min(times), max(times), sides[0], sides[1],
        complete=epoch.exact or not tcp, roles=roles, listed=listed,
    )  # fmt: skip
