"""Whether an address is ours, and the two bits that say which ends of a record are."""

from __future__ import annotations

import numpy as np

from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined
from rearguard.model.guard import PAGE_ALL, PAGE_NONE, Guard

__all__ = ["DST_OURS", "SRC_OURS", "is_ours"]

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
