"""Which ends of a record are ours: one byte a row, for the other kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined, kernel
from rearguard.model.guard import PAGE_ALL, PAGE_NONE, Guard

__all__ = ["DST_OURS", "SRC_OURS", "is_ours", "place_rows"]

SRC_OURS = 1
DST_OURS = 2

_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFF_FFFF)


@inlined
def is_ours(hi: np.uint64, lo: np.uint64, guard: Guard) -> bool:
    """Whether an address lies in one of our networks."""
    if hi == 0 and lo >> _32 == _V4_PREFIX:
        address = np.uint32(lo & _LOW32)
        page = guard.page[address >> np.uint32(16)]
        if page == PAGE_NONE:
            return False
        if page == PAGE_ALL:
            return True
        left, right = 0, guard.v4_start.size
        while left < right:
            middle = (left + right) >> 1
            if guard.v4_start[middle] <= address:
                left = middle + 1
            else:
                right = middle
        return left > 0 and bool(address <= guard.v4_end[left - 1])
    left, right = 0, guard.v6_start_hi.size
    while left < right:
        middle = (left + right) >> 1
        start = guard.v6_start_hi[middle]
        if start < hi or (start == hi and guard.v6_start_lo[middle] <= lo):
            left = middle + 1
        else:
            right = middle
    if left == 0:
        return False
    end = guard.v6_end_hi[left - 1]
    return bool(hi < end or (hi == end and lo <= guard.v6_end_lo[left - 1]))


@kernel
def place_rows(rows: Any, n: int, guard: Guard, place: npt.NDArray[np.uint8]) -> None:
    """Fill ``place[0:n]`` with the bits SRC_OURS and DST_OURS."""
    for i in range(n):
        bits = 0
        if is_ours(rows.src_hi[i], rows.src_lo[i], guard):
            bits |= SRC_OURS
        if is_ours(rows.dst_hi[i], rows.dst_lo[i], guard):
            bits |= DST_OURS
        place[i] = bits
