"""Data sets: the records of a template as rows, compiled.

A record has one row, or two when it counts both directions of a conversation (RFC 5103; a firewall's sessions).
Who opened the conversation is told by biflowDirection (239), by YAF's flags of the first packet (SYN without ACK,
or SYN with ACK), or by counters that are those of the initiator (231, 298). Without these a biflow says only that
two talked: RFC 5103 section 6.3 leaves the meaning of its order to be agreed elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.bits import KNOWN_IPID, KNOWN_SEQ, TCP, WHY_INITIATOR, WHY_RESPONDER
from rearguard.model.compiled import Buffer, inlined, kernel, wide
from rearguard.sources.exports.fields import (
    BACK_DELAY,
    BACK_FLAGS,
    BACK_INITIAL,
    BACK_OCTETS,
    BACK_PACKETS,
    BACK_SEQ,
    BACK_UNION,
    DPORT,
    DST4,
    DST6,
    EGRESS,
    FIREWALL_EVENT,
    FLAGS,
    INGRESS,
    INITIAL,
    IP_VERSION,
    IPID,
    NAT_EVENT,
    OCTETS,
    PACKETS,
    PAYLOAD_OCTETS,
    PROTO,
    SEQ,
    SPORT,
    SRC4,
    SRC6,
    TARGETS,
    TTL,
    UNION,
    WAY,
)
from rearguard.sources.exports.measures import (
    HIGHEST,
    NOBODY,
    SOURCE,
    counted,
    low,
    opened_by,
    rate_of,
    times_of,
)
from rearguard.sources.exports.row import MAPPED, put_counts, put_pair
from rearguard.sources.exports.steps import read_record
from rearguard.sources.exports.tables import (
    ADDRESSLESS,
    BACK_OCTETS_KIND,
    BAD_FLOW_RECORD,
    EMPTY_FLOW,
    EXPORTER,
    HAS,
    INSIDE,
    IS_EVENT,
    IS_NAT_EVENT,
    LEAST,
    OCTETS_KIND,
    PLAN_PROTO,
    RECORD,
    RECORDS,
)
from rearguard.sources.flow import least_payload
from rearguard.sources.observers import EGRESS as OUT
from rearguard.sources.observers import INGRESS as IN
from rearguard.sources.observers import UNTOLD, observer_of

__all__ = ["read_set"]

IPV6_PAIR = 1 << SRC6 | 1 << DST6
IPV4_PAIR = 1 << SRC4 | 1 << DST4
PORTS = 1 << SPORT | 1 << DPORT
ZERO = np.uint64(0)
SHIFT = np.uint64(32)
LOW = np.uint64(0xFFFF_FFFF)


@kernel
def read_set(b: Buffer, body: int, end: int, plan: int, st: Any, rows: Any, row: int) -> tuple[int, bool]:
    """Decode the records in ``b[body:end]`` from the cursor on, until the set or the chunk is at its end. Returns
    the next row, and whether the set is done. A record that is not whole ends it.
    """
    cursor = st.cursor
    for target in range(TARGETS):
        st.scratch[target] = ZERO
    at = body + wide(cursor[INSIDE])
    least = wide(st.plans[plan, LEAST])
    room = rows.size
    before = wide(cursor[RECORD])
    done = True
    while at + least <= end:
        if row + 2 > room:
            done = False
            break
        at = read_record(b, at, end, st, plan)
        cursor[RECORD] += 1
        if at < 0:
            st.skipped[BAD_FLOW_RECORD] += 1
            break
        row = _put(st, plan, rows, row)
    cursor[INSIDE] = 0 if done else at - body
    st.exporters[cursor[EXPORTER], RECORDS] += wide(cursor[RECORD]) - before
    return row, done


@inlined
def _put(st: Any, plan: int, rows: Any, row: int) -> int:
    """The rows of the record in the scratch. Returns the next row."""
    scratch = st.scratch
    has = wide(st.plans[plan, HAS])
    packets, octets = counted(scratch[PACKETS]), counted(scratch[OCTETS])
    back_packets, back_octets = counted(scratch[BACK_PACKETS]), counted(scratch[BACK_OCTETS])
    src_hi, src_lo, dst_hi, dst_lo = _addresses(st, has)
    if src_hi | dst_hi == ZERO and (src_lo | dst_lo) & LOW == ZERO:
        st.skipped[ADDRESSLESS] += 1
        return row
    if packets | octets | back_packets | back_octets == 0:
        if has >> NAT_EVENT & 1:
            st.skipped[IS_NAT_EVENT] += 1
        elif has >> FIREWALL_EVENT & 1:
            st.skipped[IS_EVENT] += 1
        else:
            st.skipped[EMPTY_FLOW] += 1
        return row
    start, end = times_of(st, plan)
    way = UNTOLD
    if has >> WAY & 1:
        # flowDirection: 0 ingress, 1 egress.
        way = IN if scratch[WAY] == ZERO else OUT if scratch[WAY] == np.uint64(1) else UNTOLD
    observer = observer_of(
        st.observers,
        wide(st.cursor[EXPORTER]),
        low(scratch[INGRESS], HIGHEST),
        low(scratch[EGRESS], HIGHEST),
        way,
    )
    rate = rate_of(st, plan)
    opened = opened_by(st, plan)
    sport, dport = low(scratch[SPORT], 0xFFFF), low(scratch[DPORT], 0xFFFF)
    proto = low(scratch[PROTO], 0xFF) if has >> PROTO & 1 else wide(st.plans[plan, PLAN_PROTO])
    record = wide(st.cursor[RECORD])
    for side in range(2):
        if side == 0:
            flags = scratch[FLAGS] | scratch[INITIAL] | scratch[UNION]
            of_payload = st.plans[plan, OCTETS_KIND] == PAYLOAD_OCTETS
            seq = low(scratch[SEQ], HIGHEST)
        else:
            packets, octets = back_packets, back_octets
            flags = scratch[BACK_FLAGS] | scratch[BACK_INITIAL] | scratch[BACK_UNION]
            of_payload = st.plans[plan, BACK_OCTETS_KIND] == PAYLOAD_OCTETS
            seq = low(scratch[BACK_SEQ], HIGHEST)
            src_hi, dst_hi = dst_hi, src_hi
            src_lo, dst_lo = dst_lo, src_lo
            sport, dport = dport, sport
            start = min(start + min(counted(scratch[BACK_DELAY]), HIGHEST) * 1_000_000, end)
        if packets | octets == 0:
            continue
        bits = low(flags, 0xFF)
        ports = has & PORTS == PORTS
        why = put_pair(rows, row, start, end, src_hi, src_lo, dst_hi, dst_lo, sport, dport, proto, ports)
        if opened != NOBODY:
            why |= WHY_INITIATOR if (opened == SOURCE) == (side == 0) else WHY_RESPONDER
        v6 = src_hi != ZERO or src_lo >> SHIFT != MAPPED >> SHIFT
        payload = min(octets, HIGHEST) if of_payload else least_payload(proto, v6, packets, octets, bits)
        put_counts(
            rows, row, proto, bits, packets, octets, payload, rate, observer, record, why, opened != NOBODY
        )
        _put_header(st, rows, row, proto, seq, side)
        row += 1
    return row


@inlined
def _addresses(st: Any, has: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Source and destination in halves. Of a template for both families the version decides, or what is not 0."""
    scratch = st.scratch
    four = has & IPV4_PAIR == IPV4_PAIR
    if has & IPV6_PAIR == IPV6_PAIR and four:
        version = scratch[IP_VERSION]
        four = version == np.uint64(4) or (version != np.uint64(6) and scratch[SRC4] | scratch[DST4] != ZERO)
    if four:
        return ZERO, MAPPED | scratch[SRC4], ZERO, MAPPED | scratch[DST4]
    return scratch[SRC6], scratch[SRC6 + 1], scratch[DST6], scratch[DST6 + 1]


@inlined
def _put_header(st: Any, rows: Any, row: int, proto: int, seq: int, side: int) -> None:
    """What is told of the first packet's headers; a 0 is a field that the exporter does not fill."""
    if proto == TCP and seq != 0:
        rows[row].seq = seq
        rows[row].known |= KNOWN_SEQ
    if side == 0:
        rows[row].ttl = low(st.scratch[TTL], 0xFF)
        ipid = low(st.scratch[IPID], HIGHEST)
        if ipid != 0:
            rows[row].ipid = ipid
            rows[row].known |= KNOWN_IPID
