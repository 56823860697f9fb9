"""The product's rows as dicts, to be compared with those of the reference."""

from __future__ import annotations

from pathlib import Path

from rearguard.model.fields import CHUNK
from rearguard.sources import PacketSource, Span, open_packets

NAMES = tuple(item.name for item in CHUNK)


def outcomes(source: PacketSource) -> list[dict[str, int | str | bytes]]:
    """The rows of a source, with observers' names and payloads in place of numbers that point to them."""
    rows = []
    for chunk in source.chunks():
        columns = [chunk.column(name).tolist() for name in NAMES]
        for values in zip(*columns, strict=True):
            row: dict[str, int | str | bytes] = dict(zip(NAMES, values, strict=True))
            begin, size = values[NAMES.index("pay_off")], values[NAMES.index("pay_len")]
            assert begin + size <= chunk.buffer.size
            del row["pay_off"]
            row["payload"] = chunk.buffer[begin : begin + size].tobytes()
            row["observer"] = source.observers[values[NAMES.index("observer")]].name
            rows.append(row)
    return rows


def read_file(
    path: Path, span: Span | None = None
) -> tuple[list[dict[str, int | str | bytes]], PacketSource]:
    """All rows of a file, and the source after it was read."""
    with open_packets(str(path), span=span) as source:
        return outcomes(source), source
