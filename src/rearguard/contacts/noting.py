"""Put what a row says on a contact: into a single where 64 bytes can hold it, else into a full row."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.contacts.cache import PASSED_BY, SINGLES, Cache, Emitted, is_full, locate, make_full
from rearguard.contacts.pointer import comes_first
from rearguard.contacts.single import BIT_BOTH, BIT_MASSCAN, BIT_MIRAI, BIT_NO_OPTIONS, BIT_ZMAP
from rearguard.contacts.witness import fingerprints
from rearguard.model.bits import (
    ACK,
    KNOWN_FLAGS,
    ROLE_BOTH,
    ROLE_HANDSHAKE,
    ROLE_PORT,
    RST,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_FLOW_SYN,
    SEEN_SYN,
    SYN,
    TCP,
    WHY_INITIATOR,
    WHY_QUOTED,
)
from rearguard.model.compiled import inlined

__all__ = ["note"]


@inlined
def _count(
    row: Any, rows: Any, i: int, from_server: bool, seen: int, role: int, rank: int, rec: np.uint64
) -> None:
    """Add one chunk row to a full contact row."""
    ts = rows[i].ts
    loaded = seen & SEEN_DATA != 0
    packets, size, payload = rows[i].packets, rows[i].bytes, np.uint64(rows[i].pay_wire)
    if rows[i].why & WHY_QUOTED:
        # The error is a packet of its own, often a router's: it says "refused" and weighs nothing.
        packets = size = payload = np.uint64(0)
    row.role |= role
    if rows[i].why & WHY_QUOTED == 0:
        row.known &= rows[i].known
    if from_server:
        port = rows[i].sport if rows[i].why & WHY_QUOTED else rows[i].dport
        row.packets_s += packets
        row.bytes_s += size
        row.payload_s += payload
        row.first_s = min(row.first_s, ts)
        row.last_s = max(row.last_s, rows[i].end)
        row.flags_s |= 0 if rows[i].why & WHY_QUOTED else rows[i].flags
        row.seen_s |= seen
        if comes_first(rank, ts, rec, row.proof_rank_s, row.proof_time_s, row.proof_rec_s):
            row.proof_rank_s, row.proof_time_s = rank, ts
            row.proof_rec_s, row.proof_port_s = rec, port
        if loaded and comes_first(0, ts, rec, 0, row.load_time_s, row.load_rec_s):
            row.load_time_s, row.load_rec_s, row.load_port_s = ts, rec, port
        return
    port = rows[i].sport
    row.packets_c += packets
    row.bytes_c += size
    row.payload_c += payload
    row.first_c = min(row.first_c, ts)
    row.last_c = max(row.last_c, rows[i].end)
    row.flags_c |= rows[i].flags
    row.seen_c |= seen
    opened = rows[i].why & WHY_INITIATOR and rows[i].packets > 0
    if rows[i].proto == TCP and rows[i].known & KNOWN_FLAGS:
        if not rows[i].flags & (ACK | RST):
            row.unacked += packets
        elif opened and rows[i].flags & SYN:
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
    elif opened and not rows[i].known & KNOWN_FLAGS:
        row.tries += 1
    elif seen & SEEN_SYN:
        row.tries += np.uint64(1) if rows[i].flags & ACK else packets
        found = fingerprints(rows, i)
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
def note(
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
        client_hi, client_lo, client_port = rows[i].src_hi, rows[i].src_lo, rows[i].sport
        server_hi, server_lo, port = rows[i].dst_hi, rows[i].dst_lo, rows[i].dport
    else:
        client_hi, client_lo, client_port = rows[i].dst_hi, rows[i].dst_lo, rows[i].dport
        server_hi, server_lo, port = rows[i].src_hi, rows[i].src_lo, rows[i].sport
    proto = rows[i].proto
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
            one.time, one.rec = rows[i].ts, rec
            one.bytes, one.payload = rows[i].bytes, rows[i].pay_wire
            one.client_port, one.flags, one.known = client_port, rows[i].flags, rows[i].known
            one.bits = fingerprints(rows, i) if proto == TCP else (BIT_BOTH if role == ROLE_BOTH else 0)
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
        or rows[i].packets != 1
        or rows[i].end != rows[i].ts
        or rows[i].bytes > 0xFFFF
        or rows[i].known > 0xFF
    ):
        return False
    if rows[i].proto == TCP:
        return role == ROLE_HANDSHAKE and seen == SEEN_SYN
    return role & (ROLE_PORT | ROLE_BOTH) != 0 and rows[i].pay_wire <= 0xFFFF
