"""What all logs of lines share: a loop over blocks, and a source made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from rearguard.sources.inputs import Input
from rearguard.sources.logs.lines import LONGEST, Lines
from rearguard.sources.logs.mapping import ColumnMap, build
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.records import Records
from rearguard.sources.logs.source import LogSource
from rearguard.sources.logs.tables import Parser, Table

__all__ = ["empty", "records_of", "text_source"]

Build = Callable[[Table], Records]


def records_of(table: Table, mapping: ColumnMap, places: Places) -> Records:
    """The records of one block, with what was skipped in it."""
    records = build(mapping, table.columns, table.lines, places)
    records.skip("bad-line", table.bad)
    records.first_bad = records.first_bad or table.first_bad
    records.skip("not-a-flow", table.other)
    return records


def empty(mapping: ColumnMap, places: Places) -> Records:
    """No records, to count something that was skipped."""
    none = {name: pa.array([], pa.string()) for name in mapping.columns()}
    return build(mapping, none, np.zeros(0, np.int64), places)


def _count_overlong(records: Records, count: int) -> None:
    if count:
        records.skip("bad-line", count)
        records.first_bad = records.first_bad or f"a line is longer than {LONGEST >> 20} MiB"


def text_source(
    uri: str,
    number: int,
    form: str,
    inflow: Input,
    lines: Lines,
    mapping: ColumnMap,
    places: Places,
    parse: Parser,
    make: Build | None = None,
) -> LogSource:
    """A source whose blocks are parsed by ``parse`` and made into records by ``make`` (:func:`records_of`)."""

    def batches() -> Iterator[Records]:
        overlong = 0
        for block in lines:
            table = parse(block)
            records = records_of(table, mapping, places) if make is None else make(table)
            _count_overlong(records, lines.overlong - overlong)
            overlong = lines.overlong
            yield records
        if lines.overlong > overlong:
            rest = empty(mapping, places)
            _count_overlong(rest, lines.overlong - overlong)
            yield rest

    return LogSource(uri, number, form, inflow, places, batches(), lambda: lines.offset, lambda: None)
