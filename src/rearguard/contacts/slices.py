"""The order of contacts, and pieces of it: one client may have more contacts than should be in memory at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.lone import hash_clients
from rearguard.contacts.mix import mix2
from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined, kernel

__all__ = ["order_of", "slices"]

Rows = npt.NDArray[Any]

KEY = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_LOW = np.uint64(0xFFFF_FFFF)
MOST = 32_768
"""Rows of a piece, but for those of one key; twice as many are not worth the sorting."""


def order_of(rows: Rows) -> npt.NDArray[np.int64]:
    """By partition, then by key: the same order whichever partitions came together and whoever was first.

    Sorted by as much of that as goes into one integer, then rows of which that much is equal are told apart.
    """
    prefixes = np.empty(len(rows), dtype=np.uint64)
    rests = np.empty(len(rows), dtype=np.uint64)
    _prefixes(rows, prefixes, rests)
    order = np.argsort(prefixes)
    _part_equals(rows, prefixes, rests, order)
    return order


@kernel
def _prefixes(rows: Any, prefixes: npt.NDArray[np.uint64], rests: npt.NDArray[np.uint64]) -> None:
    """The partition in 8 bits, then what of the client, and of the server where there is room, orders most. In
    ``rests`` is what is left of the key, where that is the port, the protocol and an IPv4 server; else 0."""
    for i in range(rows.size):
        row = rows[i]
        kind = _kind(row.client_hi, row.client_lo)
        rest = row.client_hi >> np.uint64(10)
        rests[i] = 0
        if kind == 1:
            other = _kind(row.server_hi, row.server_lo)
            top = (row.server_lo & _LOW) >> np.uint64(12) if other == 1 else row.server_hi >> np.uint64(44)
            rest = (row.client_lo & _LOW) << np.uint64(22) | np.uint64(other) << np.uint64(20) | top
            if other == 1:
                place = np.uint64(row.port) << np.uint64(8) | np.uint64(row.proto)
                rests[i] = row.server_lo << np.uint64(32) | place
        partition = mix2(row.client_hi, row.client_lo) >> np.uint64(56)
        prefixes[i] = partition << np.uint64(56) | np.uint64(kind) << np.uint64(54) | rest


@inlined
def _kind(hi: np.uint64, lo: np.uint64) -> int:
    """1 is IPv4; 0 is below and 2 above its addresses."""
    if hi != 0:
        return 2
    above = lo >> np.uint64(32)
    return 1 if above == _V4_PREFIX else (0 if above < _V4_PREFIX else 2)


@kernel
def _part_equals(
    rows: Any, prefixes: npt.NDArray[np.uint64], rests: npt.NDArray[np.uint64], order: npt.NDArray[np.int64]
) -> None:
    """Sort each run of equal prefixes by the whole key: a heap sort, for a run may be as long as all."""
    start = 0
    while start < order.size:
        stop = start + 1
        while stop < order.size and prefixes[order[stop]] == prefixes[order[start]]:
            stop += 1
        for root in range((stop - start) // 2 - 1, -1, -1):
            _sift(rows, rests, order, start, root, stop - start)
        for left in range(stop - start - 1, 0, -1):
            order[start], order[start + left] = order[start + left], order[start]
            _sift(rows, rests, order, start, 0, left)
        start = stop


@inlined
def _sift(
    rows: Any,
    rests: npt.NDArray[np.uint64],
    order: npt.NDArray[np.int64],
    start: int,
    root: int,
    size: int,
) -> None:
    """Let the root sink to where none below it is larger."""
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and _before_row(rows, rests, order[start + child], order[start + child + 1]):
            child += 1
        if not _before_row(rows, rests, order[start + root], order[start + child]):
            return
        order[start + root], order[start + child] = order[start + child], order[start + root]
        root = child


@inlined
def _before_row(rows: Any, rests: npt.NDArray[np.uint64], left: int, right: int) -> bool:
    """Whether one row comes before another with the same prefix; of equals the one that stands first."""
    if rests[left] != 0:  # so has the other one: the same prefix says that both are IPv4
        return bool(rests[left] < rests[right] or (rests[left] == rests[right] and left < right))
    a, b = rows[left], rows[right]
    if a.client_hi != b.client_hi:
        return bool(a.client_hi < b.client_hi)
    if a.client_lo != b.client_lo:
        return bool(a.client_lo < b.client_lo)
    if a.server_hi != b.server_hi:
        return bool(a.server_hi < b.server_hi)
    if a.server_lo != b.server_lo:
        return bool(a.server_lo < b.server_lo)
    if a.port != b.port:
        return bool(a.port < b.port)
    if a.proto != b.proto:
        return bool(a.proto < b.proto)
    return left < right


def slices(singles: Rows, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Both arrays in pieces that follow each other in the order of contacts; no key is in two of them."""
    if len(singles) + len(rows) <= 2 * MOST:
        yield singles, rows
        return
    singles, rows = (each.take(order_of(each)) for each in (singles, rows))
    larger = max(singles, rows, key=len)
    single = row = 0
    for place in range(MOST, len(larger), MOST):
        cut = _key(larger, place)
        single_end, row_end = _before(singles, cut), _before(rows, cut)
        yield singles[single:single_end], rows[row:row_end]
        single, row = single_end, row_end
    yield singles[single:], rows[row:]


def _before(rows: Rows, cut: tuple[int, ...]) -> int:
    """How many of the sorted rows come before a key."""
    return bisect_left(range(len(rows)), cut, key=lambda at: _key(rows, at))


def _key(rows: Rows, at: int) -> tuple[int, ...]:
    """What the order goes by."""
    one = rows[at : at + 1]
    partition = np.empty(1, dtype=np.uint64)
    hash_clients(one, partition)
    return int(partition[0]) >> 56, *(int(one[name][0]) for name in KEY)
