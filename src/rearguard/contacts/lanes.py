"""Lanes: numbers for (observer, sampling) pairs. As part of a contact's key they take 26 bits instead of 64."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from rearguard.model.chunk import Chunk
from rearguard.model.compiled import kernel

__all__ = ["Lanes", "Maps", "RowLanes"]

Maps = tuple[npt.NDArray[np.uint32], ...]
"""Arrays of equal length: by a source's observer number, that of the run."""

UNKNOWN = -1
"""No rate."""
PATIENCE = 64
"""Changes of an observer's rate within a chunk from which the pairs are sorted instead of followed."""


class Lanes:
    """The numbers, shared by all workers."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()
        self.observer = np.zeros(0, dtype=np.uint32)
        self.sampling = np.zeros(0, dtype=np.uint32)

    def number(self, observer: int, sampling: int) -> int:
        """The lane of a pair; the arrays ``observer`` and ``sampling`` know it from then on."""
        with self._lock:
            known = self._numbers.setdefault((observer, sampling), len(self._numbers))
            if known == len(self.observer):
                self.observer = np.append(self.observer, np.uint32(observer))
                self.sampling = np.append(self.sampling, np.uint32(sampling))
            return known


class RowLanes:
    """The lanes of a chunk's rows, for several maps of a source's observers to those of the run at once.

    An observer's rate hardly ever changes, so what each had last is remembered and only a change asks the lanes.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._maps: Maps = ()
        self._rate = np.zeros(0, dtype=np.int64)
        self._lane = np.zeros((0, 0), dtype=np.uint32)
        self._of_row = np.zeros((0, rows), dtype=np.uint32)

    def assign(self, chunk: Chunk, maps: Maps, lanes: Lanes) -> npt.NDArray[np.uint32]:
        """A lane for each map (first axis) and row of the chunk; the result is overwritten by the next call."""
        if tuple(map(id, maps)) != tuple(map(id, self._maps)):
            self._maps = maps
            self._rate = np.full(len(maps[0]), UNKNOWN, dtype=np.int64)
            self._lane = np.zeros((len(maps), len(maps[0])), dtype=np.uint32)
            if len(self._of_row) != len(maps):
                self._of_row = np.zeros((len(maps), self._rows), dtype=np.uint32)
        observer, sampling = chunk.column("observer"), chunk.column("sampling")
        if chunk.even:
            one, rate = int(observer[0]), int(sampling[0])
            for numbers, of_row in zip(maps, self._of_row, strict=True):
                of_row[: chunk.n] = lanes.number(int(numbers[one]), rate)
            return self._of_row[:, : chunk.n]
        done = 0
        for _ in range(PATIENCE + len(maps[0])):
            done = _follow(observer, sampling, done, self._rate, self._lane, self._of_row)
            if done == chunk.n:
                return self._of_row[:, : chunk.n]
            one, rate = int(observer[done]), int(sampling[done])
            self._rate[one] = rate
            self._lane[:, one] = [lanes.number(int(numbers[one]), rate) for numbers in maps]
        self._sort(observer, sampling, lanes)
        return self._of_row[:, : chunk.n]

    def _sort(self, observer: npt.NDArray[np.uint32], sampling: npt.NDArray[np.uint32], lanes: Lanes) -> None:
        pairs = observer.astype(np.uint64) << np.uint64(32) | sampling
        found, which = np.unique(pairs, return_inverse=True)
        for numbers, of_row in zip(self._maps, self._of_row, strict=True):
            known = [lanes.number(int(numbers[pair >> 32]), pair & 0xFFFF_FFFF) for pair in found.tolist()]
            of_row[: len(pairs)] = np.array(known, dtype=np.uint32)[which]


@kernel
def _follow(
    observer: npt.NDArray[np.uint32],
    sampling: npt.NDArray[np.uint32],
    start: int,
    rate: npt.NDArray[np.int64],
    lane: npt.NDArray[np.uint32],
    out: npt.NDArray[np.uint32],
) -> int:
    """Fill ``out`` from row ``start`` on; returns the first row whose observer is new or has another rate."""
    for i in range(start, observer.size):
        one = observer[i]
        if rate[one] != sampling[i]:
            return i
        for k in range(lane.shape[0]):
            out[k, i] = lane[k, one]
    return int(observer.size)
