"""What all decoders of flow records agree on: which fields are known, and how much payload the counts prove."""

from __future__ import annotations

from rearguard.model.bits import KNOWN_BIFLOW, KNOWN_FLAGS, KNOWN_ONE_PACKET, PSH, TCP, UDP
from rearguard.model.compiled import inlined

__all__ = ["known_of", "least_payload"]

IPV4_HEADER = 20
IPV6_HEADER = 40
TCP_HEADER = 60
"""The longest (RFC 9293 section 3.1): of a TCP flow only what exceeds it is certainly payload."""
UDP_HEADER = 8


@inlined
def least_payload(proto: int, v6: bool, packets: int, octets: int, flags: int) -> int:
    """Bytes of transport payload that a flow of this size has at least, for ``Chunk.pay_wire``.

    Exact for UDP without IP options. TCP headers vary, so a TCP flow may have more; a PSH among its flags is at
    least one byte (RFC 9293 section 3.9.1).
    """
    if proto == TCP:
        header = TCP_HEADER
    elif proto == UDP:
        header = UDP_HEADER
    else:
        return 0
    header += IPV6_HEADER if v6 else IPV4_HEADER
    least = octets - packets * header
    if least <= 0:
        return 1 if proto == TCP and flags & PSH else 0
    return min(least, 0xFFFF_FFFF)


@inlined
def known_of(proto: int, flags: int, packets: int, biflow: bool) -> int:
    """Bits KNOWN_* of a flow record. No TCP packet that a device sends has no flag at all, so a TCP record without
    any is one whose exporter tells none."""
    known = 0
    if proto == TCP and flags != 0:
        known |= KNOWN_FLAGS
    if packets == 1:
        known |= KNOWN_ONE_PACKET
    if biflow:
        known |= KNOWN_BIFLOW
    return known
