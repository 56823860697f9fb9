"""Which packets carry another packet, and where that begins, compiled.

One level of tunnel is opened, so that the copies of a mirror port (ERSPAN, GRE, VXLAN) and the common
transition mechanisms (IPIP, 6in4, 4in6) show the packets that matter. Port 4789 and the flag of a valid
network identifier are what is asked of VXLAN. What is not opened (a second level, Teredo, GTP, Geneve, ESP)
stays the packet it is.
"""

from __future__ import annotations

from rearguard.model.bits import FRAG_LATER, UDP
from rearguard.model.compiled import Buffer, be16, inlined, kernel, u8
from rearguard.sources.shims import ETHERNET, IP_ANY, PPP

__all__ = ["NOTHING", "find_inner"]

NOTHING = -1

IPIP = 4
IPV6_IN_IP = 41
GRE = 47

VXLAN_PORT = 4789
VXLAN_VALID = 0x08

# GRE flags (RFC 2784, RFC 2890, RFC 2637).
CHECKSUM = 0x8000
ROUTE = 0x4000
KEY = 0x2000
SEQUENCE = 0x1000
PPTP_ACK = 0x0080
VERSION = 0x0007

ERSPAN_II = 0x88BE
ERSPAN_III = 0x22EB
PPP_OVER_GRE = 0x880B


@inlined
def find_inner(b: Buffer, proto: int, frag: int, dport: int, pos: int, end: int) -> tuple[int, int]:
    """The kind of frame inside the IP payload ``b[pos:end]`` and its place, or NOTHING."""
    if frag == FRAG_LATER:
        return NOTHING, pos
    if proto == UDP:
        if dport == VXLAN_PORT and end - pos >= 16 and u8(b, pos + 8) & VXLAN_VALID:
            return ETHERNET, pos + 16
        return NOTHING, pos
    if proto in (IPIP, IPV6_IN_IP):
        return IP_ANY, pos
    if proto == GRE:
        return _gre(b, pos, end)
    return NOTHING, pos


@kernel
def _gre(b: Buffer, pos: int, end: int) -> tuple[int, int]:
    if end - pos < 4:
        return NOTHING, pos
    flags, kind = be16(b, pos), be16(b, pos + 2)
    version = flags & VERSION
    at = pos + 4
    if flags & ROUTE or version > 1 or (version == 1 and kind != PPP_OVER_GRE):
        return NOTHING, pos
    if flags & CHECKSUM:
        at += 4
    if flags & KEY:
        at += 4
    if flags & SEQUENCE:
        at += 4
    if version == 1 and flags & PPTP_ACK:
        at += 4
    if kind == PPP_OVER_GRE:
        return PPP, at
    if kind == ERSPAN_II:
        # Type I has neither a sequence number nor a header of its own.
        return ETHERNET, at + 8 if flags & SEQUENCE else at
    if kind == ERSPAN_III:
        if end - at < 12:
            return NOTHING, pos
        return ETHERNET, at + 20 if u8(b, at + 11) & 1 else at + 12
    return kind, at
