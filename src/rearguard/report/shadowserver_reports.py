"""Reads Shadowserver's exposure reports: what answered its scanners in our networks, by device and interface.

A report is a daily CSV file of one scanned service, by address, port and time (UTC); columns are those of the
reports' schema as IntelMQ ships it. Not concluded: ports that customers commonly use for services of their own,
unless the report's name or tag says what answered; networks where several subscribers share an address (rule A7).
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.model.address import Address
from rearguard.model.errors import InputError, Place

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.catalogue.model import Interface
    from rearguard.policy import Policy

__all__ = ["MAX_ROWS", "TRANSPORTS", "Reports", "Sighting", "device_text", "load_reports"]

MAX_ROWS = 5_000_000
TRANSPORTS = ("tcp", "udp")

_TAGS = {
    "cwmp": "cwmp-cr", "telnet": "telnet", "telnet-alt": "telnet", "cisco-smart-install": "smart-install",
    "adb": "adb", "netis_vulnerability": "netis",
}  # fmt: skip
"""Interfaces by the ``tag`` of a row: what answered, whatever the port."""

_REPORTS = {
    "cwmp": "cwmp-cr", "telnet": "telnet", "cisco_smart_install": "smart-install", "adb": "adb", "coap": "coap",
    "dvr_dhcpdiscover": "dahua-discovery", "ipmi": "ipmi", "mqtt": "mqtt", "netis_router": "netis",
}  # fmt: skip
"""Interfaces by the name of the report, as it stands in the file's name: ``2026-11-26-scan_cwmp-….csv``."""

_NAME = re.compile(r"(?:\d{4}-\d\d-\d\d-)?(?:scan6?_)?([a-z0-9_]+?)(?:-.*)?\.csv")
_NEEDED = ("timestamp", "ip", "port")
_UDP = frozenset({"coap", "dahua-discovery", "ipmi", "netis"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """One device that answered on one interface, over all rows of all reports."""

    address: Address
    several: bool
    """Whether other addresses of the same delegated prefix answered, too."""
    interface: Interface
    transport: str
    ports: tuple[int, ...]
    first: int
    last: int
    records: tuple[tuple[str, int], ...]
    """File and line of the first rows."""
    login: bool
    """The last answer asked for a login."""
    page: bool
    """The last answer was a page, without a login."""


@dataclass(slots=True)
class Reports:
    """What all reports say about our networks, and how many rows say nothing here."""

    sightings: dict[tuple[str, str], Sighting] = field(default_factory=dict)
    """By device (:func:`device_text`) and interface."""
    rows: int = 0
    unreadable: int = 0
    first_unreadable: str = ""
    """File and line of the first row that could not be read."""
    elsewhere: int = 0
    shared: int = 0
    unconcluded: int = 0

    def notes(self) -> tuple[str, ...]:
        """What its reader should know, in sentences."""
        left_out = (
            (self.elsewhere, "are about addresses that are in no network of the policy"),
            (
                self.unconcluded,
                "are about services that customers commonly run themselves, or about no management",
            ),
            (self.shared, "are about addresses that several subscribers share (rule A7)"),
            (self.unreadable, f"could not be read, the first at {self.first_unreadable}"),
        )
        told = [f"{count:,} {words}" for count, words in left_out if count]
        if not told:
            return ()
        return (f"Of {self.rows:,} rows of Shadowserver's reports " + "; ".join(told),)


def device_text(address: Address, policy: Policy) -> str:
    """What counts as one device: the address, or the delegated prefix that it lies in (rule A8)."""
    network = policy.network_of(address)
    return str(address) if network is None else str(policy.networks[network].device(address))


def load_reports(paths: Sequence[str], policy: Policy, catalogue: Catalogue) -> Reports:
    """Read reports; of what they say only our networks are kept.

    Raises InputError with file and remedy for what is no such report. Rows that cannot be read are counted.
    """
    reports = Reports()
    for path in paths:
        name = _NAME.fullmatch(Path(path).name.lower())
        default = _REPORTS.get(name[1]) if name else None
        for line, row in _rows(path):
            reports.rows += 1
            if reports.rows > MAX_ROWS:
                raise InputError(
                    f"more than {MAX_ROWS:,} rows of reports",
                    remedy="name the reports of fewer days",
                    place=Place(file=path, line=line),
                )
            if row is None:
                _refuse(reports, path, line)
            else:
                _take(reports, row, path, line, default, policy, catalogue)
    return reports


def _rows(path: str) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line numbers and cells by column; None for a row that is not whole."""
    try:
        with Path(path).open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            if any(name not in header for name in _NEEDED):
                raise InputError(
                    f"no report of Shadowserver: it has no column {' or '.join(map(repr, _NEEDED))}",
                    remedy="name a CSV file, unpacked, of the kind scan_cwmp, scan_telnet, cisco_smart_install ...",
                    place=Place(file=path, line=1),
                )
            while True:
                try:
                    cells = next(reader, None)
                except csv.Error:
                    yield reader.line_num, None
                    continue
                if cells is None:
                    return
                if cells:
                    # Some reports leave out empty cells at the end of a row.
                    yield reader.line_num, dict(zip(header, cells, strict=False))
    except OSError as error:
        raise InputError(
            f"the report cannot be read: {error.strerror}",
            remedy="check the path and the permissions",
            place=Place(file=path),
        ) from None
    except csv.Error as error:
        raise InputError(
            f"its first line is no CSV: {error}",
            remedy="name a report as it was delivered",
            place=Place(file=path),
        ) from None


def _refuse(reports: Reports, path: str, line: int) -> None:
    reports.unreadable += 1
    reports.first_unreadable = reports.first_unreadable or f"{path}:{line}"


def _take(
    reports: Reports,
    row: dict[str, str],
    path: str,
    line: int,
    default: str | None,
    policy: Policy,
    catalogue: Catalogue,
) -> None:
    """Add one row, or count why not."""
    read = _read(row)
    if read is None:
        _refuse(reports, path, line)
        return
    address, port, time = read
    network = policy.network_of(address)
    if network is None:
        reports.elsewhere += 1
        return
    if policy.networks[network].shared and address.version == 4:
        reports.shared += 1
        return
    found = _interface(row, port, default, catalogue)
    if found is None:
        reports.unconcluded += 1
        return
    entry, transport = found
    code, asked = row.get("http_code", "").strip(), bool(row.get("www_authenticate", "").strip())
    new = Sighting(
        address, False, entry, transport, (port,), time, time, ((path, line),),
        login=asked or code == "401", page=code == "200" and not asked,
    )  # fmt: skip
    key = device_text(address, policy), entry.id
    old = reports.sightings.get(key)
    reports.sightings[key] = new if old is None else _merged(old, new)


def _merged(old: Sighting, new: Sighting) -> Sighting:
    latest = new if new.last >= old.last else old
    return replace(
        latest,
        several=old.several or old.address != new.address,
        ports=tuple(sorted({*old.ports, *new.ports})[:32]),
        first=min(old.first, new.first),
        last=max(old.last, new.last),
        records=(*old.records, *new.records)[:5],
    )


def _read(row: dict[str, str]) -> tuple[Address, int, int] | None:
    """Address, port and time (ns) of a row; None where one of them is wrong."""
    try:
        address = ipaddress.ip_address(row.get("ip", "").strip())
        moment = datetime.fromisoformat(row.get("timestamp", "").strip())
        text = row.get("port", "").strip()
        port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    except ValueError:
        return None
    if not 0 < port < 1 << 16 or moment.year < 1990:
        return None
    time = moment.replace(tzinfo=moment.tzinfo or UTC)
    return address, port, int(time.timestamp()) * 1_000_000_000


def _interface(
    row: dict[str, str], port: int, default: str | None, catalogue: Catalogue
) -> tuple[Interface, str] | None:
    """What answered: by the tag, by the report's name, else by a port that only management uses."""
    told = row.get("protocol", "").strip().lower()
    tags = re.split(r"[;,|\s]+", row.get("tag", "").strip().lower())
    named = next((_TAGS[tag] for tag in tags if tag in _TAGS), default)
    if named is not None:
        transport = told if told in TRANSPORTS else "udp" if named in _UDP else "tcp"
        return catalogue.get(named), transport
    if told not in TRANSPORTS:
        return None
    for entry in catalogue.listening(told, port):
        at = entry.at(told, port)
        if at is not None and not at.shared and not at.opt_in:
            return entry, told
    return None
