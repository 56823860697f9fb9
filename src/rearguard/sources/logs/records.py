"""Flow records as columns, both directions of each, and how they become rows of chunks.

A record that counts both directions gives two rows with the same record number. Which side opened is said only
where the source knows it (``initiator``); a single packet of the side that opened stands at the record's start,
and a single answer to it at its end. Of the payload a row claims what the record tells, else the least that its
counts prove (:mod:`rearguard.sources.flow`).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import (
    KNOWN_BIFLOW,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    PSH,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_RESPONDER,
)
from rearguard.model.chunk import ROWS, Chunk
from rearguard.sources.flow import IPV4_HEADER, IPV6_HEADER, TCP_HEADER, UDP_HEADER

__all__ = ["DESTINATION", "SOURCE", "UNSAID", "Records", "Side", "emit", "no_side"]

UNSAID, SOURCE, DESTINATION = 0, 1, 2
"""Who opened; the numbers are those of biflowDirection (RFC 5103 section 6.3)."""

WITH_PORTS = (TCP, UDP, 33, 132, 136)
"""TCP, UDP, DCCP, SCTP, UDP-Lite: the protocols whose "ports" are ports (in ICMP they are type and code)."""

Column = npt.NDArray[Any]


@dataclass(slots=True)
class Side:
    """What one direction counts. ``payload`` is -1 where the record does not tell."""

    packets: Column
    bytes: Column
    flags: Column
    payload: Column

    def only(self, keep: Column) -> Side:
        """The same of those records alone."""
        return Side(self.packets[keep], self.bytes[keep], self.flags[keep], self.payload[keep])


@dataclass(slots=True)
class Records:
    """``n`` records. Addresses in halves, times in ns (0 unknown), ``ports``: whether the ports are known."""

    record: Column
    ts: Column
    end: Column
    src_hi: Column
    src_lo: Column
    dst_hi: Column
    dst_lo: Column
    sport: Column
    dport: Column
    proto: Column
    there: Side
    back: Side
    initiator: Column
    ports: Column
    sampling: Column
    observer: Column
    skipped: dict[str, int] = field(default_factory=dict)
    first_bad: str = ""
    """The first record that could not be read, and why; "" for none."""

    @property
    def n(self) -> int:
        return len(self.record)

    def only(self, keep: Column) -> Records:
        """Those records alone."""
        some = copy(self)
        for name in self.__slots__:
            if name not in ("there", "back", "skipped", "first_bad"):
                setattr(some, name, getattr(self, name)[keep])
        some.there, some.back = self.there.only(keep), self.back.only(keep)
        some.skipped = dict(self.skipped)
        return some

    def skip(self, reason: str, count: int) -> None:
        """Count what gave no row."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count


def no_side(n: int) -> Side:
    """A direction that nothing was counted in."""
    return Side(
        np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint8), np.full(n, -1, np.int64)
    )


def emit(records: Records, chunk: Chunk) -> Iterator[Chunk]:
    """Fill the chunk, again and again, with the rows of the records; empty ones are counted as skipped."""
    counted = np.empty((records.n, 2), np.bool_)
    for turn, side in enumerate((records.there, records.back)):
        counted[:, turn] = (side.packets > 0) | (side.bytes > 0)
    records.skip("empty-flow", int((~counted.any(axis=1)).sum()))
    chosen = np.flatnonzero(counted)
    for start in range(0, len(chosen), ROWS):
        some = chosen[start : start + ROWS]
        _fill(records, some // 2, some % 2 == 1, chunk)
        yield chunk


def _fill(records: Records, at: Column, back: Column, chunk: Chunk) -> None:
    """Put these directions of these records into the chunk."""
    n = chunk.n = len(at)
    rows = chunk.rows
    rows[:n] = 0
    for name in ("record", "sampling", "observer", "proto"):
        rows[name][:n] = getattr(records, name)[at]
    for name, other in (
        ("src_hi", "dst_hi"),
        ("src_lo", "dst_lo"),
        ("sport", "dport"),
        ("dst_hi", "src_hi"),
        ("dst_lo", "src_lo"),
        ("dport", "sport"),
    ):
        rows[name][:n] = np.where(back, getattr(records, other)[at], getattr(records, name)[at])
    there, other_side = records.there, records.back
    packets, octets, flags, payload = (
        np.where(back, getattr(other_side, name)[at], getattr(there, name)[at]) for name in Side.__slots__
    )
    rows["packets"][:n], rows["bytes"][:n], rows["flags"][:n] = packets, octets, flags
    proto = records.proto[at]
    v4 = (records.src_hi[at] == 0) & (records.src_lo[at] >> np.uint64(32) == np.uint64(V4_MAPPED >> 32))
    least = _least_payload(proto, v4, packets, octets, flags)
    rows["pay_wire"][:n] = np.where(payload < 0, least, np.minimum(payload, 0xFFFF_FFFF))
    said = records.initiator[at] != UNSAID
    opened = said & (records.initiator[at] == np.where(back, DESTINATION, SOURCE))
    whole = records.ports[at] | ~np.isin(proto, (TCP, UDP))
    rows["why"][:n] = np.where(whole, WHY_PACKET, WHY_NO_PORTS) | np.where(
        said, np.where(opened, WHY_INITIATOR, WHY_RESPONDER), 0
    )
    rows["known"][:n] = (
        np.where((proto == TCP) & (flags != 0), KNOWN_FLAGS, 0)
        | np.where(packets == 1, KNOWN_ONE_PACKET, 0)
        | np.where(said, KNOWN_BIFLOW, 0)
    )
    rows["ts"][:n], rows["end"][:n] = _times(records, at, back, said, opened)


def _times(records: Records, at: Column, back: Column, said: Column, opened: Column) -> tuple[Column, Column]:
    """The whole span for both directions, but for single packets whose place in it is certain."""
    ts, end = records.ts[at], records.end[at]
    there, other = records.there.packets[at], records.back.packets[at]
    one = np.where(back, other, there) == 1
    first = said & opened & one
    answer = said & ~opened & (there == 1) & (other == 1)
    return np.where(answer, end, ts), np.where(first, ts, end)


def _least_payload(proto: Column, v4: Column, packets: Column, octets: Column, flags: Column) -> Column:
    """:func:`rearguard.sources.flow.least_payload` of whole columns."""
    header = np.where(v4, IPV4_HEADER, IPV6_HEADER) + np.where(proto == TCP, TCP_HEADER, UDP_HEADER)
    headers = packets.astype(np.float64) * header
    left = np.where(headers < octets, octets - np.minimum(headers, octets).astype(np.uint64), 0)
    pushed = (proto == TCP) & (flags & PSH != 0)
    least = np.where(left > 0, np.minimum(left, 0xFFFF_FFFF), np.where(pushed, 1, 0))
    return np.where((proto == TCP) | (proto == UDP), least, 0)
