"""Decode frames into the rows of a chunk, compiled: the one packet decoder of all containers.

For each frame: find the IP header; if the packet is a tunnel, take the packet inside instead; if that is an
ICMP "unreachable", take the packet that it quotes. So the row is always that of the innermost packet that
could be read, and a damaged inside leaves the outside standing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import FRAG_LATER, ICMP, ICMPV6, KNOWN_PAYLOAD, WHY_NO_PORTS, WHY_QUOTED
from rearguard.model.compiled import Buffer, kernel, u8, wide
from rearguard.sources.frames import BAD_RECORD
from rearguard.sources.link import find_network
from rearguard.sources.network import Ip, Transport, read_ip, read_transport
from rearguard.sources.shims import LINK
from rearguard.sources.tunnel import find_inner

__all__ = ["decode_frames", "new_times"]

UNREACHABLE_V4 = 3
"""ICMP type (RFC 792): destination unreachable."""
UNREACHABLE_V6 = 1
"""ICMPv6 type (RFC 4443 section 3.1)."""
ICMP_HEADER = 8


def new_times() -> npt.NDArray[np.int64]:
    """The earliest and the latest time of no rows, ns: the first is later than the last."""
    whole = np.iinfo(np.int64)
    return np.array([whole.max, whole.min], dtype=np.int64)


@kernel
def decode_frames(
    b: Buffer,
    frames: Any,
    n: int,
    base_record: int,
    rows: Any,
    start: int,
    skipped: Any,
    times: npt.NDArray[np.int64],
) -> int:
    """Decode ``n`` frames into the rows from ``start`` on; the first has record number ``base_record``.
    Returns the number of rows written.

    Every frame gives one row or adds one to the counter in ``skipped`` of the reason why not. ``times`` (see
    :func:`new_times`) is widened to the rows' times; 0 is what a simple packet block without a time got.
    """
    r = start
    first, last = times[0], times[1]
    for i in range(n):
        begin = wide(frames.off[i])
        end = begin + wide(frames.caplen[i])
        wire = begin + max(wide(frames.wirelen[i]), wide(frames.caplen[i]))
        if end > b.size:
            skipped[BAD_RECORD] += 1
            continue
        version, pos = find_network(b, begin, end, LINK + wide(frames.link[i]))
        if version < 0:
            skipped[-1 - version] += 1
            continue
        ip = read_ip(b, pos, end, wire, version)
        if ip[0] < 0:
            skipped[-1 - ip[0]] += 1
            continue
        transport = read_transport(b, ip[5], ip[7], ip[10], ip[11], ip[12])
        inner, at = find_inner(b, ip[5], ip[7], transport[1], ip[10], ip[11])
        if inner >= 0:
            version, pos = find_network(b, at, ip[11], inner)
            if version > 0:
                inside = read_ip(b, pos, ip[11], ip[12], version)
                if inside[0] == 0:
                    ip = inside
                    transport = read_transport(b, ip[5], ip[7], ip[10], ip[11], ip[12])
        length = ip[9]
        if (ip[5] == ICMP or ip[5] == ICMPV6) and ip[7] != FRAG_LATER:
            quoted = _read_quoted(b, ip)
            if quoted[0] == 0:
                ip = quoted
                transport = _quoted_transport(b, ip)
        rows[r].src_hi = ip[1]
        rows[r].src_lo = ip[2]
        rows[r].dst_hi = ip[3]
        rows[r].dst_lo = ip[4]
        rows[r].proto = ip[5]
        rows[r].ttl = ip[6]
        rows[r].frag = ip[7]
        rows[r].ipid = ip[8]
        rows[r].sport = transport[0]
        rows[r].dport = transport[1]
        rows[r].flags = transport[2]
        rows[r].doff = transport[3]
        rows[r].seq = transport[4]
        rows[r].ack = transport[5]
        rows[r].win = transport[6]
        rows[r].pay_off = transport[7]
        rows[r].pay_len = transport[8]
        rows[r].pay_wire = min(transport[9], 0xFFFFFFFF)
        rows[r].packets = 1
        rows[r].sampling = 1
        rows[r].known = transport[10]
        rows[r].why = transport[11]
        rows[r].ts = frames.ts[i]
        rows[r].end = frames.ts[i]
        rows[r].bytes = length
        rows[r].observer = frames.observer[i]
        rows[r].record = base_record + i
        if frames.ts[i] != 0:
            first = min(first, frames.ts[i])
            last = max(last, frames.ts[i])
        r += 1
    times[0], times[1] = first, last
    return r - start


@kernel
def _read_quoted(b: Buffer, ip: Ip) -> Ip:
    """The IP header that an ICMP destination-unreachable quotes; a negative status when there is none."""
    pos, end, stop = ip[10], ip[11], ip[12]
    nothing = (-1, ip[1], ip[2], ip[3], ip[4], ip[5], ip[6], ip[7], ip[8], ip[9], ip[10], ip[11], ip[12])
    if end - pos <= ICMP_HEADER:
        return nothing
    kind = u8(b, pos)
    version = u8(b, pos + ICMP_HEADER) >> 4
    if ip[5] == ICMP and kind == UNREACHABLE_V4 and version == 4:
        return read_ip(b, pos + ICMP_HEADER, end, stop, 4)
    if ip[5] == ICMPV6 and kind == UNREACHABLE_V6 and version == 6:
        return read_ip(b, pos + ICMP_HEADER, end, stop, 6)
    return nothing


@kernel
def _quoted_transport(b: Buffer, ip: Ip) -> Transport:
    """The quoted packet's transport header; its payload is not traffic and is left out."""
    t = read_transport(b, ip[5], ip[7], ip[10], ip[11], ip[12])
    why = WHY_QUOTED | (t[11] & WHY_NO_PORTS)
    return t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], 0, 0, t[10] & ~KNOWN_PAYLOAD, why
