"""Copies of those touches that several queries read: without one, each of them works the touches out anew.

What most contacts of an outbreak are, tries without an answer, is counted by kernels and in neither copy. Few are
copied into memory. Many are put into a database file beside the connection: it is read through the same bounded
memory as all else, and since its columns carry their ranges, grouping by addresses costs a quarter. Columns are
stored as runs of equal values; to search the best compression of each column takes twice as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

__all__ = ["keep", "release"]

TOUCH_BYTES = 256
"""About what a touch takes in memory."""
COPY_SHARE = 4
"""Touches that fit into this part of the memory limit are copied into memory. More would push the queries' own
work to disk."""

WHICH = {"answering": "way = 0 AND packets_s > 0", "ours": "way <> 0"}
"""The touches of each copy: somebody outside got something back; one of our side opened it."""


def keep(con: duckdb.DuckDBPyConnection, sizes: Mapping[str, int], memory_mb: int, folder: Path) -> None:
    """Make the copies ``answering`` and ``ours``, of about so many touches, in memory or in ``folder``."""
    beside = sum(sizes.values()) * TOUCH_BYTES * COPY_SHARE > memory_mb << 20
    if beside:
        file = str(folder / "touches.db").replace("'", "''")
        con.execute(f"ATTACH '{file}' AS {_base(folder)}")
    for name, rows in sizes.items():
        select = f"FROM touches WHERE {WHICH[name]}"
        if not rows:
            con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {select}")
            continue
        if not beside:
            con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
            continue
        columns = ", ".join(
            f"{column} {kind}" if kind == "VARCHAR" else f"{column} {kind} USING COMPRESSION rle"
            for column, kind, *_ in con.execute("DESCRIBE touches").fetchall()
        )
        table = f"{_base(folder)}.{name}"
        con.execute(f"CREATE TABLE {table} ({columns}); INSERT INTO {table} {select}")
        con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {table}")


def release(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Let go of the file in ``folder``, if there is one; nothing may look at the touches any more."""
    con.execute(f"DETACH DATABASE IF EXISTS {_base(folder)}")


def _base(folder: Path) -> str:
    """The name of the attached database: its folder's, so that two runs over one database do not meet."""
    return '"' + folder.name.replace('"', '""') + '"'
