"""JSON lines: one object a record, fields by preset or by the policy's mapping."""

from __future__ import annotations

import pyarrow as pa

from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import Input
from rearguard.sources.logs.choosing import choose
from rearguard.sources.logs.headers import first_objects, schema_of
from rearguard.sources.logs.lines import Lines
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.source import LogSource
from rearguard.sources.logs.tables import JsonLines
from rearguard.sources.logs.text import text_source
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["open_json_lines"]

SNIFFED = 64 * 1024
"""Bytes whose lines tell which fields there are, and of which types."""

_TEXTS = frozenset({"src", "dst", "proto", "start", "end", "exporter", "way", "flags", "flags_back"})
"""Fields that are text where the first objects do not show them."""


def open_json_lines(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read JSON lines. Raises InputError where the first lines hold no object, or nobody knows its fields."""
    lines = Lines(window)
    head = lines.peek(SNIFFED)
    objects = first_objects(head)
    if head.lstrip().startswith(b"[") or not objects:
        array = head.lstrip().startswith(b"[")
        raise InputError(
            "an array of JSON objects, which must be known whole before it can be read"
            if array
            else "it begins like JSON, and its first lines hold no whole object",
            remedy="write one object a line (`jq -c '.[]'` makes such lines of an array)",
            place=Place(file=uri, line=1),
        )
    names = list(dict.fromkeys(name for each in objects for name in each))
    mapping, exporter = choose(names, uri, options.columns)
    wanted = {
        name: pa.string() if field in _TEXTS else pa.int64()
        for field, columns in mapping.fields.items()
        for name in columns
    }
    parser = JsonLines(schema_of(objects, wanted))
    places = Places(mapping.name, exporter)
    return text_source(uri, number, f"{mapping.name} json", inflow, lines, mapping, places, parser.table)
