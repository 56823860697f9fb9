"""Numpy columns as Arrow arrays, for DuckDB: without a copy where their memory can be shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["bits_of", "numbers", "to_arrow", "words_of"]


def to_arrow(columns: dict[str, Any]) -> pa.Table:
    """A table with one Arrow column for each entry: a numpy array, or an Arrow array as it is."""
    return pa.table({name: _array(values) for name, values in columns.items()})


def words_of(index: npt.NDArray[np.int32], words: tuple[str, ...]) -> pa.DictionaryArray:
    """A column of few different words: indices into ``words``, a negative one is NULL."""
    known = words or ("",)  # an empty dictionary cannot be indexed, not even by nulls
    narrow = np.int8 if len(known) < 127 else np.int32
    absent = index < 0
    some = bool(absent.any())
    valid = bits_of(np.packbits(~absent, bitorder="little")) if some else None
    places = (np.maximum(index, 0) if some else index).astype(narrow)
    return pa.DictionaryArray.from_arrays(numbers(places, valid), pa.array(known, pa.string()))


def numbers(values: npt.NDArray[Any], valid: pa.Buffer | None = None) -> pa.Array:
    """An array over the memory of contiguous numbers; ``valid`` has a bit for each, 0 is NULL."""
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(values)])


def bits_of(packed: npt.NDArray[np.uint8]) -> pa.Buffer:
    """Bits, the lowest first, as Arrow has them."""
    return pa.py_buffer(np.ascontiguousarray(packed))


def _array(values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array) else numbers(np.ascontiguousarray(values))
