"""Which packets of two addresses and ports belong together: ports are used again, captures begin late.

Theory of operation. Every TCP packet says two numbers: where its own stream is, and by its ACK where the
other one is. An *epoch* is a pair of starts. The packets are taken in ascending (time, record):

    packet                                            does
    SYN+ACK whose pair an epoch has                   nothing (a retransmission)
    SYN+ACK near a headless epoch                     gives it its exact starts (the payload overtook it)
    other SYN+ACK                                     opens an exact epoch
    payload that fits one of the last epochs          joins the latest that it fits
    other payload                                     opens a headless epoch at its two numbers

It fits an exact epoch when both numbers lie behind the starts (or up to NEAR before them), a headless one
when its own number lies within FAR of where that side is first seen; if that side was not seen, its ACK
decides. The start of a headless stream is the lowest sequence number seen. A SYN alone is not looked at:
anybody can send one, only the listener sends a SYN+ACK (a forged SYN inside a connection is answered with a
plain ACK, RFC 5961 section 4).

Of UDP, a silence of more than IDLE ends the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["FAR", "IDLE", "LOOK_BACK", "MOST", "NEAR", "Epoch", "Piece", "tcp_epochs", "udp_epochs"]

NEAR = 1 << 16
FAR = 1 << 20
LOOK_BACK = 8
"""Epochs that a packet is compared with; more would let random sequence numbers cost time."""
MOST = 64
"""Epochs of one pair of addresses and ports; payload of further ones is counted and left out."""
IDLE = 120 * 1_000_000_000
"""Nanoseconds: the least time for which a NAT keeps a UDP mapping (RFC 4787, REQ-5)."""


class Piece(NamedTuple):
    """A segment, as far as streams need it. ``side`` 0: from the side called the client; 1: from the
    server."""

    ts: int
    rec: int
    side: int
    seq: int
    ack: int | None
    payload: bytes
    wire: int
    start: bool
    """A SYN+ACK: both streams begin at its numbers."""
    opens: bool
    """A SYN: this side is the client."""
    last: bool
    """The budget of its spell ended with it."""


@dataclass(slots=True)
class Epoch:
    """Packets that belong together; ``starts`` are sequence numbers, ``exact`` after a SYN+ACK."""

    starts: list[int | None] = field(default_factory=lambda: [None, None])
    exact: bool = False
    opener: int | None = None
    """The side that opened the connection, known from its SYN or from the SYN+ACK of the other."""
    pieces: list[Piece] = field(default_factory=list)

    def offset(self, piece: Piece) -> int:
        """The distance of a piece of this epoch from its stream's start."""
        start = self.starts[piece.side]
        return 0 if start is None else distance(piece.seq, start)


def distance(number: int, start: int) -> int:
    """How far a sequence number lies behind another (negative: before it), RFC 9293 section 3.4."""
    return ((number - start + (1 << 31)) & 0xFFFF_FFFF) - (1 << 31)


def tcp_epochs(pieces: list[Piece]) -> tuple[list[Epoch], int]:
    """The epochs that have payload, in the order in which they began, and the number of pieces left out."""
    epochs: list[Epoch] = []
    left_out = 0
    for piece in pieces:
        epoch = _opened(epochs, piece) if piece.start else None
        if epoch is None and piece.payload:
            epoch = _fitting(epochs, piece)
        if epoch is None:
            if len(epochs) == MOST:
                left_out += 1
                continue
            epoch = Epoch()
            epoch.starts[piece.side] = piece.seq
            epoch.starts[1 - piece.side] = piece.ack
            epochs.append(epoch)
        if piece.start:
            epoch.exact, epoch.opener = True, 1 - piece.side
        elif piece.opens and not epoch.exact:
            epoch.opener = piece.side
        if piece.payload:
            epoch.pieces.append(piece)
    for epoch in epochs:
        if not epoch.exact:
            _settle(epoch)
    return [epoch for epoch in epochs if epoch.pieces], left_out


def _opened(epochs: list[Epoch], piece: Piece) -> Epoch | None:
    """The epoch that a SYN+ACK opened before or, by its payload, has been seen already."""
    starts = [piece.ack, piece.ack]
    starts[piece.side] = piece.seq
    for epoch in reversed(epochs[-LOOK_BACK:]):
        if epoch.exact:
            if epoch.starts == starts:
                return epoch
        elif all(
            seen is None or start is None or 0 <= distance(seen, start) < NEAR
            for seen, start in zip(epoch.starts, starts, strict=True)
        ):
            epoch.starts = starts
            return epoch
    return None


def _fitting(epochs: list[Epoch], piece: Piece) -> Epoch | None:
    for epoch in reversed(epochs[-LOOK_BACK:]):
        if _fits(epoch, piece):
            return epoch
    return None


def _fits(epoch: Epoch, piece: Piece) -> bool:
    own, other = epoch.starts[piece.side], epoch.starts[1 - piece.side]
    if epoch.exact:
        if own is not None and distance(piece.seq, own) < -NEAR:
            return False
        return piece.ack is None or other is None or distance(piece.ack, other) >= -NEAR
    if own is not None:
        return abs(distance(piece.seq, own)) <= FAR
    if piece.ack is not None and other is not None and abs(distance(piece.ack, other)) > FAR:
        return False
    epoch.starts[piece.side] = piece.seq
    return True


def _settle(epoch: Epoch) -> None:
    """A headless stream starts at the lowest number that was seen of it."""
    for side in (0, 1):
        numbers = [piece.seq for piece in epoch.pieces if piece.side == side]
        if numbers:
            first = numbers[0]
            epoch.starts[side] = (first + min(distance(number, first) for number in numbers)) & 0xFFFF_FFFF


def udp_epochs(pieces: list[Piece]) -> tuple[list[Epoch], int]:
    """The epochs between silences, and the number of datagrams left out."""
    epochs: list[Epoch] = []
    for at, piece in enumerate(pieces):
        if not epochs or piece.ts - pieces[at - 1].ts > IDLE:
            if len(epochs) == MOST:
                return epochs, len(pieces) - at
            epochs.append(Epoch())
        epochs[-1].pieces.append(piece)
    return epochs, 0
