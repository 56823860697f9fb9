"""Reading numbers in the byte order of the machine that wrote a file.

``swapped`` is None for little-endian files and 1 for big-endian ones: two types, so that kernels are compiled
once for each order and ask nothing at run time.

``n16``, ``n32`` and ``n64`` refuse what lies outside the buffer. ``r16``, ``r32`` and ``r64`` do not look: they are
for records of which all fields were found to be inside at once. Their place is unsigned, so that it cannot be
counted from the end.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, load

__all__ = ["Order", "n16", "n32", "n64", "r16", "r32", "r64"]

Order = int | None

_1, _2, _4 = np.uint64(1), np.uint64(2), np.uint64(4)
_32 = np.uint64(32)


@load
def n16(b: Buffer, at: int, swapped: Order) -> int:
    """Two bytes."""
    if at < 0 or at + 2 > b.size:
        raise IndexError("load outside the buffer")
    return r16(b, np.uint64(at), swapped)


@load
def n32(b: Buffer, at: int, swapped: Order) -> int:
    """Four bytes."""
    if at < 0 or at + 4 > b.size:
        raise IndexError("load outside the buffer")
    return r32(b, np.uint64(at), swapped)


@load
def n64(b: Buffer, at: int, swapped: Order) -> np.uint64:
    """Eight bytes, unsigned."""
    if at < 0 or at + 8 > b.size:
        raise IndexError("load outside the buffer")
    return r64(b, np.uint64(at), swapped)


@load
def r16(b: Buffer, at: np.uint64, swapped: Order) -> int:
    """Two bytes that are known to be there."""
    if swapped is None:
        return int(np.int64(b[at + _1]) << 8 | np.int64(b[at]))
    return int(np.int64(b[at]) << 8 | np.int64(b[at + _1]))


@load
def r32(b: Buffer, at: np.uint64, swapped: Order) -> int:
    """Four bytes that are known to be there."""
    first, second = r16(b, at, swapped), r16(b, at + _2, swapped)
    if swapped is None:
        return second << 16 | first
    return first << 16 | second


@load
def r64(b: Buffer, at: np.uint64, swapped: Order) -> np.uint64:
    """Eight bytes that are known to be there, unsigned."""
    first, second = np.uint64(r32(b, at, swapped)), np.uint64(r32(b, at + _4, swapped))
    if swapped is None:
        return second << _32 | first
    return first << _32 | second
