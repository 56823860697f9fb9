"""Columns of times, however they are written, as nanoseconds since the epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rearguard.sources.logs.convert import (
    ABSENT,
    BAD,
    GOOD,
    State,
    by_word,
    integers,
    is_text,
    string,
    whole,
    without_dashes,
)

__all__ = ["UNITS", "times"]

UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of each."""

_DECIMAL = r"^(\d{1,18}|[1-8]\d{18})(\.\d{1,9})?$"
_MOMENT = r"^[1-9]\d{3}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?$"
_ZONED = r"^[1-9]\d{3}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)$"
_BILLIONTHS = pa.decimal128(38, 9)
_NOTHING = pa.scalar(Decimal(0), _BILLIONTHS)
_GUESS = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
"""Below which number an unlabelled time is in which unit: all of them reach beyond the year 5000."""

Read = Callable[[pa.Array], tuple[npt.NDArray[np.int64], State]]


def times(column: Any, unit: str | None = None) -> tuple[npt.NDArray[np.int64], State]:
    """Nanoseconds since the epoch, UTC; 0 counts as absent.

    Numbers are in ``unit`` (s, ms, us, ns), or in the one that their size tells. Text is ISO 8601 or a number; what
    names no zone is taken for UTC.
    """
    array = whole(column)
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64), np.full(len(array), ABSENT, np.uint8)
    if pa.types.is_temporal(array.type):
        if not pa.types.is_timestamp(array.type):
            return np.zeros(len(array), np.int64), np.full(len(array), BAD, np.uint8)
        moments = pc.cast(pc.cast(array, pa.timestamp("ns"), safe=False), pa.int64())
        return _present(pc.fill_null(moments, 0).to_numpy(zero_copy_only=False))
    if pa.types.is_integer(array.type):
        return _present(_scaled_whole(integers(array)[0], unit))
    if pa.types.is_floating(array.type):
        return _present(
            _scaled(pc.fill_null(array, 0).to_numpy(zero_copy_only=False).astype(np.float64), unit)
        )
    if is_text(array.type):
        return _times_of_text(array, unit)
    return np.zeros(len(array), np.int64), np.full(len(array), BAD, np.uint8)


def _present(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], State]:
    moments = values.astype(np.int64)
    return moments, np.where(moments > 0, GOOD, ABSENT).astype(np.uint8)


def _unit(size: npt.NDArray[Any], unit: str | None) -> npt.NDArray[np.int64]:
    """Nanoseconds of one unit, for each value."""
    if unit in UNITS:
        return np.full(size.shape, UNITS[unit], np.int64)
    return np.select([size < limit for limit, _ in _GUESS], [UNITS[name] for _, name in _GUESS], 1)


def _scaled_whole(values: npt.NDArray[np.uint64], unit: str | None) -> npt.NDArray[np.int64]:
    factor = _unit(values, unit)
    fits = values <= (2**63 - 1) // factor.astype(np.uint64)
    return np.where(fits, values, 0).astype(np.int64) * factor


def _scaled(values: npt.NDArray[np.float64], unit: str | None) -> npt.NDArray[np.int64]:
    """A double keeps microseconds of today's seconds, and no more: the rest would be invented."""
    micro = values * (_unit(values, unit) / 1e3)
    fits = (micro >= 0) & (micro < 9e15)
    return np.rint(np.where(fits, micro, 0)).astype(np.int64) * 1_000


def _times_of_text(array: pa.Array, unit: str | None) -> tuple[npt.NDArray[np.int64], State]:
    text = without_dashes(pc.ascii_trim_whitespace(string(array)))
    for read in (_decimals(unit), _zoned, _unzoned):
        try:
            return read(text)
        except pa.ArrowInvalid:
            continue
    return _mixed(text, unit)


def _mixed(text: pa.Array, unit: str | None) -> tuple[npt.NDArray[np.int64], State]:
    """The same where they are not all of one kind, or some are wrong."""
    values = np.zeros(len(text), np.int64)
    state = np.full(len(text), BAD, np.uint8)
    for pattern, read in ((_DECIMAL, _decimals(unit)), (_ZONED, _zoned), (_MOMENT, _unzoned)):
        fits = pc.fill_null(pc.match_substring_regex(text, pattern), False).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(fits)
        if rows.size:
            values[rows], state[rows] = _each(text.take(pa.array(rows)), read)
    rest = np.flatnonzero(state == BAD)
    if rest.size:
        told = by_word(text.take(pa.array(rest)), _never)[1]
        state[rest] = np.where(told == GOOD, ABSENT, told)
    return values, state


def _each(text: pa.Array, read: Read) -> tuple[npt.NDArray[np.int64], State]:
    """All at once, or one by one where one of them is no moment (30 February)."""
    try:
        return read(text)
    except pa.ArrowInvalid:
        values, state = np.zeros(len(text), np.int64), np.full(len(text), BAD, np.uint8)
        for row in range(len(text)):
            with contextlib.suppress(pa.ArrowInvalid):
                values[row : row + 1], state[row : row + 1] = read(text.slice(row, 1))
        return values, state


def _never(text: str) -> int | None:
    """A moment that never was is how pmacct writes "none"."""
    return 0 if text.startswith("0000-00-00") else None


def _decimals(unit: str | None) -> Read:
    def read(text: pa.Array) -> tuple[npt.NDArray[np.int64], State]:
        numbers = pc.fill_null(pc.cast(text, _BILLIONTHS), _NOTHING)
        # A decimal is a 128-bit whole number of billionths: low half first.
        halves = np.frombuffer(numbers.buffers()[1], np.int64)[2 * numbers.offset :].reshape(-1, 2)[
            : len(text)
        ]
        billionths, high = halves[:, 0], halves[:, 1]
        fits = (high == 0) & (billionths >= 0)
        if not fits.all():
            return _large(pc.fill_null(text, "0"), unit)
        return _present(_of_billionths(billionths, unit))

    return read


def _of_billionths(values: npt.NDArray[np.int64], unit: str | None) -> npt.NDArray[np.int64]:
    """Nanoseconds; of the numbers there are billionths."""
    factor = _unit(values // 1_000_000_000, unit)
    return values // (1_000_000_000 // factor)


def _large(text: pa.Array, unit: str | None) -> tuple[npt.NDArray[np.int64], State]:
    """Numbers beyond nine digits before the point, such as milliseconds of today: their whole part apart."""
    whole_part = pc.cast(pc.replace_substring_regex(text, r"\..*$", ""), pa.int64()).to_numpy(
        zero_copy_only=False
    )
    digits = pc.replace_substring_regex(text, r"^\d+\.?", "")
    parts = pc.cast(pc.utf8_rpad(digits, 9, "0"), pa.int64()).to_numpy(zero_copy_only=False)
    factor = _unit(whole_part, unit)
    fits = (whole_part >= 0) & (whole_part < (2**63 - 1) // factor)
    return _present(np.where(fits, whole_part * factor + parts * factor // 1_000_000_000, 0))


def _zoned(text: pa.Array) -> tuple[npt.NDArray[np.int64], State]:
    return _cast(text, pa.timestamp("ns", "UTC"))


def _unzoned(text: pa.Array) -> tuple[npt.NDArray[np.int64], State]:
    return _cast(text, pa.timestamp("ns"))


def _cast(text: pa.Array, kind: pa.DataType) -> tuple[npt.NDArray[np.int64], State]:
    moments = pc.fill_null(pc.cast(pc.cast(text, kind), pa.int64()), 0)
    return _present(moments.to_numpy(zero_copy_only=False))
