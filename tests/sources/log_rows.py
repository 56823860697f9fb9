"""Rows of flow logs as dicts, with addresses and names in place of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rearguard.model.address import format_address
from rearguard.model.bits import WHY_INITIATOR, WHY_RESPONDER
from rearguard.model.fields import CHUNK
from rearguard.policy.columns import ColumnRule
from rearguard.sources import Options, Reader, open_source

NAMES = tuple(item.name for item in CHUNK)

Row = dict[str, Any]


def rows_of(source: Reader) -> list[Row]:
    """Every column of every row; addresses as text, the observer itself, who opened in a word."""
    rows = []
    for chunk in source.chunks():
        columns = [chunk.column(name).tolist() for name in NAMES]
        for values in zip(*columns, strict=True):
            row: Row = dict(zip(NAMES, values, strict=True))
            row["src"] = format_address(row.pop("src_hi"), row.pop("src_lo"))
            row["dst"] = format_address(row.pop("dst_hi"), row.pop("dst_lo"))
            row["observer"] = source.observers[row["observer"]]
            said = {WHY_INITIATOR: "opened", WHY_RESPONDER: "answered"}
            row["said"] = said.get(row["why"] & (WHY_INITIATOR | WHY_RESPONDER), "")
            rows.append(row)
    return rows


def read_log(path: Path, **rules: ColumnRule) -> tuple[list[Row], Reader]:
    """All rows of a file, and the source after it was read."""
    options = Options(columns=tuple(rules.items()))
    with open_source(str(path), options=options) as source:
        early = source.first_time()
        rows = rows_of(source)
    assert early is None or not rows or early <= max(row["ts"] for row in rows)
    return rows, source


def some(row: Row, *names: str) -> tuple[Any, ...]:
    """A few columns of one row."""
    return tuple(row[name] for name in names)
