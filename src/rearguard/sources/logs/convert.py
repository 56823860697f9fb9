"""Arrow columns, whatever their type, as numpy columns: whole numbers, TCP flags, words (times: :mod:`.moments`).

Every function takes a column as a file has it (text, numbers, timestamps) and says for each value whether it is
there and whether it makes sense. What is absent ("", "-", null) is no mistake; what cannot be read is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "ABSENT",
    "BAD",
    "EMPTY",
    "FLAG_LETTERS",
    "GOOD",
    "State",
    "by_word",
    "flags_of",
    "integers",
    "is_text",
    "letters",
    "string",
    "whole",
    "without_dashes",
    "words",
]

GOOD, ABSENT, BAD = 0, 1, 2
"""What a value is, in the state columns."""

State = npt.NDArray[np.uint8]

EMPTY = frozenset({"", "-", "*", "(empty)", "null", "none", "nan", "\\n", "n/a"})
"""Ways to write "nothing" (Zeek "-" and "(empty)", databases "\\N"); compared in lower case."""

_WHOLE = r"^ *\d{1,18} *$"
_HEX = re.compile(r"(0[xX])? *[0-9a-fA-F]{1,4}")

FLAG_LETTERS = {
    "F": 0x01,
    "S": 0x02,
    "R": 0x04,
    "P": 0x08,
    "A": 0x10,
    "U": 0x20,
    "E": 0x40,
    "C": 0x80,
    "W": 0x80,
}
"""As nfdump and ra write them; the congestion window bit is C to one and W to the other."""


def whole(column: Any) -> pa.Array:
    """One array of a chunked or dictionary-encoded column."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        array = pc.cast(array, pa.string() if pa.types.is_string_view(array.type) else pa.binary())
    return pc.cast(array, pa.string()) if pa.types.is_decimal(array.type) else array


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are text (or bytes that hold text)."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def string(array: pa.Array) -> pa.Array:
    """Text, whether or not it is right UTF-8: a wrong byte fits no pattern, and so its value is bad."""
    return pc.cast(array, options=pc.CastOptions(target_type=pa.string(), allow_invalid_utf8=True))


def without_dashes(text: pa.Array) -> pa.Array:
    """The usual ways to write "nothing" as nulls, so that a whole column can be cast at once."""
    nothing = pc.is_in(text, value_set=pa.array(["", "-"]))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), text)


def words(column: Any) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The different values as text, and for each row which one it is (-1: null)."""
    array = whole(column)
    if pa.types.is_fixed_size_binary(array.type):
        array = pc.cast(array, pa.binary())
    elif not is_text(array.type):
        array = pc.cast(array, pa.string())
    coded = array.dictionary_encode()
    texts = [_text(one) for one in pc.cast(coded.dictionary, pa.binary()).to_pylist()]
    return texts, pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "replace").strip()


def by_word(
    column: Any, read: Callable[[str], int | None], kind: Any = np.int64
) -> tuple[npt.NDArray[Any], State]:
    """Values by looking each different text up once; ``read`` gives None for what it does not know."""
    texts, index = words(column)
    values = np.zeros(len(texts) + 1, kind)
    states = np.full(len(texts) + 1, ABSENT, np.uint8)
    for at, text in enumerate(texts):
        if text.lower() in EMPTY:
            continue
        value = read(text)
        states[at] = BAD if value is None else GOOD
        values[at] = 0 if value is None else value
    return values[index], states[index]


def integers(column: Any) -> tuple[npt.NDArray[np.uint64], State]:
    """Whole numbers that are not negative."""
    array = whole(column)
    state = np.where(pc.is_null(array).to_numpy(zero_copy_only=False), ABSENT, GOOD).astype(np.uint8)
    kind = array.type
    if pa.types.is_null(kind):
        return np.zeros(len(array), np.uint64), state
    if pa.types.is_floating(kind):
        numbers = pc.fill_null(array, 0).to_numpy(zero_copy_only=False).astype(np.float64)
        fits = (numbers >= 0) & (numbers < 2**63) & (numbers == np.floor(numbers))
        state[(state == GOOD) & ~fits] = BAD
        return np.where(fits, numbers, 0).astype(np.uint64), state
    if pa.types.is_integer(kind):
        numbers = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
        if not pa.types.is_unsigned_integer(kind):
            state[(state == GOOD) & (numbers < 0)] = BAD
            numbers = np.maximum(numbers, 0)
        return numbers.astype(np.uint64), state
    if is_text(kind):
        return _integers_of_text(array)
    state[state == GOOD] = BAD
    return np.zeros(len(array), np.uint64), state


def _integers_of_text(array: pa.Array) -> tuple[npt.NDArray[np.uint64], State]:
    text = without_dashes(string(array))
    try:
        numbers = pc.cast(text, pa.uint64())
    except pa.ArrowInvalid:
        return _mixed_integers(text)
    state = np.where(pc.is_null(text).to_numpy(zero_copy_only=False), ABSENT, GOOD).astype(np.uint8)
    return pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False), state


def _mixed_integers(text: pa.Array) -> tuple[npt.NDArray[np.uint64], State]:
    """The same where some are no numbers."""
    fits = pc.fill_null(pc.match_substring_regex(text, _WHOLE), False)
    numbers = pc.cast(pc.ascii_trim_whitespace(pc.if_else(fits, text, "0")), pa.uint64())
    state = np.where(fits.to_numpy(zero_copy_only=False), GOOD, BAD).astype(np.uint8)
    rest = np.flatnonzero(state)
    if rest.size:
        state[rest] = by_word(text.take(pa.array(rest)), lambda _: None)[1]
    return numbers.to_numpy(zero_copy_only=False), state


def letters(text: str) -> int | None:
    """Flags written as letters, dots for the ones that are not set: ``...AP.SF``."""
    bits = 0
    for letter in text.replace(".", ""):
        bit = FLAG_LETTERS.get(letter.upper())
        if bit is None:
            return None
        bits |= bit
    return bits


def flags_of(column: Any, *, hexadecimal: bool = False) -> tuple[npt.NDArray[np.uint8], State]:
    """TCP flags: decimal, ``0x1b``, letters; plain digits are hexadecimal if the source says so."""

    def read(text: str) -> int | None:
        if hexadecimal or text[:2].lower() == "0x":
            return int(text.replace(" ", ""), 16) & 0xFF if _HEX.fullmatch(text) else None
        return int(text) & 0xFF if text.isascii() and text.isdigit() and len(text) < 20 else letters(text)

    array = whole(column)
    if pa.types.is_null(array.type) or pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        numbers, state = integers(array)
        return (numbers & np.uint64(0xFF)).astype(np.uint8), state
    return by_word(array, read, np.uint8)
