"""Series of distinct source networks by port: the census, merged to 1, 5, 15 and 60 minutes.

Sketches of neighbouring minutes merge by the larger register, so a source that tries for an hour counts once in
the hour. Everything is done on whole columns; a row of the census is never looked at by itself. A census may have
many millions of cells, so it is read one range of ports after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rearguard.contacts import hll

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

__all__ = ["AT_ONCE", "MERGES", "Series", "build", "estimates", "ranges", "split_key"]

MERGES = (1, 5, 15, 60)
"""Minutes. Short ones warn early, long ones see what grows slowly."""

AT_ONCE = 1 << 18
"""Cells that are looked at together, about 100 bytes each, twice while they are merged."""

_CHUNK = 1 << 14

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Sketches = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Series:
    """All ports at one merge: rows sorted by key and window; windows without a row are zero."""

    minutes: int
    keys: Ints  # port << 16 | proto << 8 | direction
    windows: Ints  # minute since the epoch // minutes
    sources: Floats  # estimated distinct /24 (IPv6: /48)
    tries: Ints
    first: int  # first and last window of the whole census
    last: int

    def ranges(self) -> tuple[Ints, Ints, Ints]:
        """Each key with the begin and end of its rows."""
        begins = (
            np.flatnonzero(np.r_[True, np.diff(self.keys) != 0]) if len(self.keys) else np.empty(0, np.int64)
        )
        return self.keys[begins], begins, np.r_[begins[1:], len(self.keys)].astype(np.int64)


def split_key(key: int) -> tuple[int, int, int]:
    """Port, protocol and direction of a key."""
    return key >> 16, key >> 8 & 0xFF, key & 0xFF


def ranges(ports: Sequence[int], cells: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last port of ranges with about ``AT_ONCE`` cells; each of the ascending ``ports`` has ``cells``."""
    first, held = 0, 0
    for place, count in enumerate(cells):
        if held and held + count > AT_ONCE:
            yield ports[first], ports[place - 1]
            first, held = place, 0
        held += count
    if held:
        yield ports[first], ports[-1]


def build(table: pa.Table, span: tuple[int, int]) -> list[Series]:
    """The series of cells that are sorted by port, proto, direction and minute; one a merge.

    ``span``: first and last minute of the whole input; a minute in it without a row is a zero, not a gap.
    """
    keys = _column(table, "port") << 16 | _column(table, "proto") << 8 | _column(table, "direction")
    minutes, tries, sketches = _column(table, "minute"), _column(table, "tries"), _sketches(table, "sources")
    first, last = span
    inside = (minutes >= first) & (minutes <= last)
    if not inside.all():
        keys, minutes, tries, sketches = keys[inside], minutes[inside], tries[inside], sketches[inside]
    series = []
    for merge in MERGES:
        windows = minutes // merge
        starts = np.flatnonzero(np.r_[True, (np.diff(keys) != 0) | (np.diff(windows) != 0)][: len(keys)])
        if len(starts):
            sketches = np.maximum.reduceat(sketches, starts, axis=0)
            tries = np.add.reduceat(tries, starts)
            keys, minutes, windows = keys[starts], minutes[starts], windows[starts]
        series.append(Series(merge, keys, windows, estimates(sketches), tries, first // merge, last // merge))
    return series


def estimates(sketches: Sketches) -> Floats:
    """Distinct counts of many sketches, in pieces that keep memory small."""
    if not len(sketches):
        return np.empty(0)
    return np.concatenate(
        [hll.estimate(sketches[begin : begin + _CHUNK]) for begin in range(0, len(sketches), _CHUNK)]
    )


def _column(table: pa.Table, name: str) -> Ints:
    values: Ints = table[name].to_numpy().astype(np.int64)
    return values


def _sketches(table: pa.Table, name: str) -> Sketches:
    """A column of 64-byte blobs as rows of registers, without a loop: Arrow keeps them in one run of bytes."""
    pieces = [
        np.frombuffer(chunk.buffers()[2], dtype=np.uint8)[
            chunk.offset * hll.REGISTERS : (chunk.offset + len(chunk)) * hll.REGISTERS
        ]
        for chunk in table[name].chunks
        if len(chunk)
    ]
    if not pieces:
        return np.empty((0, hll.REGISTERS), np.uint8)
    return np.concatenate(pieces).reshape(-1, hll.REGISTERS)
