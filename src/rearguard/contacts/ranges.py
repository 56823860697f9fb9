"""Tables of prefixes inside kernels: the label of one address, by a binary search over disjoint ranges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import inlined
from rearguard.model.prefixes import PrefixTable

__all__ = ["Ranges", "label_at", "ranges_of"]


class Ranges(NamedTuple):
    """The arrays of a :class:`PrefixTable`."""

    starts_hi: npt.NDArray[np.uint64]
    starts_lo: npt.NDArray[np.uint64]
    ends_hi: npt.NDArray[np.uint64]
    ends_lo: npt.NDArray[np.uint64]
    labels: npt.NDArray[np.int32]


def ranges_of(table: PrefixTable) -> Ranges:
    """The table as a kernel takes it."""
    return Ranges(table.starts_hi, table.starts_lo, table.ends_hi, table.ends_lo, table.labels)


@inlined
def label_at(table: Ranges, hi: np.uint64, lo: np.uint64) -> int:
    """What ``PrefixTable.lookup`` says of one address."""
    left, right = 0, table.labels.size
    while left < right:
        middle = (left + right) >> 1
        if table.starts_hi[middle] < hi or (table.starts_hi[middle] == hi and table.starts_lo[middle] <= lo):
            left = middle + 1
        else:
            right = middle
    if left == 0:
        return -1
    at = left - 1
    inside = hi < table.ends_hi[at] or (hi == table.ends_hi[at] and lo <= table.ends_lo[at])
    return int(table.labels[at]) if inside else -1
