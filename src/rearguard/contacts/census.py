"""The census: tries per minute, port, protocol and direction, over all ports, with sketches of who and whom.

Only initiations are counted (rule B13 rests on nothing else): replies go to as many ephemeral ports as there are,
and their cells, four of five and thrown away in the end, cost more than all that was kept
(docs/decisions/010-the-census-counts-tries.md).

A cell lives in a pool. Ports that follow each other are found together: a directory of open addressing leads
from (lane, direction, protocol, port / 16, minute) to a block of sixteen entries, one cache line. The cells of a
pool are of one minute, or of an hour where records come as flows end, in no order of their begins: outside of it,
or when the pool is full, they are handed out as partials and the pool starts anew. Unsorted input therefore costs
time and changes nothing.

Packets to random ports touch a hundred thousand cells in no order, 23 MB of them, and each would be fetched from
memory. So tries wait, a word each, in one of 256 bins by the upper half of their port; a full bin is counted at
once, and its cells fit into a core's second-level cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import finish
from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.contacts.tries import (
    KEY,
    bytes_in,
    fits,
    key_in,
    key_of,
    packed,
    packets_in,
    registers_in,
    registers_of,
    tries_in,
    tries_of,
)
from rearguard.model.bits import INBOUND, INTERNAL, OUTBOUND, TRANSIT
from rearguard.model.compiled import inlined, kernel
from rearguard.model.fields import CENSUS, dtype

__all__ = ["Pool", "clear", "count_waiting", "new_pool", "note_tries"]

NS_PER_MINUTE = 60_000_000_000
BINS = 256
BLOCK_BITS = 4
BLOCK = 1 << BLOCK_BITS
CELLS, MINUTE, BLOCKS, BEGUN = 0, 1, 2, 3


class Pool(NamedTuple):
    """``now`` is (cells used, first minute, blocks used, whether the minute holds).

    ``word`` and ``block`` are the directory, a power of two: the key without the port's last four bits, and its
    block + 1. ``entry`` holds sixteen times cell + 1 a block. Of each block ``listed`` has its place in the
    directory, of each cell ``at`` has its entry: so what was used can be cleared alone. ``waiting`` uint64[bins,
    tries, 2] are tries not counted yet (word and value), ``filled`` how many a bin has.
    """

    word: npt.NDArray[np.uint64]
    block: npt.NDArray[np.int32]
    listed: npt.NDArray[np.int32]
    entry: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    cells: npt.NDArray[Any]
    waiting: npt.NDArray[np.uint64]
    filled: npt.NDArray[np.int64]
    now: npt.NDArray[np.int64]


def new_pool(cells: int) -> Pool:
    """An empty pool of at most ``cells`` cells; eight times as many tries wait at most."""
    directory = 1 << cells.bit_length()
    return Pool(
        np.zeros(directory, dtype=np.uint64),
        np.zeros(directory, dtype=np.int32),
        np.zeros(cells, dtype=np.int32),
        np.zeros(cells * BLOCK, dtype=np.int32),
        np.zeros(cells, dtype=np.int32),
        np.zeros(cells, dtype=dtype(CENSUS)),
        np.zeros((BINS, max(1, 8 * cells // BINS)), dtype=np.uint64),
        np.zeros(BINS, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
    )


@kernel
def clear(pool: Pool) -> None:
    """Forget all cells (they have been handed out)."""
    for k in range(pool.now[CELLS]):
        pool.entry[pool.at[k]] = 0
    for k in range(pool.now[BLOCKS]):
        pool.block[pool.listed[k]] = 0
    pool.now[CELLS] = pool.now[BLOCKS] = pool.now[BEGUN] = 0


_DIRECTION = np.zeros(4, dtype=np.uint64)
_DIRECTION[0], _DIRECTION[SRC_OURS], _DIRECTION[DST_OURS] = TRANSIT, OUTBOUND, INBOUND
_DIRECTION[SRC_OURS | DST_OURS] = INTERNAL
"""By place: which ends are ours changes from packet to packet, and a branch on it would be guessed wrong."""


@kernel
def note_tries(
    rows: Any,
    picked: npt.NDArray[np.int32],
    start: int,
    place: npt.NDArray[np.uint8],
    lanes: npt.NDArray[np.uint32],
    pool: Pool,
    span: int,
) -> int:
    """Take the tries of the rows ``picked[start:]``; returns the index of the first row that finds no room.

    That is the length of ``picked``, or the index of a row outside of the pool's minutes (``span`` of them, at most
    64), or of one for which the pool is full: then all must be counted and handed out. A cell's ``observer`` holds
    the lane until the caller resolves it; lanes are below 2^26.
    """
    begin = pool.now[MINUTE] * NS_PER_MINUTE
    for j in range(start, picked.size):
        i = picked[j]
        tries = tries_of(rows, i)
        if tries == 0:  # a flow of no packets
            continue
        if pool.now[BEGUN] == 0 or rows[i].ts < begin or rows[i].ts - begin >= span * NS_PER_MINUTE:
            if pool.now[BEGUN] != 0:
                return j
            pool.now[MINUTE] = rows[i].ts // NS_PER_MINUTE - span // 2
            pool.now[BEGUN] = 1
            begin = pool.now[MINUTE] * NS_PER_MINUTE
        minute = np.uint64((rows[i].ts - begin) // NS_PER_MINUTE)
        key = key_of(rows[i].dport, rows[i].proto, _DIRECTION[place[i]], lanes[i], minute)
        registers = registers_of(rows, i)
        packets, size = rows[i].packets, rows[i].bytes
        if not fits(lanes[i], packets, size):
            k = _cell(pool, key)
            if k < 0:
                return j
            _count(pool.cells[k], registers, tries, packets, size)
            continue
        b = int(rows[i].dport >> 8)
        if pool.filled[b] == pool.waiting.shape[1] and not _count_bin(pool, b):
            return j
        at = pool.filled[b]
        pool.waiting[b, at] = packed(key, tries, packets, size, registers)
        pool.filled[b] = at + 1
    return picked.size


@kernel
def count_waiting(pool: Pool) -> bool:
    """Count the tries that wait; False when the pool was full before all were."""
    for b in range(BINS):  # noqa: SIM110  # a kernel has no generators
        if not _count_bin(pool, b):
            return False
    return True


@kernel
def _count_bin(pool: Pool, b: int) -> bool:
    """Count the tries of one bin, the last one first; False when the pool was full before all were."""
    k, known = -1, np.uint64(0)
    while pool.filled[b] > 0:
        at = pool.filled[b] - 1
        word = pool.waiting[b, at]
        if k < 0 or (word ^ known) & KEY != 0:
            k, known = _cell(pool, key_in(word, b)), word
            if k < 0:
                return False
        _count(pool.cells[k], registers_in(word), tries_in(word), packets_in(word), bytes_in(word))
        pool.filled[b] = at
    return True


@inlined
def _cell(pool: Pool, key: np.uint64) -> int:
    """The number of the key's cell, a new one if need be; -1 when the pool is full."""
    block = _block(pool, key >> np.uint64(BLOCK_BITS))
    if block < 0:
        return -1
    at = block * BLOCK + int(key & np.uint64(BLOCK - 1))
    if pool.entry[at] == 0:
        k = pool.now[CELLS]
        if k == pool.cells.size:
            return -1
        pool.now[CELLS] += 1
        pool.entry[at] = k + 1
        pool.at[k] = at
        cell = pool.cells[k]
        cell.minute = pool.now[MINUTE] + np.int64(key >> np.uint64(58))
        cell.port, cell.proto = key & np.uint64(0xFFFF), key >> np.uint64(16) & np.uint64(0xFF)
        cell.direction = key >> np.uint64(24) & np.uint64(0xFF)
        cell.observer = key >> np.uint64(32) & np.uint64((1 << 26) - 1)
        cell.packets = cell.bytes = cell.tries = 0
        cell.sources[:] = 0
        cell.targets[:] = 0
    return int(pool.entry[at]) - 1


@inlined
def _block(pool: Pool, word: np.uint64) -> int:
    """The block of a key, a new one if need be; -1 when there is none and the pool is full."""
    last = np.uint64(pool.word.size - 1)
    at = finish(word) & last
    while pool.block[at] != 0 and pool.word[at] != word:
        at = (at + np.uint64(1)) & last
    if pool.block[at] == 0:
        b = pool.now[BLOCKS]
        if pool.now[CELLS] == pool.cells.size:
            return -1
        pool.now[BLOCKS] += 1
        pool.word[at] = word
        pool.block[at] = b + 1
        pool.listed[b] = at
    return int(pool.block[at]) - 1


@inlined
def _count(cell: Any, registers: np.uint64, tries: np.uint64, packets: np.uint64, size: np.uint64) -> None:
    """Add one record to its cell."""
    cell.packets += packets
    cell.bytes += size
    cell.tries += tries
    number, low = np.uint64(63), np.uint64(6)
    source = registers & number
    cell.sources[source] = max(cell.sources[source], np.uint8(registers >> low & number))
    target = registers >> np.uint64(12) & number
    cell.targets[target] = max(cell.targets[target], np.uint8(registers >> np.uint64(18) & number))
