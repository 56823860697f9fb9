"""A copy of what twenty queries read: without one, each of them works the touches out anew.

Few are copied into memory. Many are put into a database file beside the connection: it is read through the same
bounded memory as all else, and since its columns carry their ranges, grouping by addresses costs a quarter. Columns
are stored as runs of equal values, for most touches of an outbreak differ in few of them; to search the best
compression of each column takes twice as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["keep", "release"]

TOUCH_BYTES = 256
"""About what a touch takes in memory."""
COPY_SHARE = 4
"""Touches that fit into this part of the memory limit are copied into memory. More would push the queries' own
work to disk."""

FEW_SQL = """
CREATE OR REPLACE TEMP TABLE kept AS FROM marked;
CREATE OR REPLACE TEMP VIEW marked AS FROM temp.kept;
"""

MANY_SQL = """
ATTACH '{file}' AS {base};
CREATE TABLE {base}.kept ({columns});
INSERT INTO {base}.kept FROM marked;
CREATE OR REPLACE TEMP VIEW marked AS FROM {base}.kept;
"""


def keep(con: duckdb.DuckDBPyConnection, touches: int, memory_mb: int, folder: Path) -> None:
    """Put a copy behind the view ``marked``, in memory or in ``folder``."""
    if touches * TOUCH_BYTES * COPY_SHARE <= memory_mb << 20:
        con.execute(FEW_SQL)
        return
    columns = ", ".join(
        f"{name} {kind}" if kind == "VARCHAR" else f"{name} {kind} USING COMPRESSION rle"
        for name, kind, *_ in con.execute("DESCRIBE marked").fetchall()
    )
    file = str(folder / "touches.db").replace("'", "''")
    con.execute(MANY_SQL.format(file=file, base=_base(folder), columns=columns))


def release(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Let go of the file in ``folder``, if there is one; nothing may look at the touches any more."""
    con.execute(f"DETACH DATABASE IF EXISTS {_base(folder)}")


def _base(folder: Path) -> str:
    """The name of the attached database: its folder's, so that two runs over one database do not meet."""
    return '"' + folder.name.replace('"', '""') + '"'
