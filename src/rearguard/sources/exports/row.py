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
    rows[r].ts = start
    rows[r].end = end
    rows[r].src_hi = src_hi
    rows[r].src_lo = src_lo
    rows[r].dst_hi = dst_hi
    rows[r].dst_lo = dst_lo
    if proto in (ICMP, ICMPV6):
        sport = 0
        dport = 0
    rows[r].sport = sport
    rows[r].dport = dport
    rows[r].proto = proto
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
    rows[r].flags = flags if proto == TCP else 0
    rows[r].ttl = 0
    rows[r].doff = 0
    rows[r].frag = 0
    rows[r].seq = 0
    rows[r].ack = 0
    rows[r].ipid = 0
    rows[r].win = 0
    rows[r].packets = packets
    rows[r].bytes = octets
    rows[r].pay_off = 0
    rows[r].pay_len = 0
    rows[r].pay_wire = payload
    rows[r].sampling = rate
    rows[r].observer = observer
    rows[r].record = record
    rows[r].known = known_of(proto, flags, packets, opened)
    rows[r].why = why
