"""Where the fields of a record of layout 2 lie, remembered by its shape: the types and sizes of its elements.

A router's flows come in a handful of shapes, so a record is rarely walked element by element: what it has where
another one of its size has them is compared, and the places of its fields are known. A shape is a row of a table
of fixed size, found by the size of the record and the number of its elements; a record of another shape than the
row's is walked and takes the row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import Buffer, inlined, kernel, load
from rearguard.sources.nfcapd.loads import Order, n16, n32, r32

__all__ = [
    "COLUMNS", "COUNTS", "EVENT", "FLAGS_BACK", "GENERIC", "HEARD_V4", "HEARD_V6", "IPV4", "IPV6", "MISC",
    "NAT_EVENT", "OPENER", "PLAIN", "SAMPLED", "SIZE", "Shapes", "new_shapes", "shape_of",
]  # fmt: skip

Shapes = npt.NDArray[np.int64]

SLOTS = 64
ELEMENTS = 16
"""Elements of a shape that is remembered; nfcapd writes about six."""
TOO_MANY = -1

# Columns of a shape: the record's size, how many elements it has, and where fields lie behind its beginning, 0 for
# what it has not.
SIZE, NUMBER = 0, 1
GENERIC, IPV4, IPV6, MISC, OPENER, FLAGS_BACK, COUNTS = 2, 3, 4, 5, 6, 7, 8
HEARD_V4, HEARD_V6, SAMPLED, EVENT, NAT_EVENT = 9, 10, 11, 12, 13
PLAIN = 14
"""1: it has times and counters, addresses and interfaces, and no field that few flows have."""
HEADS = 15
"""Then each element: where it begins, and its type and size."""
COLUMNS = HEADS + 2 * ELEMENTS

FLOW_HEADER = 12
ELEMENT_HEADER = 4

# Elements (nfxV3.h): type and least size, with the header.
E_GENERIC, GENERIC_SIZE = 1, 52
E_IPV4, IPV4_SIZE = 2, 12
E_IPV6, IPV6_SIZE = 3, 36
E_MISC, MISC_SIZE = 4, 16
MISC_OPENER, MISC_FLAGS_BACK = 17, 19  # sizes from which these fields are there
E_COUNTS, COUNTS_SIZE = 5, 28
E_HEARD_V4, HEARD_V4_SIZE = 12, 8
E_HEARD_V6, HEARD_V6_SIZE = 13, 20
E_SAMPLED, SAMPLED_SIZE = 18, 12
E_NSEL, NSEL_SIZE = 19, 20
E_NAT, NAT_SIZE, NAT_SIZE_OLD = 25, 20, 28


def new_shapes() -> Shapes:
    """No shape is known."""
    return np.zeros((SLOTS, COLUMNS), np.int64)


@inlined
def shape_of(b: Buffer, pos: int, size: int, swapped: Order, shapes: Shapes) -> int:
    """The row that tells where the fields of the record at ``pos``, which ends inside the buffer, lie; -1 for one
    whose elements do not fit into it."""
    if size < FLOW_HEADER:
        return -1
    number = n16(b, pos + 4, swapped)
    slot = (size >> 2 ^ number << 3) & (SLOTS - 1)
    if _has(b, pos, size, number, swapped, shapes, slot):
        return slot
    return _learn(b, pos, size, number, swapped, shapes, slot)


@load
def _has(b: Buffer, pos: int, size: int, number: int, swapped: Order, shapes: Shapes, slot: int) -> bool:
    """Whether a record has the shape of a row; all elements of a row begin and end inside its size."""
    if pos < 0 or pos + size > b.size or slot < 0 or slot >= shapes.shape[0] or shapes.shape[1] < COLUMNS:
        raise IndexError("load outside the buffer")
    if shapes[slot, SIZE] != size or shapes[slot, NUMBER] != number:
        return False
    for k in range(HEADS, HEADS + 2 * number, 2):
        if r32(b, np.uint64(pos + shapes[slot, k]), swapped) != shapes[slot, k + 1]:
            return False
    return True


@kernel
def _learn(b: Buffer, pos: int, size: int, number: int, swapped: Order, shapes: Shapes, slot: int) -> int:
    """Walk the elements of a record and write its shape into a row; returns the row, or -1."""
    for k in range(HEADS):
        shapes[slot, k] = 0
    at = FLOW_HEADER
    for k in range(number):
        if size - at < ELEMENT_HEADER:
            return -1
        kind, length = n16(b, pos + at, swapped), n16(b, pos + at + 2, swapped)
        if length < ELEMENT_HEADER or at + length > size:
            return -1
        here = at + ELEMENT_HEADER
        if kind == E_GENERIC and length >= GENERIC_SIZE:
            shapes[slot, GENERIC] = here
        elif kind == E_IPV4 and length >= IPV4_SIZE:
            shapes[slot, IPV4] = here
        elif kind == E_IPV6 and length >= IPV6_SIZE:
            shapes[slot, IPV6] = here
        elif kind == E_MISC and length >= MISC_SIZE:
            shapes[slot, MISC] = here
            shapes[slot, OPENER] = here + 12 if length >= MISC_OPENER else 0
            shapes[slot, FLAGS_BACK] = here + 14 if length >= MISC_FLAGS_BACK else 0
        elif kind == E_COUNTS and length >= COUNTS_SIZE:
            shapes[slot, COUNTS] = here
        elif kind == E_HEARD_V4 and length >= HEARD_V4_SIZE:
            shapes[slot, HEARD_V4] = here
        elif kind == E_HEARD_V6 and length >= HEARD_V6_SIZE:
            shapes[slot, HEARD_V6] = here
        elif kind == E_SAMPLED and length >= SAMPLED_SIZE:
            shapes[slot, SAMPLED] = here
        elif kind == E_NSEL and length >= NSEL_SIZE:
            shapes[slot, EVENT] = here + 14
        elif kind == E_NAT and length >= NAT_SIZE:
            shapes[slot, NAT_EVENT] = here + (12 if length < NAT_SIZE_OLD else 20)
        if k < ELEMENTS:
            shapes[slot, HEADS + 2 * k] = at
            shapes[slot, HEADS + 2 * k + 1] = n32(b, pos + at, swapped)
        at += length
    usual = min(shapes[slot, GENERIC], shapes[slot, OPENER], shapes[slot, IPV4] + shapes[slot, IPV6])
    rare = shapes[slot, COUNTS] + shapes[slot, SAMPLED] + shapes[slot, EVENT] + shapes[slot, NAT_EVENT]
    shapes[slot, PLAIN] = usual > 0 and rare == 0
    shapes[slot, SIZE] = size
    shapes[slot, NUMBER] = number if number <= ELEMENTS else TOO_MANY
    return slot
