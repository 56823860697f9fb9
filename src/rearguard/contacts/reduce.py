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

from rearguard.contacts.cache import (
    FULL,
    PASSED_BY,
    SINGLES,
    Cache,
    Emitted,
    age_of,
    is_full,
    locate,
    make_full,
)
from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.contacts.pointer import comes_first
from rearguard.contacts.single import BIT_BOTH, BIT_MASSCAN, BIT_MIRAI, BIT_NO_OPTIONS, BIT_ZMAP
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import (
    ACK,
    HANDSHAKE_MASK,
    KNOWN_FLAGS,
    KNOWN_IPID,
    KNOWN_ONE_PACKET,
    KNOWN_OPTIONS,
    KNOWN_SEQ,
    ROLE_BOTH,
    ROLE_HANDSHAKE,
    ROLE_PORT,
    RST,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_FIN,
    SEEN_FLOW_SYN,
    SEEN_ICMP_UNREACH,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    SYN,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_PACKET,
    WHY_QUOTED,
    WHY_RESPONDER,
)
from rearguard.model.bits import FIN as FIN_FLAG
from rearguard.model.compiled import inlined, kernel
from rearguard.model.guard import LISTED, OWN_ONLY, Guard

__all__ = ["TOUCHES", "reduce_contacts"]

TOUCHES = 2
"""Contacts that one row can touch at most; so much room must be left in the output before each."""

ZMAP_IPID = 54321
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)


@inlined
def _fingerprints(rows: Any, i: int) -> int:
    """Bits BIT_* of a SYN, as far as this source can tell and only for IPv4."""
    found = 0
    known = rows.known[i]
    if known & KNOWN_OPTIONS and rows.doff[i] == 5:
        found |= BIT_NO_OPTIONS
    if rows.dst_hi[i] != 0 or rows.dst_lo[i] >> np.uint64(32) != _V4_PREFIX:
        return found
    target = np.uint32(rows.dst_lo[i] & np.uint64(0xFFFF_FFFF))
    if known & KNOWN_SEQ and rows.seq[i] == target:
        found |= BIT_MIRAI
    if known & KNOWN_IPID:
        if rows.ipid[i] == ZMAP_IPID:
            found |= BIT_ZMAP
        if known & KNOWN_SEQ:
            formula = (target ^ np.uint32(rows.dport[i]) ^ rows.seq[i]) & np.uint32(0xFFFF)
            if rows.ipid[i] == formula:
                found |= BIT_MASSCAN
    return found


@inlined
def _seen_in_tcp(rows: Any, i: int) -> int:
    """Bits SEEN_* of one TCP row. Of a flow's OR-ed flags a SYN without ACK is certain, and what the record itself
    says of its direction (rule B7)."""
    flags = rows.flags[i]
    seen = SEEN_DATA if rows.pay_wire[i] > 0 else 0
    if not rows.known[i] & KNOWN_FLAGS:
        return seen
    if flags & SYN and not flags & ACK:
        return seen | SEEN_SYN
    if rows.known[i] & KNOWN_ONE_PACKET:
        if flags & HANDSHAKE_MASK == SYN | ACK:
            return seen | SEEN_SYNACK
    elif flags & SYN:
        if rows.why[i] & WHY_INITIATOR:
            seen |= SEEN_SYN | SEEN_ACK
        else:
            seen |= SEEN_SYNACK if rows.why[i] & WHY_RESPONDER else SEEN_FLOW_SYN
        # Its RST, if any, ended a conversation and refused none.
        return seen | (SEEN_FIN if flags & FIN_FLAG else 0)
    if flags & ACK and not flags & (SYN | RST):
        seen |= SEEN_ACK
    if flags & RST:
        seen |= SEEN_RST
    if flags & FIN_FLAG:
        seen |= SEEN_FIN
    return seen


@inlined
def _count(
    row: Any, rows: Any, i: int, from_server: bool, seen: int, role: int, rank: int, rec: np.uint64
) -> None:
    """Add one chunk row to a full contact row."""
    ts = rows.ts[i]
    loaded = seen & SEEN_DATA != 0
    packets, size, payload = rows.packets[i], rows.bytes[i], np.uint64(rows.pay_wire[i])
    if rows.why[i] & WHY_QUOTED:
        # The error is a packet of its own, often a router's: it says "refused" and weighs nothing.
        packets = size = payload = np.uint64(0)
    row.role |= role
    if rows.why[i] & WHY_QUOTED == 0:
        row.known &= rows.known[i]
    if from_server:
        port = rows.sport[i] if rows.why[i] & WHY_QUOTED else rows.dport[i]
        row.packets_s += packets
        row.bytes_s += size
        row.payload_s += payload
        row.first_s = min(row.first_s, ts)
        row.last_s = max(row.last_s, rows.end[i])
        row.flags_s |= 0 if rows.why[i] & WHY_QUOTED else rows.flags[i]
        row.seen_s |= seen
        if comes_first(rank, ts, rec, row.proof_rank_s, row.proof_time_s, row.proof_rec_s):
            row.proof_rank_s, row.proof_time_s = rank, ts
            row.proof_rec_s, row.proof_port_s = rec, port
        if loaded and comes_first(0, ts, rec, 0, row.load_time_s, row.load_rec_s):
            row.load_time_s, row.load_rec_s, row.load_port_s = ts, rec, port
        return
    port = rows.sport[i]
    row.packets_c += packets
    row.bytes_c += size
    row.payload_c += payload
    row.first_c = min(row.first_c, ts)
    row.last_c = max(row.last_c, rows.end[i])
    row.flags_c |= rows.flags[i]
    row.seen_c |= seen
    opened = rows.why[i] & WHY_INITIATOR and rows.packets[i] > 0
    if rows.proto[i] == TCP and rows.known[i] & KNOWN_FLAGS:
        if not rows.flags[i] & (ACK | RST):
            row.unacked += packets
        elif opened and rows.flags[i] & SYN:
            row.unacked += 1
    if comes_first(rank, ts, rec, row.proof_rank_c, row.proof_time_c, row.proof_rec_c):
        row.proof_rank_c, row.proof_time_c = rank, ts
        row.proof_rec_c, row.proof_port_c = rec, port
    if loaded and comes_first(0, ts, rec, 0, row.load_time_c, row.load_rec_c):
        row.load_time_c, row.load_rec_c, row.load_port_c = ts, rec, port
    if seen & SEEN_DATAGRAM:
        row.tries += packets
    elif seen & SEEN_FLOW_SYN:
        row.sessions += 1
    elif opened and not rows.known[i] & KNOWN_FLAGS:
        row.tries += 1
    elif seen & SEEN_SYN:
        row.tries += np.uint64(1) if rows.flags[i] & ACK else packets
        found = _fingerprints(rows, i)
        row.no_options += 1 if found & BIT_NO_OPTIONS else 0
        row.fp_mirai += 1 if found & BIT_MIRAI else 0
        row.fp_zmap += 1 if found & BIT_ZMAP else 0
        row.fp_masscan += 1 if found & BIT_MASSCAN else 0


@inlined
def _widen(cache: Cache, slot: int, observer: int, sampling: int) -> None:
    """Turn a single into the full row that says the same."""
    one = cache.single[slot]
    make_full(cache, slot, observer, sampling)
    row = cache.full[slot]
    row.packets_c = 1
    row.tries = 1
    row.bytes_c = one.bytes
    row.payload_c = one.payload
    row.first_c = row.last_c = row.proof_time_c = one.time
    row.proof_rank_c = 0
    row.proof_rec_c = one.rec
    row.proof_port_c = one.client_port
    row.flags_c = one.flags
    row.known = one.known
    if one.proto == TCP:
        row.seen_c = SEEN_SYN
        row.role = ROLE_HANDSHAKE
        row.unacked = 0 if one.flags & RST else 1
    else:
        row.seen_c = SEEN_DATAGRAM
        row.role = ROLE_BOTH if one.bits & BIT_BOTH else ROLE_PORT
    if one.payload > 0:
        row.seen_c |= SEEN_DATA
        row.load_time_c, row.load_rec_c, row.load_port_c = one.time, one.rec, one.client_port
    row.no_options = 1 if one.bits & BIT_NO_OPTIONS else 0
    row.fp_mirai = 1 if one.bits & BIT_MIRAI else 0
    row.fp_zmap = 1 if one.bits & BIT_ZMAP else 0
    row.fp_masscan = 1 if one.bits & BIT_MASSCAN else 0


@inlined
def _note(
    cache: Cache,
    out: Emitted,
    rows: Any,
    i: int,
    rec: np.uint64,
    lane: int,
    observer: int,
    sampling: int,
    age: np.uint32,
    server_is_dst: bool,
    from_server: bool,
    seen: int,
    role: int,
    rank: int,
) -> None:
    """Put one row on one contact."""
    if server_is_dst:
        client_hi, client_lo, client_port = rows.src_hi[i], rows.src_lo[i], rows.sport[i]
        server_hi, server_lo, port = rows.dst_hi[i], rows.dst_lo[i], rows.dport[i]
    else:
        client_hi, client_lo, client_port = rows.dst_hi[i], rows.dst_lo[i], rows.dport[i]
        server_hi, server_lo, port = rows.src_hi[i], rows.src_lo[i], rows.sport[i]
    proto = rows.proto[i]
    single = _fits_single(rows, i, from_server, seen, role)
    slot = locate(
        cache, out, client_hi, client_lo, server_hi, server_lo, port, proto, lane, age, from_server, single
    )
    if slot < 0:
        if slot == PASSED_BY:
            one = out.single[out.used[SINGLES]]
            out.used[SINGLES] += 1
        else:
            slot = -1 - slot
            one = cache.single[slot]
        one.client_hi, one.client_lo = client_hi, client_lo
        one.server_hi, one.server_lo = server_hi, server_lo
        one.port, one.proto, one.lane = port, proto, lane
        if single:
            one.time, one.rec = rows.ts[i], rec
            one.bytes, one.payload = rows.bytes[i], rows.pay_wire[i]
            one.client_port, one.flags, one.known = client_port, rows.flags[i], rows.known[i]
            one.bits = _fingerprints(rows, i) if proto == TCP else (BIT_BOTH if role == ROLE_BOTH else 0)
            return
        make_full(cache, slot, observer, sampling)
    elif not is_full(cache, slot):
        _widen(cache, slot, observer, sampling)
    _count(cache.full[slot], rows, i, from_server, seen, role, rank, rec)


@inlined
def _fits_single(rows: Any, i: int, from_server: bool, seen: int, role: int) -> bool:
    """One packet from the client that opens a contact, with nothing in it that 64 bytes cannot hold."""
    if (
        from_server
        or rows.packets[i] != 1
        or rows.end[i] != rows.ts[i]
        or rows.bytes[i] > 0xFFFF
        or rows.known[i] > 0xFF
    ):
        return False
    if rows.proto[i] == TCP:
        return role == ROLE_HANDSHAKE and seen == SEEN_SYN
    return role & (ROLE_PORT | ROLE_BOTH) != 0 and rows.pay_wire[i] <= 0xFFFF


@kernel
def reduce_contacts(
    rows: Any,
    start: int,
    n: int,
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
    """Put rows ``start``..``n-1`` into the cache; returns the first row not taken (``out`` is full) or ``n``.

    ``lanes`` (one a row) index ``lane_observer`` and ``lane_sampling``; ``source`` is the source number
    shifted by RECORD_BITS; ``base`` is the time (ns) from which ages count.
    """
    for i in range(start, n):
        ours = place[i]
        proto, why = rows.proto[i], rows.why[i]
        if ours == 0 or (proto != TCP and proto != UDP) or why & (WHY_PACKET | WHY_QUOTED) == 0:
            continue
        src_bits = guard.tcp[rows.sport[i]] if proto == TCP else guard.udp[rows.sport[i]]
        dst_bits = guard.tcp[rows.dport[i]] if proto == TCP else guard.udp[rows.dport[i]]
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
            seen = SEEN_DATAGRAM | (SEEN_DATA if rows.pay_wire[i] > 0 else 0)
            dst_rank = src_rank = 0
            if why & (WHY_INITIATOR | WHY_RESPONDER):
                on_dst, on_src = (
                    to_listed and why & WHY_INITIATOR != 0,
                    from_listed and why & WHY_RESPONDER != 0,
                )
                dst_role = src_role = ROLE_HANDSHAKE
            elif to_listed and from_listed:
                # The same side for both directions of a conversation: the lower port, else our side.
                on_dst = rows.dport[i] < rows.sport[i] or (rows.dport[i] == rows.sport[i] and dst_own)
                on_src = not on_dst
        else:
            seen = _seen_in_tcp(rows, i)
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
                    proven = rows.known[i] & KNOWN_SEQ != 0 and rows.seq[i] == 0
                    on_src, src_role = proven and rows.flags[i] & ACK != 0, 0
        if not (on_dst or on_src):
            continue
        if out.single.size - out.used[SINGLES] < TOUCHES or out.full.size - out.used[FULL] < TOUCHES:
            return i
        lane = lanes[i]
        rec = source | rows.record[i]
        age = age_of(rows.ts[i], base)
        for turn in range(TOUCHES):
            server_is_dst = turn == 0
            if not (on_dst if server_is_dst else on_src):
                continue
            _note(
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
    return n
