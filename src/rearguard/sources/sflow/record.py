"""What one flow sample tells of its packet, compiled: a raw header, or addresses and ports that the agent read.

A flow sample holds flow records, each with a format and a length (sFlow version 5, "flow_data"): the raw header of
the packet (0:1), the agent's own reading of it (0:3 for IPv4, 0:4 for IPv6), and extended data about switching,
routing, NAT and so on, which are skipped by their length. The raw header proves most, so it is preferred where the
packet decoder knows its kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.bits import TCP, UDP, WHY_NO_PORTS, WHY_PACKET
from rearguard.model.compiled import Buffer, be32, be64, inlined, kernel
from rearguard.sources.flow import known_of, least_payload
from rearguard.sources.link import find_network

__all__ = ["BROKEN", "IN_IPV4", "IN_IPV6", "NOTHING", "UNKNOWN", "find_packet", "write_plain"]

# What was found in a sample; other numbers of find_packet are link types.
NOTHING = -1
"""No record of a packet."""
UNKNOWN = -2
"""A raw header of a kind that the packet decoder does not know."""
BROKEN = -3
"""Records that do not fit into the sample."""
IN_IPV4 = -4
IN_IPV6 = -5

# Formats of flow records (enterprise 0).
HEADER = 1
SAMPLED_IPV4 = 3
SAMPLED_IPV6 = 4
IPV4_SIZE = 32
IPV6_SIZE = 56

# header_protocol of a raw header.
ETHERNET = 1
PPP = 7
IPV4 = 11
IPV6 = 12
MPLS = 13
POS = 14

# Link types of the frames made of them (the registry of draft-ietf-opsawg-pcaplinktype).
LINK_ETHERNET = 1
LINK_PPP = 9
LINK_RAW = 101
LINK_IPV4 = 228
LINK_IPV6 = 229
MPLS_TYPE = 0x8847
"""The EtherType by which the packet decoder knows a label stack."""

LARGEST = 1 << 18
"""No frame is longer; what an agent says beyond is not believed."""
V4_MAPPED = np.uint64(0xFFFF_0000_0000)


@kernel
def find_packet(b: Buffer, pos: int, stop: int, records: int) -> tuple[int, int, int, int]:
    """The packet that the records in ``b[pos:stop]`` tell of: its kind, where it begins, how many bytes of it are
    there and how many it had.

    The kind is a link type for a raw header, else IN_IPV4, IN_IPV6 (it begins at the length field of the record),
    UNKNOWN, NOTHING or BROKEN.
    """
    kind, begin, size, wire = NOTHING, pos, 0, 0
    for _ in range(min(records, stop - pos)):
        if stop - pos < 8:
            return BROKEN if kind == NOTHING else kind, begin, size, wire
        form, length = be32(b, pos), be32(b, pos + 4)
        pos += 8
        if length > stop - pos:
            return BROKEN if kind == NOTHING else kind, begin, size, wire
        if form == HEADER and length >= 16:
            link, at, there, whole = _raw_header(b, pos, length)
            if link >= 0:
                return link, at, there, whole
            if kind == NOTHING:
                kind = link
        elif form == SAMPLED_IPV4 and length >= IPV4_SIZE:
            kind, begin, size = IN_IPV4, pos, IPV4_SIZE
        elif form == SAMPLED_IPV6 and length >= IPV6_SIZE:
            kind, begin, size = IN_IPV6, pos, IPV6_SIZE
        pos += (length + 3) & ~3
    return kind, begin, size, wire


@inlined
def _raw_header(b: Buffer, pos: int, length: int) -> tuple[int, int, int, int]:
    """Link type (or UNKNOWN, or NOTHING: no IP packet), place, captured and original length of a sampled header.

    ``frame_length`` is the packet's with all that the agent took off before it copied the header, ``stripped`` is
    how much that was (outer encapsulations, the frame check sequence).
    """
    protocol, frame, stripped, size = be32(b, pos), be32(b, pos + 4), be32(b, pos + 8), be32(b, pos + 12)
    pos += 16
    size = min(size, length - 16)
    wire = max(min(frame - stripped, LARGEST), size)
    if protocol == ETHERNET:
        return LINK_ETHERNET, pos, size, wire
    if protocol == IPV4:
        return LINK_IPV4, pos, size, wire
    if protocol == IPV6:
        return LINK_IPV6, pos, size, wire
    if protocol in (PPP, POS):
        return LINK_PPP, pos, size, wire
    if protocol == MPLS:
        # No link type begins with a label stack, so it is taken off here.
        version, at = find_network(b, pos, pos + size, MPLS_TYPE)
        if version > 0:
            return LINK_RAW, at, pos + size - at, wire - (at - pos)
        return NOTHING, pos, size, wire
    return UNKNOWN, pos, size, wire


@kernel
def write_plain(b: Buffer, pos: int, v6: bool, rows: Any, r: int, time: int) -> None:
    """Make a row of a sampled_ipv4 or sampled_ipv6 record: one packet, of which no more than that is known."""
    length, proto = be32(b, pos), be32(b, pos + 4) & 0xFF
    at = pos + 8
    if v6:
        rows[r].src_hi, rows[r].src_lo = be64(b, at), be64(b, at + 8)
        rows[r].dst_hi, rows[r].dst_lo = be64(b, at + 16), be64(b, at + 24)
        at += 32
    else:
        rows[r].src_hi, rows[r].src_lo = np.uint64(0), V4_MAPPED | np.uint64(be32(b, at))
        rows[r].dst_hi, rows[r].dst_lo = np.uint64(0), V4_MAPPED | np.uint64(be32(b, at + 4))
        at += 8
    ports = proto in (TCP, UDP)
    sport, dport = be32(b, at) & 0xFFFF, be32(b, at + 4) & 0xFFFF
    flags = be32(b, at + 8) & 0xFF if proto == TCP else 0
    rows[r].sport = sport if ports else 0
    rows[r].dport = dport if ports else 0
    rows[r].why = WHY_NO_PORTS if ports and sport == 0 and dport == 0 else WHY_PACKET
    rows[r].flags = flags
    rows[r].proto = proto
    rows[r].bytes = length
    rows[r].packets = 1
    rows[r].known = known_of(proto, flags, 1, False)
    rows[r].pay_wire = least_payload(proto, v6, 1, length, flags)
    rows[r].pay_off = 0
    rows[r].pay_len = 0
    rows[r].ts = time
    rows[r].end = time
    rows[r].ttl = 0
    rows[r].doff = 0
    rows[r].frag = 0
    rows[r].seq = 0
    rows[r].ack = 0
    rows[r].ipid = 0
    rows[r].win = 0
