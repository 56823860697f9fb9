"""Headers between Ethernet, or what stands for it, and IP: label stacks, sessions, LLC and PPP, compiled.

Each kernel takes one header off and returns the *kind* of what follows (as in :mod:`rearguard.sources.link`) and
its place; or ``-1 - reason`` and where it was found out.
"""

from __future__ import annotations

from rearguard.model.compiled import Buffer, be16, be32, kernel, u8
from rearguard.sources.frames import NOT_IP, TRUNCATED_LINK_HEADER

__all__ = [
    "ETHERNET",
    "FIRST_ETHERTYPE",
    "IPV4",
    "IPV6",
    "IP_ANY",
    "LINK",
    "LLC",
    "PPP",
    "llc",
    "ppp",
    "shim",
]

LINK = 0x10000
"""From here on a kind is a link type, this number added to it; below it is an EtherType."""
ETHERNET = LINK + 1

# Kinds that are neither a link type nor an EtherType.
INNER = 0x20000
IP_ANY = INNER + 1
"""IPv4 or IPv6, told by the version."""
PPP = INNER + 2
"""A PPP frame with or without its HDLC address and control bytes."""
LLC = INNER + 3

# EtherTypes (IEEE registry).
IPV4 = 0x0800
IPV6 = 0x86DD
VNTAG = 0x8926
ETAG = 0x893F
MPLS = 0x8847
MPLS_UPSTREAM = 0x8848
PPPOE_SESSION = 0x8864
PPP_TYPE = 0x880B
BRIDGED = 0x6558
FIRST_ETHERTYPE = 0x0600
"""A smaller number in the place of an EtherType is a length (IEEE 802.3)."""

# PPP protocol numbers (RFC 1661 section 2; IANA).
PPP_IPV4 = 0x0021
PPP_IPV6 = 0x0057
PPP_MPLS = 0x0281


@kernel
def shim(b: Buffer, pos: int, end: int, kind: int) -> tuple[int, int]:
    """Headers between Ethernet and IP, by EtherType: the kind that follows and its place."""
    left = end - pos
    if kind in (MPLS, MPLS_UPSTREAM):
        return _mpls(b, pos, end)
    if kind == PPPOE_SESSION:
        if left < 6:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return PPP, pos + 6
    if kind == VNTAG:
        if left < 6:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return be16(b, pos + 4), pos + 6
    if kind == ETAG:
        if left < 8:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return be16(b, pos + 6), pos + 8
    if kind == BRIDGED:
        return ETHERNET, pos
    if kind == PPP_TYPE:
        return PPP, pos
    return -1 - NOT_IP, pos


@kernel
def _mpls(b: Buffer, pos: int, end: int) -> tuple[int, int]:
    """Off with the label stack (RFC 3032); what is below it names itself only by its first nibble (RFC
    4928)."""
    while True:
        if end - pos < 4:
            return -1 - TRUNCATED_LINK_HEADER, pos
        bottom = u8(b, pos + 2) & 1
        pos += 4
        if bottom:
            break
    if end - pos < 1:
        return -1 - TRUNCATED_LINK_HEADER, pos
    nibble = u8(b, pos) >> 4
    if nibble == 4 or nibble == 6:
        return IP_ANY, pos
    if nibble == 1:
        return -1 - NOT_IP, pos
    if nibble == 0 and end - pos >= 4:
        # An Ethernet pseudowire with a control word (RFC 4448).
        return ETHERNET, pos + 4
    return ETHERNET, pos


@kernel
def llc(b: Buffer, pos: int, end: int) -> tuple[int, int]:
    """IEEE 802.2: SNAP with an EtherType (RFC 1042), or the SAP of IP."""
    left = end - pos
    if left < 3:
        return -1 - TRUNCATED_LINK_HEADER, pos
    saps = be16(b, pos)
    if saps == 0xAAAA and u8(b, pos + 2) == 0x03:
        if left < 8:
            return -1 - TRUNCATED_LINK_HEADER, pos
        oui = be32(b, pos + 2) & 0xFFFFFF
        if oui == 0 or oui == 0x0000F8:
            return be16(b, pos + 6), pos + 8
    if saps == 0x0606 and u8(b, pos + 2) == 0x03:
        return IPV4, pos + 3
    return -1 - NOT_IP, pos


@kernel
def ppp(b: Buffer, pos: int, end: int) -> tuple[int, int]:
    """PPP (RFC 1661), with HDLC-like framing (RFC 1662) or Cisco's, the protocol field compressed or not."""
    left = end - pos
    if left >= 4 and (u8(b, pos) == 0x0F or u8(b, pos) == 0x8F):
        return be16(b, pos + 2), pos + 4
    if left >= 2 and be16(b, pos) == 0xFF03:
        pos += 2
        left -= 2
    if left < 2:
        return -1 - TRUNCATED_LINK_HEADER, pos
    protocol = u8(b, pos)
    if protocol & 1:
        pos += 1
    else:
        protocol = be16(b, pos)
        pos += 2
    if protocol == PPP_IPV4:
        return IPV4, pos
    if protocol == PPP_IPV6:
        return IPV6, pos
    if protocol == PPP_MPLS:
        return MPLS, pos
    return -1 - NOT_IP, pos
