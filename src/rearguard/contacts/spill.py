"""Rows that are kept until the fold: in memory up to a budget, then in unnamed files that vanish with us.

Nothing is ever read while rows still come in. Several workers may add rows at once.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix2
from rearguard.contacts.packing import UNIT, Layout, Layouts
from rearguard.contacts.records import copied, joined
from rearguard.model.compiled import kernel
from rearguard.model.errors import RearguardError

__all__ = ["PARTITIONS", "PartitionedSpill", "Spill", "by_cell", "by_client", "side_by_side"]

PARTITIONS = 256

TOGETHER = 65_536
"""Rows of a contact are about 250 bytes, and three or four copies of them live while they are judged."""

_READ = 65_536  # rows read from a file at once
Numbering = Callable[[Any, npt.NDArray[np.uint8], npt.NDArray[np.int64]], None]
_JOINED = 16  # held batches that are sorted as one


class Spill:
    """Rows of one numpy record type, in any order."""

    def __init__(self, kind: np.dtype[Any], budget: int, folder: Path) -> None:
        self.kind = kind
        self.rows = 0
        self._budget = budget  # bytes kept in memory
        self._folder = folder
        self._held: list[npt.NDArray[Any]] = []
        self._held_bytes = 0
        self._file: io.FileIO | None = None
        self._lock = threading.Lock()

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Keep a copy of the rows."""
        if not len(rows):
            return
        with self._lock:
            self._held.append(copied(rows))
            self._held_bytes += rows.nbytes
            self.rows += len(rows)
            if self._held_bytes > self._budget:
                if self._file is None:
                    self._file = _scratch(self._folder)
                for part in self._held:
                    _write(self._file, part)
                self._held.clear()
                self._held_bytes = 0

    def batches(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """All rows, about ``size`` at a time. Each call starts from the beginning."""
        waiting: list[npt.NDArray[Any]] = []
        count = 0
        stored = _read(self._file, self.kind) if self._file is not None else iter(())
        for part in chain(stored, self._held):
            waiting.append(part)
            count += len(part)
            if count >= size:
                yield joined(waiting)
                waiting, count = [], 0
        if waiting:
            yield joined(waiting)

    def close(self) -> None:
        """Free memory and disk."""
        self._held.clear()
        if self._file is not None:
            self._file.close()


class PartitionedSpill:
    """Rows by what must come together: all rows of one client, or of one cell of the census, are in one partition.

    What fits into the budget is one partition in memory. Beyond that there are 256 in one file: every batch is
    sorted by partition, packed and written with one call, and where its parts begin is remembered. (A file for each
    partition cost three times as much, and packing a third of what the bytes cost that it saves.)
    """

    def __init__(self, kind: np.dtype[Any], number: Numbering, budget: int, folder: Path) -> None:
        self.kind = kind
        self.rows = 0
        self._number = number
        self._budget = budget
        self._folder = folder
        self._held: list[npt.NDArray[Any]] = []
        self._held_bytes = 0
        self._file: io.FileIO | None = None
        self._ends: list[npt.NDArray[np.int64]] = []  # of each batch: row numbers after each partition
        self._layouts: list[Layout] = []  # and how its rows are stored
        self._stacked: Layouts | None = None
        self._packed = np.zeros(0, dtype=np.uint32)  # reused: fresh memory costs a page fault every 4 KiB
        self._lock = threading.Lock()

    @property
    def partitions(self) -> int:
        """1 while everything is in memory, else PARTITIONS."""
        return 1 if self._file is None else PARTITIONS

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Keep a copy of the rows."""
        if not len(rows):
            return
        with self._lock:
            self.rows += len(rows)
            if self._file is None and self._held_bytes + rows.nbytes <= self._budget:
                self._held.append(copied(rows))
                self._held_bytes += rows.nbytes
                return
            self._to_file()
            self._store(rows)

    def spread(self) -> None:
        """Partition what is held too, so that it can be read beside another spill that has a file."""
        with self._lock:
            self._to_file()

    def partition(self, number: int, count: int = 1) -> npt.NDArray[Any]:
        """All rows of one partition, or of ``count`` successive ones."""
        if self._file is None or not self._ends:
            return joined(self._held) if self._held else np.zeros(0, dtype=self.kind)
        if self._stacked is None or len(self._stacked.units) < len(self._layouts):
            self._stacked = Layouts(self._layouts)
        last, octets = number + count - 1, self._stacked.units * (UNIT // 8)  # of a row
        ends = np.array(self._ends)  # [batch, partition]
        stops = ends[:, last]
        starts = ends[:, number - 1] if number else np.zeros_like(stops)
        lengths = (stops - starts) * octets
        batches = np.concatenate(([0], np.cumsum(ends[:, -1] * octets)[:-1]))
        stored = np.empty(int(lengths.sum()) // (UNIT // 8), dtype=np.uint32)
        view, done = memoryview(stored.view(np.uint8).data), 0
        for at, length in zip((batches + starts * octets).tolist(), lengths.tolist(), strict=True):
            _read_at(self._file, at, view[done : done + length])
            done += length
        rows = np.empty(int((stops - starts).sum()), dtype=self.kind)
        self._stacked.unpack(stored, stops - starts, rows)
        return rows

    def close(self) -> None:
        """Free memory and disk."""
        self._held.clear()
        if self._file is not None:
            self._file.close()

    def _to_file(self) -> None:
        if self._file is None:
            self._file = _scratch(self._folder)
            held, self._held = self._held, []
            for start in range(0, len(held), _JOINED):
                self._store(joined(held[start : start + _JOINED]))

    def _store(self, rows: npt.NDArray[Any]) -> None:
        numbers = np.empty(len(rows), dtype=np.uint8)
        counts = np.zeros(PARTITIONS, dtype=np.int64)
        self._number(rows, numbers, counts)
        ends = np.cumsum(counts)
        layout = Layout.of(rows)
        size = len(rows) * layout.units
        if len(self._packed) < size:
            self._packed = np.empty(size, dtype=np.uint32)
        target = self._packed[:size]
        layout.pack(rows, numbers, ends - counts, target.reshape(len(rows), layout.units))
        assert self._file is not None
        _write(self._file, target)
        self._ends.append(ends)
        self._layouts.append(layout)


def side_by_side(
    left: PartitionedSpill, right: PartitionedSpill
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The rows of two spills that are partitioned alike, as many partitions at a time as make about TOGETHER rows:
    fewer would cost time for each, more would cost memory."""
    rows = left.rows + right.rows
    if rows <= TOGETHER and left.partitions == right.partitions == 1:
        yield left.partition(0), right.partition(0)
        return
    left.spread()
    right.spread()
    count = PARTITIONS
    while count > 1 and rows * count > TOGETHER * PARTITIONS:
        count //= 2
    for number in range(0, PARTITIONS, count):
        yield left.partition(number, count), right.partition(number, count)


@kernel
def by_cell(rows: Any, numbers: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> None:
    """The partition of census rows: by minute and port, for one minute alone may have cells for all ports."""
    for i in range(rows.size):
        number = (np.uint64(rows[i].minute) + np.uint64(rows[i].port)) & np.uint64(PARTITIONS - 1)
        numbers[i] = number
        counts[number] += 1


@kernel
def by_client(rows: Any, numbers: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> None:
    """The partition (first eight bits of the client's hash) of each row, and how many rows each has."""
    for i in range(rows.size):
        number = mix2(rows[i].client_hi, rows[i].client_lo) >> np.uint64(56)
        numbers[i] = number
        counts[number] += 1


def _scratch(folder: Path) -> io.FileIO:
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def _write(file: io.FileIO, rows: npt.NDArray[Any]) -> None:
    view = memoryview(np.ascontiguousarray(rows).view(np.uint8).data)
    try:
        while len(view):
            view = view[file.write(view) :]
    except OSError as error:
        raise RearguardError(
            f"the space for intermediate results is used up ({error.strerror})",
            remedy="set TMPDIR to a folder with more room (a spoofed flood needs about its own size there)",
        ) from error


def _read_at(file: io.FileIO, offset: int, view: memoryview) -> None:
    while len(view):
        got = os.preadv(file.fileno(), [view], offset)
        if got == 0:
            raise RearguardError("a file of intermediate results was cut short", remedy="run again")
        view, offset = view[got:], offset + got


def _read(file: io.FileIO, kind: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    file.seek(0)
    while data := file.read(_READ * kind.itemsize):
        while len(data) % kind.itemsize:
            data += file.read(kind.itemsize - len(data) % kind.itemsize)
        yield np.frombuffer(data, dtype=kind)
    file.seek(0, 2)
