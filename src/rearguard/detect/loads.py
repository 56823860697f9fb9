"""Tries by when they came, for floods: added up by network, and told apart by device only where there may be one.

Devices are many and floods are few. So devices are put into heaps by their address; only a heap that got as many
tries as a flood of one device is looked into, in a second pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.arrow import numbers, to_arrow
from rearguard.contacts.mix import mix5
from rearguard.detect.lookup import device_of
from rearguard.detect.touch_rows import BATCH, NO_WORD
from rearguard.model.compiled import inlined, kernel, wide

if TYPE_CHECKING:
    import pyarrow as pa

    from rearguard.detect.ledger import Ledger

__all__ = ["LOAD", "hot_rows", "load_rows", "loads"]

LOAD = np.dtype(
    [
        ("device_hi", "u8"),  # both 0: of a network
        ("device_lo", "u8"),
        ("start", "i8"),  # s
        ("seconds", "i8"),
        ("tries", "u8"),  # scaled by sampling
        ("rate", "u4"),
        ("interface", "u2"),
        ("network", "u2"),
        ("way", "u1"),
    ],
    align=True,
)
HEAPS = 8
"""So many heaps of devices for each flood that all initiations together would make."""
MOST_HEAPS = 1 << 20
"""8 MB."""
CELLS = 1 << 15
"""Loads of networks, twice, that are added up at once (2 MB)."""
LEAST = 60
"""Tries of one contact are spread over so many seconds at least."""
SECOND = 1_000_000_000
MOST = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_ZERO = np.uint64(0)

Rows = npt.NDArray[Any]


def loads(ledger: Ledger, initiations: int, flood: int) -> Iterator[pa.Table]:
    """``interface``, ``way``, ``network``, ``device_hi``, ``device_lo``, ``start`` and ``seconds`` (s), ``tries``
    (scaled by sampling) and ``rate``: parts that add up. Of devices only what may reach ``flood`` tries.

    A row has a device or a network, the other is NULL.
    """
    heaps = np.zeros(min(MOST_HEAPS, max(1, initiations * HEAPS // flood)), np.uint64)
    cells, used = np.zeros(CELLS, LOAD), np.zeros(1, np.int64)
    for rows in ledger.touches.batches():
        start = 0
        while start < len(rows):
            start = load_rows(rows, start, ledger.masks, heaps, cells, used)
            if start < len(rows):
                yield _table(cells[cells["seconds"] > 0], ledger, of_devices=False)
                cells[:] = np.zeros((), LOAD)
                used[0] = 0
    yield _table(cells[cells["seconds"] > 0], ledger, of_devices=False)
    hot = heaps >= flood
    if hot.any():
        out = np.empty(BATCH, LOAD)
        for rows in ledger.touches.batches():
            yield _table(out[: hot_rows(rows, ledger.masks, hot, out)], ledger, of_devices=True)


def _table(rows: Rows, ledger: Ledger, *, of_devices: bool) -> pa.Table:
    columns: dict[str, Any] = {name: rows[name] for name in LOAD.names or ()}
    if of_devices:
        columns["network"] = ledger.network_words(np.full(len(rows), NO_WORD, np.uint16))
    else:
        columns["network"] = ledger.network_words(rows["network"])
        for name in ("device_hi", "device_lo"):
            columns[name] = numbers(np.ascontiguousarray(rows[name]), _nothing(len(rows)))
    return to_arrow(columns | {"interface": ledger.interface_words(rows["interface"])})


def _nothing(count: int) -> Any:
    """That none of so many is told."""
    import pyarrow as pa

    return pa.py_buffer(bytes((count + 7) // 8))


@kernel
def load_rows(
    rows: Any,
    start: int,
    masks: npt.NDArray[np.uint64],
    heaps: npt.NDArray[np.uint64],
    cells: Any,
    used: npt.NDArray[np.int64],
) -> int:
    """Add the tries of TOUCH rows from ``start`` on to the heap of each device, and to LOAD ``cells`` of networks,
    an open-addressing table; empty: no seconds. The first row not taken because the table is half full."""
    last = np.uint64(cells.size - 1)
    for i in range(start, rows.size):
        row = rows[i]
        if row.tries == 0:
            continue
        begin, lasts = _span(row)
        rate = max(row.sampling, np.uint32(1))
        tries = _times(row.tries, np.uint64(rate))
        if row.network != NO_WORD:
            word = np.uint64(row.interface) << np.uint64(32) | np.uint64(row.network) << np.uint64(8)
            word |= np.uint64(row.way)
            at = mix5(word, np.uint64(begin), np.uint64(lasts), np.uint64(rate), _ZERO) & last
            while cells[at].seconds != 0 and not (
                cells[at].start == begin
                and cells[at].seconds == lasts
                and cells[at].interface == row.interface
                and cells[at].network == row.network
                and cells[at].way == row.way
                and cells[at].rate == rate
            ):
                at = (at + np.uint64(1)) & last
            cell = cells[at]
            if cell.seconds == 0:
                if used[0] * 2 >= cells.size:
                    return int(i)
                used[0] += 1
                cell.start, cell.seconds, cell.rate = begin, lasts, rate
                cell.interface, cell.network, cell.way = row.interface, row.network, row.way
                cell.device_hi = cell.device_lo = _ZERO
                cell.tries = _ZERO
            cell.tries = _sum(cell.tries, tries)
        heap = _heap(row, masks, heaps.size)
        heaps[heap] = _sum(heaps[heap], tries)
    return int(rows.size)


@kernel
def hot_rows(rows: Any, masks: npt.NDArray[np.uint64], hot: npt.NDArray[np.bool_], out: Any) -> int:
    """Write the LOAD of each touch whose device lies in a ``hot`` heap; how many."""
    count = 0
    for i in range(rows.size):
        row = rows[i]
        if row.tries == 0 or not hot[_heap(row, masks, hot.size)]:
            continue
        into = out[count]
        into.device_hi, into.device_lo = device_of(row, masks)
        into.start, into.seconds = _span(row)
        into.rate = max(row.sampling, np.uint32(1))
        into.tries = _times(row.tries, np.uint64(into.rate))
        into.interface, into.network, into.way = row.interface, np.uint16(NO_WORD), row.way
        count += 1
    return count


@inlined
def _span(row: Any) -> tuple[int, int]:
    """The second in which it began, and for how many it lasts."""
    begun = wide(row.begun)
    return begun // SECOND, max((wide(row.ended) - begun) // SECOND, LEAST)


@inlined
def _heap(row: Any, masks: npt.NDArray[np.uint64], heaps: int) -> int:
    hi, lo = device_of(row, masks)
    word = np.uint64(row.interface) << np.uint64(8) | np.uint64(row.way)
    return int(mix5(hi, lo, word, _ZERO, _ZERO) % np.uint64(heaps))


@inlined
def _times(number: np.uint64, rate: np.uint64) -> np.uint64:
    """The product, or the largest number where it would wrap."""
    return number * rate if number <= MOST // rate else MOST


@inlined
def _sum(total: np.uint64, part: np.uint64) -> np.uint64:
    return total + part if part <= MOST - total else MOST
