"""Columns of addresses: text, 16 or 4 bytes, whole numbers (IPv4), as two 64-bit halves each."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rearguard.model.address import V4_MAPPED
from rearguard.sources.logs.convert import ABSENT, BAD, EMPTY, GOOD, State, integers, is_text, whole
from rearguard.sources.logs.dotted import dotted

__all__ = ["addresses"]

Halves = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], State]
_V4_PREFIX = b"\0" * 10 + b"\xff\xff"
_WIDE = 16
_LAST = 0xFFFF_FFFF


def addresses(column: Any, *, raw: bool = False) -> Halves:
    """High halves, low halves, and what each value is. IPv4 is ``::ffff:0:0/96``, also when written so.

    ``raw``: bytes that are no text, and whole numbers, may be the address itself (never so in files of text).
    """
    array = whole(column)
    kind = array.type
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width == _WIDE:
        return _fixed(array)
    if raw and (pa.types.is_integer(kind) or pa.types.is_float64(kind)):
        return _numbers(array)
    if pa.types.is_fixed_size_binary(kind):
        array = pc.cast(array, pa.binary())
    if not (is_text(kind) or pa.types.is_fixed_size_binary(kind)):
        state = np.full(len(array), ABSENT if pa.types.is_null(kind) else BAD, np.uint8)
        return np.zeros(len(array), np.uint64), np.zeros(len(array), np.uint64), state
    low, found = _dotted(array)
    high, state = np.zeros(len(array), np.uint64), np.full(len(array), GOOD, np.uint8)
    rest = np.flatnonzero(~found)
    if rest.size:
        high[rest], low[rest], state[rest] = _others(array.take(pa.array(rest)), raw)
    return high, low, state


def _dotted(array: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Low halves of what is an IPv4 address in its usual form, and which are."""
    n = len(array)
    low, found = np.zeros(n, np.uint64), np.zeros(n, np.bool_)
    valid, offsets, data = array.buffers()
    if n and data is not None and data.size and (valid is None or array.null_count == 0):
        wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
        ends = np.frombuffer(offsets, np.int64 if wide else np.int32)
        dotted(np.frombuffer(data, np.uint8), ends, array.offset, n, low, found)
    return low, found


def _others(array: pa.Array, raw: bool) -> Halves:
    """All other ways to write an address, each different text once."""
    coded = array.dictionary_encode()
    values = pc.cast(coded.dictionary, pa.binary()).to_pylist()
    packed = bytearray(_WIDE * (len(values) + 1))
    states = np.full(len(values) + 1, ABSENT, np.uint8)
    for at, value in enumerate(values):
        address = _packed(value, raw)
        if address is not None:
            packed[at * _WIDE : (at + 1) * _WIDE] = address
            states[at] = GOOD
        elif value.decode("utf-8", "replace").strip().lower() not in EMPTY:
            states[at] = BAD
    pairs = np.frombuffer(bytes(packed), ">u8").reshape(-1, 2).astype(np.uint64)
    index = pc.fill_null(coded.indices, len(values)).to_numpy(zero_copy_only=False)
    return pairs[index, 0], pairs[index, 1], states[index]


def _fixed(array: pa.Array) -> Halves:
    state = np.where(pc.is_null(array).to_numpy(zero_copy_only=False), ABSENT, GOOD).astype(np.uint8)
    filled = pc.fill_null(array, pa.scalar(bytes(_WIDE), array.type))
    values = filled.buffers()[1]
    start = filled.offset * _WIDE
    pairs = np.frombuffer(values, np.uint8)[start : start + len(array) * _WIDE]
    halves = np.frombuffer(pairs.tobytes(), ">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 0], halves[:, 1], state


def _numbers(array: pa.Array) -> Halves:
    """IPv4 addresses as the numbers that they are in network byte order; 32 bits with a sign (Java's) mean the same
    32 bits without. 0 says that there is none: the other column of a pair for both families has it."""
    signed = pa.types.is_int32(array.type)
    numbers, state = integers(pc.bit_wise_and(pc.cast(array, pa.int64()), _LAST) if signed else array)
    state[(state == GOOD) & (numbers == 0)] = ABSENT
    state[numbers > _LAST] = BAD
    low = np.where(state == GOOD, numbers | np.uint64(V4_MAPPED), np.uint64(0))
    return np.zeros(len(array), np.uint64), low, state


def _packed(value: bytes, raw: bool) -> bytes | None:
    """The 16 bytes of one address, however it is written."""
    try:
        text = value.decode("ascii").strip()
        if ":" in text:
            return socket.inet_pton(socket.AF_INET6, text)
        if "." in text:
            return _V4_PREFIX + socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        pass
    if raw and len(value) == _WIDE:
        return value
    return _V4_PREFIX + value if raw and len(value) == 4 else None
