"""IP fragments of UDP datagrams put together again, within bounds of memory and time.

Exporters send datagrams that are larger than a link lets through. The pieces of a datagram share source,
destination and identification (RFC 791 section 3.2, RFC 8200 section 4.5); the first carries the UDP header, whose
length says when all of it is there. A piece that overlaps another ends that datagram (RFC 5722 asks so for IPv6)
and begins a new one, for identifications come again. What misses pieces for longer than ``PATIENCE``, or would need
more room than ``MOST`` datagrams, is given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["MOST", "PATIENCE", "Fragment", "Reassembly", "Unfinished"]

MOST = 256
"""Datagrams that wait for pieces; none is longer than LONGEST."""
PATIENCE = 30 * 1_000_000_000
"""Nanoseconds for which the first piece that came waits for the others."""
LONGEST = 65_535
PIECES = 512
"""Pieces of one datagram; no link in use needs more."""

Key = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a UDP payload: ``offset`` is its place in it; the first piece alone knows ``total``, the payload's
    length, and the ports."""

    key: Key
    """Source and destination in halves, identification."""
    offset: int
    data: bytes
    time: int
    total: int | None = None
    sport: int = 0
    dport: int = 0


@dataclass(slots=True)
class Unfinished:
    """A datagram whose pieces come; ``head`` is the first of them, when it came."""

    since: int
    head: Fragment | None = None
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0

    def overlaps(self, piece: Fragment) -> bool:
        """Whether the piece lies on bytes that are there already."""
        end = piece.offset + len(piece.data)
        return any(piece.offset < at + len(data) and at < end for at, data in self.pieces.items())

    @property
    def payload(self) -> bytes | None:
        """The payload, when it is whole."""
        total = None if self.head is None else self.head.total
        if total is None or self.size < total:
            return None
        whole = b"".join(self.pieces[at] for at in sorted(self.pieces))
        # Pieces do not overlap, so if all bytes up to the last one are there, none is missing between them.
        last = max(at + len(data) for at, data in self.pieces.items())
        return whole[:total] if last == len(whole) else None


class Reassembly:
    """The datagrams that wait for pieces."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Unfinished] = {}
        self._given_up: list[Unfinished] = []

    def add(self, piece: Fragment) -> tuple[bytes, Unfinished] | None:
        """Take in a piece; the payload and its pieces, when it is whole now."""
        while self._waiting:
            oldest = next(iter(self._waiting))
            if len(self._waiting) < MOST and piece.time - self._waiting[oldest].since <= PATIENCE:
                break
            self._given_up.append(self._waiting.pop(oldest))
        if not piece.data or piece.offset + len(piece.data) > LONGEST:
            self._given_up.append(Unfinished(piece.time, None, {piece.offset: piece.data}))
            return None
        one = self._waiting.get(piece.key)
        if one is not None and one.pieces.get(piece.offset) == piece.data:
            return None
        if one is not None and (one.overlaps(piece) or len(one.pieces) >= PIECES):
            self._given_up.append(self._waiting.pop(piece.key))
            one = None
        if one is None:
            one = self._waiting[piece.key] = Unfinished(piece.time)
        one.pieces[piece.offset] = piece.data
        one.size += len(piece.data)
        if piece.offset == 0:
            one.head = piece
        payload = one.payload
        if payload is None:
            return None
        del self._waiting[piece.key]
        return payload, one

    def given_up(self) -> Iterator[Unfinished]:
        """The datagrams that were given up since this was last asked."""
        while self._given_up:
            yield self._given_up.pop()

    def end(self) -> None:
        """No further pieces come: give up what waits."""
        self._given_up += self._waiting.values()
        self._waiting.clear()
