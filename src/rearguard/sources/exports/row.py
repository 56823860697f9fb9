"""One row of a flow, written the same way for every version of NetFlow and for IPFIX."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import ICMP, ICMPV6, TCP, UDP, WHY_NO_PORTS, WHY_PACKET
from rearguard.model.compiled import inlined
from rearguard.sources.flow import known_of

__all__ = ["put_counts", "put_pair"]

MAPPED = np.uint64(V4_MAPPED)
"""A plain module value, so that kernels freeze it."""


@inlined
def put_pair(
    rows: Any,
    r: int,
    start: int,
    end: int,
    src_hi: np.uint64,
    src_lo: np.uint64,
    dst_hi: np.uint64,
    dst_lo: np.uint64,
    sport: int,
    dport: int,
    proto: int,
    ports: bool,
) -> int:
    """Times, addresses and ports. Returns WHY_PACKET, with WHY_NO_PORTS where ports are missing; ICMP's type and
    code, which exporters put into the destination port, are none."""
    rows.ts[r] = start
    rows.end[r] = end
    rows.src_hi[r] = src_hi
    rows.src_lo[r] = src_lo
    rows.dst_hi[r] = dst_hi
    rows.dst_lo[r] = dst_lo
    if proto in (ICMP, ICMPV6):
        sport = 0
        dport = 0
    rows.sport[r] = sport
    rows.dport[r] = dport
    rows.proto[r] = proto
    if proto in (TCP, UDP) and not (ports and sport | dport):
        # Both ports 0: a flow of later fragments.
        return WHY_PACKET | WHY_NO_PORTS
    return WHY_PACKET


@inlined
def put_counts(
    rows: Any,
    r: int,
    proto: int,
    flags: int,
    packets: int,
    octets: int,
    payload: int,
    rate: int,
    observer: int,
    record: int,
    why: int,
    opened: bool,
) -> None:
    """The rest of a row; what flow records seldom tell of packets is 0. ``opened``: ``why`` says who opened."""
    rows.flags[r] = flags if proto == TCP else 0
    rows.ttl[r] = 0
    rows.doff[r] = 0
    rows.frag[r] = 0
    rows.seq[r] = 0
    rows.ack[r] = 0
    rows.ipid[r] = 0
    rows.win[r] = 0
    rows.packets[r] = packets
    rows.bytes[r] = octets
    rows.pay_off[r] = 0
    rows.pay_len[r] = 0
    rows.pay_wire[r] = payload
    rows.sampling[r] = rate
    rows.observer[r] = observer
    rows.record[r] = record
    rows.known[r] = known_of(proto, flags, packets, opened)
    rows.why[r] = why
