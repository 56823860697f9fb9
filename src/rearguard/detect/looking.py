"""One pass over all touches: how much there is for each detector, and the rows that kernels count later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.detect import tally_rows as marks
from rearguard.detect import touch_rows as more
from rearguard.detect.tally_rows import BARE, EXCEPTION, NO_RANK, NO_RESULT, SURVEYOR
from rearguard.detect.touch_rows import BATCH, FORGEABLE, NO_WORD, OPENED, RETURNED, SENT, TOUCH, Touches
from rearguard.detect.touches import number_sql
from rearguard.model.bits import INBOUND, OUTBOUND, TCP
from rearguard.model.compiled import inlined, kernel

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["COUNTS", "Look", "look", "look_rows", "rows_sql"]

COUNTS = (
    "touches", "known", "tried", "knocked", "loose", "outward", "worm", "answers", "replied", "own", "asked",
    "initiations", "ports",
)  # fmt: skip
"""What is counted; see :class:`rearguard.detect.overview.Overview`."""
MOST = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

ROWS_SQL = """
SELECT
    client_hi, client_lo, server_hi, server_lo, begun, ended, last,
    (packets_c + packets_s)::UBIGINT AS packets, (bytes_c + bytes_s)::UBIGINT AS bytes, tries::UBIGINT AS tries,
    fp_mirai::UBIGINT AS mirai, fp_zmap::UBIGINT AS zmap, fp_masscan::UBIGINT AS masscan,
    coalesce(CASE WHEN rank_c = {no_rank} THEN time_s ELSE time_c END, 0) AS time,
    coalesce(CASE WHEN rank_c = {no_rank} THEN rec_s ELSE rec_c END, 0)::UBIGINT AS rec,
    sampling::UINTEGER AS sampling, {marks} AS marks, port,
    coalesce(CASE WHEN rank_c = {no_rank} THEN port_s ELSE port_c END, 0)::USMALLINT AS far_port,
    coalesce({interface}, {no_word}) AS interface, coalesce({network}, {no_word}) AS network,
    surveyor, exception, proto, coalesce(result, {no_result})::UTINYINT AS result,
    CASE WHEN rank_c = {no_rank} THEN rank_s ELSE rank_c END AS rank, way
FROM touches
"""

_MARKS = {
    "verified": marks.VERIFIED,
    "dark": marks.DARK,
    "bare": marks.BARE,
    "unproven AND result >= 3": marks.UNPROVEN,
    f"rank_c = {NO_RANK}": marks.ANSWER,
    "surveyor IS NOT NULL": marks.SURVEYOR,
    "exception IS NOT NULL": marks.EXCEPTION,
    "opened": more.OPENED,
    "lan": more.LAN,
    "guest": more.GUEST,
    "flagless": more.FLAGLESS,
    "forgeable": more.FORGEABLE,
    "packets_c > 0": more.SENT,
    "packets_s > 0": more.RETURNED,
}
"""When each bit is set."""


def rows_sql(interfaces: Sequence[str], networks: Sequence[str]) -> str:
    """A query for rows of TOUCH; only surveyors and exceptions are words in it."""
    return ROWS_SQL.format(
        no_rank=NO_RANK,
        no_result=NO_RESULT,
        no_word=NO_WORD,
        marks="("
        + " + ".join(f"CASE WHEN {when} THEN {bit} ELSE 0 END" for when, bit in _MARKS.items())
        + ")::UINTEGER",
        interface=number_sql("interface", interfaces, "USMALLINT"),
        network=number_sql("server_network", networks, "USMALLINT"),
    )


@dataclass(slots=True)
class Look:
    """What one pass found."""

    counts: dict[str, int]
    rates: tuple[int, ...]
    """The sampling rates that occur, ascending; 1 also where it is unknown."""
    words: dict[str, list[str]]
    """The surveyors and the exceptions by their numbers in the rows."""


def look(
    con: duckdb.DuckDBPyConnection, interfaces: Sequence[str], networks: Sequence[str], touches: Touches
) -> Look:
    """Pass over the view ``touches`` in ``con``, in the order in which contacts are stored; fill ``touches``."""
    counts = np.zeros(len(COUNTS), np.uint64)
    ports = np.zeros((256, 8192), np.uint8)  # a bitmap for each protocol
    words: dict[str, list[str]] = {"surveyor": [], "exception": []}
    rates: set[int] = set()
    rows = np.empty(BATCH, TOUCH)
    ((ordered,),) = con.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
    con.execute("SET preserve_insertion_order = true")
    for batch in con.sql(rows_sql(interfaces, networks)).to_arrow_reader(BATCH):
        some = rows[: batch.num_rows]
        for name in TOUCH.names or ():
            some[name] = _codes(batch[name], words[name]) if name in words else batch[name].to_numpy()
        rates.update(_different(some["sampling"]))
        touches.add(some[: look_rows(some, counts, ports)])
    con.execute(f"SET preserve_insertion_order = {ordered}")
    return Look(
        dict(zip(COUNTS, counts.tolist(), strict=True)),
        tuple(sorted({max(1, rate) for rate in rates})),
        words,
    )


def _codes(column: pa.Array, words: list[str]) -> npt.NDArray[np.uint16] | int:
    """The place of each word in ``words``, which grow; NO_WORD for none."""
    if column.null_count == len(column):
        return NO_WORD
    coded = column.dictionary_encode()
    places = []
    for word in coded.dictionary.to_pylist():
        if word not in words:
            words.append(word)
        places.append(words.index(word))
    numbers = coded.indices.fill_null(len(places)).to_numpy()
    found: npt.NDArray[np.uint16] = np.array([*places, NO_WORD], np.uint16).take(numbers)
    return found


def _different(numbers: npt.NDArray[np.uint32]) -> list[int]:
    """Mostly one."""
    if len(numbers) and (numbers == numbers[0]).all():
        return [int(numbers[0])]
    found: list[int] = np.unique(numbers).tolist()
    return found


@kernel
def look_rows(rows: Any, counts: npt.NDArray[np.uint64], ports: npt.NDArray[np.uint8]) -> int:
    """Add to ``counts`` and to the bitmap of ports that were tried; move what kernels count later, the tries at
    catalogued interfaces that are not outbound, to the front. How many those are."""
    kept = 0
    for i in range(rows.size):
        row = rows[i]
        had = row.marks
        listed, outward, tcp = row.interface != NO_WORD, row.way == OUTBOUND, row.proto == TCP
        opened, returned = had & OPENED != 0, had & RETURNED != 0
        scaled = _times(row.tries, max(np.uint64(row.sampling), np.uint64(1)))
        counts[0] += np.uint64(1)
        counts[1] += np.uint64(had & (SURVEYOR | EXCEPTION) != 0)
        counts[2] += np.uint64(opened and listed and not outward)
        if opened and not outward and (tcp or listed):
            counts[3] += np.uint64(1)
            bit = np.uint8(1 << (row.port & 7))
            counts[12] += np.uint64(ports[row.proto, row.port >> 3] & bit == 0)
            ports[row.proto, row.port >> 3] |= bit
        counts[4] += np.uint64(not listed and tcp and had & SENT != 0 and not outward)
        counts[5] += np.uint64(outward and listed and had & BARE != 0 and tcp)
        counts[6] += np.uint64(row.way != INBOUND and row.mirai > 0)
        if row.way != INBOUND:
            counts[9] += np.uint64(1)
        elif returned:
            counts[7] += np.uint64(listed)
            counts[8] += np.uint64(1)
            if had & FORGEABLE != 0:
                counts[10] = _sum(counts[10], scaled)
        if listed and not outward:
            counts[11] = _sum(counts[11], scaled)
            if opened or row.tries > 0:
                rows[kept] = rows[i]
                kept += 1
    return kept


@inlined
def _times(number: np.uint64, rate: np.uint64) -> np.uint64:
    """The product, or the largest number where it would wrap."""
    return number * rate if number <= MOST // rate else MOST


@inlined
def _sum(total: np.uint64, part: np.uint64) -> np.uint64:
    return total + part if part <= MOST - total else MOST
