"""Flows of layout 2 (``nfxV3.h``): a header and elements, each with its type and size, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import Buffer, inlined, kernel, load, wide
from rearguard.sources.nfcapd.define import EXPORTER, SAMPLER, SAMPLER_V0, STATISTICS
from rearguard.sources.nfcapd.loads import Order, n16, r16, r32, r64
from rearguard.sources.nfcapd.rows import count, exporter_of, put_flow, rate_of
from rearguard.sources.nfcapd.shapes import (
    COLUMNS,
    COUNTS,
    EVENT,
    FLAGS_BACK,
    GENERIC,
    HEARD_V4,
    HEARD_V6,
    IPV4,
    IPV6,
    MISC,
    NAT_EVENT,
    OPENER,
    PLAIN,
    SAMPLED,
    SIZE,
    Shapes,
    shape_of,
)
from rearguard.sources.nfcapd.state import BAD, NO_ADDRESS, NOT_A_FLOW, RECORDS, UNKNOWN
from rearguard.sources.nfcapd.state import EVENT as OTHER_LOG
from rearguard.sources.nfcapd.state import NAT_EVENT as NAT_LOG
from rearguard.sources.nfcapd.status import ASK, DONE, FULL, HEADER, META, ROOM, TORN
from rearguard.sources.observers import EGRESS, UNTOLD, observer_of

__all__ = ["FLOW", "decode_elements"]

FLOW = 11
EVENT_FLAG, SAMPLED_FLAG = 1, 2

_V4 = np.uint64(V4_MAPPED)
_4, _8, _10, _16, _24 = np.uint64(4), np.uint64(8), np.uint64(10), np.uint64(16), np.uint64(24)
_32, _40, _42, _44, _45 = np.uint64(32), np.uint64(40), np.uint64(42), np.uint64(44), np.uint64(45)


@kernel
def decode_elements(
    b: Buffer, pos: int, end: int, left: int, swapped: Order, t: Any, rows: Any, start: int
) -> tuple[int, int, int, int]:
    """Decode the records of a block from ``pos`` on, ``left`` of them, into the rows from ``start`` on.

    Returns (status, position, next row, records left).
    """
    r = start
    while left > 0:
        if end - pos < HEADER:
            return TORN, pos, r, left
        kind, size = n16(b, pos, swapped), n16(b, pos + 2, swapped)
        if size < HEADER or pos + size > end:
            return TORN, pos, r, left
        if kind == FLOW:
            if r + ROOM > rows.size:
                return FULL, pos, r, left
            written = _flow(b, pos, size, swapped, t, rows, r)
            if written < 0:
                return ASK, pos, r, left
            r += written
        elif kind in (EXPORTER, STATISTICS, SAMPLER, SAMPLER_V0):
            return META, pos, r, left
        else:
            t.counts[NOT_A_FLOW] += 1
        pos += size
        left -= 1
    return DONE, pos, r, left


@inlined
def _flow(b: Buffer, pos: int, size: int, swapped: Order, t: Any, rows: Any, r: int) -> int:
    """Rows written of the flow at ``pos``, or -1 for one whose exporter is to be asked for."""
    shape = shape_of(b, pos, size, swapped, t.shapes)
    if shape < 0:
        count(t.counts, RECORDS)
        count(t.counts, BAD)
        return 0
    return _take(b, pos, size, swapped, t, t.shapes, shape, rows, r)


@load
def _take(
    b: Buffer,
    pos: int,
    size: int,
    swapped: Order,
    t: Any,
    s: Shapes,
    shape: int,
    rows: Any,
    r: int,
) -> int:
    """Read the fields of a record where its shape has them: all inside its size, which is looked at once."""
    if pos < 0 or pos + size > b.size or shape < 0 or shape >= s.shape[0] or s.shape[1] < COLUMNS:
        raise IndexError("load outside the buffer")
    if s[shape, SIZE] > size:
        raise IndexError("a shape that is not the record's")
    at = np.uint64(pos)
    marks = wide(b[at + _10])
    if s[shape, PLAIN] > 0 and marks & EVENT_FLAG == 0 and b[at + np.uint64(s[shape, OPENER])] == 0:
        exporter = int(t.exporter[r16(b, at + _8, swapped)])
        if exporter >= 0:
            return _take_plain(b, at, marks, exporter, swapped, t, s, shape, rows, r)
    high = low = np.uint64(0)
    if s[shape, HEARD_V4] > 0:
        low = _V4 | np.uint64(r32(b, at + np.uint64(s[shape, HEARD_V4]), swapped))
    elif s[shape, HEARD_V6] > 0:
        here = at + np.uint64(s[shape, HEARD_V6])
        high, low = r64(b, here, swapped), r64(b, here + _8, swapped)
    exporter = exporter_of(t, r16(b, at + _8, swapped), high, low)
    if exporter == UNKNOWN:
        return -1
    count(t.flows, exporter)
    count(t.counts, RECORDS)
    if s[shape, NAT_EVENT] > 0 and b[at + np.uint64(s[shape, NAT_EVENT])] != 0:
        count(t.counts, NAT_LOG)
        return 0
    if marks & EVENT_FLAG or (s[shape, EVENT] > 0 and b[at + np.uint64(s[shape, EVENT])] != 0):
        count(t.counts, OTHER_LOG)
        return 0
    v4 = s[shape, IPV4] > 0
    if s[shape, GENERIC] == 0 or (not v4 and s[shape, IPV6] == 0):
        count(t.counts, NO_ADDRESS if s[shape, GENERIC] > 0 else BAD)
        return 0
    src_hi, src_lo, dst_hi, dst_lo = _addresses(b, at, v4, swapped, s, shape)
    ingress = egress = opener = flags_back = 0
    way = UNTOLD
    if s[shape, MISC] > 0:
        here = at + np.uint64(s[shape, MISC])
        ingress, egress = r32(b, here, swapped), r32(b, here + _4, swapped)
        # 0 is "ingress" (NetFlow field 61), and what nfcapd writes where the exporter told nothing.
        way = EGRESS if b[here + _10] == 1 else UNTOLD
        if s[shape, OPENER] > 0:
            opener = wide(b[at + np.uint64(s[shape, OPENER])])
        if s[shape, FLAGS_BACK] > 0:
            flags_back = wide(b[at + np.uint64(s[shape, FLAGS_BACK])])
    packets_back = octets_back = np.uint64(0)
    if s[shape, COUNTS] > 0:
        here = at + np.uint64(s[shape, COUNTS])
        packets_back, octets_back = r64(b, here + _8, swapped), r64(b, here + _16, swapped)
    named = s[shape, SAMPLED] > 0
    identifier = r64(b, at + np.uint64(s[shape, SAMPLED]), swapped) if named else np.uint64(0)
    here = at + np.uint64(s[shape, GENERIC])
    return put_flow(
        rows, r, t, r64(b, here, swapped), r64(b, here + _8, swapped),
        not v4, src_hi, src_lo, dst_hi, dst_lo,
        r16(b, here + _40, swapped), r16(b, here + _42, swapped), wide(b[here + _44]), wide(b[here + _45]),
        r64(b, here + _24, swapped), r64(b, here + _32, swapped), packets_back, octets_back, flags_back, opener,
        marks & SAMPLED_FLAG != 0, rate_of(t, exporter, named, identifier),
        observer_of(t.observers, exporter, ingress, egress, way),
    )  # fmt: skip


@load
def _take_plain(
    b: Buffer,
    at: np.uint64,
    marks: int,
    exporter: int,
    swapped: Order,
    t: Any,
    s: Shapes,
    shape: int,
    rows: Any,
    r: int,
) -> int:
    """The same for a flow that nearly all are like: its shape has no rare field, it is no biflow and no event, and
    its exporter is known. What is not there is not asked for, which takes a fifth of the time away."""
    count(t.flows, exporter)
    count(t.counts, RECORDS)
    v4 = s[shape, IPV4] > 0
    src_hi, src_lo, dst_hi, dst_lo = _addresses(b, at, v4, swapped, s, shape)
    misc, here = at + np.uint64(s[shape, MISC]), at + np.uint64(s[shape, GENERIC])
    nothing = np.uint64(0)
    return put_flow(
        rows, r, t, r64(b, here, swapped), r64(b, here + _8, swapped),
        not v4, src_hi, src_lo, dst_hi, dst_lo,
        r16(b, here + _40, swapped), r16(b, here + _42, swapped), wide(b[here + _44]), wide(b[here + _45]),
        r64(b, here + _24, swapped), r64(b, here + _32, swapped), nothing, nothing, 0, 0,
        marks & SAMPLED_FLAG != 0, int(t.rate[exporter]),
        observer_of(
            t.observers, exporter, r32(b, misc, swapped), r32(b, misc + _4, swapped),
            EGRESS if b[misc + _10] == 1 else UNTOLD,
        ),
    )  # fmt: skip


@load
def _addresses(
    b: Buffer, at: np.uint64, v4: bool, swapped: Order, s: Shapes, shape: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Source and destination, each as two numbers."""
    if v4:
        here, none = at + np.uint64(s[shape, IPV4]), np.uint64(0)
        src, dst = np.uint64(r32(b, here, swapped)), np.uint64(r32(b, here + _4, swapped))
        return none, _V4 | src, none, _V4 | dst
    here = at + np.uint64(s[shape, IPV6])
    return (
        r64(b, here, swapped),
        r64(b, here + _8, swapped),
        r64(b, here + _16, swapped),
        r64(b, here + _24, swapped),
    )
