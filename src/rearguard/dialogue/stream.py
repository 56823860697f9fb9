"""One side of a conversation: bytes put in their places, and what can be said about how they came.

Rules (they are few because every other choice could be steered by whoever wrote the packets):

* The place of a byte is its sequence number's distance from the stream's start, modulo 2^32.
* A byte that is claimed more than once belongs to the earliest packet by (time, record). Later claims that
  say something else are counted as conflicts: harmless networks do not produce them, evasion does.
* ``data`` ends at the first byte that nobody sent or that was not captured. What came behind it are islands.
* Bytes in front of the start (keep-alives) and at or behind ``head`` have no place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["EMPTY", "Origin", "Packet", "Stream", "datagrams", "reassemble"]


class Packet(NamedTuple):
    """One packet's payload: its place in the stream, and where it was seen. ``wire`` is its length as
    sent."""

    offset: int
    payload: bytes
    wire: int
    ts: int
    rec: int


class Origin(NamedTuple):
    """From ``offset`` on, up to the next origin, the bytes came in this packet."""

    offset: int
    ts: int
    rec: int


@dataclass(frozen=True, slots=True)
class Stream:
    """The first bytes of one side."""

    data: bytes = b""
    """From the start to the first gap."""
    islands: tuple[tuple[int, bytes], ...] = ()
    """(place, bytes) of what came behind the first gap, ascending."""
    origins: tuple[Origin, ...] = ()
    """Ascending; of UDP one for each datagram, so they are the message boundaries."""
    missing: int = 0
    """Bytes in the gaps between ``data`` and the last island."""
    conflicts: int = 0
    """Bytes that a later packet claimed to be something else."""
    truncated: bool = False
    """More was sent than is here: beyond the head, beyond the budget, or cut short by the capture."""

    def __bool__(self) -> bool:
        return bool(self.origins)

    def parts(self) -> tuple[tuple[int, bytes], ...]:
        """All (place, bytes), ``data`` first: what a search has to look through, part by part."""
        return ((0, self.data), *self.islands) if self.data else self.islands

    def origin_of(self, place: int) -> Origin | None:
        """The packet that brought the byte at this place, or the last one before it."""
        at = bisect_right(self.origins, place, key=lambda origin: origin.offset)
        return self.origins[at - 1] if at else None


EMPTY = Stream()


def reassemble(packets: Iterable[Packet], head: int, *, spent: bool = False) -> Stream:
    """A TCP stream from its packets, which come in ascending (time, record)."""
    packets = list(packets)
    if not packets:
        return EMPTY
    size = min(head, max(packet.offset + len(packet.payload) for packet in packets))
    truncated = spent or any(
        packet.offset + packet.wire > size or len(packet.payload) < packet.wire for packet in packets
    )
    if size <= 0:
        return Stream(truncated=truncated)
    if _in_order(packets):
        whole = b"".join(packet.payload for packet in packets)[:size]
        origins = [Origin(p.offset, p.ts, p.rec) for p in packets if p.offset < size and p.payload]
        return Stream(whole, origins=tuple(origins), truncated=truncated)
    data = np.zeros(size, dtype=np.uint8)
    taken = np.zeros(size, dtype=np.bool_)
    origins = []
    conflicts = 0
    for packet in packets:
        start, end = max(packet.offset, 0), min(packet.offset + len(packet.payload), size)
        if start >= end:
            continue
        new = np.frombuffer(packet.payload, dtype=np.uint8)[start - packet.offset : end - packet.offset]
        mask, old = taken[start:end], data[start:end]
        if not mask.any():
            old[:] = new
            origins.append(Origin(start, packet.ts, packet.rec))
        else:
            conflicts += int(np.count_nonzero(mask & (old != new)))
            origins += [Origin(start + at, packet.ts, packet.rec) for at, _ in _runs(~mask)]
            np.copyto(old, new, where=~mask)
        mask[:] = True
    pieces = [(start, data[start:end].tobytes()) for start, end in _runs(taken)]
    origins.sort(key=lambda origin: origin.offset)
    first = pieces.pop(0)[1] if pieces and pieces[0][0] == 0 else b""
    return Stream(
        first, tuple(pieces), tuple(origins), size - int(np.count_nonzero(taken)), conflicts, truncated
    )


def _in_order(packets: list[Packet]) -> bool:
    """Each packet begins where the one before it ended: what most streams are, and quickly put together."""
    end = 0
    for packet in packets:
        if packet.offset != end:
            return False
        end += len(packet.payload)
    return True


def datagrams(packets: Iterable[Packet], head: int, *, spent: bool = False) -> Stream:
    """The datagrams of one side one after the other; they come in ascending (time, record)."""
    data = bytearray()
    origins = []
    truncated = spent
    for packet in packets:
        room = head - len(data)
        truncated |= packet.wire > min(len(packet.payload), room)
        if room > 0:
            origins.append(Origin(len(data), packet.ts, packet.rec))
            data += packet.payload[:room]
    return Stream(bytes(data), origins=tuple(origins), truncated=truncated)


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(begin, end) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
