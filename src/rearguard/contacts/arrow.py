"""Judged columns as Arrow, for DuckDB. Few-word columns travel as dictionaries, masked ones with nulls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from rearguard.contacts.judge import Words

__all__ = ["to_arrow"]


def to_arrow(columns: dict[str, Any]) -> pa.Table:
    """A table with one Arrow column for each entry."""
    return pa.table({name: _array(values) for name, values in columns.items()})


def _array(values: Any) -> pa.Array:
    if isinstance(values, Words):
        words = values.words or ("",)  # an empty dictionary cannot be indexed, not even by nulls
        narrow = np.int8 if len(words) < 127 else np.int32
        index = pa.array(np.maximum(values.index, 0).astype(narrow), mask=values.index < 0)
        return pa.DictionaryArray.from_arrays(index, pa.array(words, pa.string()))
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(np.ascontiguousarray(values.data), mask=np.ma.getmaskarray(values))
    return pa.array(np.ascontiguousarray(values))
