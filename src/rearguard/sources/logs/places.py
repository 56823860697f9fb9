"""Observers of flow logs: exporter, interfaces and way of each record, numbered.

The table is bounded: exporters beyond the limit share one without a name, and further interfaces of an exporter
are put together as its interface 0, so that nothing is lost but the place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rearguard.sources.observers import MAX_EXPORTERS, PLACES, WAYS
from rearguard.sources.reader import Exporter, Observer

__all__ = ["Places"]

LONGEST_NAME = 255


class Places:
    """What the rows' ``observer`` points to; ``name`` is the exporter's where a record names none.

    Files without a name for their sensor are told apart, or put together, by their times
    (:mod:`rearguard.contacts.observing`); a columns rule of the policy gives them one.
    """

    def __init__(self, kind: str, name: str = "") -> None:
        self.kind = kind
        self.name = name
        self.observers: list[Observer] = []
        self.exporters: list[Exporter] = []
        self._by_exporter: dict[str, int] = {}
        self._by_place: dict[tuple[int, int, int, int], int] = {}

    def numbers(
        self,
        names: Sequence[str],
        exporter: npt.NDArray[np.int64],
        ingress: npt.NDArray[np.uint64],
        egress: npt.NDArray[np.uint64],
        way: npt.NDArray[np.uint8],
        sampling: npt.NDArray[np.uint32],
        rate_from: str,
    ) -> npt.NDArray[np.uint32]:
        """A number for each record; ``exporter`` points into ``names``, -1 where there is none.

        Counts the records of each exporter, and notes its rate (0: not told) and ``rate_from``, whence it is known.
        """
        columns = [
            exporter, ingress & np.uint64(0xFFFF_FFFF), egress & np.uint64(0xFFFF_FFFF), way, sampling,
        ]  # fmt: skip
        first, index = _different([column.astype(np.int64) for column in columns])
        numbers = []
        for row, count in zip(first.tolist(), np.bincount(index).tolist(), strict=True):
            at, *place, rate = (int(column[row]) for column in columns)
            own = self._exporter(names[at] if at >= 0 else self.name)
            one = self.exporters[own]
            one.records += count
            if rate:
                one.rate, one.rate_from = rate, rate_from
            numbers.append(self._number(own, *place))
        return np.array(numbers, np.uint32)[index]

    def _exporter(self, name: str) -> int:
        name = name[:LONGEST_NAME]
        if name not in self._by_exporter:
            if len(self.exporters) >= MAX_EXPORTERS - 1:
                name = ""
            if name not in self._by_exporter:
                self._by_exporter[name] = len(self.exporters)
                self.exporters.append(Exporter(name, kind=self.kind))
        return self._by_exporter[name]

    def _number(self, exporter: int, ingress: int, egress: int, way: int) -> int:
        key = (exporter, ingress, egress, way)
        if key not in self._by_place and len(self._by_place) >= PLACES:
            ingress = egress = way = 0
            key = (exporter, 0, 0, 0)
        if key not in self._by_place:
            self._by_place[key] = len(self.observers)
            address = self.exporters[exporter].address
            self.observers.append(Observer("", address, ingress, egress, WAYS[way]))
        return self._by_place[key]


def _different(
    columns: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each different row stands first, and for every row which one of them it is."""
    n = len(columns[0])
    key = np.zeros(n, np.int64)
    for column in columns:
        if n and column.min() != column.max():
            _, part = np.unique(column, return_inverse=True)
            # Both are below the number of rows, so the product fits.
            _, key = np.unique(key * n + part.reshape(-1), return_inverse=True)
            key = key.reshape(-1)
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return first, index.reshape(-1)
