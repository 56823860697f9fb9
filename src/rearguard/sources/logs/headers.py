"""What a text table begins with: its delimiter and header, or the fields of its first objects."""

from __future__ import annotations

import csv
import json
from typing import Any

import pyarrow as pa

__all__ = ["DELIMITERS", "first_objects", "header_of", "schema_of"]

DELIMITERS = (",", "\t", ";", "|")
MOST_COLUMNS = 1_000
_EXACT = 2**53
"""Whole numbers from here on a double cannot hold; times in nanoseconds are such."""


def header_of(line: bytes) -> tuple[str, list[str]] | None:
    """Delimiter and names of a header line; None where the line is none."""
    text = line.decode("utf-8", "replace").strip("\r\n")
    delimiter = max(DELIMITERS, key=text.count)
    if text.count(delimiter) < 2:
        return None
    try:
        names = [
            name.strip().lstrip("#").strip() for name in next(csv.reader([text], delimiter=delimiter), [])
        ]
    except csv.Error:
        return None
    if len(names) > MOST_COLUMNS or any(not name or not name.isprintable() for name in names):
        return None
    if len(set(names)) != len(names) or not any(char.isalpha() for char in names[0]):
        return None
    return delimiter, names


def first_objects(head: bytes, most: int = 50) -> list[dict[str, Any]]:
    """The JSON objects of the first whole lines; what is no object is left out."""
    found = []
    for line in head.split(b"\n")[:most]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def schema_of(objects: list[dict[str, Any]], wanted: dict[str, Any]) -> pa.Schema:
    """Types of the wanted fields: as in the first objects, else as ``wanted`` says."""
    return pa.schema(
        [(name, _type_of([each.get(name) for each in objects], default)) for name, default in wanted.items()]
    )


def _type_of(values: list[Any], default: pa.DataType) -> pa.DataType:
    told = [value for value in values if value is not None]
    if not told:
        return default
    if pa.types.is_struct(default):
        inner = [value for value in told if isinstance(value, dict)]
        parts = [(each.name, [one.get(each.name) for one in inner], each.type) for each in default]
        return pa.struct([(name, _type_of(some, kind)) for name, some, kind in parts])
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in told):
        if all(isinstance(value, int) for value in told):
            large = any(abs(value) >= _EXACT for value in told)
            return pa.int64() if large or not pa.types.is_floating(default) else pa.float64()
        return pa.float64()
    return pa.string()
