"""The census: per minute, port, protocol and direction, over all ports; packets, bytes, tries and sketches.

A cell lives in a pool; an open-addressing index finds it by (lane, direction, protocol, port). All cells belong
to one minute: when it changes, or the pool is full, they are handed out as partials and the pool starts
anew. Unsorted input therefore costs time and changes nothing.
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
    OUTBOUND,
    SYN,
    TCP,
    TRANSIT,
    UDP,
    WHY_PACKET,
)
from rearguard.model.compiled import inlined, kernel
from rearguard.model.fields import CENSUS, dtype
from rearguard.model.guard import Guard

__all__ = ["Pool", "clear", "count_cells", "find_cells", "new_pool"]

NS_PER_MINUTE = 60_000_000_000
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)


class Pool(NamedTuple):
    """``entry`` int32, a power of two, holds cell + 1; ``now`` is (used, minute).

    Of each cell ``at`` has its entry and ``words`` its key; beside them, so that looking does not load cells.
    """

    entry: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    words: npt.NDArray[np.uint64]
    cells: npt.NDArray[Any]
    now: npt.NDArray[np.int64]


def new_pool(cells: int) -> Pool:
    """An empty pool of at most ``cells`` cells."""
    return Pool(
        np.zeros(1 << (2 * cells).bit_length(), dtype=np.int32),
        np.zeros(cells, dtype=np.int32),
        np.zeros(cells, dtype=np.uint64),
        np.zeros(cells, dtype=dtype(CENSUS)),
        np.array([0, -1], dtype=np.int64),
    )


@kernel
def clear(pool: Pool) -> None:
    """Forget all cells (they have been handed out)."""
    for k in range(pool.now[0]):
        pool.entry[pool.at[k]] = 0
    pool.now[0] = 0


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


@inlined
def _direction(ours: int) -> int:
    if ours & DST_OURS:
        return INTERNAL if ours & SRC_OURS else INBOUND
    return OUTBOUND if ours & SRC_OURS else TRANSIT


@kernel
def find_cells(
    rows: Any,
    start: int,
    n: int,
    place: npt.NDArray[np.uint8],
    lanes: npt.NDArray[np.uint32],
    pool: Pool,
    found: npt.NDArray[np.int32],
) -> int:
    """Put the cell of rows ``start``.. into ``found``; returns the first row whose cell has no place yet.

    That is ``n``, or where another minute begins or the pool is full. A cell's ``observer`` holds the lane
    until the caller resolves it. Finding and counting are two passes because each is a load that depends on
    the one before; apart, the loads of many rows overlap.
    """
    last = np.uint64(pool.entry.size - 1)
    for i in range(start, n):
        minute = rows.ts[i] // NS_PER_MINUTE
        if minute != pool.now[1]:
            if pool.now[0] > 0:
                return i
            pool.now[1] = minute
        lane = lanes[i]
        proto = rows.proto[i]
        port = rows.dport[i]
        if rows.why[i] & WHY_PACKET == 0 or (proto != TCP and proto != UDP):
            proto, port = np.uint8(0), np.uint16(0)
        direction = _direction(place[i])
        word = np.uint64(port) | np.uint64(proto) << np.uint64(16) | np.uint64(direction) << np.uint64(24)
        word |= np.uint64(lane) << np.uint64(32)
        at = finish(word) & last
        while pool.entry[at] != 0 and pool.words[pool.entry[at] - 1] != word:
            at = (at + np.uint64(1)) & last
        if pool.entry[at] == 0:
            k = pool.now[0]
            if k == pool.cells.size:
                return i
            pool.now[0] += 1
            pool.entry[at] = k + 1
            pool.at[k] = at
            pool.words[k] = word
            cell = pool.cells[k]
            cell.minute, cell.port, cell.proto, cell.direction = minute, port, proto, direction
            cell.observer = lane
            cell.packets = cell.bytes = cell.tries = 0
            cell.sources[:] = 0
            cell.targets[:] = 0
        found[i] = pool.entry[at] - 1
    return n


@kernel
def count_cells(
    rows: Any, start: int, n: int, guard: Guard, pool: Pool, found: npt.NDArray[np.int32]
) -> None:
    """Count rows ``start``..``n-1``, whose cells were found."""
    for i in range(start, n):
        cell = pool.cells[found[i]]
        cell.packets += rows.packets[i]
        cell.bytes += rows.bytes[i]
        if not _is_try(rows, i, cell.proto, guard):
            continue
        cell.tries += rows.packets[i]
        high, low = rows.src_hi[i], rows.src_lo[i]
        if high == 0 and low >> np.uint64(32) == _V4_PREFIX:
            _sketch(cell.sources, mix2(np.uint64(0), low >> np.uint64(8)))
        else:
            _sketch(cell.sources, mix2(high >> np.uint64(16), np.uint64(1)))
        _sketch(cell.targets, mix2(rows.dst_hi[i], rows.dst_lo[i]))


@inlined
def _is_try(rows: Any, i: int, proto: int, guard: Guard) -> bool:
    """An initial SYN; or a datagram whose own port is no service (else it is more likely an answer)."""
    if proto == TCP:
        return bool(rows.known[i] & KNOWN_FLAGS != 0 and rows.flags[i] & (SYN | ACK) == SYN)
    return bool(proto == UDP and guard.udp[rows.sport[i]] == 0)
