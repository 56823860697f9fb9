"""Who had which address, and which ports of it, when: the operator's leases (rule A7, SEMANTICS D).

A case must reach the subscriber who held the address at the time of the evidence, not the one who holds it now.
So a lease is a prefix, a range of ports (behind CGN and MAP several subscribers share an address) and a time
from-to, end excluded. Asked for an address, a port and a time, the longest prefix that holds them answers; when
two subscribers hold the same prefix and ports at that time, nobody is named, and the two lines are.

A million leases take about 100 MB and a few seconds; more than :data:`MAX_LEASES` are refused.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import Address
from rearguard.report.cases.cells import read_ports, read_prefix
from rearguard.report.cases.index import PrefixRows
from rearguard.report.cases.overlaps import Overlap, Overlaps, find_overlaps
from rearguard.report.cases.table import CellError, Column, Problems, Row, fill_table, read_time
from rearguard.report.cases.texts import Texts

__all__ = ["ALWAYS", "COLUMNS", "MAX_LEASES", "NEVER", "Lease", "Subscribers", "load_subscribers"]

MAX_LEASES = 10_000_000
"""About a gigabyte; a day of leases of ten million lines."""

ALWAYS = -(1 << 63)
"""The beginning of a lease without ``from``."""
NEVER = (1 << 63) - 1
"""The end of a lease without ``to``: it still holds."""

COLUMNS = (
    Column(
        "address",
        (
            "prefix", "ip", "ip address", "ipv4", "ipv6", "network", "subnet", "framed-ip-address",
            "framed-ipv6-prefix", "delegated-ipv6-prefix", "public ip", "public address", "assigned address",
        ),
    ),
    Column("ports", ("port range", "port", "port block", "port set")),
    Column("first port", ("port from", "port start", "start port", "port min", "low port", "port low")),
    Column("last port", ("port to", "port end", "end port", "port max", "high port", "port high")),
    Column(
        "from",
        ("start", "begin", "since", "start time", "lease start", "valid from", "from time", "acct start time"),
    ),
    Column(
        "to",
        (
            "end", "until", "stop", "end time", "lease end", "valid to", "valid until", "to time", "expires",
            "acct stop time",
        ),
    ),
    Column(
        "subscriber",
        (
            "subscriber id", "id", "customer", "customer id", "customer number", "account", "account id",
            "user", "user-name", "login", "contract", "line", "line id", "circuit id",
        ),
    ),
    Column("contact", ("contacts", "email", "e-mail", "mail", "notify", "abuse contact", "phone")),
)  # fmt: skip
_NEEDED = (("address",), ("subscriber",))


@dataclass(frozen=True, slots=True)
class Lease:
    """One line: from ``start`` until just before ``end`` (ns since the epoch) the prefix was a subscriber's."""

    prefix: str
    ports: tuple[int, int] | None  # None: all of them
    start: int  # ALWAYS: not told
    end: int  # NEVER: it still holds
    subscriber: str
    contact: str
    line: int


@dataclass(frozen=True, slots=True)
class Subscribers:
    """All leases of a file. Rows are in the order of the index: prefix, ports, beginning."""

    file: str
    index: PrefixRows
    first_port: npt.NDArray[np.uint16]
    last_port: npt.NDArray[np.uint16]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    number: npt.NDArray[np.uint32]  # of the row in the file, counted from 0
    line: npt.NDArray[np.uint32]
    names: Texts
    contacts: Texts
    overlaps: Overlaps

    def __len__(self) -> int:
        return len(self.index)

    def at(self, address: Address, port: int | None, time: int) -> tuple[Lease, ...]:
        """Who held the address at that time (ns), and the port where leases have ports.

        () nobody is known; one lease: that subscriber's; several: leases that contradict each other, or share
        the address while no port was told, so that nobody may be named.
        """
        for rows in self.index.holders(address):
            part = slice(rows.start, rows.stop)
            holds = (self.start[part] <= time) & (time < self.end[part])
            if port is not None:
                holds &= (self.first_port[part] <= port) & (port <= self.last_port[part])
            found = np.flatnonzero(holds) + rows.start
            if len(found):
                return self._distinct(found)
        return ()

    def within(self, address: Address, first: int, last: int) -> tuple[Lease, ...]:
        """The leases of the address (those of its longest prefix) that touch a time, earliest first."""
        for rows in self.index.holders(address):
            part = slice(rows.start, rows.stop)
            touches = (self.start[part] <= last) & (first < self.end[part])
            found = np.flatnonzero(touches) + rows.start
            if len(found):
                return tuple(sorted((self._lease(int(row)) for row in found), key=lambda each: each.start))
        return ()

    def notes(self) -> tuple[str, ...]:
        """What its reader should know: leases that contradict each other, with their lines."""
        if not self.overlaps.found:
            return ()
        told = "; ".join(self._told(pair) for pair in self.overlaps.found[:3])
        many = f"{'at least ' if self.overlaps.stopped else ''}{len(self.overlaps.found):,}"
        return (
            f"{self.file}: {many} pairs of leases give the same address to two subscribers at the same time; "
            f"there nobody is named: {told}",
        )

    def _told(self, pair: Overlap) -> str:
        one, other = self._lease(pair.first), self._lease(pair.second)
        early, late = sorted((one.line, other.line))
        return f"{one.prefix} (lines {early} and {late})"

    def _distinct(self, rows: npt.NDArray[Any]) -> tuple[Lease, ...]:
        """One lease a subscriber: two lines that name the same one do not contradict each other."""
        found: dict[bytes, int] = {}
        for row in rows:
            found.setdefault(self.names.raw(int(self.number[row])), int(row))
        return tuple(self._lease(row) for row in found.values())

    def _lease(self, row: int) -> Lease:
        ports = int(self.first_port[row]), int(self.last_port[row])
        number = int(self.number[row])
        return Lease(
            prefix=self.index.text(row),
            ports=None if ports == (0, 0xFFFF) else ports,
            start=int(self.start[row]),
            end=int(self.end[row]),
            subscriber=self.names[number],
            contact=self.contacts[number],
            line=int(self.line[row]),
        )


def load_subscribers(path: str | Path, *, limit: int = MAX_LEASES) -> Subscribers:
    """Read a table of leases. Raises :class:`InputError` with file, line, column and remedy."""
    table = _Table()
    remedy = "keep the leases that touch the time of the capture"
    fill_table(path, COLUMNS, _NEEDED, table, one="lease", most=limit, fewer=remedy)
    return table.finish(str(path))


class _Table:
    """Columns that grow while a file is read: numbers in flat arrays, texts in flat buffers."""

    def __init__(self) -> None:
        self.high, self.low, self.length = array("Q"), array("Q"), array("B")
        self.first_port, self.last_port = array("H"), array("H")
        self.start, self.end = array("q"), array("q")
        self.line = array("I")
        self.names, self.contacts = Texts(), Texts()

    def __len__(self) -> int:
        return len(self.line)

    def add(self, row: Row, problems: Problems) -> None:
        """Read one line; what is wrong with it goes to ``problems``."""
        place = "address"
        try:
            high, low, length = read_prefix(row[place])
            place = "ports" if "ports" in row.index else "first port"
            first_port, last_port = _ports(row)
            place = "from"
            start = _time(row[place], ALWAYS)
            place = "to"
            end = _time(row[place], NEVER)
            if end <= start:
                raise CellError("the lease ends before it begins", "check from and to of this line")
            place = "subscriber"
            name = row[place]
            if not name:
                raise CellError("the lease names no subscriber", "write the subscriber's id")
        except CellError as error:
            problems.add(row.line, row.column(place), error.problem, error.remedy)
            return
        self.high.append(high)
        self.low.append(low)
        self.length.append(length)
        self.first_port.append(first_port)
        self.last_port.append(last_port)
        self.start.append(start)
        self.end.append(end)
        self.line.append(row.line)
        self.names.add(name)
        self.contacts.add(row["contact"])

    def finish(self, file: str) -> Subscribers:
        """Sort, look for contradictions, and give the arrays away."""
        first_port, last_port = np.asarray(self.first_port), np.asarray(self.last_port)
        start, end = np.asarray(self.start), np.asarray(self.end)
        index, order = PrefixRows.build(
            np.asarray(self.high), np.asarray(self.low), np.asarray(self.length), first_port, last_port, start
        )
        number = order.astype(np.uint32)
        columns = first_port[order], last_port[order], start[order], end[order]
        overlaps = find_overlaps(index, *columns, lambda row: self.names.raw(int(number[row])))
        line = np.asarray(self.line)[order]
        return Subscribers(file, index, *columns, number, line, self.names, self.contacts, overlaps)


def _time(text: str, missing: int) -> int:
    return read_time(text) if text else missing


def _ports(row: Row) -> tuple[int, int]:
    """The range in one column or in two; nothing told means all ports."""
    one = row["ports"]
    if one:
        return read_ports(one)
    first, last = row["first port"], row["last port"]
    if not first and not last:
        return 0, 0xFFFF
    if not first or not last:
        raise CellError("only one end of the port range is told", "write both ends, or none")
    return read_ports(f"{first}-{last}")
