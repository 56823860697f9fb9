"""The order of contacts, and pieces of it: one client may have more contacts than should be in memory at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.lone import hash_clients

__all__ = ["order_of", "slices"]

Rows = npt.NDArray[Any]

KEY = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")
MOST = 32_768
"""Rows of a piece, but for those of one key; twice as many are not worth the sorting."""


def order_of(rows: Rows) -> npt.NDArray[np.int64]:
    """By partition, then by key: the same order whichever partitions came together and whoever was first."""
    hashes = np.empty(len(rows), dtype=np.uint64)
    hash_clients(rows, hashes)
    return np.lexsort((*(rows[name] for name in reversed(KEY)), hashes >> np.uint64(56)))


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
