"""From the link layer to the IP header: which bytes of a frame are the packet, compiled.

A frame is described by a *kind*: an EtherType (below 0x10000), a link type (``LINK`` + its number in the
registry of draft-ietf-opsawg-pcaplinktype) or one of the inner kinds of
:mod:`rearguard.sources.shims`. Each step of the loop in :func:`find_network` takes one header off and says
what kind follows, until an IP header or a reason is reached. The number of steps is bounded, so that a frame
of nothing but VLAN tags ends too.
"""

from __future__ import annotations

from rearguard.model.compiled import Buffer, be16, be32, inlined, kernel, le16, le32, u8
from rearguard.sources.frames import (
    BAD_RECORD,
    LINK_BAD_RECORD,
    LINK_NO_INTERFACE,
    LINK_NOT_A_PACKET,
    NOT_A_PACKET,
    NOT_IP,
    TRUNCATED_IP_HEADER,
    TRUNCATED_LINK_HEADER,
    UNKNOWN_INTERFACE,
    UNKNOWN_LINKTYPE,
)
from rearguard.sources.shims import (
    ETHERNET,
    FIRST_ETHERTYPE,
    IP_ANY,
    IPV4,
    IPV6,
    LINK,
    LLC,
    PPP,
    llc,
    ppp,
    shim,
)

__all__ = ["find_network"]

MAX_STEPS = 24

LINK_NULL = LINK + 0
LINK_PPP = LINK + 9
LINK_RAW_12 = LINK + 12
LINK_RAW_14 = LINK + 14
LINK_PPP_HDLC = LINK + 50
LINK_PPPOE = LINK + 51
LINK_RAW = LINK + 101
LINK_C_HDLC = LINK + 104
LINK_LOOP = LINK + 108
LINK_LINUX_SLL = LINK + 113
LINK_IPV4 = LINK + 228
LINK_IPV6 = LINK + 229
LINK_NFLOG = LINK + 239
LINK_LINUX_SLL2 = LINK + 276

# Of Ethernet: VLAN tags (EtherTypes, IEEE registry), and the longest length in the place of one.
VLAN = 0x8100
VLAN_S = 0x88A8
VLAN_OLD = 0x9100
LAST_LENGTH = 1500

AF_INET = 2
AF_INET6_LINUX = 10
NFULA_PAYLOAD = 9
ARPHRD_NETLINK = 824


@inlined
def find_network(b: Buffer, pos: int, end: int, kind: int) -> tuple[int, int]:
    """The IP version (4 or 6) and where its header begins; or ``-1 - reason`` and where it was found out."""
    for _ in range(MAX_STEPS):
        left = end - pos
        if kind == ETHERNET:
            if left < 14:
                return -1 - TRUNCATED_LINK_HEADER, pos
            kind = be16(b, pos + 12)
            pos += 14
            if kind < FIRST_ETHERTYPE:
                if kind > LAST_LENGTH:
                    return -1 - NOT_IP, pos
                kind = LLC
        elif kind == IPV4:
            return 4, pos
        elif kind == IPV6:
            return 6, pos
        elif kind in (VLAN, VLAN_S, VLAN_OLD):
            if left < 4:
                return -1 - TRUNCATED_LINK_HEADER, pos
            kind = be16(b, pos + 2)
            pos += 4
            if kind < FIRST_ETHERTYPE:
                kind = LLC
        elif kind == IP_ANY:
            if left < 1:
                return -1 - TRUNCATED_IP_HEADER, pos
            version = u8(b, pos) >> 4
            if version == 4 or version == 6:
                return version, pos
            return -1 - NOT_IP, pos
        elif kind >= LINK:
            kind, pos = _link_header(b, pos, end, kind)
        else:
            kind, pos = shim(b, pos, end, kind)
        if kind < 0:
            return kind, pos
    return -1 - NOT_IP, pos


@kernel
def _link_header(b: Buffer, pos: int, end: int, kind: int) -> tuple[int, int]:
    """Link types and inner kinds other than Ethernet: the kind that follows and its place."""
    left = end - pos
    if kind in (PPP, LINK_PPP, LINK_PPP_HDLC, LINK_PPPOE):
        if kind == LINK_PPPOE:
            if left < 6:
                return -1 - TRUNCATED_LINK_HEADER, pos
            pos += 6
        return ppp(b, pos, end)
    if kind == LLC:
        return llc(b, pos, end)
    if kind in (LINK_RAW, LINK_RAW_12, LINK_RAW_14):
        return IP_ANY, pos
    if kind == LINK_IPV4:
        return IPV4, pos
    if kind == LINK_IPV6:
        return IPV6, pos
    if kind in (LINK_NULL, LINK_LOOP):
        if left < 4:
            return -1 - TRUNCATED_LINK_HEADER, pos
        family = be32(b, pos)
        if family & 0xFFFF >= FIRST_ETHERTYPE:
            # Some writers put an EtherType behind two bytes of their own.
            return family & 0xFFFF, pos + 4
        if family > 0xFFFF:
            family = le32(b, pos)
        return _family(family), pos + 4
    if kind == LINK_LINUX_SLL:
        if left < 16:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return _cooked(be16(b, pos + 2), be16(b, pos + 14)), pos + 16
    if kind == LINK_LINUX_SLL2:
        if left < 20:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return _cooked(be16(b, pos + 8), be16(b, pos)), pos + 20
    if kind == LINK_C_HDLC:
        if left < 4:
            return -1 - TRUNCATED_LINK_HEADER, pos
        return be16(b, pos + 2), pos + 4
    if kind == LINK_NFLOG:
        return _nflog(b, pos, end)
    if kind == LINK + LINK_NO_INTERFACE:
        return -1 - UNKNOWN_INTERFACE, pos
    if kind == LINK + LINK_NOT_A_PACKET:
        return -1 - NOT_A_PACKET, pos
    if kind == LINK + LINK_BAD_RECORD:
        return -1 - BAD_RECORD, pos
    return -1 - UNKNOWN_LINKTYPE, pos


@kernel
def _family(family: int) -> int:
    """Address families of null and loop: IPv6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 FreeBSD, 30
    Darwin."""
    if family == AF_INET:
        return IPV4
    if family == AF_INET6_LINUX or family == 24 or family == 28 or family == 30:
        return IPV6
    return -1 - NOT_IP


@kernel
def _cooked(hardware: int, protocol: int) -> int:
    """The protocol field of Linux cooked captures; 1 and 4 stand for frames without an EtherType."""
    if hardware == ARPHRD_NETLINK:
        return -1 - NOT_IP
    if protocol == 4:
        return LLC
    if protocol < FIRST_ETHERTYPE:
        return -1 - NOT_IP
    return protocol


@kernel
def _nflog(b: Buffer, pos: int, end: int) -> tuple[int, int]:
    """Linux netfilter log: a family, then attributes in the byte order of the host that wrote them."""
    if end - pos < 4:
        return -1 - TRUNCATED_LINK_HEADER, pos
    family = u8(b, pos)
    pos += 4
    while end - pos >= 4:
        little = le16(b, pos) <= end - pos
        length = le16(b, pos) if little else be16(b, pos)
        kind = le16(b, pos + 2) if little else be16(b, pos + 2)
        if length < 4:
            return -1 - NOT_IP, pos
        if kind == NFULA_PAYLOAD:
            return _family(family), pos + 4
        pos += (length + 3) & ~3
    return -1 - TRUNCATED_LINK_HEADER, pos
