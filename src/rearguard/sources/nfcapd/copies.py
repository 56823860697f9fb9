"""Copies that unpackers of the LZ77 kind are made of: a run of bytes of the input, or of what came out before.

They go in steps of sixteen bytes, each one load and one store of the machine, where there is room for a few bytes
too many behind the run; what comes out next is written over those. Places are signed where they are checked, and
unsigned where bytes are moved, because a signed one could be counted from the end and costs a branch for each byte.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, load

__all__ = ["byte_at", "copy_run", "repeat_run", "repeat_short"]

STEP = 16
SHORT = 32
_STEP = np.uint64(STEP)
_1, _2, _3, _4 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_5, _6, _7, _8 = np.uint64(5), np.uint64(6), np.uint64(7), np.uint64(8)
_16, _24 = np.uint64(16), np.uint64(24)


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
    _eight(source, a, out, z)
    _eight(source, a + _8, out, z + _8)
    while z + _STEP < end:
        a, z = a + _STEP, z + _STEP
        _eight(source, a, out, z)
        _eight(source, a + _8, out, z + _8)
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
            _eight(out, z - back, out, z)
            z += _8
        return True
    while z < end:
        out[z] = out[z - back]
        z += _1
    return True


@load
def repeat_short(packed: Buffer, i: int, out: Buffer, o: int, distance: int, length: int, count: int) -> bool:
    """Copy what most instructions ask for: up to SHORT bytes of what came out eight or more ago, and up to eight of
    the input behind it. False, and nothing is copied, where it is not that or there is no room for whole steps."""
    if (
        i < 0
        or i + 8 > packed.size
        or o < distance
        or o + SHORT + 8 > out.size
        or distance < 8
        or not 0 <= length <= SHORT
        or not 0 <= count <= 8
    ):
        return False
    a, z = np.uint64(o - distance), np.uint64(o)
    _eight(out, a, out, z)
    _eight(out, a + _8, out, z + _8)
    if length > 16:
        _eight(out, a + _16, out, z + _16)
        _eight(out, a + _24, out, z + _24)
    _eight(packed, np.uint64(i), out, np.uint64(o + length))
    return True


@load
def _eight(source: Buffer, a: np.uint64, out: Buffer, z: np.uint64) -> None:
    """Eight bytes that are known to be there, all read before one is written."""
    b0, b1, b2, b3 = source[a], source[a + _1], source[a + _2], source[a + _3]
    b4, b5, b6, b7 = source[a + _4], source[a + _5], source[a + _6], source[a + _7]
    out[z], out[z + _1], out[z + _2], out[z + _3] = b0, b1, b2, b3
    out[z + _4], out[z + _5], out[z + _6], out[z + _7] = b4, b5, b6, b7
