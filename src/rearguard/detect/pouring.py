"""Rows that kernels made, as a table of the database: for what is too much for the memory, or wants an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.arrow import to_arrow

if TYPE_CHECKING:
    import duckdb

__all__ = ["pour"]

AT_ONCE = 65_536
"""Rows that are handed over together: a statement costs a millisecond, however few it moves."""

Rows = npt.NDArray[Any]


def pour(con: duckdb.DuckDBPyConnection, columns: str, batches: Iterable[Rows]) -> None:
    """Make the temporary table ``poured`` with these columns, which the rows have too. An array may be reused by
    who gives it."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE poured ({columns})")
    waiting: list[Rows] = []
    for rows in batches:
        if len(rows):
            waiting.append(rows.copy())
        if sum(map(len, waiting)) >= AT_ONCE:
            _insert(con, waiting)
    if waiting:
        _insert(con, waiting)


def _insert(con: duckdb.DuckDBPyConnection, waiting: list[Rows]) -> None:
    rows = np.concatenate(waiting)
    waiting.clear()
    con.register("given", to_arrow({name: rows[name] for name in rows.dtype.names or ()}))
    con.execute("INSERT INTO poured BY NAME FROM given")
    con.unregister("given")
