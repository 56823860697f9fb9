"""Hosts: which of our own addresses were seen sending, first and last, so that dark ones are known (rule B6).

The same kind of cache as that of the contacts, smaller: four ways, and what is evicted is emitted. IPv6
addresses count by their /64, since there is no dark weighting there (rule A8).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined, kernel
from rearguard.model.fields import HOST, dtype

__all__ = ["Hosts", "held", "new_hosts", "note_hosts"]

WAYS = 4
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_SLASH64 = np.uint64(0)
_USED = np.uint64(1)


class Hosts(NamedTuple):
    """``tag`` uint64[sets, 4]: the hash of the way's key, 0 when it is empty; ``row`` HOST[sets * 4]."""

    tag: npt.NDArray[np.uint64]
    row: npt.NDArray[Any]


def new_hosts(rows: int) -> Hosts:
    """An empty cache of ``rows`` hosts (a power of two, 4 or more)."""
    if rows < WAYS or rows & (rows - 1):
        raise ValueError("a cache of hosts has a power of two of rows, 4 or more")
    return Hosts(np.zeros((rows // WAYS, WAYS), dtype=np.uint64), np.zeros(rows, dtype=dtype(HOST)))


def held(hosts: Hosts) -> npt.NDArray[Any]:
    """What the cache still holds; it is empty then."""
    rows: npt.NDArray[Any] = hosts.row[hosts.tag.reshape(-1) != 0]
    hosts.tag[:] = 0
    return rows


@kernel
def note_hosts(
    rows: Any,
    picked: npt.NDArray[np.int32],
    start: int,
    lanes: npt.NDArray[np.uint32],
    lane_observer: npt.NDArray[np.uint32],
    cache: Hosts,
    out: npt.NDArray[Any],
    count: npt.NDArray[np.int64],
) -> int:
    """Note the senders of the rows ``picked[start:]`` (what ours sent); returns how many of ``picked`` are done:
    all, or fewer when ``out`` is full."""
    last_set = np.uint64(cache.tag.shape[0] - 1)
    for j in range(start, picked.size):
        i = picked[j]
        high, low = rows[i].src_hi, rows[i].src_lo
        if high != 0 or low >> np.uint64(32) != _V4_PREFIX:
            low = _SLASH64
        observer = lane_observer[lanes[i]]
        h = mix5(high, low, np.uint64(observer), np.uint64(0), np.uint64(0)) | _USED
        group = int(h >> np.uint64(1) & last_set)
        # Which way it is changes from row to row: a select costs less than a branch that is guessed wrong.
        way = -1
        for k in range(WAYS):
            way = k if cache.tag[group, k] == h else way
        slot = group * WAYS + way
        ts = rows[i].ts
        if way < 0 or not _is(cache.row[slot], high, low, observer):
            slot = _oldest(cache, group)
            if cache.tag[group, slot - group * WAYS] != 0:
                if count[0] == out.size:
                    return j
                out[count[0]] = cache.row[slot]
                count[0] += 1
            cache.tag[group, slot - group * WAYS] = h
            row = cache.row[slot]
            row.addr_hi, row.addr_lo, row.observer = high, low, observer
            row.first = row.last = ts
            row.packets = 0
        row = cache.row[slot]
        row.first = min(row.first, ts)
        row.last = max(row.last, rows[i].end)
        row.packets += rows[i].packets
    return picked.size


@inlined
def _is(row: Any, high: np.uint64, low: np.uint64, observer: np.uint32) -> bool:
    return bool(row.addr_lo == low and row.addr_hi == high and row.observer == observer)


@inlined
def _oldest(cache: Hosts, group: int) -> int:
    """The slot of an empty way, else of the one that was seen last the longest ago."""
    oldest = group * WAYS
    for k in range(WAYS):
        if cache.tag[group, k] == 0:
            return group * WAYS + k
        if cache.row[group * WAYS + k].last < cache.row[oldest].last:
            oldest = group * WAYS + k
    return oldest
