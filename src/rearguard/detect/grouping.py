"""Kernels that group tries by source: how much each source did, and when it first tried each device.

A group is one source, one interface and one direction. A source's touches lie side by side, for contacts are
stored by client, so a small table of groups is emptied again and again and nothing in it is lost: what it gives are
partial groups, which add up. The devices of a group come in ascending order, so each is told from the next by
comparing two neighbours; a group whose devices came in another order (an IPv6 /64 with many hosts, several windows)
is ``broken``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.detect.lookup import Lookup, device_of, find, reflection, source_lo_of
from rearguard.detect.tally_rows import DARK, NO_RESULT
from rearguard.detect.touch_rows import FLAGLESS, GUEST, LAN, OPENED
from rearguard.model.compiled import kernel

__all__ = ["FIRST", "GROUP", "PROGRESS", "first_rows", "group_rows"]

GROUP = np.dtype(
    [
        ("source_hi", "u8"),
        ("source_lo", "u8"),
        ("low", "u8"),  # of the clients' lower halves
        ("high", "u8"),
        ("touches", "i8"),
        ("strange", "i8"),
        ("dark", "i8"),
        ("rate", "u4"),
        ("interface", "u2"),
        ("way", "u1"),
        ("result", "u1"),
    ],
    align=True,
)
PROGRESS = np.dtype(
    [
        ("device_hi", "u8"),
        ("device_lo", "u8"),
        ("begun", "i8"),
        ("touches", "i8"),
        ("open", "u1"),  # whether the fields above hold a device
        ("broken", "u1"),
    ],
    align=True,
)
"""How far the first tries of a group were counted."""
FIRST = np.dtype([("place", "i8"), ("device_hi", "u8"), ("device_lo", "u8"), ("begun", "i8")])

_ZERO = np.uint64(0)


@kernel
def group_rows(rows: Any, start: int, reflections: Lookup, cells: Any, used: npt.NDArray[np.int64]) -> int:
    """Count touches of TOUCH from ``start`` on into GROUP ``cells``, an open-addressing table; empty: no touches.
    ``used[0]`` counts entries. The first row that was not taken because the table is half full."""
    last = np.uint64(cells.size - 1)
    at = _ZERO
    for i in range(start, rows.size):
        row = rows[i]
        if row.marks & OPENED == 0 or row.marks & GUEST != 0 or reflection(row, reflections):
            continue
        low = source_lo_of(row)
        cell = cells[at]
        if not (
            cell.touches != 0
            and cell.source_lo == low
            and cell.source_hi == row.client_hi
            and cell.interface == row.interface
            and cell.way == row.way
        ):
            word = np.uint64(row.interface) << np.uint64(8) | np.uint64(row.way)
            at = mix5(row.client_hi, low, word, _ZERO, _ZERO) & last
            while cells[at].touches != 0 and not (
                cells[at].source_lo == low
                and cells[at].source_hi == row.client_hi
                and cells[at].interface == row.interface
                and cells[at].way == row.way
            ):
                at = (at + np.uint64(1)) & last
        cell = cells[at]
        rate = max(row.sampling, np.uint32(1))
        if cell.touches == 0:
            if used[0] * 2 >= cells.size:
                return int(i)
            used[0] += 1
            cell.source_hi, cell.source_lo = row.client_hi, low
            cell.interface, cell.way = row.interface, row.way
            cell.low = cell.high = row.client_lo
            cell.rate, cell.result = rate, np.uint8(0)
            cell.strange = cell.dark = 0
        cell.touches += 1
        cell.strange += np.int64(row.marks & (LAN | FLAGLESS) == 0)
        cell.dark += np.int64(row.marks & DARK != 0)
        cell.rate = min(cell.rate, rate)
        cell.low, cell.high = min(cell.low, row.client_lo), max(cell.high, row.client_lo)
        if row.result != NO_RESULT:
            cell.result = max(cell.result, row.result)
    return int(rows.size)


@kernel
def first_rows(
    rows: Any,
    groups: Lookup,
    reflections: Lookup,
    masks: npt.NDArray[np.uint64],
    sizes: npt.NDArray[np.int64],
    progress: Any,
    unsorted: bool,
    out: Any,
) -> int:
    """Write FIRST rows of the devices of ``groups``: when each was first tried; how many they are.

    ``sizes`` are the touches of each group, so that its last device is written too. ``unsorted``: of broken
    groups alone, one row a touch. ``out`` has room for one row more than there are touches.
    """
    count = 0
    for i in range(rows.size):
        row = rows[i]
        if row.marks & OPENED == 0 or row.marks & GUEST != 0:
            continue
        place = find(groups, row.client_hi, source_lo_of(row), np.uint64(row.interface), np.uint64(row.way))
        if place < 0 or (progress[place].broken != 0) != unsorted or reflection(row, reflections):
            continue
        hi, lo = device_of(row, masks)
        now = progress[place]
        if unsorted or (now.open != 0 and not (now.device_hi == hi and now.device_lo == lo)):
            into = out[count]
            into.place = place
            if unsorted:
                into.device_hi, into.device_lo, into.begun = hi, lo, row.begun
                count += 1
                continue
            into.device_hi, into.device_lo, into.begun = now.device_hi, now.device_lo, now.begun
            count += 1
            if hi < now.device_hi or (hi == now.device_hi and lo < now.device_lo):
                now.broken = np.uint8(1)
                continue
            now.open = np.uint8(0)
        if now.open == 0:
            now.open, now.device_hi, now.device_lo, now.begun = np.uint8(1), hi, lo, row.begun
        now.begun = min(now.begun, row.begun)
        now.touches += 1
        if now.touches == sizes[place]:
            into = out[count]
            into.place, into.device_hi, into.device_lo, into.begun = place, hi, lo, now.begun
            count += 1
    return count
