"""Put rows in the order in which they leave: what a window made for later waits for its time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "pick"]


class Line:
    """Rows with a time ``leaves``. What waits is bounded by the longest conversation, not by the day."""

    def __init__(self, kind: np.dtype[np.void]) -> None:
        self._waiting: list[NDArray[np.void]] = []
        self._kind = kind

    def add(self, rows: NDArray[np.void]) -> None:
        """Take rows in; they are copied."""
        self._waiting.append(rows.copy())

    def until(self, moment: int | None) -> NDArray[np.void]:
        """Everything that leaves before ``moment`` (None: everything), in order; rows of one time as they came."""
        rows = np.concatenate(self._waiting) if self._waiting else np.zeros(0, self._kind)
        leaves = rows["leaves"].copy()
        due = np.flatnonzero(leaves < moment) if moment is not None else np.arange(len(rows))
        self._waiting = [pick(rows, np.flatnonzero(leaves >= moment))] if moment is not None else []
        return pick(rows, due[np.argsort(leaves[due], kind="stable")])


def pick(rows: NDArray[np.void], places: NDArray[np.intp]) -> NDArray[np.void]:
    """``rows[places]`` of contiguous rows whose size is a multiple of eight, several times as fast."""
    words = rows.view(np.uint64).reshape(len(rows), rows.dtype.itemsize // 8)
    return words.take(places, axis=0).view(rows.dtype).reshape(len(places))
