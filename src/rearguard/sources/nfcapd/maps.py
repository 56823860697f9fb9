"""Extension maps of layout 1 (``nfx.h``): which fields stand behind the fixed ones of a flow, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rearguard.sources.nfcapd.state import MAPS, UNKNOWN, State

__all__ = [
    "BYTES_OUT",
    "COLUMNS",
    "DIRECTION",
    "INTERFACES",
    "NAT",
    "NSEL",
    "PACKETS_OUT",
    "ROUTER",
    "SIZE",
    "WIDE_BYTES",
    "WIDE_INTERFACES",
    "WIDE_PACKETS",
    "WIDE_ROUTER",
    "set_map",
]

# Columns of a map: where a field begins behind the counters of a flow, UNKNOWN for none; how wide it is (0 or 1).
INTERFACES, WIDE_INTERFACES = 0, 1
DIRECTION = 2
PACKETS_OUT, WIDE_PACKETS = 3, 4
BYTES_OUT, WIDE_BYTES = 5, 6
ROUTER, WIDE_ROUTER = 7, 8
NSEL, NAT = 9, 10
SIZE = 11
"""Bytes of all extensions."""
COLUMNS = 12

LENGTHS = {
    4: 4, 5: 8, 6: 4, 7: 8, 8: 4, 9: 4, 10: 16, 11: 4, 12: 16, 13: 4, 14: 4, 15: 8, 16: 4, 17: 8, 18: 4, 19: 8,
    20: 16, 21: 16, 22: 40, 23: 4, 24: 16, 25: 4, 26: 8, 27: 8,
    37: 20, 38: 4, 39: 8, 40: 32, 41: 24, 42: 24, 43: 72, 45: 24, 46: 12, 47: 8, 48: 8,
}  # fmt: skip
"""Bytes of each extension."""

WANTED = {
    4: (INTERFACES, None),
    5: (INTERFACES, WIDE_INTERFACES),
    8: (DIRECTION, None),
    14: (PACKETS_OUT, None),
    15: (PACKETS_OUT, WIDE_PACKETS),
    16: (BYTES_OUT, None),
    17: (BYTES_OUT, WIDE_BYTES),
    23: (ROUTER, None),
    24: (ROUTER, WIDE_ROUTER),
    37: (NSEL, None),
    46: (NAT, None),
}
FIRST = 4
"""16-bit words before the list: type, size, number of the map, bytes of the extensions."""


def set_map(state: State, words: Sequence[int]) -> None:
    """Put an extension map, given as 16-bit words, into the tables; extensions behind an unknown one are lost."""
    if len(words) < FIRST:
        return
    row = np.full(COLUMNS, UNKNOWN, np.int32)
    row[[WIDE_INTERFACES, WIDE_PACKETS, WIDE_BYTES, WIDE_ROUTER]] = 0
    offset = 0
    for extension in words[FIRST:]:
        if extension not in LENGTHS:
            break
        column, wide = WANTED.get(extension, (None, None))
        if column is not None:
            row[column] = offset
        if wide is not None:
            row[wide] = 1
        offset += LENGTHS[extension]
    row[SIZE] = offset
    _store(state, words[2], row)


def _store(state: State, number: int, row: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    tables = state.tables
    slot = int(tables.map_slot[number])
    if slot == UNKNOWN:
        slot = int(tables.used[MAPS])
        tables.used[MAPS] = slot + 1
        if slot == len(tables.maps):
            larger = np.zeros((2 * slot, COLUMNS), np.int32)
            larger[:slot] = tables.maps
            state.tables = tables = tables._replace(maps=larger)
        tables.map_slot[number] = slot
    tables.maps[slot] = row
