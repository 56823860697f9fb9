"""LZO1X blocks, unpacked into a buffer of fixed size: nfcapd says nowhere how large a block will be.

Format (Linux, Documentation/staging/lzo.rst). The stream is a sequence of instructions: copy bytes that stand in
the stream (literals), or bytes that were written ``distance`` ago (a match), after which 0 to 3 literals follow.
What an instruction below 16 means depends on what came before it:

    first byte > 17            literals: byte - 17
    0..15, after a match       literals: 3 + byte, 0 means that the length goes on in the following bytes
    0..15, after 1-3 literals  match of 2, distance up to 1,024
    0..15, after a long run    match of 3, distance 2,049 to 3,072
    16..31                     match, distance 16,385 to 49,151; the distance 16,384 is the end
    32..63                     match, distance up to 16,384
    64..255                    match of 3 to 8, distance up to 2,048

Most instructions are short, and lie far from either end of the buffers: :func:`_short_ones` takes those one after
the other with one look at the margins. Which of two kinds a match is, is as good as random, so both are worked out
and one is selected: a branch would be guessed wrong. :func:`unpack_lzo` takes what is left, each part checked.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer, kernel, load, wide
from rearguard.sources.nfcapd.copies import byte_at, copy_run, eight, repeat_run

__all__ = ["unpack_lzo"]

FIRST_LITERALS = 17
FAR = 16_384
NEAR = 2_048
LONG_RUN = 4
"""Stands for a run of four literals or more among the numbers of literals that came before."""
END_LENGTH = 3
"""Of the match without a distance that ends the data; LZO1X writes no other."""

IN_MARGIN, OUT_MARGIN = 32, 64
"""Bytes that one instruction of :func:`_short_ones` may read and write at most, those of whole steps included."""
_LENGTH = np.zeros(256, np.uint64)
_LONG = np.zeros(256, np.uint64)
_BEYOND = np.ones(256, np.uint64)
for _byte in range(16, 256):
    _mask = 7 if _byte < 32 else 31
    _LENGTH[_byte] = (_byte >> 5) + 1 if _byte >= 64 else (_byte & _mask) + 2 if _byte & _mask else 0
    _LONG[_byte] = _mask + 2
    _BEYOND[_byte] = FAR + ((_byte & 8) << 11) if _byte < 32 else 1
"""By the first byte of a match: its length, 0 where that goes on in the next byte, to which ``_LONG`` is added; and
what is added to its distance."""
_0, _1, _2, _3, _4, _7, _8 = (np.uint64(_k) for _k in (0, 1, 2, 3, 4, 7, 8))
_16, _64, _FAR = np.uint64(16), np.uint64(64), np.uint64(FAR)


@load
def _short_ones(packed: Buffer, i: int, out: Buffer, o: int, before: int) -> tuple[int, int, int]:
    """Follow instructions as long as they are short ones; returns where the next one is, where its output goes, and
    how many literals came before it."""
    if i < 0 or o < 0 or i + IN_MARGIN > packed.size or o + OUT_MARGIN > out.size:
        return i, o, before
    a, z, literals = np.uint64(i), np.uint64(o), np.uint64(before)
    last, full = np.uint64(packed.size - IN_MARGIN), np.uint64(out.size - OUT_MARGIN)
    while a <= last and z <= full:
        byte = np.uint64(packed[a])
        if byte < _16:
            if byte == _0 or literals != _0:
                break
            eight(packed, a + _1, out, z)
            eight(packed, a + _1 + _8, out, z + _8)
            eight(packed, a + _1 + _16, out, z + _16)
            a, z, literals = a + byte + _4, z + byte + _3, _4
            continue
        here, length = a + _1, _LENGTH[byte]
        if length == _0:
            more = np.uint64(packed[here])
            here, length = here + _1, _LONG[byte] + more
            if more == _0 or z + length > full:
                break
        low, far = np.uint64(packed[here]), byte < _64
        long_way = (low | np.uint64(packed[here + _1]) << _8) >> _2
        short_way = low << _3 | (byte >> _2) & _7
        distance = (long_way if far else short_way) + _BEYOND[byte]
        if distance < _8 or distance > z or distance == _FAR:
            break
        behind_far, behind_near = here + _2 + (low & _3), here + _1 + (byte & _3)
        a, literals = behind_far if far else behind_near, (low if far else byte) & _3
        eight(out, z - distance, out, z)
        eight(out, z - distance + _8, out, z + _8)
        step, z = z + _16, z + length
        while step < z:
            eight(out, step - distance, out, step)
            step += _8
        eight(packed, a - literals, out, z)
        z += literals
    return wide(a), wide(z), wide(literals)


@kernel
def _length(packed: Buffer, i: int, mask: int) -> tuple[int, int]:
    """A length that goes on in the following bytes, and where it ends; -1 behind the end."""
    length = mask
    byte = byte_at(packed, i)
    while byte == 0:
        length += 255
        i += 1
        byte = byte_at(packed, i)
    return (length + byte, i + 1) if byte > 0 else (-1, i)


@kernel
def unpack_lzo(packed: Buffer, out: Buffer) -> int:
    """Unpack into ``out``; returns how many bytes that were, or -1 for what is damaged or too large."""
    i = o = before = 0
    first = byte_at(packed, 0)
    if first > FIRST_LITERALS:
        count = first - FIRST_LITERALS
        if not copy_run(packed, 1, out, 0, count):
            return -1
        i, o, before = 1 + count, count, min(count, LONG_RUN)
    while i < packed.size:
        i, o, before = _short_ones(packed, i, out, o, before)
        byte = byte_at(packed, i)
        i += 1
        if byte < 16 and before == 0:
            count = byte
            if count == 0:
                count, i = _length(packed, i, 15)
            count += 3
            if count < 3 or not copy_run(packed, i, out, o, count):
                return -1
            i, o, before = i + count, o + count, LONG_RUN
            continue
        if 16 <= byte < 64:
            mask = 31 if byte >= 32 else 7
            length = byte & mask
            if length == 0:
                length, i = _length(packed, i, mask)
            length += 2
            low, high = byte_at(packed, i), byte_at(packed, i + 1)
            i += 2
            if length < 2 or high < 0:
                return -1
            distance = (high << 6) + (low >> 2) + 1
            before = low & 3
            if byte < 32:
                distance += FAR - 1 + ((byte & 8) << 11)
                if distance == FAR:
                    return o if length == END_LENGTH else -1
        else:
            low = byte_at(packed, i)
            i += 1
            if low < 0:
                return -1
            if byte >= 64:
                length = (byte >> 5) + 1
                distance = (low << 3) + ((byte >> 2) & 7) + 1
            else:
                length = 3 if before == LONG_RUN else 2
                distance = (low << 2) + (byte >> 2) + (NEAR + 1 if before == LONG_RUN else 1)
            before = byte & 3
        if not (repeat_run(out, o, distance, length) and copy_run(packed, i, out, o + length, before)):
            return -1
        i, o = i + before, o + length + before
    return -1
