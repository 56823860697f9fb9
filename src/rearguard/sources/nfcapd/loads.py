"""Reading numbers in the byte order of the machine that wrote a file.

``swapped`` is None for little-endian files and 1 for big-endian ones: two types, so that kernels are compiled
once for each order and ask nothing at run time.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, load

__all__ = ["Order", "n16", "n32", "n64"]

Order = int | None


@load
def n16(b: Buffer, at: int, swapped: Order) -> int:
    """Two bytes."""
    if at < 0 or at + 2 > b.size:
        raise IndexError("load outside the buffer")
    if swapped is None:
        return int(np.int64(b[at + 1]) << 8 | np.int64(b[at]))
    return int(np.int64(b[at]) << 8 | np.int64(b[at + 1]))


@load
def n32(b: Buffer, at: int, swapped: Order) -> int:
    """Four bytes."""
    if at < 0 or at + 4 > b.size:
        raise IndexError("load outside the buffer")
    if swapped is None:
        return int(
            np.int64(b[at + 3]) << 24 | np.int64(b[at + 2]) << 16 | np.int64(b[at + 1]) << 8 | np.int64(b[at])
        )
    return int(
        np.int64(b[at]) << 24 | np.int64(b[at + 1]) << 16 | np.int64(b[at + 2]) << 8 | np.int64(b[at + 3])
    )


@load
def n64(b: Buffer, at: int, swapped: Order) -> np.uint64:
    """Eight bytes, unsigned."""
    first, second = n32(b, at, swapped), n32(b, at + 4, swapped)
    if swapped is None:
        return np.uint64(second) << np.uint64(32) | np.uint64(first)
    return np.uint64(first) << np.uint64(32) | np.uint64(second)
