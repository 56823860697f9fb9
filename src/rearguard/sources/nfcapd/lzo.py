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
"""

from __future__ import annotations

from rearguard.model.compiled import Buffer, kernel
from rearguard.sources.nfcapd.copies import byte_at, copy_run, repeat_run, repeat_short

__all__ = ["unpack_lzo"]

FIRST_LITERALS = 17
FAR = 16_384
NEAR = 2_048
LONG_RUN = 4
"""Stands for a run of four literals or more among the numbers of literals that came before."""
END_LENGTH = 3
"""Of the match without a distance that ends the data; LZO1X writes no other."""


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
        if not repeat_short(packed, i, out, o, distance, length, before) and not (
            repeat_run(out, o, distance, length) and copy_run(packed, i, out, o + length, before)
        ):
            return -1
        i, o = i + before, o + length + before
    return -1
