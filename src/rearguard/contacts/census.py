"""The census: per minute, port, protocol and direction, over all ports; packets, bytes, tries and sketches.

A cell lives in a pool; a dense index finds it by (direction, protocol, port). Cells belong to one minute, one
lane (observer and sampling): when either changes, or the pool is full, all cells are handed out as partials
and the pool starts anew. Unsorted input therefore costs time and changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix2
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

__all__ = ["Pool", "clear", "count_census", "new_pool"]

NS_PER_MINUTE = 60_000_000_000
_OTHER_PROTO = 2  # index of all protocols without ports; their port is 0
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)


class Pool(NamedTuple):
    """``index`` int32[4 directions, 3 protocols, 65536] holds cell + 1; ``now`` is (used, minute, lane)."""

    index: npt.NDArray[np.int32]
    cells: npt.NDArray[Any]
    now: npt.NDArray[np.int64]


def new_pool(cells: int) -> Pool:
    """An empty pool of at most ``cells`` cells."""
    return Pool(
        np.zeros((4, _OTHER_PROTO + 1, 65536), dtype=np.int32),
        np.zeros(cells, dtype=dtype(CENSUS)),
        np.array([0, -1, -1], dtype=np.int64),
    )


@inlined
def _slot_of(proto: int) -> int:
    if proto == TCP:
        return 0
    if proto == UDP:
        return 1
    return _OTHER_PROTO


@kernel
def clear(pool: Pool) -> None:
    """Forget all cells (they have been handed out)."""
    for k in range(pool.now[0]):
        cell = pool.cells[k]
        pool.index[cell.direction, _slot_of(cell.proto), cell.port] = 0
    pool.now[0] = 0


@inlined
def _sketch(registers: npt.NDArray[np.uint8], h: np.uint64) -> None:
    """HyperLogLog insertion: six bits choose the register, the run of zeros above them is its candidate."""
    at = np.int64(h & np.uint64(63))
    rest = h >> np.uint64(6) | np.uint64(1 << 57)
    rank = 1
    while rest & np.uint64(1) == np.uint64(0):
        rest >>= np.uint64(1)
        rank += 1
    if rank > registers[at]:
        registers[at] = rank


@inlined
def _direction(ours: int) -> int:
    if ours & DST_OURS:
        return INTERNAL if ours & SRC_OURS else INBOUND
    return OUTBOUND if ours & SRC_OURS else TRANSIT


@kernel
def count_census(
    rows: Any,
    start: int,
    n: int,
    place: npt.NDArray[np.uint8],
    guard: Guard,
    lanes: npt.NDArray[np.uint32],
    pool: Pool,
) -> int:
    """Count rows ``start``..``n-1``; returns ``n``, or the first row for which the pool must be emptied."""
    for i in range(start, n):
        minute = rows.ts[i] // NS_PER_MINUTE
        lane = np.int64(lanes[i])
        if minute != pool.now[1] or lane != pool.now[2]:
            if pool.now[0] > 0:
                return i
            pool.now[1], pool.now[2] = minute, lane
        proto = rows.proto[i] if rows.why[i] & WHY_PACKET else 1
        kind = _slot_of(proto)
        port = rows.dport[i] if kind != _OTHER_PROTO and rows.why[i] & WHY_PACKET else 0
        direction = _direction(place[i])
        k = pool.index[direction, kind, port] - 1
        if k < 0:
            if pool.now[0] == pool.cells.size:
                return i
            k = np.int64(pool.now[0])
            pool.now[0] += 1
            pool.index[direction, kind, port] = k + 1
            cell = pool.cells[k]
            cell.minute, cell.port, cell.direction = minute, port, direction
            cell.proto = proto if kind != _OTHER_PROTO else 0
            cell.packets = cell.bytes = cell.tries = 0
            for j in range(64):
                cell.sources[j] = 0
                cell.targets[j] = 0
        cell = pool.cells[k]
        cell.packets += rows.packets[i]
        cell.bytes += rows.bytes[i]
        if not _is_try(rows, i, kind, guard):
            continue
        cell.tries += rows.packets[i]
        high, low = rows.src_hi[i], rows.src_lo[i]
        if high == 0 and low >> np.uint64(32) == _V4_PREFIX:
            _sketch(cell.sources, mix2(np.uint64(0), low >> np.uint64(8)))
        else:
            _sketch(cell.sources, mix2(high >> np.uint64(16), np.uint64(1)))
        _sketch(cell.targets, mix2(rows.dst_hi[i], rows.dst_lo[i]))
    return n


@inlined
def _is_try(rows: Any, i: int, kind: int, guard: Guard) -> bool:
    """An initial SYN; or a datagram whose own port is no service (else it is more likely an answer)."""
    if rows.why[i] & WHY_PACKET == 0:
        return False
    if kind == 0:
        return rows.known[i] & KNOWN_FLAGS != 0 and rows.flags[i] & (SYN | ACK) == SYN
    return kind == 1 and guard.udp[rows.sport[i]] == 0
