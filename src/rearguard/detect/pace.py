"""How many first tries of one group fall into one window of time, at most: a sweep over them in the order of time.

As a window function (``count(*) OVER (... RANGE BETWEEN ...)``) the same took five times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import kernel

__all__ = ["peaks"]

Times = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]


def peaks(batches: Iterable[tuple[Times, Times]], groups: int, window: int) -> tuple[Counts, Counts]:
    """By group number (0 to ``groups``): how many times there are, and how many at most within ``window`` ns, both
    ends included. A batch is group numbers and times, and all batches together are sorted by both."""
    total = np.zeros(groups + 1, dtype=np.int64)
    most = np.zeros(groups + 1, dtype=np.int64)
    numbers = times = np.zeros(0, dtype=np.int64)
    for more_numbers, more_times in batches:
        done = len(numbers)
        numbers = np.concatenate([numbers, more_numbers])
        times = np.concatenate([times, more_times])
        left = _sweep(numbers, times, done, window, total, most)
        numbers, times = numbers[left:], times[left:]  # what the next ones may share a window with
    return total, most


@kernel
def _sweep(numbers: Any, times: Any, start: int, window: int, total: Any, most: Any) -> int:
    left = 0
    for i in range(start, numbers.size):
        if i > 0 and numbers[i] != numbers[i - 1]:
            left = i
        while times[left] < times[i] - window:
            left += 1
        group = numbers[i]
        total[group] += 1
        most[group] = max(most[group], i - left + 1)
    return left
