"""What one TCP row tells by itself: which kinds of packets it shows, and which tool's mark it bears."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.contacts.single import BIT_MASSCAN, BIT_MIRAI, BIT_NO_OPTIONS, BIT_ZMAP
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import (
    ACK,
    HANDSHAKE_MASK,
    KNOWN_FLAGS,
    KNOWN_IPID,
    KNOWN_ONE_PACKET,
    KNOWN_OPTIONS,
    KNOWN_SEQ,
    RST,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_FIN,
    SEEN_FLOW_SYN,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    SYN,
    WHY_INITIATOR,
    WHY_RESPONDER,
)
from rearguard.model.bits import FIN as FIN_FLAG
from rearguard.model.compiled import inlined

__all__ = ["fingerprints", "seen_in_tcp"]

ZMAP_IPID = 54321
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)


@inlined
def fingerprints(rows: Any, i: int) -> int:
    """Bits BIT_* of a SYN, as far as this source can tell and only for IPv4."""
    found = 0
    known = rows[i].known
    if known & KNOWN_OPTIONS and rows[i].doff == 5:
        found |= BIT_NO_OPTIONS
    if rows[i].dst_hi != 0 or rows[i].dst_lo >> np.uint64(32) != _V4_PREFIX:
        return found
    target = np.uint32(rows[i].dst_lo & np.uint64(0xFFFF_FFFF))
    if known & KNOWN_SEQ and rows[i].seq == target:
        found |= BIT_MIRAI
    if known & KNOWN_IPID:
        if rows[i].ipid == ZMAP_IPID:
            found |= BIT_ZMAP
        if known & KNOWN_SEQ:
            formula = (target ^ np.uint32(rows[i].dport) ^ rows[i].seq) & np.uint32(0xFFFF)
            if rows[i].ipid == formula:
                found |= BIT_MASSCAN
    return found


@inlined
def seen_in_tcp(rows: Any, i: int) -> int:
    """Bits SEEN_* of one TCP row. Of a flow's OR-ed flags a SYN without ACK is certain, and what the record itself
    says of its direction (rule B7)."""
    flags = rows[i].flags
    seen = SEEN_DATA if rows[i].pay_wire > 0 else 0
    if not rows[i].known & KNOWN_FLAGS:
        return seen
    if flags & SYN and not flags & ACK:
        return seen | SEEN_SYN
    if rows[i].known & KNOWN_ONE_PACKET:
        if flags & HANDSHAKE_MASK == SYN | ACK:
            return seen | SEEN_SYNACK
    elif flags & SYN:
        if rows[i].why & WHY_INITIATOR:
            seen |= SEEN_SYN | SEEN_ACK
        else:
            seen |= SEEN_SYNACK if rows[i].why & WHY_RESPONDER else SEEN_FLOW_SYN
        # Its RST, if any, ended a conversation and refused none.
        return seen | (SEEN_FIN if flags & FIN_FLAG else 0)
    if flags & ACK and not flags & (SYN | RST):
        seen |= SEEN_ACK
    if flags & RST:
        seen |= SEEN_RST
    if flags & FIN_FLAG:
        seen |= SEEN_FIN
    return seen
