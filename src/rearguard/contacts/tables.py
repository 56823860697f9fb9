"""The tables of a view while they are filled: Arrow in memory, then one Parquet file on disk.

DuckDB reads both where they lie. To insert sixty columns into a table of its own costs it ten microseconds a
row; and of a Parquet file a query loads only the columns that it names, so memory does not grow with rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import duckdb

__all__ = ["Filling"]

HELD = 65_536
"""Rows that are kept in memory; more go to the file."""


class Filling:
    """One table; ``add`` batches of one schema, then ``show`` it to a connection under its name."""

    def __init__(self, name: str, empty: str, folder: Path) -> None:
        self._name = name
        self._empty = empty  # CREATE TABLE of that name, for when nothing was added
        self._file = folder / f"{name}.parquet"
        self._held: list[pa.Table] = []
        self._rows = 0
        self._writer: Any = None

    def add(self, table: pa.Table) -> None:
        """Add rows; the batch may be empty."""
        if not table.num_rows:
            return
        self._rows += table.num_rows
        self._held.append(table)
        if self._writer is None and self._rows > HELD:
            words = [item.name for item in table.schema if pa.types.is_dictionary(item.type)]
            self._writer = pq.ParquetWriter(
                self._file, table.schema, compression="lz4", use_dictionary=words, write_statistics=False
            )
        if self._writer is not None:
            for part in self._held:
                self._writer.write_table(part)
            self._held.clear()

    def show(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the rows a relation of the connection; the file must live as long as it is used."""
        if self._writer is not None:
            self._writer.close()
            path = str(self._file).replace("'", "''")
            con.execute(f"CREATE VIEW {self._name} AS SELECT * FROM read_parquet('{path}')")
        elif self._held:
            con.register(self._name, pa.concat_tables(self._held))
        else:
            con.execute(self._empty)
