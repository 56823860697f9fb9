"""Rows into contacts: who is the listener (rule A3), what was seen from each side, the fingerprints.

Theory of operation. What one row says about roles depends on that row alone, never on what came before it,
so that every split of the input gives the same contacts. L: the port is listed in the catalogue (web ports:
only where the listener is ours); W: it is another well-known service; own: the address is ours.

    packet                       server is    kept when                               role bit
    SYN, no ACK                  dst          dst own, or src own and L(dport)        HANDSHAKE
    SYN+ACK exactly              src          src own, or dst own and L(sport)        HANDSHAKE
    RST+ACK with sequence 0      src          src own and neither port listed         none
    quoted in ICMP unreachable   dst          dst own, or src own and L(dport)        none
    any other TCP                each side whose port is L, one end own               PORT, BOTH if the other
                                                                                      port is L or W too
    UDP                          the side whose port is L; two: the lower, else ours  PORT or BOTH
    flow that says who opened    who was called, as with SYN and SYN+ACK              HANDSHAKE

Flags of a flow are OR-ed over its packets. Without ACK its SYN is a bare one. With ACK the SYN may be that of a
client that went on, or half of a SYN+ACK; where the record does not say who opened, this stays open here (rule B7).

A SYN *from* a listed port, or a SYN+ACK *to* one, proves that this port is a client's for once: it is noted
on the contact the other way round as a SYN seen from the "server" (or SYN+ACK from the "client"), and the
judged view calls that contact incidental. Transit (neither end ours) leaves no contact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.cache import FULL, SINGLES, Cache, Emitted, age_of
from rearguard.contacts.noting import note
from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.contacts.witness import seen_in_tcp
from rearguard.model.bits import (
    ACK,
    KNOWN_SEQ,
    ROLE_BOTH,
    ROLE_HANDSHAKE,
    ROLE_PORT,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_FLOW_SYN,
    SEEN_ICMP_UNREACH,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_PACKET,
    WHY_QUOTED,
    WHY_RESPONDER,
)
from rearguard.model.compiled import kernel
from rearguard.model.guard import LISTED, OWN_ONLY, Guard

__all__ = ["TOUCHES", "reduce_contacts"]

TOUCHES = 2
"""Contacts that one row can touch at most; so much room must be left in the output before each."""


@kernel
def reduce_contacts(
    rows: Any,
    picked: npt.NDArray[np.int32],
    start: int,
    place: npt.NDArray[np.uint8],
    guard: Guard,
    lanes: npt.NDArray[np.uint32],
    lane_observer: npt.NDArray[np.uint32],
    lane_sampling: npt.NDArray[np.uint32],
    source: np.uint64,
    base: int,
    cache: Cache,
    out: Emitted,
) -> int:
    """Put the rows whose numbers are ``picked[start:]`` into the cache; returns how many of ``picked`` are done:
    all, or fewer when ``out`` is full.

    ``lanes`` (one a row) index ``lane_observer`` and ``lane_sampling``; ``source`` is the source number
    shifted by RECORD_BITS; ``base`` is the time (ns) from which ages count.
    """
    for k in range(start, picked.size):
        i = picked[k]
        ours = place[i]
        proto, why = rows[i].proto, rows[i].why
        if ours == 0 or (proto != TCP and proto != UDP) or why & (WHY_PACKET | WHY_QUOTED) == 0:
            continue
        src_bits = guard.tcp[rows[i].sport] if proto == TCP else guard.udp[rows[i].sport]
        dst_bits = guard.tcp[rows[i].dport] if proto == TCP else guard.udp[rows[i].dport]
        src_own, dst_own = ours & SRC_OURS != 0, ours & DST_OURS != 0
        from_listed = src_bits & (LISTED | OWN_ONLY if src_own else LISTED) != 0
        to_listed = dst_bits & (LISTED | OWN_ONLY if dst_own else LISTED) != 0
        # What the row says of the contact whose server is dst, and of the one whose server is src.
        on_dst, on_src = to_listed, from_listed
        dst_role = ROLE_BOTH if src_bits != 0 else ROLE_PORT
        src_role = ROLE_BOTH if dst_bits != 0 else ROLE_PORT
        dst_rank = src_rank = 2
        from_dst = False
        if why & WHY_QUOTED:
            seen = SEEN_ICMP_UNREACH
            on_dst, on_src = dst_own or to_listed, False
            dst_role, dst_rank, from_dst = 0, 1, True
        elif proto == UDP:
            seen = SEEN_DATAGRAM | (SEEN_DATA if rows[i].pay_wire > 0 else 0)
            dst_rank = src_rank = 0
            if why & (WHY_INITIATOR | WHY_RESPONDER):
                on_dst, on_src = (
                    to_listed and why & WHY_INITIATOR != 0,
                    from_listed and why & WHY_RESPONDER != 0,
                )
                dst_role = src_role = ROLE_HANDSHAKE
            elif to_listed and from_listed:
                # The same side for both directions of a conversation: the lower port, else our side.
                on_dst = rows[i].dport < rows[i].sport or (rows[i].dport == rows[i].sport and dst_own)
                on_src = not on_dst
        else:
            seen = seen_in_tcp(rows, i)
            if seen & SEEN_SYN:
                on_dst, dst_role, dst_rank = dst_own or to_listed, ROLE_HANDSHAKE, 0
                src_role = 0
            elif seen & SEEN_SYNACK:
                on_src, src_role, src_rank = src_own or from_listed, ROLE_HANDSHAKE, 0
                dst_role = 0
            elif why & WHY_INITIATOR:
                on_dst, dst_role, on_src = dst_own or to_listed, ROLE_HANDSHAKE, False
            elif why & WHY_RESPONDER:
                on_src, src_role, on_dst = src_own or from_listed, ROLE_HANDSHAKE, False
                src_rank = 1 if seen & SEEN_RST else 2
            elif seen & SEEN_FLOW_SYN:
                dst_rank = src_rank = 1
            elif seen & SEEN_RST:
                src_rank = 1
                if src_own and not to_listed and not from_listed:
                    # Only the answer to a SYN has an ACK and the sequence number 0 (RFC 9293, 3.10.7.1).
                    proven = rows[i].known & KNOWN_SEQ != 0 and rows[i].seq == 0
                    on_src, src_role = proven and rows[i].flags & ACK != 0, 0
        if not (on_dst or on_src):
            continue
        if out.single.size - out.used[SINGLES] < TOUCHES or out.full.size - out.used[FULL] < TOUCHES:
            return k
        lane = lanes[i]
        rec = source | rows[i].record
        age = age_of(rows[i].ts, base)
        for turn in range(TOUCHES):
            server_is_dst = turn == 0
            if not (on_dst if server_is_dst else on_src):
                continue
            note(
                cache,
                out,
                rows,
                i,
                rec,
                lane,
                lane_observer[lane],
                lane_sampling[lane],
                age,
                server_is_dst,
                from_dst if server_is_dst else True,
                seen,
                dst_role if server_is_dst else src_role,
                dst_rank if server_is_dst else src_rank,
            )
    return picked.size
