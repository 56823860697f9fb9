"""Flows of layout 1 (``nfx.h``): fixed fields, addresses, counters, and the extensions that a map lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import ICMP, ICMPV6
from rearguard.model.compiled import Buffer, inlined, kernel, u8
from rearguard.sources.nfcapd.define import EXPORTER, EXTENSION_MAP, SAMPLER_V0, STATISTICS
from rearguard.sources.nfcapd.loads import Order, n16, n32, n64
from rearguard.sources.nfcapd.maps import (
    BYTES_OUT,
    DIRECTION,
    INTERFACES,
    NAT,
    NSEL,
    PACKETS_OUT,
    ROUTER,
    SIZE,
    WIDE_BYTES,
    WIDE_INTERFACES,
    WIDE_PACKETS,
    WIDE_ROUTER,
)
from rearguard.sources.nfcapd.rows import exporter_of, put_flow, rate_of
from rearguard.sources.nfcapd.state import BAD, EVENT, NAT_EVENT, NOT_A_FLOW, RECORDS, UNKNOWN
from rearguard.sources.nfcapd.status import ASK, DONE, FULL, HEADER, META, ROOM, TORN
from rearguard.sources.observers import EGRESS, UNTOLD, observer_of

__all__ = ["FLOW", "FLOW_V0", "decode_mapped"]

FLOW_V0, FLOW = 1, 10
HEADER_V0, HEADER_V1 = 28, 32
"""Bytes before the addresses; the larger one has two bytes for the exporter's number and two more fields."""
IPV6, WIDE_PACKETS_IN, WIDE_BYTES_IN, EVENT_FLAG, SAMPLED_FLAG = 1, 2, 4, 64, 128

_V4 = np.uint64(V4_MAPPED)


@kernel
def decode_mapped(
    b: Buffer, pos: int, end: int, left: int, swapped: Order, t: Any, rows: Any, start: int
) -> tuple[int, int, int, int]:
    """Decode the records of a block, as :func:`.elements.decode_elements` does for the other layout."""
    r = start
    while left > 0:
        if end - pos < HEADER:
            return TORN, pos, r, left
        kind, size = n16(b, pos, swapped), n16(b, pos + 2, swapped)
        if size < HEADER or pos + size > end:
            return TORN, pos, r, left
        if kind in (FLOW, FLOW_V0):
            if r + ROOM > rows.size:
                return FULL, pos, r, left
            written = _flow(b, pos, pos + size, kind == FLOW, swapped, t, rows, r)
            if written < 0:
                return ASK, pos, r, left
            r += written
        elif kind in (EXTENSION_MAP, EXPORTER, STATISTICS, SAMPLER_V0):
            return META, pos, r, left
        else:
            t.counts[NOT_A_FLOW] += 1
        pos += size
        left -= 1
    return DONE, pos, r, left


@inlined
def _counter(b: Buffer, at: int, wide: bool, swapped: Order) -> np.uint64:
    return n64(b, at, swapped) if wide else np.uint64(n32(b, at, swapped))


@inlined
def _flow(b: Buffer, pos: int, stop: int, larger: bool, swapped: Order, t: Any, rows: Any, r: int) -> int:
    """Rows written of the flow between ``pos`` and ``stop``, or -1 for one whose exporter is to be asked for."""
    at = pos + (HEADER_V1 if larger else HEADER_V0)
    marks, slot, length, extensions = 0, UNKNOWN, 0, 0
    good = stop >= at
    if good:
        marks = n16(b, pos + 4, swapped) if larger else u8(b, pos + 4)
        length = (
            (32 if marks & IPV6 else 8)
            + (8 if marks & WIDE_PACKETS_IN else 4)
            + (8 if marks & WIDE_BYTES_IN else 4)
        )
        extensions = at + length
        slot = int(t.map_slot[n16(b, pos + 6, swapped)])
        good = slot >= 0 and extensions + int(t.maps[slot, SIZE]) <= stop
    exporter = 0
    if good:
        high = low = np.uint64(0)
        router = int(t.maps[slot, ROUTER])
        if router >= 0 and t.maps[slot, WIDE_ROUTER]:
            high, low = n64(b, extensions + router, swapped), n64(b, extensions + router + 8, swapped)
        elif router >= 0:
            low = _V4 | np.uint64(n32(b, extensions + router, swapped))
        number = n16(b, pos + 28, swapped) if larger else u8(b, pos + 5)
        exporter = exporter_of(t, number, high, low)
        if exporter == UNKNOWN:
            return -1
        t.flows[exporter] += 1
    t.counts[RECORDS] += 1
    if not good:
        t.counts[BAD] += 1
        return 0
    nat, nsel = int(t.maps[slot, NAT]), int(t.maps[slot, NSEL])
    if nat >= 0 and u8(b, extensions + nat) != 0:
        t.counts[NAT_EVENT] += 1
        return 0
    if marks & EVENT_FLAG or (nsel >= 0 and u8(b, extensions + nsel + 14) != 0):
        t.counts[EVENT] += 1
        return 0
    if marks & IPV6:
        src_hi, src_lo = n64(b, at, swapped), n64(b, at + 8, swapped)
        dst_hi, dst_lo = n64(b, at + 16, swapped), n64(b, at + 24, swapped)
        at += 32
    else:
        src_hi = dst_hi = np.uint64(0)
        src_lo = _V4 | np.uint64(n32(b, at, swapped))
        dst_lo = _V4 | np.uint64(n32(b, at + 4, swapped))
        at += 8
    packets = _counter(b, at, marks & WIDE_PACKETS_IN != 0, swapped)
    octets = _counter(b, at + (8 if marks & WIDE_PACKETS_IN else 4), marks & WIDE_BYTES_IN != 0, swapped)
    packets_back = octets_back = np.uint64(0)
    column = int(t.maps[slot, PACKETS_OUT])
    if column >= 0:
        packets_back = _counter(b, extensions + column, t.maps[slot, WIDE_PACKETS] != 0, swapped)
    column = int(t.maps[slot, BYTES_OUT])
    if column >= 0:
        octets_back = _counter(b, extensions + column, t.maps[slot, WIDE_BYTES] != 0, swapped)
    ingress = egress = 0
    column = int(t.maps[slot, INTERFACES])
    if column >= 0 and t.maps[slot, WIDE_INTERFACES]:
        ingress, egress = n32(b, extensions + column, swapped), n32(b, extensions + column + 4, swapped)
    elif column >= 0:
        ingress, egress = n16(b, extensions + column, swapped), n16(b, extensions + column + 2, swapped)
    column = int(t.maps[slot, DIRECTION])
    way = EGRESS if column >= 0 and u8(b, extensions + column + 1) == 1 else UNTOLD
    proto = u8(b, pos + 22)
    # Of ICMP an earlier version put type and code there.
    opener = u8(b, pos + 30) if larger and proto != ICMP and proto != ICMPV6 else 0
    thousand = np.uint64(1000)
    return put_flow(
        rows, r, t,
        np.uint64(n32(b, pos + 12, swapped)) * thousand + np.uint64(n16(b, pos + 8, swapped)),
        np.uint64(n32(b, pos + 16, swapped)) * thousand + np.uint64(n16(b, pos + 10, swapped)),
        marks & IPV6 != 0, src_hi, src_lo, dst_hi, dst_lo,
        n16(b, pos + 24, swapped), n16(b, pos + 26, swapped),
        proto, u8(b, pos + 21),
        packets, octets, packets_back, octets_back, 0, opener,
        marks & SAMPLED_FLAG != 0, rate_of(t, exporter, False, np.uint64(0)),
        observer_of(t.observers, exporter, ingress, egress, way),
    )  # fmt: skip
