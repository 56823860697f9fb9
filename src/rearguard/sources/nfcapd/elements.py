"""Flows of layout 2 (``nfxV3.h``): a header and elements, each with its type and size, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import Buffer, inlined, kernel, u8
from rearguard.sources.nfcapd.define import EXPORTER, SAMPLER, SAMPLER_V0, STATISTICS
from rearguard.sources.nfcapd.loads import Order, n16, n32, n64
from rearguard.sources.nfcapd.rows import exporter_of, put_flow, rate_of
from rearguard.sources.nfcapd.state import (
    BAD,
    EVENT,
    NAT_EVENT,
    NO_ADDRESS,
    NOT_A_FLOW,
    RECORDS,
    UNKNOWN,
)
from rearguard.sources.nfcapd.status import ASK, DONE, FULL, HEADER, META, ROOM, TORN
from rearguard.sources.observers import EGRESS, UNTOLD, observer_of

__all__ = ["FLOW", "decode_elements"]

FLOW = 11
FLOW_HEADER = 12
EVENT_FLAG, SAMPLED_FLAG = 1, 2

GENERIC, GENERIC_SIZE = 1, 52
IPV4, IPV4_SIZE = 2, 12
IPV6, IPV6_SIZE = 3, 36
MISC, MISC_SIZE = 4, 16
MISC_OPENER, MISC_FLAGS_BACK = 17, 19  # sizes from which these fields are there
COUNTS, COUNTS_SIZE = 5, 28
HEARD_V4, HEARD_V4_SIZE = 12, 8
HEARD_V6, HEARD_V6_SIZE = 13, 20
SAMPLED, SAMPLED_SIZE = 18, 12
NSEL, NSEL_SIZE = 19, 20
NAT, NAT_SIZE, NAT_SIZE_OLD = 25, 20, 28

_V4 = np.uint64(V4_MAPPED)


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
            if r + ROOM > rows.ts.size:
                return FULL, pos, r, left
            written = _flow(b, pos, pos + size, swapped, t, rows, r)
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
def _flow(b: Buffer, pos: int, stop: int, swapped: Order, t: Any, rows: Any, r: int) -> int:
    """Rows written of the flow between ``pos`` and ``stop``, or -1 for one whose exporter is to be asked for."""
    generic = v4 = v6 = misc = counts = heard_v4 = heard_v6 = sampled = nsel = nat = 0
    misc_size = nat_size = 0
    good = stop - pos >= FLOW_HEADER
    at = pos + FLOW_HEADER
    for _ in range(n16(b, pos + 4, swapped) if good else 0):
        if stop - at < HEADER:
            good = False
            break
        kind, size = n16(b, at, swapped), n16(b, at + 2, swapped)
        if size < HEADER or at + size > stop:
            good = False
            break
        here = at + HEADER
        if kind <= MISC:
            if kind == GENERIC and size >= GENERIC_SIZE:
                generic = here
            elif kind == IPV4 and size >= IPV4_SIZE:
                v4 = here
            elif kind == IPV6 and size >= IPV6_SIZE:
                v6 = here
            elif kind == MISC and size >= MISC_SIZE:
                misc, misc_size = here, size
        elif kind < HEARD_V4:
            if kind == COUNTS and size >= COUNTS_SIZE:
                counts = here
        elif kind == HEARD_V4 and size >= HEARD_V4_SIZE:
            heard_v4 = here
        elif kind == HEARD_V6 and size >= HEARD_V6_SIZE:
            heard_v6 = here
        elif kind == SAMPLED and size >= SAMPLED_SIZE:
            sampled = here
        elif kind == NSEL and size >= NSEL_SIZE:
            nsel = here
        elif kind == NAT and size >= NAT_SIZE:
            nat, nat_size = here, size
        at += size
    exporter = 0
    if good:
        high = low = np.uint64(0)
        if heard_v4 > 0:
            low = _V4 | np.uint64(n32(b, heard_v4, swapped))
        elif heard_v6 > 0:
            high, low = n64(b, heard_v6, swapped), n64(b, heard_v6 + 8, swapped)
        exporter = exporter_of(t, n16(b, pos + 8, swapped), high, low)
        if exporter == UNKNOWN:
            return -1
        t.flows[exporter] += 1
    t.counts[RECORDS] += 1
    if not good:
        t.counts[BAD] += 1
        return 0
    marks = u8(b, pos + 10)
    if nat > 0 and u8(b, nat + (12 if nat_size < NAT_SIZE_OLD else 20)) != 0:
        t.counts[NAT_EVENT] += 1
        return 0
    if marks & EVENT_FLAG or (nsel > 0 and u8(b, nsel + 14) != 0):
        t.counts[EVENT] += 1
        return 0
    if generic == 0 or (v4 == 0 and v6 == 0):
        t.counts[NO_ADDRESS if generic > 0 else BAD] += 1
        return 0
    if v4 > 0:
        src_hi = dst_hi = np.uint64(0)
        src_lo = _V4 | np.uint64(n32(b, v4, swapped))
        dst_lo = _V4 | np.uint64(n32(b, v4 + 4, swapped))
    else:
        src_hi, src_lo = n64(b, v6, swapped), n64(b, v6 + 8, swapped)
        dst_hi, dst_lo = n64(b, v6 + 16, swapped), n64(b, v6 + 24, swapped)
    ingress = egress = opener = flags_back = 0
    way = UNTOLD
    if misc > 0:
        ingress, egress = n32(b, misc, swapped), n32(b, misc + 4, swapped)
        # 0 is "ingress" (NetFlow field 61), and what nfcapd writes where the exporter told nothing.
        way = EGRESS if u8(b, misc + 10) == 1 else UNTOLD
        if misc_size >= MISC_OPENER:
            opener = u8(b, misc + 12)
        if misc_size >= MISC_FLAGS_BACK:
            flags_back = u8(b, misc + 14)
    packets_back = octets_back = np.uint64(0)
    if counts > 0:
        packets_back, octets_back = n64(b, counts + 8, swapped), n64(b, counts + 16, swapped)
    identifier = n64(b, sampled, swapped) if sampled > 0 else np.uint64(0)
    return put_flow(
        rows, r, t.counts,
        n64(b, generic, swapped), n64(b, generic + 8, swapped),
        v4 == 0, src_hi, src_lo, dst_hi, dst_lo,
        n16(b, generic + 40, swapped), n16(b, generic + 42, swapped),
        u8(b, generic + 44), u8(b, generic + 45),
        n64(b, generic + 24, swapped), n64(b, generic + 32, swapped),
        packets_back, octets_back, flags_back, opener,
        marks & SAMPLED_FLAG != 0, rate_of(t, exporter, sampled > 0, identifier),
        observer_of(t.observers, exporter, ingress, egress, way),
    )  # fmt: skip
