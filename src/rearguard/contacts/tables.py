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

HELD = 32_768
"""Rows that are kept in memory; more go to the file, so many at a time: in small pieces every query would pay for
the beginnings of thousands of columns."""


class Filling:
    """One table; ``add`` batches of one schema, then ``show`` it to a connection under its name."""

    def __init__(self, name: str, empty: str, folder: Path) -> None:
        self._name = name
        self._empty = empty  # CREATE TABLE of that name, for when nothing was added
        self._file = folder / f"{name}.parquet"
        self._held: list[pa.Table] = []
        self._rows = 0  # held
        self._writer: Any = None

    def add(self, table: pa.Table) -> None:
        """Add rows; the batch may be empty."""
        if not table.num_rows:
            return
        self._rows += table.num_rows
        self._held.append(table)
        if self._rows > HELD:
            self._store()

    def show(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the rows a relation of the connection; the file must live as long as it is used."""
        if self._writer is not None:
            if self._held:
                self._store()
            self._writer.close()
            path = str(self._file).replace("'", "''")
            con.execute(f"CREATE VIEW {self._name} AS SELECT * FROM read_parquet('{path}')")
        elif self._held:
            con.register(self._name, pa.concat_tables(self._held))
        else:
            con.execute(self._empty)

    def _store(self) -> None:
        table = pa.concat_tables(self._held)
        if self._writer is None:
            words = [item.name for item in table.schema if pa.types.is_dictionary(item.type)]
            self._writer = pq.ParquetWriter(
                self._file,
                table.schema,
                compression={item.name: _compression(item) for item in table.schema},
                use_dictionary=words,
                write_statistics=False,
            )
        self._writer.write_table(table, row_group_size=2 * HELD)
        self._held.clear()
        self._rows = 0


_ALL_DIFFERENT = ("client_lo", "server_lo", "proof_rec_c", "proof_rec_s", "load_rec_c", "load_rec_s")


def _compression(column: pa.Field) -> str:
    """Times (the signed numbers), addresses, pointers and sketches (the bytes) are mostly all different: to
    compress them costs much and gains little."""
    different = pa.types.is_int64(column.type) or pa.types.is_binary(column.type)
    return "NONE" if different or column.name in _ALL_DIFFERENT else "LZ4"
