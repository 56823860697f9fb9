"""Zeek's conn.log, as tab-separated text or as JSON lines (what its letters mean: :mod:`.zeek_history`).

Header lines (``#fields`` ...) may come again, and change, where rotated files were put together. Of other logs (a
``#path`` or ``_path`` that is not conn) nothing is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import Input
from rearguard.sources.logs.choosing import choose
from rearguard.sources.logs.convert import words
from rearguard.sources.logs.headers import first_objects, schema_of
from rearguard.sources.logs.lines import LONGEST, Lines
from rearguard.sources.logs.mapping import ColumnMap
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.records import Records
from rearguard.sources.logs.source import LogSource
from rearguard.sources.logs.tables import Delimited, JsonLines, Table
from rearguard.sources.logs.text import records_of, text_source
from rearguard.sources.logs.zeek_history import refine
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["ZEEK", "open_zeek", "open_zeek_json"]

SNIFFED = 64 * 1024
HEADER = b"#"
_PATH = "_path"
NEEDED_COLUMNS = ("ts", "id.orig_h", "id.resp_h", "proto")

ZEEK = ColumnMap(
    "zeek",
    {
        "start": ("ts",),
        "duration": ("duration",),
        "src": ("id.orig_h",),
        "dst": ("id.resp_h",),
        "sport": ("id.orig_p",),
        "dport": ("id.resp_p",),
        "proto": ("proto",),
        "packets": ("orig_pkts",),
        "bytes": ("orig_ip_bytes",),
        "payload": ("orig_bytes",),
        "packets_back": ("resp_pkts",),
        "bytes_back": ("resp_ip_bytes",),
        "payload_back": ("resp_bytes",),
        "exporter": ("_system_name", "_node_name", "peer"),
    },
    sampling=1,
    refine=refine,
    extra=("history", "conn_state"),
)


def open_zeek(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read a conn.log of tab-separated text. Raises InputError for other logs of Zeek."""
    lines = Lines(window)
    state = _Header(uri)
    while (peeked := lines.peek(LONGEST)).startswith(HEADER):
        state.take(lines.line())
        if not peeked.partition(b"\n")[1]:
            break
    state.check()
    mapping, exporter = choose(state.names, uri, options.columns, ZEEK)
    places = Places("Zeek", exporter)
    return text_source(
        uri, number, "zeek", inflow, lines, mapping, places, state.parse,
        lambda table: records_of(table, mapping, places),
    )  # fmt: skip


@dataclass(slots=True)
class _Header:
    """The lines that begin with #: they may come again, and change, where files were put together."""

    uri: str
    separator: str = "\t"
    names: list[str] = field(default_factory=list)
    path: str = "conn"
    _parser: Delimited | None = None

    def take(self, line: bytes) -> None:
        """One header line."""
        text = line.decode("utf-8", "replace")
        if text.startswith("#separator "):
            self.separator = _unescaped(text.removeprefix("#separator ").strip())[:1] or "\t"
            return
        name, _, rest = text.partition(self.separator)
        if name == "#fields":
            names = rest.split(self.separator)
            if names != self.names:
                read = self._parser.read if self._parser is not None else 0
                self.names = names
                wanted = [each for each in ZEEK.columns() if each in names]
                self._parser = Delimited(names, wanted, self.separator, quoted=False, read=read)
        elif name == "#path":
            self.path = rest.strip()

    def check(self) -> None:
        """Raises InputError where this is no log of connections."""
        if self.path != "conn":
            raise InputError(
                f"a log of Zeek, but of {self.path!r} and not of connections",
                remedy="name conn.log",
                place=Place(file=self.uri),
            )
        missing = [name for name in NEEDED_COLUMNS if name not in self.names]
        if not self.names or len(set(self.names)) != len(self.names):
            raise InputError(
                "a log of Zeek without the names of its columns",
                remedy="keep the lines that begin with # at its top",
                place=Place(file=self.uri),
            )
        if missing:
            raise InputError(
                f"Zeek's conn.log without {' and '.join(missing)}, so it tells no flows",
                remedy="let Zeek write all columns of conn.log",
                place=Place(file=self.uri, key="#fields"),
            )

    def parse(self, block: bytes) -> Table:
        """The rows of a block, its header lines taken out of it."""
        assert self._parser is not None
        if not block.startswith(HEADER) and b"\n#" not in block:
            return self._parser.table(block)
        parts: list[Table] = []
        run: list[bytes] = []
        for line in block.split(b"\n"):
            if not line.startswith(HEADER):
                run.append(line)
                continue
            parts.append(self._run(run))
            run = []
            self.take(line.removesuffix(b"\r"))
        parts.append(self._run(run))
        return _joined(parts)

    def _run(self, lines: list[bytes]) -> Table:
        assert self._parser is not None
        data = b"\n".join(line for line in lines if line)
        if not data:
            return Table({}, np.zeros(0, np.int64))
        table = self._parser.table(data + b"\n")
        if self.path == "conn" and "id.orig_h" in self.names:
            return table
        return Table({}, np.zeros(0, np.int64), other=len(table.lines) + table.bad)


def _joined(parts: list[Table]) -> Table:
    """Several runs as one table; a column that one of them lacks is null there."""
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    columns = {
        name: pa.concat_arrays(
            [
                part.columns.get(name, pa.nulls(len(part.lines), pa.string()))
                for part in parts
                if len(part.lines)
            ]
            or [pa.array([], pa.string())]
        )
        for name in names
    }
    return Table(
        columns,
        np.concatenate([part.lines for part in parts]),
        sum(part.bad for part in parts),
        sum(part.other for part in parts),
        next((part.first_bad for part in parts if part.first_bad), ""),
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), text)


def open_zeek_json(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read a conn.log of JSON lines."""
    lines = Lines(window)
    objects = first_objects(lines.peek(SNIFFED))
    names = list(dict.fromkeys(name for each in objects for name in each))
    mapping, exporter = choose(names or list(ZEEK.columns()), uri, options.columns, ZEEK)
    places = Places("Zeek", exporter)
    numbers = dict.fromkeys(("id.orig_p", "id.resp_p", "orig_pkts", "orig_ip_bytes", "orig_bytes", "resp_pkts",
                             "resp_ip_bytes", "resp_bytes"), pa.int64())  # fmt: skip
    wanted = {
        **dict.fromkeys((*ZEEK.columns(), _PATH), pa.string()),
        **numbers,
        **dict.fromkeys(("ts", "duration"), pa.float64()),
    }
    parser = JsonLines(schema_of(objects, wanted))

    def make(table: Table) -> Records:
        return records_of(_connections(table), mapping, places)

    return text_source(uri, number, "zeek json", inflow, lines, mapping, places, parser.table, make)


def _connections(table: Table) -> Table:
    """Without the lines of other logs, which some shippers write into one file."""
    path = table.columns.get(_PATH)
    if path is None:
        return table
    texts, index = words(path)
    keep = np.array([text in ("", "conn") for text in texts] + [True])[index]
    if keep.all():
        return table
    chosen = pa.array(np.flatnonzero(keep))
    return Table(
        {name: column.take(chosen) for name, column in table.columns.items()},
        table.lines[keep],
        table.bad,
        table.other + int((~keep).sum()),
        table.first_bad,
    )
