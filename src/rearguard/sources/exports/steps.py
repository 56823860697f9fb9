"""Run a plan over the records of a set, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer, be16, be32, be64, inlined, kernel, u8, wide
from rearguard.sources.exports.plan import JUMP
from rearguard.sources.exports.tables import LEAST, STEP, STEPS, TAIL

__all__ = ["count_records", "number", "read_record"]


@inlined
def number(b: Buffer, at: int, size: int) -> np.uint64:
    """A number of 1 to 8 bytes, most significant first."""
    if size == 4:
        return np.uint64(be32(b, at))
    if size == 2:
        return np.uint64(be16(b, at))
    if size == 1:
        return np.uint64(u8(b, at))
    if size == 8:
        return be64(b, at)
    value = np.uint64(0)
    for place in range(size):
        value = value << np.uint64(8) | np.uint64(u8(b, at + place))
    return value


@inlined
def read_record(b: Buffer, at: int, end: int, st: Any, plan: int) -> int:
    """Fill the scratch from the record at ``at``. Returns where it ends, or -1 when that is behind ``end``."""
    base = at
    first = wide(st.plans[plan, STEP])
    for k in range(first, first + wide(st.plans[plan, STEPS])):
        place = base + wide(st.steps[k, 0])
        size = wide(st.steps[k, 1])
        target = wide(st.steps[k, 2])
        if place + size > end:
            return -1
        if target == JUMP:
            base = _jump(b, place, end)
            if base < 0:
                return -1
        elif size == 16:
            st.scratch[target] = be64(b, place)
            st.scratch[target + 1] = be64(b, place + 8)
        else:
            st.scratch[target] = number(b, place, size)
    base += wide(st.plans[plan, TAIL])
    return base if base <= end else -1


@inlined
def _jump(b: Buffer, at: int, end: int) -> int:
    """Where the field of variable length at ``at`` ends (RFC 7011 section 7); -1 when behind ``end``."""
    if at + 1 > end:
        return -1
    size = u8(b, at)
    at += 1
    if size == 255:
        if at + 2 > end:
            return -1
        size = be16(b, at)
        at += 2
    return at + size if at + size <= end else -1


@kernel
def count_records(b: Buffer, at: int, end: int, st: Any, plan: int) -> int:
    """How many records a set has; -1 when one of them is not whole."""
    least = wide(st.plans[plan, LEAST])
    first, steps = wide(st.plans[plan, STEP]), wide(st.plans[plan, STEPS])
    variable = False
    for k in range(first, first + steps):
        variable = variable or st.steps[k, 2] == JUMP
    if not variable:
        return (end - at) // least
    count = 0
    while at + least <= end:
        at = read_record(b, at, end, st, plan)
        if at < 0:
            return -1
        count += 1
    return count
