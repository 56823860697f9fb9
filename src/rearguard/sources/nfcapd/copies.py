"""Copies that unpackers of the LZ77 kind are made of: a run of bytes of the input, or of what came out before.

They go in steps of sixteen bytes, each one load and one store of the machine, where there is room for a few bytes
too many behind the run; what comes out next is written over those. Places are signed where they are checked, and
unsigned where bytes are moved, because a signed one could be counted from the end and costs a branch for each byte.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, load

__all__ = ["byte_at", "copy_run", "eight", "repeat_run"]

STEP = 16
_STEP = np.uint64(STEP)
_1, _2, _3, _4 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_5, _6, _7, _8 = np.uint64(5), np.uint64(6), np.uint64(7), np.uint64(8)


@load
def byte_at(packed: Buffer, i: int) -> int:
    """One byte, -1 behind the end."""
    return int(packed[i]) if 0 <= i < packed.size else -1


@load
def copy_run(source: Buffer, i: int, out: Buffer, o: int, count: int) -> bool:
    """Copy bytes of another buffer, or bytes of this one that end a step or more before those that come out; False
    where there are not so many, or no room for them."""
    if i < 0 or o < 0 or count < 0 or i + count > source.size or o + count > out.size:
        return False
    if i + count + STEP > source.size or o + count + STEP > out.size:
        for k in range(count):
            out[o + k] = source[i + k]
        return True
    a, z, end = np.uint64(i), np.uint64(o), np.uint64(o + count)
    eight(source, a, out, z)
    eight(source, a + _8, out, z + _8)
    while z + _STEP < end:
        a, z = a + _STEP, z + _STEP
        eight(source, a, out, z)
        eight(source, a + _8, out, z + _8)
    return True


@load
def repeat_run(out: Buffer, o: int, distance: int, count: int) -> bool:
    """Copy bytes that came out ``distance`` ago, those just copied among them; False where there are none, or no
    room."""
    if distance < 1 or distance > o or count < 0 or o + count > out.size:
        return False
    if distance >= STEP:
        return copy_run(out, o - distance, out, o, count)
    z, end, back = np.uint64(o), np.uint64(o + count), np.uint64(distance)
    if distance >= 8 and o + count + STEP <= out.size:
        while z < end:
            eight(out, z - back, out, z)
            z += _8
        return True
    while z < end:
        out[z] = out[z - back]
        z += _1
    return True


@load
def eight(source: Buffer, a: np.uint64, out: Buffer, z: np.uint64) -> None:
    """Eight bytes that are known to be there, all read before one is written."""
    b0, b1, b2, b3 = source[a], source[a + _1], source[a + _2], source[a + _3]
    b4, b5, b6, b7 = source[a + _4], source[a + _5], source[a + _6], source[a + _7]
    out[z], out[z + _1], out[z + _2], out[z + _3] = b0, b1, b2, b3
    out[z + _4], out[z + _5], out[z + _6], out[z + _7] = b4, b5, b6, b7
