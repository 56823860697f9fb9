"""The census: tries per minute, port, protocol and direction, over all ports, with sketches of who and whom.

Only initiations are counted (rule B13 rests on nothing else): replies go to as many ephemeral ports as there are,
and their cells, four of five and thrown away in the end, cost more than all that was kept
(docs/decisions/010-the-census-counts-tries.md).

A cell lives in a pool. Ports that follow each other are found together: a directory of open addressing leads
from (lane, direction, protocol, port / 16, minute) to a block of sixteen entries, one cache line, so that even
packets to random ports find their cells in a quarter of a megabyte. The cells of a pool are of one minute, or of
an hour where records come as flows end, in no order of their begins: outside of it, or when the pool is full, they
are handed out as partials and the pool starts anew. Unsorted input therefore costs time and changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import finish, mix2
from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import (
    ACK,
    INBOUND,
    INTERNAL,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    OUTBOUND,
    SYN,
    TCP,
    TRANSIT,
    UDP,
    WHY_INITIATOR,
    WHY_PACKET,
    WHY_RESPONDER,
)
from rearguard.model.compiled import inlined, kernel
from rearguard.model.fields import CENSUS, dtype
from rearguard.model.guard import Guard

__all__ = ["Pool", "clear", "count_cells", "find_cells", "new_pool"]

NS_PER_MINUTE = 60_000_000_000
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)


BLOCK_BITS = 4
BLOCK = 1 << BLOCK_BITS
CELLS, MINUTE, BLOCKS = 0, 1, 2
NO_TRY = -1


class Pool(NamedTuple):
    """``now`` is (cells used, first minute, blocks used).

    ``word`` and ``block`` are the directory, a power of two: the key without the port's last four bits, and its
    block + 1. ``entry`` holds sixteen times cell + 1 a block. Of each block ``listed`` has its place in the
    directory, of each cell ``at`` has its entry: so what was used can be cleared alone.
    """

    word: npt.NDArray[np.uint64]
    block: npt.NDArray[np.int32]
    listed: npt.NDArray[np.int32]
    entry: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    cells: npt.NDArray[Any]
    now: npt.NDArray[np.int64]


def new_pool(cells: int) -> Pool:
    """An empty pool of at most ``cells`` cells."""
    directory = 1 << (2 * cells).bit_length()
    return Pool(
        np.zeros(directory, dtype=np.uint64),
        np.zeros(directory, dtype=np.int32),
        np.zeros(cells + 1, dtype=np.int32),
        np.zeros((cells + 1) * BLOCK, dtype=np.int32),
        np.zeros(cells, dtype=np.int32),
        np.zeros(cells, dtype=dtype(CENSUS)),
        np.array([0, -1, 0], dtype=np.int64),
    )


@kernel
def clear(pool: Pool) -> None:
    """Forget all cells (they have been handed out)."""
    for k in range(pool.now[CELLS]):
        pool.entry[pool.at[k]] = 0
    for k in range(pool.now[BLOCKS]):
        pool.block[pool.listed[k]] = 0
    pool.now[CELLS] = pool.now[BLOCKS] = 0


_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_TRAILING = np.zeros(64, dtype=np.uint8)
for _bit in range(64):
    _TRAILING[((1 << _bit) * int(_DE_BRUIJN) & (1 << 64) - 1) >> 58] = _bit
"""Trailing zeros of a word with one bit, by its product with a de Bruijn sequence (Leiserson, Prokop, Randall
1998): a loop over the bits would be mispredicted at nearly every row."""


@inlined
def _sketch(registers: npt.NDArray[np.uint8], h: np.uint64) -> None:
    """HyperLogLog insertion: six bits choose the register, the run of zeros above them is its candidate."""
    at = h & np.uint64(63)
    rest = h >> np.uint64(6) | np.uint64(1 << 57)
    lowest = rest & (~rest + np.uint64(1))
    rank = _TRAILING[(lowest * _DE_BRUIJN) >> np.uint64(58)] + np.uint8(1)
    registers[at] = max(registers[at], rank)


_DIRECTION = np.zeros(4, dtype=np.uint64)
_DIRECTION[0], _DIRECTION[SRC_OURS], _DIRECTION[DST_OURS] = TRANSIT, OUTBOUND, INBOUND
_DIRECTION[SRC_OURS | DST_OURS] = INTERNAL
"""By place: which ends are ours changes from packet to packet, and a branch on it would be guessed wrong."""


@kernel
def find_cells(
    rows: Any,
    picked: npt.NDArray[np.int32],
    start: int,
    place: npt.NDArray[np.uint8],
    lanes: npt.NDArray[np.uint32],
    pool: Pool,
    found: npt.NDArray[np.int32],
    span: int,
    guard: Guard,
) -> int:
    """Put the cells of the rows ``picked[start:]`` into ``found``, NO_TRY for a row that tries nothing; returns the
    index of the first row whose cell has no place yet.

    That is the length of ``picked``, or the index of a row outside of the pool's minutes (``span`` of them, at most
    64), or of one for which the pool is full. A cell's ``observer`` holds the lane until the caller resolves it;
    lanes are below 2^26. Finding and counting are two passes because each is a load that depends on the one before;
    apart, the loads of many rows overlap.
    """
    begin = pool.now[MINUTE] * NS_PER_MINUTE
    for j in range(start, picked.size):
        i = picked[j]
        if _tries(rows, i, guard) == 0:
            found[j] = NO_TRY
            continue
        if rows[i].ts < begin or rows[i].ts - begin >= span * NS_PER_MINUTE:
            if pool.now[CELLS] > 0:
                return j
            pool.now[MINUTE] = rows[i].ts // NS_PER_MINUTE - span // 2
            begin = pool.now[MINUTE] * NS_PER_MINUTE
        minute = (rows[i].ts - begin) // NS_PER_MINUTE
        lane = lanes[i]
        proto = rows[i].proto
        port = rows[i].dport
        direction = _DIRECTION[place[i]]
        word = np.uint64(port) | np.uint64(proto) << np.uint64(16) | direction << np.uint64(24)
        word |= np.uint64(lane) << np.uint64(32) | np.uint64(minute) << np.uint64(58)
        block = _block(pool, word >> np.uint64(BLOCK_BITS))
        at = block * BLOCK + (np.int64(port) & (BLOCK - 1))
        if pool.entry[at] == 0:
            k = pool.now[CELLS]
            if k == pool.cells.size:
                return j
            pool.now[CELLS] += 1
            pool.entry[at] = k + 1
            pool.at[k] = at
            cell = pool.cells[k]
            cell.minute, cell.port, cell.proto, cell.direction = (
                pool.now[MINUTE] + minute,
                port,
                proto,
                direction,
            )
            cell.observer = lane
            cell.packets = cell.bytes = cell.tries = 0
            cell.sources[:] = 0
            cell.targets[:] = 0
        found[j] = pool.entry[at] - 1
    return picked.size


@inlined
def _block(pool: Pool, word: np.uint64) -> int:
    """The block of a key; a new one if need be. There is one more than there are cells: the last may be begun
    just before the pool turns out to be full."""
    last = np.uint64(pool.word.size - 1)
    at = finish(word) & last
    while pool.block[at] != 0 and pool.word[at] != word:
        at = (at + np.uint64(1)) & last
    if pool.block[at] == 0:
        b = pool.now[BLOCKS]
        pool.now[BLOCKS] += 1
        pool.word[at] = word
        pool.block[at] = b + 1
        pool.listed[b] = at
    return int(pool.block[at]) - 1


@kernel
def count_cells(
    rows: Any,
    picked: npt.NDArray[np.int32],
    start: int,
    end: int,
    guard: Guard,
    pool: Pool,
    found: npt.NDArray[np.int32],
) -> None:
    """Count the rows ``picked[start:end]``, whose cells were found."""
    for j in range(start, end):
        if found[j] == NO_TRY:
            continue
        i = picked[j]
        cell = pool.cells[found[j]]
        cell.packets += rows[i].packets
        cell.bytes += rows[i].bytes
        cell.tries += _tries(rows, i, guard)
        high, low = rows[i].src_hi, rows[i].src_lo
        if high == 0 and low >> np.uint64(32) == _V4_PREFIX:
            _sketch(cell.sources, mix2(np.uint64(0), low >> np.uint64(8)))
        else:
            _sketch(cell.sources, mix2(high >> np.uint64(16), np.uint64(1)))
        _sketch(cell.targets, mix2(rows[i].dst_hi, rows[i].dst_lo))


@inlined
def _tries(rows: Any, i: int, guard: Guard) -> np.uint64:
    """Initial SYNs; or datagrams whose own port is no service (else they are more likely answers).

    A connection that a flow record tells whole is one try: where the record says who opened; or where only the
    port that it went to is a service (rule A3).
    """
    nothing, one = np.uint64(0), np.uint64(1)
    why, proto = rows[i].why, rows[i].proto
    if why & WHY_PACKET == 0 or why & WHY_RESPONDER:
        return nothing
    if proto == UDP:
        return np.uint64(rows[i].packets) if why & WHY_INITIATOR or guard.udp[rows[i].sport] == 0 else nothing
    if proto != TCP:
        return nothing
    if rows[i].known & KNOWN_FLAGS == 0:
        return one if why & WHY_INITIATOR else nothing
    flags = rows[i].flags & (SYN | ACK)
    if flags == SYN:
        return np.uint64(rows[i].packets)
    if flags != SYN | ACK or rows[i].known & KNOWN_ONE_PACKET:
        return nothing
    served = guard.tcp[rows[i].dport] != 0 and guard.tcp[rows[i].sport] == 0
    return one if why & WHY_INITIATOR or served else nothing
