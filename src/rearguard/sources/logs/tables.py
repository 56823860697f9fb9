"""Blocks of lines as Arrow columns: delimited text and JSON, fast where all lines are right, else line by line.

Both parsers give the columns that were asked for and the number of each line, counted among the lines that hold
data (empty ones and comments are none). A line that cannot be read is counted and costs no other line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

__all__ = ["Delimited", "JsonLines", "Table"]

WIDEST_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """Equally long columns, the numbers of their lines, and how many lines gave no row."""

    columns: dict[str, Any]
    lines: npt.NDArray[np.int64]
    bad: int = 0
    other: int = 0
    """Lines that are data of another kind, such as the summary at the end."""
    first_bad: str = ""
    """Which of the bad lines came first, and what is wrong with it."""


@dataclass(slots=True)
class Delimited:
    """Reads blocks of delimited text. ``trailer``: from the line that is this text on, nothing is data."""

    names: Sequence[str]
    wanted: Sequence[str]
    delimiter: str
    quoted: bool
    trailer: str = ""
    read: int = 0
    """Data lines so far."""
    _ended: bool = field(default=False)

    def table(self, block: bytes) -> Table:
        """The rows of a block of whole lines."""
        if self._ended or (self.trailer and _has_line(block, self.trailer)):
            return self._slowly(block)
        try:
            return self._fast(block)
        except (pa.ArrowException, _UnevenError):
            return self._slowly(block)

    def _fast(self, block: bytes) -> Table:
        def refuse(_: Any) -> str:
            raise _UnevenError

        found = pyarrow.csv.read_csv(
            pa.BufferReader(block),
            read_options=pyarrow.csv.ReadOptions(
                column_names=list(self.names), use_threads=False, block_size=len(block) + 1
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self.delimiter,
                quote_char='"' if self.quoted else False,
                newlines_in_values=False,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(self.wanted, pa.string()),
                include_columns=list(self.wanted),
                strings_can_be_null=False,
            ),
        )
        lines = np.arange(self.read + 1, self.read + 1 + found.num_rows)
        self.read += found.num_rows
        return Table(_columns(found), lines)

    def _slowly(self, block: bytes) -> Table:
        """Line by line."""
        columns: dict[str, list[str]] = {name: [] for name in self.wanted}
        at = {name: self.names.index(name) for name in self.wanted}
        lines, bad, other, first_bad = [], 0, 0, ""
        for line in block.split(b"\n"):
            text = line.decode("utf-8", "replace").removesuffix("\r")
            if not text:
                continue
            self._ended = self._ended or (bool(self.trailer) and text == self.trailer)
            if self._ended:
                other += 1
                continue
            self.read += 1
            cells = self._cells(text)
            if len(cells) != len(self.names):
                bad += 1
                first_bad = first_bad or f"record {self.read:,}: not as many cells as the header has"
                continue
            lines.append(self.read)
            for name, place in at.items():
                columns[name].append(cells[place])
        arrays = {name: pa.array(cells, pa.string()) for name, cells in columns.items()}
        return Table(arrays, np.array(lines, np.int64), bad, other, first_bad)

    def _cells(self, text: str) -> list[str]:
        if not self.quoted or '"' not in text:
            return text.split(self.delimiter)
        try:
            return next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        except csv.Error:
            return []


class _UnevenError(Exception):
    """A line that has not as many cells as the header."""


def _has_line(block: bytes, text: str) -> bool:
    line = text.encode()
    return block.startswith(line + b"\n") or b"\n" + line + b"\n" in block


def _columns(table: pa.Table) -> dict[str, Any]:
    return {name: table.column(name).combine_chunks() for name in table.column_names}


@dataclass(slots=True)
class JsonLines:
    """Reads blocks of one JSON object a line; only fields of ``schema`` are looked at.

    The types of the schema are a guess from the first lines. Where they do not fit, or a line is no object, the
    block is read line by line and every scalar becomes text.
    """

    schema: pa.Schema
    read: int = 0

    def table(self, block: bytes) -> Table:
        """The rows of a block of whole lines."""
        expected = block.count(b"\n") + (not block.endswith(b"\n"))
        try:
            found = pyarrow.json.read_json(
                pa.BufferReader(block),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=self.schema, unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowException:
            return self._slowly(block)
        if found.num_rows != expected:
            return self._slowly(block)
        lines = np.arange(self.read + 1, self.read + 1 + found.num_rows)
        self.read += found.num_rows
        return Table(flat(_columns(found)), lines)

    def _slowly(self, block: bytes) -> Table:
        """Line by line."""
        rows: list[dict[str, Any]] = []
        lines, bad, first_bad = [], 0, ""
        for line in block.split(b"\n"):
            if not line.strip():
                continue
            self.read += 1
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                bad += 1
                first_bad = first_bad or f"record {self.read:,}: no JSON object"
                continue
            lines.append(self.read)
            rows.append(value)
        columns = {
            name: pa.array([_scalar(row, path) for row in rows], pa.string())
            for name, path in _paths(self.schema)
        }
        return Table(columns, np.array(lines, np.int64), bad, first_bad=first_bad)


def _paths(schema: pa.Schema) -> list[tuple[str, tuple[str, ...]]]:
    """The scalar fields of a schema, those of a structure as ``outer.inner``."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for one in schema:
        if pa.types.is_struct(one.type):
            found += [(f"{one.name}.{inner.name}", (one.name, inner.name)) for inner in one.type]
        else:
            found.append((one.name, (one.name,)))
    return found


def flat(columns: dict[str, Any]) -> dict[str, Any]:
    """Columns of structures as one column for each field; a null structure is null in all of them."""
    flattened: dict[str, Any] = {}
    for name, column in columns.items():
        if not pa.types.is_struct(column.type):
            flattened[name] = column
            continue
        for inner, part in zip(column.type, column.flatten(), strict=True):
            flattened[f"{name}.{inner.name}"] = part
    return flattened


def _scalar(row: dict[str, Any], path: tuple[str, ...]) -> str | None:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else "?"
    return str(value).encode("utf-8", "replace").decode()[:WIDEST_CELL]


def _decimal(value: float) -> str:
    """A double as text: whole where it is, else as far as it is exact for times of today."""
    if value.is_integer() and abs(value) < 1e18:
        return str(int(value))
    return f"{value:.6f}" if abs(value) < 1e18 else "?"


Parser = Callable[[bytes], Table]
