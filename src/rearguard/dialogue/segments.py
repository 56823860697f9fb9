"""Rows into segment partials: the payload of conversations on management interfaces, bounded, in any order.

Theory of operation. A segment is one packet's payload, or the two sequence numbers of a SYN+ACK (a *start*).
What is kept of a conversation is a function of the set of its packets, not of their order: for each side and
each *spell* of SPELL nanoseconds, the segments that come first by (time, record) until their weights (payload
plus SEGMENT_COST each) reach a budget. A segment of that set has less than the budget in front of it, so it
has less than the budget in front of it in every part of the input too. Hence a collector may leave out
exactly what it has already seen a full budget in front of, and the fold, which applies the same rule to all
that was collected, gets the same set from every split, order and repetition.

The table counts only what it has seen in ascending (time, record); the rest is emitted uncounted. An evicted
or reused entry counts from zero again. Both cost duplicates and lose nothing.

    row                                     emitted                      because
    TCP or UDP payload                      its first ``head`` bytes     more cannot lie in a head
    exactly SYN+ACK                         start: seq + 1 and ack       both streams begin there
    SYN without payload                     nothing                      a flood of them must cost nothing
    RST, quoted in ICMP, later fragment     nothing                      no part of a stream, or no ports

Which side is called the server depends on the row's ports, never on state: the one whose port is listed; of
two the lower port; of equal ones the end that is ours, then the lower address. So both directions agree, and
the fold swaps the sides when the sender of the SYN+ACK turns out to be the other one (rule A3).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.contacts.place import DST_OURS, SRC_OURS
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
from rearguard.model.compiled import Buffer, inlined, kernel, load
from rearguard.model.guard import LISTED, Guard

__all__ = [
    "BOTH_LISTED",
    "BYTES",
    "CUT",
    "FROM_SERVER",
    "HAS_ACK",
    "NO_LIMIT",
    "SEGMENT",
    "SEGMENTS",
    "SEGMENT_COST",
    "SPELL",
    "START",
    "WAYS",
    "Held",
    "Ports",
    "collect",
    "new_held",
    "new_table",
]

SPELL = 1 << 38
"""Nanoseconds (275 s) after which a conversation that goes on may fill another budget."""
SEGMENT_COST = 32
"""What a segment weighs beyond its payload, so that many small ones are bounded too."""

FROM_SERVER = 1
START = 2
HAS_ACK = 4
BOTH_LISTED = 8
CUT = 16
"""The packet is a first fragment: the rest of its payload came in others."""

SEGMENT = np.dtype(
    [
        ("hash", "u8"),  # of the key without the lane: the order in which conversations are chosen
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("ts", "i8"),
        ("rec", "u8"),
        ("at", "i8"),  # where the payload begins in the bytes that come with the segments
        ("seq", "u4"),  # of the first payload byte; a SYN's own number is skipped
        ("ack", "u4"),
        ("wire", "u4"),  # payload bytes that the packet had
        ("length", "u4"),  # payload bytes that are here
        ("lane", "u4"),
        ("client_port", "u2"),
        ("port", "u2"),
        ("proto", "u1"),
        ("bits", "u1"),
    ],
    align=True,
)

ENTRY = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("spell", "i8"),
        ("last", "i8", (2,)),  # by side: (time, record) of the latest segment counted
        ("last_rec", "u8", (2,)),
        ("spent", "i8", (2,)),
        ("touched", "i8"),
        ("lane", "u4"),
        ("client_port", "u2"),
        ("port", "u2"),
        ("proto", "u1"),  # 0: empty
    ],
    align=True,
)

WAYS = 4
SEGMENTS = 0
BYTES = 1
NO_LIMIT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

_PACKET_FACTS = KNOWN_FLAGS | KNOWN_ONE_PACKET | KNOWN_SEQ
_NEVER = np.iinfo(np.int64).min


TOWARD_US = 1
TOWARD_OTHERS = 2


class Ports(NamedTuple):
    """By port: bits TOWARD_US and TOWARD_OTHERS, whose conversations are wanted; 0 is no management
    interface."""

    tcp: npt.NDArray[np.uint8]
    udp: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, guard: Guard, inward: Iterable[tuple[int, int]] = ()) -> Ports:
        """All listed ports. ``inward`` ((IP protocol, port) pairs) only where the listener is ours.

        Ports 80 and 443 belong there: what our customers read on the web is nobody's business here.
        """
        tables = {
            proto: np.where(table & LISTED, TOWARD_US | TOWARD_OTHERS, 0).astype(np.uint8)
            for proto, table in ((TCP, guard.tcp), (UDP, guard.udp))
        }
        for proto, port in inward:
            tables[proto][port] &= TOWARD_US
        return cls(tables[TCP], tables[UDP])


class Held(NamedTuple):
    """What a collector has taken: ``used[SEGMENTS]`` segments, and ``used[BYTES]`` bytes of their payload."""

    segment: npt.NDArray[Any]
    arena: Buffer
    used: npt.NDArray[np.int64]


def new_held(segments: int, arena: int) -> Held:
    """Room for so many segments and so many bytes of payload (at least one head)."""
    return Held(np.zeros(segments, dtype=SEGMENT), np.zeros(arena, np.uint8), np.zeros(2, dtype=np.int64))


def new_table(rows: int) -> npt.NDArray[Any]:
    """An empty table of ``rows`` conversations (a power of two, WAYS or more), as (sets, ways)."""
    if rows < WAYS or rows & (rows - 1):
        raise ValueError(f"a table has a power of two of rows, {WAYS} or more")
    return np.zeros((rows // WAYS, WAYS), dtype=ENTRY)


@inlined
def _server_is_dst(rows: Any, i: int, ours: int, to_listed: bool, from_listed: bool) -> bool:
    """Which side is called the server; both directions of a conversation give the same one."""
    if to_listed != from_listed:
        return to_listed
    if rows.dport[i] != rows.sport[i]:
        return bool(rows.dport[i] < rows.sport[i])
    if ours != SRC_OURS | DST_OURS:
        return ours & DST_OURS != 0
    if rows.dst_hi[i] != rows.src_hi[i]:
        return bool(rows.dst_hi[i] < rows.src_hi[i])
    return bool(rows.dst_lo[i] < rows.src_lo[i])


@inlined
def _find(table: Any, one: Any, spell: int) -> tuple[Any, int]:
    """Set and way of the conversation of segment ``one``; a stranger takes the way that was touched longest
    ago."""
    group = np.int64(one.hash & np.uint64(table.shape[0] - 1))
    victim = 0
    for way in range(WAYS):
        row = table[group, way]
        if (
            row.proto == one.proto
            and row.client_lo == one.client_lo
            and row.server_lo == one.server_lo
            and row.client_port == one.client_port
            and row.port == one.port
            and row.lane == one.lane
            and row.client_hi == one.client_hi
            and row.server_hi == one.server_hi
        ):
            return group, way
        if table[group, victim].proto != 0 and (row.proto == 0 or row.touched < table[group, victim].touched):
            victim = way
    row = table[group, victim]
    row.client_hi, row.client_lo = one.client_hi, one.client_lo
    row.server_hi, row.server_lo = one.server_hi, one.server_lo
    row.client_port, row.port, row.proto, row.lane = one.client_port, one.port, one.proto, one.lane
    row.touched = one.ts
    _begin(row, spell)
    return group, victim


@inlined
def _begin(row: Any, spell: int) -> None:
    row.spell = spell
    row.spent[0] = row.spent[1] = 0
    row.last[0] = row.last[1] = _NEVER
    row.last_rec[0] = row.last_rec[1] = 0


@inlined
def _wanted(table: Any, one: Any, budget: int) -> bool:
    """Count a segment; False when a full budget has been seen in front of it."""
    spell = one.ts // SPELL
    group, way = _find(table, one, spell)
    row = table[group, way]
    row.touched = max(row.touched, one.ts)
    if spell < row.spell:
        return True
    if spell > row.spell:
        _begin(row, spell)
    side = np.int64(one.bits & FROM_SERVER)
    if one.ts < row.last[side] or (one.ts == row.last[side] and one.rec <= row.last_rec[side]):
        return True
    if row.spent[side] >= budget:
        return False
    row.spent[side] += np.int64(one.length) + SEGMENT_COST
    row.last[side], row.last_rec[side] = one.ts, one.rec
    return True


@inlined
def _fill(one: Any, rows: Any, i: int, to_server: bool) -> None:
    """Key, time and numbers of row ``i`` into a segment."""
    if to_server:
        one.client_hi, one.client_lo, one.client_port = rows.src_hi[i], rows.src_lo[i], rows.sport[i]
        one.server_hi, one.server_lo, one.port = rows.dst_hi[i], rows.dst_lo[i], rows.dport[i]
    else:
        one.client_hi, one.client_lo, one.client_port = rows.dst_hi[i], rows.dst_lo[i], rows.dport[i]
        one.server_hi, one.server_lo, one.port = rows.src_hi[i], rows.src_lo[i], rows.sport[i]
    one.proto = rows.proto[i]
    one.ts = rows.ts[i]
    one.seq = one.ack = 0
    one.bits = 0 if to_server else FROM_SERVER
    if one.proto == TCP:
        flags = rows.flags[i]
        one.seq = rows.seq[i] + np.uint32(1) if flags & SYN else rows.seq[i]
        if flags & ACK:
            one.ack = rows.ack[i]
            one.bits |= HAS_ACK
        if flags & HANDSHAKE_MASK == SYN | ACK:
            one.bits |= START
    if rows.frag[i] == FRAG_FIRST:
        one.bits |= CUT
    word = (
        np.uint64(one.port)
        | np.uint64(one.client_port) << np.uint64(16)
        | np.uint64(one.proto) << np.uint64(32)
    )
    one.hash = mix5(one.client_hi, one.client_lo, one.server_hi, one.server_lo, word)


@load
def _copy(source: Buffer, begin: Any, target: Buffer, at: Any, length: Any) -> None:
    """Bytes from one buffer to the other, checked once."""
    if begin < 0 or at < 0 or begin + length > source.size or at + length > target.size:
        raise IndexError("copy outside a buffer")
    for k in range(length):
        target[at + k] = source[begin + k]


@kernel
def collect(
    rows: Any,
    start: int,
    n: int,
    buffer: Buffer,
    place: npt.NDArray[np.uint8],
    ports: Ports,
    lanes: npt.NDArray[np.uint32],
    source: np.uint64,
    head: int,
    budget: int,
    chosen: npt.NDArray[np.uint64],
    table: npt.NDArray[Any],
    held: Held,
) -> int:
    """Take segments from rows ``start``..``n-1``; returns the first row not taken (``held`` is full) or
    ``n``.

    ``source`` is the record pointer's upper part. ``chosen`` (TCP, UDP): conversations whose hash is larger
    are left out. ``buffer`` is the chunk's.
    """
    for i in range(start, n):
        ours = place[i]
        proto = rows.proto[i]
        if ours == 0 or (proto != TCP and proto != UDP):
            continue
        if proto == TCP:
            from_bits, to_bits = ports.tcp[rows.sport[i]], ports.tcp[rows.dport[i]]
        else:
            from_bits, to_bits = ports.udp[rows.sport[i]], ports.udp[rows.dport[i]]
        if from_bits | to_bits == 0:
            continue
        begin = np.int64(rows.pay_off[i])
        length = min(np.int64(rows.pay_len[i]), np.int64(head), np.int64(buffer.size) - begin)
        flags = rows.flags[i]
        if length <= 0 and (proto == UDP or flags & HANDSHAKE_MASK != SYN | ACK):
            continue
        if rows.why[i] & (WHY_PACKET | WHY_QUOTED | WHY_NO_PORTS) != WHY_PACKET:
            continue
        if proto == TCP and (flags & RST or rows.known[i] & _PACKET_FACTS != _PACKET_FACTS):
            continue
        used = held.used
        if used[SEGMENTS] == held.segment.size or held.arena.size - used[BYTES] < head:
            return i
        to_server = _server_is_dst(rows, i, ours, to_bits != 0, from_bits != 0)
        server_ours = ours & (DST_OURS if to_server else SRC_OURS) != 0
        if (to_bits if to_server else from_bits) & (TOWARD_US if server_ours else TOWARD_OTHERS) == 0:
            continue
        one = held.segment[used[SEGMENTS]]
        _fill(one, rows, i, to_server)
        if one.hash > chosen[0 if proto == TCP else 1]:
            continue
        one.lane, one.rec = lanes[i], source | rows.record[i]
        one.wire, one.length, one.at = rows.pay_wire[i], max(length, 0), used[BYTES]
        if to_bits != 0 and from_bits != 0:
            one.bits |= BOTH_LISTED
        if not _wanted(table, one, budget):
            continue
        if length > 0:
            _copy(buffer, begin, held.arena, used[BYTES], length)
            used[BYTES] += length
        used[SEGMENTS] += 1
    return n
