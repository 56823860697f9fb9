"""LZ4 blocks, unpacked into a buffer that is used again: a new one for each block costs a quarter more.

Format (lz4_Block_format.md of LZ4). A block is a series of sequences:

    token                   upper four bits: number of literals; lower four bits: length of the match less 4
    more, if literals are 15     bytes that are added to it, up to the first one that is not 255
    literals
    distance                two bytes, little-endian; how long ago the match came out
    more, if the match is 15     as above

The last sequence ends behind its literals. Most sequences are short, and lie far from either end of the buffers:
:func:`_short_ones` takes those one after the other with one look at the margins; :func:`unpack_lz4` takes what is
left, each part of it checked.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, kernel, load, wide
from rearguard.sources.nfcapd.copies import byte_at, copy_run, eight, repeat_run

__all__ = ["unpack_lz4"]

LEAST_MATCH = 4
GOES_ON = 15
"""A length that the following bytes add to."""

IN_MARGIN, OUT_MARGIN = 32, 64
"""Bytes that one sequence of :func:`_short_ones` may read and write at most, those of whole steps included."""
_1, _2, _4, _8, _16 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8), np.uint64(16)
_15, _255 = np.uint64(GOES_ON), np.uint64(255)


@load
def _short_ones(packed: Buffer, i: int, out: Buffer, o: int) -> tuple[int, int]:
    """Follow sequences as long as they are short ones; returns where the next one is and where its output goes."""
    if i < 0 or o < 0 or i + IN_MARGIN > packed.size or o + OUT_MARGIN > out.size:
        return i, o
    a, z = np.uint64(i), np.uint64(o)
    last, full = np.uint64(packed.size - IN_MARGIN), np.uint64(out.size - OUT_MARGIN)
    while a <= last and z <= full:
        token = np.uint64(packed[a])
        literals, length = token >> _4, token & _15
        if literals == _15:
            break
        eight(packed, a + _1, out, z)
        eight(packed, a + _1 + _8, out, z + _8)
        here, match = a + _1 + literals, z + literals
        distance = np.uint64(packed[here]) | np.uint64(packed[here + _1]) << _8
        here += _2
        if length == _15:
            more = np.uint64(packed[here])
            here, length = here + _1, length + more
            if more == _255 or match + length > full:
                break
        if distance < _8 or distance > match:
            break
        eight(out, match - distance, out, match)
        eight(out, match - distance + _8, out, match + _8)
        a, z = here, match + length + _4
        step = match + _16
        while step < z:
            eight(out, step - distance, out, step)
            step += _8
    return wide(a), wide(z)


@kernel
def _length(packed: Buffer, i: int, length: int) -> tuple[int, int]:
    """A length to which the bytes from ``i`` on are added, and where they end; -1 behind the end."""
    byte = 255
    while byte == 255:
        byte = byte_at(packed, i)
        if byte < 0:
            return -1, i
        length += byte
        i += 1
    return length, i


@kernel
def unpack_lz4(packed: Buffer, out: Buffer) -> int:
    """Unpack into ``out``; returns how many bytes that were, or -1 for what is damaged or too large."""
    i = o = 0
    while True:
        i, o = _short_ones(packed, i, out, o)
        token = byte_at(packed, i)
        i += 1
        literals, length = token >> 4, token & 15
        if literals == GOES_ON:
            literals, i = _length(packed, i, literals)
        if token < 0 or literals < 0 or not copy_run(packed, i, out, o, literals):
            return -1
        i, o = i + literals, o + literals
        if i == packed.size:
            return o
        low, high = byte_at(packed, i), byte_at(packed, i + 1)
        i += 2
        if length == GOES_ON:
            length, i = _length(packed, i, length)
        if high < 0 or length < 0 or not repeat_run(out, o, high << 8 | low, length + LEAST_MATCH):
            return -1
        o += length + LEAST_MATCH
