"""Rows into segment partials: the payload of conversations on management interfaces, bounded, in any order.

Theory of operation. A segment is one packet's payload, or the two sequence numbers of a SYN+ACK (a *start*).
What is kept of a conversation is a function of the set of its packets, not of their order: for each side and
each *spell* of SPELL nanoseconds, the segments that come first by (time, record) until their weights (payload
plus SEGMENT_COST each) reach a budget. A segment of that set has less than the budget in front of it, so it
has less than the budget in front of it in every part of the input too. Hence a collector may leave out
exactly what it has already seen a full budget in front of, and the fold, which applies the same rule to all
that was collected, gets the same set from every split, order and repetition.

    row                                     emitted                      because
    TCP or UDP payload                      its first ``head`` bytes     more cannot lie in a head
    exactly SYN+ACK                         start: seq + 1 and ack       both streams begin there
    SYN with payload                        payload, seq + 1             rare, and a part of the stream
    SYN without payload                     nothing                      a flood of them must cost nothing
    RST, quoted in ICMP, later fragment     nothing                      no part of a stream, or no ports

Which side is called the server depends on the row's ports, never on state: the one whose port is listed; of
two the lower port; of equal ones the end that is ours, then the lower address. So both directions agree, and
the fold swaps the sides when the sender of the SYN+ACK turns out to be the other one (rule A3).

Beside listed ports: what our devices send to any port and looks like CWMP is taken packet by packet, one side
only, since a session with a foreign controller is known by nothing else (rule B10).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.contacts.place import DST_OURS, SRC_OURS, is_ours
from rearguard.dialogue.gather import copy_bytes
from rearguard.dialogue.layout import (
    BOTH_LISTED,
    BYTES,
    CONTROLLERS,
    CUT,
    FROM_SERVER,
    HAS_ACK,
    OF_CONTROLLER,
    OPENS,
    SEGMENTS,
    START,
    TCP_STRATUM,
    TOWARD_OTHERS,
    TOWARD_US,
    UDP_STRATUM,
    Held,
    Ports,
)
from rearguard.dialogue.table import wanted
from rearguard.model.bits import (
    ACK,
    FRAG_FIRST,
    HANDSHAKE_MASK,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    KNOWN_SEQ,
    RST,
    SYN,
    TCP,
    UDP,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_QUOTED,
)
from rearguard.model.compiled import Buffer, be16, be32, inlined, kernel, u8, wide
from rearguard.model.guard import Guard

__all__ = ["collect", "pick"]

CWMP_LOOK = 1_024
"""Bytes of a packet that are searched for "cwmp"; headers and envelope of an Inform need about 600."""
CWMP_LEAST = 16

_PACKET_FACTS = KNOWN_FLAGS | KNOWN_ONE_PACKET | KNOWN_SEQ


@inlined
def _server_is_dst(rows: Any, i: int, ours: int, to_listed: bool, from_listed: bool) -> bool:
    """Which side is called the server; both directions of a conversation give the same one."""
    if to_listed != from_listed:
        return to_listed
    if rows[i].dport != rows[i].sport:
        return bool(rows[i].dport < rows[i].sport)
    if ours != SRC_OURS | DST_OURS:
        return ours & DST_OURS != 0
    if rows[i].dst_hi != rows[i].src_hi:
        return bool(rows[i].dst_hi < rows[i].src_hi)
    return bool(rows[i].dst_lo < rows[i].src_lo)


@inlined
def _fill(one: Any, rows: Any, i: int, to_server: bool) -> None:
    """Key, time and numbers of row ``i`` into a segment."""
    if to_server:
        one.client_hi, one.client_lo, one.client_port = rows[i].src_hi, rows[i].src_lo, rows[i].sport
        one.server_hi, one.server_lo, one.port = rows[i].dst_hi, rows[i].dst_lo, rows[i].dport
    else:
        one.client_hi, one.client_lo, one.client_port = rows[i].dst_hi, rows[i].dst_lo, rows[i].dport
        one.server_hi, one.server_lo, one.port = rows[i].src_hi, rows[i].src_lo, rows[i].sport
    one.proto = rows[i].proto
    one.ts = rows[i].ts
    one.seq = one.ack = 0
    one.bits = 0 if to_server else FROM_SERVER
    if one.proto == TCP:
        flags = rows[i].flags
        one.seq = rows[i].seq + np.uint32(1) if flags & SYN else rows[i].seq
        if flags & ACK:
            one.ack = rows[i].ack
            one.bits |= HAS_ACK
        elif flags & SYN:
            one.bits |= OPENS
        if flags & HANDSHAKE_MASK == SYN | ACK:
            one.bits |= START
    if rows[i].frag == FRAG_FIRST:
        one.bits |= CUT
    word = (
        np.uint64(one.port)
        | np.uint64(one.client_port) << np.uint64(16)
        | np.uint64(one.proto) << np.uint64(32)
    )
    one.hash = mix5(one.client_hi, one.client_lo, one.server_hi, one.server_lo, word)


@inlined
def _is_cwmp_request(buffer: Buffer, begin: int, length: int) -> bool:
    """Whether payload looks like a piece of what a CWMP device sends: an HTTP POST or XML that says cwmp early.

    Devices open their sessions at any port (rule A1), so this is asked of every packet that ours send elsewhere;
    the first bytes answer for nearly all of them.
    """
    end = min(begin + min(length, CWMP_LOOK), wide(buffer.size))
    if end - begin < CWMP_LEAST:
        return False
    first, second = u8(buffer, begin), u8(buffer, begin + 1)
    if not (first == 0x50 and second == 0x4F and be16(buffer, begin + 2) == 0x5354) and not (
        first == 0x3C and (second == 0x3F or second | 0x20 == 0x73 or second | 0x20 == 0x65)
    ):
        return False
    at = begin + 4
    # "cwmp" in either case; a prefix may be called anything, the namespace is not.
    while at < end - 4 and be32(buffer, at) | 0x20202020 != 0x63776D70:
        at += 1
    return bool(at < end - 4)


@kernel
def pick(
    rows: Any,
    n: int,
    buffer: Buffer,
    place: npt.NDArray[np.uint8],
    ports: Ports,
    picked: npt.NDArray[np.int64],
) -> int:
    """The rows that may be part of a wanted conversation, or look like CWMP of a device of ours: then the
    number's complement (~i). Returns how many. All traffic pays for this loop.
    """
    m = 0
    for i in range(n):
        proto, ours = rows[i].proto, place[i]
        if ours == 0 or (proto != TCP and proto != UDP):
            continue
        if rows[i].pay_len == 0 and (proto == UDP or rows[i].flags & HANDSHAKE_MASK != SYN | ACK):
            continue
        from_bits = ports.tcp[rows[i].sport] if proto == TCP else ports.udp[rows[i].sport]
        to_bits = ports.tcp[rows[i].dport] if proto == TCP else ports.udp[rows[i].dport]
        if (
            to_bits & (TOWARD_US if ours & DST_OURS else TOWARD_OTHERS)
            or from_bits & (TOWARD_US if ours & SRC_OURS else TOWARD_OTHERS)
        ):  # fmt: skip
            picked[m] = i
            m += 1
        elif ours == SRC_OURS and proto == TCP and _is_cwmp_request(
            buffer, wide(rows[i].pay_off), wide(rows[i].pay_len)
        ):  # fmt: skip
            picked[m] = ~i
            m += 1
    return m


@kernel
def collect(
    rows: Any,
    start: int,
    picked: npt.NDArray[np.int64],
    buffer: Buffer,
    place: npt.NDArray[np.uint8],
    ports: Ports,
    controllers: Guard,
    lanes: npt.NDArray[np.uint32],
    source: np.uint64,
    head: int,
    budget: int,
    chosen: npt.NDArray[np.uint64],
    table: npt.NDArray[Any],
    held: Held,
) -> int:
    """Take segments from the rows ``picked[start:]``; returns the first not taken (``held`` is full) or the end.

    Rows given as ~i are taken whatever their ports are; their sender is the client.

    ``source`` is the record pointer's upper part. ``chosen`` (by stratum): conversations whose hash is larger
    are left out. ``buffer`` is the chunk's. The addresses of ``controllers`` are those that the policy lists.
    """
    used = held.used
    for turn in range(start, picked.size):
        known = picked[turn] >= 0
        i = picked[turn] if known else ~picked[turn]
        flags = rows[i].flags
        tcp = rows[i].proto == TCP
        if rows[i].why & (WHY_PACKET | WHY_QUOTED | WHY_NO_PORTS) != WHY_PACKET:
            continue
        if tcp and (flags & RST or rows[i].known & _PACKET_FACTS != _PACKET_FACTS):
            continue
        begin = np.int64(rows[i].pay_off)
        length = max(min(np.int64(rows[i].pay_len), np.int64(head), np.int64(buffer.size) - begin), 0)
        if length == 0 and (not tcp or flags & HANDSHAKE_MASK != SYN | ACK):
            continue
        if used[SEGMENTS] == held.segment.size or held.arena.size - used[BYTES] < head:
            return turn
        from_bits = ports.tcp[rows[i].sport] if tcp else ports.udp[rows[i].sport]
        to_bits = ports.tcp[rows[i].dport] if tcp else ports.udp[rows[i].dport]
        to_server = not known or _server_is_dst(rows, i, place[i], to_bits != 0, from_bits != 0)
        server_ours = place[i] & (DST_OURS if to_server else SRC_OURS) != 0
        wanted_bits = (to_bits if to_server else from_bits) & (TOWARD_US if server_ours else TOWARD_OTHERS)
        if known and wanted_bits == 0:
            continue
        one = held.segment[used[SEGMENTS]]
        _fill(one, rows, i, to_server)
        if is_ours(one.client_hi, one.client_lo, controllers) or is_ours(
            one.server_hi, one.server_lo, controllers
        ):
            one.bits |= OF_CONTROLLER
            stratum = CONTROLLERS
        else:
            stratum = TCP_STRATUM if tcp else UDP_STRATUM
        if one.hash > chosen[stratum]:
            continue
        one.lane, one.rec = lanes[i], source | rows[i].record
        one.wire, one.length, one.at = rows[i].pay_wire, length, used[BYTES]
        if known and to_bits != 0 and from_bits != 0:
            one.bits |= BOTH_LISTED
        if not wanted(table, one, budget):
            continue
        copy_bytes(buffer, begin, held.arena, used[BYTES], length)
        used[SEGMENTS] += 1
        used[BYTES] += length
    return picked.size
