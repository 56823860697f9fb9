"""Parquet: the columns that a mapping needs, batch by batch, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rearguard.model.chunk import ROWS
from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import STDIN, Input, Progress
from rearguard.sources.logs.choosing import choose
from rearguard.sources.logs.mapping import ColumnMap, build
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.records import Records
from rearguard.sources.logs.source import LogSource
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["open_parquet"]

SUMMARIES = frozenset({"_metadata", "_common_metadata"})
"""Files beside the partitions of a folder: they hold no rows of their own."""


def open_parquet(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read one Parquet file. Raises InputError for a stream, a summary file, or columns that nobody knows."""
    if uri == STDIN or inflow.compression or not Path(uri).is_file():
        raise InputError(
            "Parquet keeps its table of contents at the end, so it cannot be read from a stream",
            remedy="unpack it into a file and name that",
            place=Place(file="standard input" if uri == STDIN else uri),
        )
    if Path(uri).name in SUMMARIES:
        raise InputError(
            "a summary of other Parquet files, without rows of its own",
            remedy="name the folder, or its files",
            place=Place(file=uri),
        )
    del window
    file = _opened(uri)
    try:
        names = [
            name
            for name in file.schema_arrow.names
            if not pa.types.is_nested(file.schema_arrow.field(name).type)
        ]
        mapping, exporter = choose(names, uri, options.columns)
    except BaseException:
        file.close()
        raise
    places = Places(mapping.name, exporter)
    wanted = [name for name in mapping.columns() if name in names]
    rows = _Rows(file, wanted, mapping, places, Path(uri).stat().st_size)
    return LogSource(
        uri,
        number,
        f"{mapping.name} parquet",
        inflow,
        places,
        rows.batches(),
        lambda: rows.progress().done,
        lambda: rows.problem,
        rows.progress,
        file.close,
    )


def _opened(uri: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(uri, memory_map=False, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"it begins like Parquet and cannot be read: {_first_line(error)}",
            remedy="look whether it was written to its end",
            place=Place(file=uri),
        ) from error


class _Rows:
    """Goes through the batches and remembers how far it came."""

    def __init__(
        self, file: pq.ParquetFile, wanted: list[str], mapping: ColumnMap, places: Places, size: int
    ) -> None:
        self._file = file
        self._wanted = wanted
        self._mapping = mapping
        self._places = places
        self._size = size
        self._done = 0
        self.problem: str | None = None

    def progress(self) -> Progress:
        """How much of the file was read, by the share of its rows."""
        total = max(1, self._file.metadata.num_rows)
        return Progress(self._size * min(self._done, total) // total, self._size)

    def batches(self) -> Iterator[Records]:
        """Records of one batch at a time; damage ends them and is told."""
        found = self._file.iter_batches(batch_size=ROWS, columns=self._wanted, use_threads=False)
        while True:
            try:
                batch = next(found, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                self.problem = f"after record {self._done}: {_first_line(error)}; the rest was not read"
                return
            if batch is None:
                return
            columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
            lines = np.arange(self._done + 1, self._done + 1 + batch.num_rows)
            self._done += batch.num_rows
            yield build(self._mapping, columns, lines, self._places, raw=True)


def _first_line(error: Exception) -> str:
    text = str(error).split("\n", 1)[0][:200]
    return "".join(char if char.isprintable() else "?" for char in text)
