"""Hosts: which of our own addresses were seen sending, first and last, so that dark ones are known (rule B6).

The same kind of cache as that of the contacts, smaller: four ways, and what is evicted is emitted. IPv6
addresses count by their /64, since there is no dark weighting there (rule A8).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.contacts.place import SRC_OURS
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import WHY_QUOTED
from rearguard.model.compiled import kernel
from rearguard.model.fields import HOST, dtype

__all__ = ["new_hosts", "note_hosts"]

WAYS = 4
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_SLASH64 = np.uint64(0)


def new_hosts(rows: int) -> npt.NDArray[Any]:
    """An empty cache of (sets, 4) host rows; ``packets`` 0 means empty."""
    return np.zeros((rows // WAYS, WAYS), dtype=dtype(HOST))


@kernel
def note_hosts(
    rows: Any,
    start: int,
    n: int,
    place: npt.NDArray[np.uint8],
    lanes: npt.NDArray[np.uint32],
    lane_observer: npt.NDArray[np.uint32],
    cache: npt.NDArray[Any],
    out: npt.NDArray[Any],
    count: npt.NDArray[np.int64],
) -> int:
    """Note the senders of rows ``start``..``n-1``; returns the first row not taken (``out`` is full) or n."""
    for i in range(start, n):
        if place[i] & SRC_OURS == 0 or rows.why[i] & WHY_QUOTED:
            continue
        high, low = rows.src_hi[i], rows.src_lo[i]
        if high != 0 or low >> np.uint64(32) != _V4_PREFIX:
            low = _SLASH64
        observer = lane_observer[lanes[i]]
        h = mix5(high, low, np.uint64(observer), np.uint64(0), np.uint64(0))
        group = np.int64(h & np.uint64(cache.shape[0] - 1))
        ts = rows.ts[i]
        way, oldest = -1, 0
        for k in range(WAYS):
            row = cache[group, k]
            if row.packets > 0 and row.addr_lo == low and row.addr_hi == high and row.observer == observer:
                way = k
                break
            if row.packets == 0 or row.last < cache[group, oldest].last:
                oldest = k
        if way < 0:
            way = oldest
            if cache[group, way].packets > 0:
                if count[0] == out.size:
                    return i
                out[count[0]] = cache[group, way]
                count[0] += 1
            row = cache[group, way]
            row.addr_hi, row.addr_lo, row.observer = high, low, observer
            row.first = row.last = ts
            row.packets = 0
        row = cache[group, way]
        row.first = min(row.first, ts)
        row.last = max(row.last, rows.end[i])
        row.packets += rows.packets[i]
    return n
