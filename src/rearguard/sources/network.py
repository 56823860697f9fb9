"""IP and transport headers, compiled: plain tuples out of bytes, every length and offset checked.

The limits are two: ``end`` is where the captured bytes of the frame end, ``wire`` where the frame ended
before it was cut short. An IP length may end earlier than both (Ethernet padding is not payload) and, in a
hostile packet, later than both (then the bytes that are there count).
"""

from __future__ import annotations

import numpy as np

from rearguard.model.bits import (
    FRAG_FIRST,
    FRAG_LATER,
    FRAG_NONE,
    KNOWN_FLAGS,
    KNOWN_IPID,
    KNOWN_ONE_PACKET,
    KNOWN_OPTIONS,
    KNOWN_PACKET,
    KNOWN_PAYLOAD,
    KNOWN_SEQ,
    TCP,
    UDP,
    WHY_NO_PORTS,
    WHY_PACKET,
)
from rearguard.model.compiled import Buffer, be16, be32, be64, inlined, kernel, u8
from rearguard.sources.frames import BAD_IP_HEADER, TRUNCATED_IP_HEADER

__all__ = ["Ip", "Transport", "read_ip", "read_transport"]

MAX_EXTENSIONS = 16
V4_MAPPED = np.uint64(0xFFFF_0000_0000)

# IPv6 extension headers (RFC 8200 section 4; IANA).
HOP_BY_HOP = 0
ROUTING = 43
FRAGMENT = 44
AUTHENTICATION = 51
DESTINATION = 60
MOBILITY = 135
HIP = 139
SHIM6 = 140

Ip = tuple[int, np.uint64, np.uint64, np.uint64, np.uint64, int, int, int, int, int, int, int, int]
"""status (0, or -1 - reason), source high and low, destination high and low, protocol, TTL, fragment,
identification, IP length, where the payload begins, where its captured bytes end, where it ended on the
wire."""

Transport = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
"""sport, dport, flags, data offset, seq, ack, window, payload begin, captured, on the wire, known, why."""

NO_ADDRESS = np.uint64(0)


@inlined
def _no_ip(reason: int) -> Ip:
    return (-1 - reason, NO_ADDRESS, NO_ADDRESS, NO_ADDRESS, NO_ADDRESS, 0, 0, 0, 0, 0, 0, 0, 0)


@inlined
def read_ip(b: Buffer, pos: int, end: int, wire: int, version: int) -> Ip:
    """The IP header at ``pos`` and, for IPv6, its chain of extension headers."""
    if version == 4:
        return _read_ipv4(b, pos, end, wire)
    return _read_ipv6(b, pos, end, wire)


@inlined
def _read_ipv4(b: Buffer, pos: int, end: int, wire: int) -> Ip:
    """RFC 791. A total length of 0 is what segmentation offload leaves: the frame's length is meant."""
    if pos < end and u8(b, pos) >> 4 != 4:
        return _no_ip(BAD_IP_HEADER)
    if end - pos < 20:
        return _no_ip(TRUNCATED_IP_HEADER)
    header = (u8(b, pos) & 0x0F) * 4
    length = be16(b, pos + 2)
    if length == 0:
        length = wire - pos
    if header < 20 or length < header:
        return _no_ip(BAD_IP_HEADER)
    fragment = be16(b, pos + 6)
    frag = FRAG_NONE
    if fragment & 0x1FFF:
        frag = FRAG_LATER
    elif fragment & 0x2000:
        frag = FRAG_FIRST
    stop = pos + length
    return (
        0,
        NO_ADDRESS,
        V4_MAPPED | np.uint64(be32(b, pos + 12)),
        NO_ADDRESS,
        V4_MAPPED | np.uint64(be32(b, pos + 16)),
        u8(b, pos + 9),
        u8(b, pos + 8),
        frag,
        be16(b, pos + 4),
        length,
        pos + header,
        min(end, stop),
        stop,
    )


@kernel
def _read_ipv6(b: Buffer, pos: int, end: int, wire: int) -> Ip:
    """RFC 8200. A payload length of 0 (jumbogram, segmentation offload) means the frame's length.

    Where the chain is cut short or too long, the protocol is that of the header that could not be read.
    """
    if pos < end and u8(b, pos) >> 4 != 6:
        return _no_ip(BAD_IP_HEADER)
    if end - pos < 40:
        return _no_ip(TRUNCATED_IP_HEADER)
    length = be16(b, pos + 4) + 40
    if length == 40 and u8(b, pos + 6) != 59:
        length = max(wire - pos, 40)
    stop = pos + length
    end = min(end, stop)
    proto = u8(b, pos + 6)
    frag = FRAG_NONE
    ipid = 0
    at = pos + 40
    for _ in range(MAX_EXTENSIONS):
        if proto == FRAGMENT:
            if end - at < 8:
                break
            field = be16(b, at + 2)
            ipid = be32(b, at + 4)
            proto = u8(b, at)
            at += 8
            if field & 0xFFF8:
                frag = FRAG_LATER
                break
            if field & 1:
                frag = FRAG_FIRST
            continue
        if proto == AUTHENTICATION:
            step = 4
            extra = 2
        elif proto in (HOP_BY_HOP, ROUTING, DESTINATION, MOBILITY, HIP, SHIM6):
            step = 8
            extra = 1
        else:
            break
        if end - at < 8 or end - at < (u8(b, at + 1) + extra) * step:
            break
        size = (u8(b, at + 1) + extra) * step
        proto = u8(b, at)
        at += size
    return (
        0,
        be64(b, pos + 8),
        be64(b, pos + 16),
        be64(b, pos + 24),
        be64(b, pos + 32),
        proto,
        u8(b, pos + 7),
        frag,
        ipid,
        length,
        at,
        end,
        stop,
    )


@inlined
def read_transport(b: Buffer, proto: int, frag: int, pos: int, end: int, stop: int) -> Transport:
    """Ports, TCP header and payload; ``pos`` to ``end`` was captured, ``stop`` is where the packet ended.

    Only TCP and UDP have ports here; of other protocols the payload is all that follows the IP headers.
    """
    left = max(end - pos, 0)
    at = min(pos, end)
    whole = max(stop - pos, 0)
    if frag == FRAG_LATER:
        why = WHY_NO_PORTS if proto in (TCP, UDP) else WHY_PACKET
        return 0, 0, 0, 0, 0, 0, 0, at, left, whole, KNOWN_ONE_PACKET | KNOWN_IPID | KNOWN_PAYLOAD, why
    if proto == TCP:
        return _read_tcp(b, pos, left, whole)
    if proto == UDP:
        if left < 4:
            return 0, 0, 0, 0, 0, 0, 0, at, 0, 0, KNOWN_ONE_PACKET | KNOWN_IPID, WHY_NO_PORTS
        sport, dport = be16(b, pos), be16(b, pos + 2)
        if left < 8:
            return sport, dport, 0, 0, 0, 0, 0, end, 0, max(whole - 8, 0), KNOWN_PACKET, WHY_PACKET
        length = be16(b, pos + 4)
        if length >= 8:
            # What the datagram says of itself bounds the payload (RFC 768); 0 is a jumbogram (RFC 2675).
            whole = min(whole, length)
            left = min(left, length)
        return sport, dport, 0, 0, 0, 0, 0, pos + 8, left - 8, max(whole - 8, 0), KNOWN_PACKET, WHY_PACKET
    return 0, 0, 0, 0, 0, 0, 0, at, left, whole, KNOWN_PACKET, WHY_PACKET


@inlined
def _read_tcp(b: Buffer, pos: int, left: int, whole: int) -> Transport:
    """RFC 9293 section 3.1; from a cut header whatever is certain."""
    known = KNOWN_ONE_PACKET | KNOWN_IPID
    if left < 4:
        return 0, 0, 0, 0, 0, 0, 0, pos + min(left, 0), 0, 0, known, WHY_NO_PORTS
    sport, dport = be16(b, pos), be16(b, pos + 2)
    seq = 0
    if left >= 8:
        seq = be32(b, pos + 4)
        known |= KNOWN_SEQ
    if left < 20:
        return sport, dport, 0, 0, seq, 0, 0, pos, 0, 0, known, WHY_PACKET
    doff = u8(b, pos + 12) >> 4
    header = doff * 4
    known |= KNOWN_FLAGS | KNOWN_OPTIONS
    captured = 0
    begin = pos + 20
    if header >= 20 and header <= whole:
        known |= KNOWN_PAYLOAD
        begin = pos + min(header, left)
        captured = max(left - header, 0)
    return (
        sport,
        dport,
        u8(b, pos + 13),
        doff,
        seq,
        be32(b, pos + 8),
        be16(b, pos + 14),
        begin,
        captured,
        max(whole - header, 0) if header >= 20 else 0,
        known,
        WHY_PACKET,
    )
