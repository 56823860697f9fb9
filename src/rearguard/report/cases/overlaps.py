"""Leases that contradict each other: one prefix, common ports, a common time, two subscribers.

Theory: of intervals sorted by their beginning, if any two overlap then some two neighbours do. Leases are sorted
by prefix, ports and beginning; comparing neighbours, in one pass over arrays, therefore finds every prefix that
can hold a contradiction: neighbours of one port range that overlap in time, or of one prefix whose port ranges
overlap without being the same. Only those prefixes, normally few, are searched pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.report.cases.index import PrefixRows

__all__ = ["Overlap", "Overlaps", "find_overlaps"]

KEPT = 1_000
"""So many pairs are kept; a file with more is wrong as a whole."""

COMPARED = 2_000_000
"""So many pairs are compared at most: seconds, whatever the file looks like."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two rows of the sorted table."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The pairs that were found; ``stopped``: there may be more."""

    found: tuple[Overlap, ...] = ()
    stopped: bool = False


def find_overlaps(
    index: PrefixRows,
    first_port: npt.NDArray[np.uint16],
    last_port: npt.NDArray[np.uint16],
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    name: Callable[[int], bytes],
) -> Overlaps:
    """All pairs of rows that give the same thing to two; ``name`` tells a row's subscriber."""
    same = index.same_prefix()
    one_range = (first_port[1:] == first_port[:-1]) & (last_port[1:] == last_port[:-1])
    at_once = one_range & (start[1:] < end[:-1])
    crossing = ~one_range & (first_port[1:] <= last_port[:-1])
    suspects = np.flatnonzero(same & (at_once | crossing))
    columns = first_port, last_port, start, end
    found: list[Overlap] = []
    compared = 0
    searched_to = 0
    for suspect in suspects:
        if suspect < searched_to:
            continue
        rows = index.rows_of(int(index.high[suspect]), int(index.low[suspect]), int(index.length[suspect]))
        searched_to = rows.stop
        compared += _search(rows, columns, name, found, COMPARED - compared)
        if compared >= COMPARED or len(found) >= KEPT:
            return Overlaps(tuple(found[:KEPT]), stopped=True)
    return Overlaps(tuple(found))


def _search(
    rows: range,
    columns: tuple[npt.NDArray[Any], ...],
    name: Callable[[int], bytes],
    found: list[Overlap],
    budget: int,
) -> int:
    """Pairs within one prefix: a sweep in time over the leases that are open; returns how many were compared."""
    first_port, last_port, start, end = (column[rows.start : rows.stop].tolist() for column in columns)
    active: list[int] = []
    compared = 0
    for row in sorted(range(len(rows)), key=start.__getitem__):
        active = [other for other in active if end[other] > start[row]]
        compared += len(active) + 1
        if compared >= budget or len(found) >= KEPT:
            break
        for other in active:
            common = first_port[row] <= last_port[other] and first_port[other] <= last_port[row]
            if common and name(rows[row]) != name(rows[other]):
                found.append(Overlap(rows[other], rows[row]))
        active.append(row)
    return compared
