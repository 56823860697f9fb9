"""When each source first tried each device, in the groups that are large enough for a scan.

A source's touches lie together, so most groups are whole long before the last touch was seen: their times are
sorted and passed on, and memory does not grow with the touches. What came in no order (:mod:`.grouping`), or is too
much of one source, is put into order by the database.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.detect.grouping import FIRST, PROGRESS, first_rows
from rearguard.detect.lookup import Lookup, lookup
from rearguard.detect.pouring import pour
from rearguard.detect.touch_rows import BATCH
from rearguard.detect.touches import number_sql

if TYPE_CHECKING:
    from rearguard.detect.shape import Context

__all__ = ["first_tries"]

Numbers = npt.NDArray[np.int64]

HELD = 1 << 18
"""First tries that wait for their group to be whole (4 MB)."""
FETCHED = 65_536
"""Rows that are fetched at once."""

MANY_SQL = """
SELECT number, touches, source_hi, source_lo, {interface} AS interface, way::UBIGINT AS way
FROM groups WHERE touches >= least(in_window, in_all)
ORDER BY number
"""

TRIED = "place BIGINT, device_hi UBIGINT, device_lo UBIGINT, begun BIGINT"

FIRSTS_SQL = """
SELECT place, begun
FROM (SELECT place, device_hi, device_lo, min(begun) AS begun FROM poured GROUP BY ALL)
ORDER BY place, begun
"""


def first_tries(context: Context) -> Iterator[tuple[Numbers, Numbers]]:
    """Group number and time of each device's first touch; those of one group together, ascending."""
    ledger = context.ledger
    sql = MANY_SQL.format(interface=number_sql("interface", ledger.interfaces, "UBIGINT"))
    many = context.con.sql(sql).to_arrow_table()
    if not len(many):
        return
    keys = ("source_hi", "source_lo", "interface", "way")
    groups = lookup(np.column_stack([many[name].to_numpy() for name in keys]))
    numbers = many["number"].to_numpy().astype(np.int64)
    sizes = many["touches"].to_numpy().astype(np.int64)
    progress = np.zeros(len(many), PROGRESS)
    out = np.empty(2 * BATCH, FIRST)
    waiting: list[tuple[Numbers, Numbers]] = []
    for touches in ledger.touches.batches():
        found = first_rows(touches, groups, ledger.reflections, ledger.masks, sizes, progress, False, out)
        waiting.append((out["place"][:found].copy(), out["begun"][:found].copy()))
        if sum(len(places) for places, _ in waiting) > HELD:
            yield from _whole(waiting, sizes, progress, numbers)
            if len(waiting[0][0]) > HELD // 2:
                progress["broken"][waiting.pop()[0]] = 1
    yield from _whole(waiting, sizes, progress, numbers)
    if progress["broken"].any():
        yield from _ordered(context, groups, sizes, progress, numbers)


def _whole(
    waiting: list[tuple[Numbers, Numbers]], sizes: Numbers, progress: npt.NDArray[Any], numbers: Numbers
) -> Iterator[tuple[Numbers, Numbers]]:
    """The times of the groups that are whole, each group's sorted; what is left waits in one piece."""
    if not waiting:
        return
    places, times = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
    order = np.argsort(places, kind="stable")  # nearly sorted already
    sound = progress["broken"][places] == 0
    whole = sound & (progress["touches"] == sizes)[places]
    waiting[:] = [(places[sound & ~whole], times[sound & ~whole])]
    order = order[whole[order]]
    places, times = places[order], times[order]
    bounds = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
    for start, end in itertools.pairwise(bounds):
        times[start:end].sort()
    yield numbers[places], times


def _ordered(
    context: Context, groups: Lookup, sizes: Numbers, progress: npt.NDArray[Any], numbers: Numbers
) -> Iterator[tuple[Numbers, Numbers]]:
    """The same of broken groups, by the database."""
    ledger = context.ledger
    out = np.empty(2 * BATCH, FIRST)
    counts = (
        first_rows(touches, groups, ledger.reflections, ledger.masks, sizes, progress, True, out)
        for touches in ledger.touches.batches()
    )
    pour(context.con, TRIED, (out[:count] for count in counts))
    for batch in context.con.sql(FIRSTS_SQL).to_arrow_reader(FETCHED):
        yield numbers[batch["place"].to_numpy()], batch["begun"].to_numpy()
    context.con.execute("DROP TABLE poured")
