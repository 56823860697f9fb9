"""One flow into the rows of a chunk; what both layouts share."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.bits import (
    ICMP,
    ICMPV6,
    KNOWN_BIFLOW,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_RESPONDER,
)
from rearguard.model.compiled import inlined, load, wide
from rearguard.sources.flow import known_of, least_payload
from rearguard.sources.nfcapd.state import BAD, EMPTY, HEARD, RECORDS, SAMPLERS, UNKNOWN

__all__ = ["MOST", "count", "exporter_of", "put_flow", "rate_of", "unscaled"]

MOST = np.uint64(1 << 53)
"""Packets or bytes of one flow beyond which the record cannot be right."""
LATEST = np.uint64((1 << 63) // 1_000_000 - 1)
"""Milliseconds since 1970 that can be told in nanoseconds."""
MILLISECOND = np.uint64(1_000_000)

INITIATOR, RESPONDER = 1, 2
"""biflowDirection (RFC 5103 section 6.3): the flow's source opened the conversation, or the other side did."""


@inlined
def count(counts: Any, reason: int) -> None:
    """One more for a reason, or for an exporter."""
    counts[reason] += 1


@inlined
def exporter_of(t: Any, number: int, high: np.uint64, low: np.uint64) -> int:
    """The index of a flow's exporter, by its number in the file or, where no record told it, by the address that
    the flow tells (0 for none); UNKNOWN is to be asked for with ``wanted``."""
    index = int(t.exporter[number])
    if index >= 0:
        return index
    for k in range(t.used[HEARD]):
        if t.heard_lo[k] == low and t.heard_hi[k] == high:
            return int(t.heard_exporter[k])
    t.wanted[0], t.wanted[1] = high, low
    return UNKNOWN


@inlined
def rate_of(t: Any, exporter: int, named: bool, identifier: np.uint64) -> int:
    """The sampling rate of a flow's exporter, of the sampler that it names; 0 unknown."""
    if named:
        for k in range(t.used[SAMPLERS]):
            if t.sampler_exporter[k] == exporter and np.uint64(t.sampler_id[k]) == identifier:
                return int(t.sampler_rate[k])
    return int(t.rate[exporter])


@inlined
def unscaled(value: np.uint64, rate: int) -> int:
    """What was counted before nfcapd multiplied it by the sampling rate, which other tools may have rounded."""
    counted = wide(value)
    if rate <= 1 or counted == 0:
        return counted
    return max((counted + rate // 2) // rate, 1)


@inlined
def put_flow(
    rows: Any,
    r: int,
    t: Any,
    first: np.uint64,
    last: np.uint64,
    v6: bool,
    src_hi: np.uint64,
    src_lo: np.uint64,
    dst_hi: np.uint64,
    dst_lo: np.uint64,
    sport: int,
    dport: int,
    proto: int,
    flags: int,
    packets: np.uint64,
    octets: np.uint64,
    packets_back: np.uint64,
    octets_back: np.uint64,
    flags_back: int,
    opener: int,
    scaled: bool,
    rate: int,
    observer: int,
) -> int:
    """Write a flow as row ``r`` and, if it is a biflow, the other direction as the next one; returns how many rows.

    ``opener`` is its biflowDirection, 0 for none; ``first`` and ``last`` are milliseconds. The second pair of
    counters is of the other direction only in a biflow: without a direction it may be the same packets as they
    left the router (postPacketDeltaCount), which are counted where there is nothing else.
    """
    most = max(packets, octets, packets_back, octets_back)
    if most > MOST or max(first, last) > LATEST:
        count(t.counts, BAD)
        return 0
    if packets == 0 and octets == 0 and opener == 0:
        packets, octets = packets_back, octets_back
    if proto in (ICMP, ICMPV6):
        sport = dport = 0
    why = WHY_NO_PORTS if sport == 0 and dport == 0 and proto in (TCP, UDP) else WHY_PACKET
    back = why
    known = 0
    if opener in (INITIATOR, RESPONDER):
        known = KNOWN_BIFLOW
        why |= WHY_INITIATOR if opener == INITIATOR else WHY_RESPONDER
        back |= WHY_RESPONDER if opener == INITIATOR else WHY_INITIATOR
    divisor = rate if scaled else 1
    # A sampler of 1:1 leaves no mark on a flow; another one that left none was not applied to it.
    sampling = rate if scaled or rate == 1 else 0
    start, end = first * MILLISECOND, max(first, last) * MILLISECOND
    record, written = t.counts[RECORDS], 0
    if packets != 0 or octets != 0:
        _write(
            rows, r, start, end, v6, src_hi, src_lo, dst_hi, dst_lo, sport, dport, proto, flags,
            unscaled(packets, divisor), unscaled(octets, divisor), sampling, observer, record, known, why,
        )  # fmt: skip
        written = 1
    if opener != 0 and (packets_back != 0 or octets_back != 0):
        _write(
            rows, r + written, start, end, v6, dst_hi, dst_lo, src_hi, src_lo, dport, sport, proto,
            flags_back, unscaled(packets_back, divisor), unscaled(octets_back, divisor), sampling, observer,
            record, known, back,
        )  # fmt: skip
        written += 1
    if written > 0:
        t.times[0], t.times[1] = min(t.times[0], np.int64(start)), max(t.times[1], np.int64(start))
    else:
        count(t.counts, EMPTY)
    return written


@load
def _write(
    rows: Any,
    r: int,
    start: np.uint64,
    end: np.uint64,
    v6: bool,
    src_hi: np.uint64,
    src_lo: np.uint64,
    dst_hi: np.uint64,
    dst_lo: np.uint64,
    sport: int,
    dport: int,
    proto: int,
    flags: int,
    packets: int,
    octets: int,
    sampling: int,
    observer: int,
    record: int,
    known: int,
    why: int,
) -> None:
    """Write one row, whose place is checked once for all fields."""
    if r < 0 or r >= rows.size:
        raise IndexError("row outside the chunk")
    rows[r].ts, rows[r].end = np.int64(start), np.int64(end)
    rows[r].src_hi, rows[r].src_lo = src_hi, src_lo
    rows[r].dst_hi, rows[r].dst_lo = dst_hi, dst_lo
    rows[r].sport, rows[r].dport = sport, dport
    rows[r].proto, rows[r].flags = proto, flags
    rows[r].packets, rows[r].bytes = packets, octets
    rows[r].pay_wire = least_payload(proto, v6, packets, octets, flags)
    rows[r].sampling, rows[r].observer, rows[r].record = sampling, observer, record
    rows[r].known = known | known_of(proto, flags, packets, False)
    rows[r].why = why
