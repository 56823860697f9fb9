"""CSV and its kin: a header line, a delimiter that is sniffed, columns by preset or by the policy's mapping."""

from __future__ import annotations

from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import Input
from rearguard.sources.logs.choosing import choose
from rearguard.sources.logs.headers import header_of
from rearguard.sources.logs.lines import Lines
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.source import LogSource
from rearguard.sources.logs.tables import Delimited
from rearguard.sources.logs.text import text_source
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["open_delimited"]

SNIFFED = 64 * 1024
"""Bytes in which a quote means that cells are quoted."""

SHADOWSERVER = frozenset({"timestamp", "ip", "port", "asn", "geo"})
"""Columns that only its reports have together."""

TRAILERS = {"nfdump": "Summary"}
"""The line after which a tool prints something else than flows."""


def open_delimited(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read a table of text. Raises InputError where its header is none, or nobody knows its columns."""
    lines = Lines(window)
    header = header_of(lines.line())
    if header is None:
        raise InputError(
            "the first line is no header of columns",
            remedy="write the names of the columns in the first line, with , ; | or a tab between them",
            place=Place(file=uri, line=1),
        )
    delimiter, names = header
    if frozenset(names) >= SHADOWSERVER:
        raise InputError(
            "a report of Shadowserver, which is no traffic",
            remedy="name it with --shadowserver",
            place=Place(file=uri),
        )
    mapping, exporter = choose(names, uri, options.columns)
    parser = Delimited(
        names,
        [name for name in mapping.columns() if name in names],
        delimiter,
        quoted=b'"' in lines.peek(SNIFFED),
        trailer=TRAILERS.get(mapping.name, ""),
    )
    places = Places(mapping.name, exporter)
    return text_source(uri, number, f"{mapping.name} csv", inflow, lines, mapping, places, parser.table)
