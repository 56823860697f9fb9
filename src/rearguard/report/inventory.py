"""Which device is behind an address: model, firmware, whether it is fixed, and on which port it listens (rule A9).

The inventory is the operator's own table, one line a device, named by its address (or delegated prefix), by its
subscriber's id, or by both. It names models in findings, counts them, and tells ports on which devices listen
although the policy does not watch them there. A million devices take about 60 MB.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import Address, Network
from rearguard.model.finding import Finding
from rearguard.report.cases.cells import read_prefix, read_yes
from rearguard.report.cases.concern import Concern, Hits, concerns, own_end, read_network
from rearguard.report.cases.index import PrefixRows
from rearguard.report.cases.models import ModelLine, model_lines
from rearguard.report.cases.moved_ports import MovedPorts, MovedPortsBuilder, port_notes, read_url
from rearguard.report.cases.table import CellError, Column, Problems, Row, fill_table
from rearguard.report.cases.versions import at_least

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.policy import Policy
    from rearguard.report.subscribers import Subscribers

__all__ = ["COLUMNS", "MAX_DEVICES", "Device", "Inventory", "load_inventory"]

MAX_DEVICES = 10_000_000

COLUMNS = (
    Column("address", ("ip", "ip address", "ipv4", "ipv6", "prefix", "wan ip", "external ip address")),
    Column("subscriber", ("subscriber id", "customer", "customer id", "account", "line", "line id", "contract")),
    Column("model", ("device model", "product class", "device type", "product", "model name")),
    Column("firmware", ("software", "software version", "firmware version", "version")),
    Column("connection request url", ("url", "cr url", "crurl", "connection url")),
    Column("fixed in", ("fixed version", "fixed firmware", "patched in")),
    Column("fixed", ("patched", "is fixed")),
)  # fmt: skip
_NEEDED = (("address", "subscriber", "connection request url"), ("model",))
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Device:
    """One line of the inventory. ``fixed``: None when the table does not tell."""

    model: str
    firmware: str
    fixed: bool | None
    line: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """All devices of a table; columns by the order of lines."""

    file: str
    index: PrefixRows
    by_index: npt.NDArray[np.uint32]  # row of the index -> row of the columns below
    by_subscriber: dict[str, int]
    kind: npt.NDArray[np.uint32]  # row -> number of its (model, firmware)
    kinds: tuple[tuple[str, str], ...]
    fixed: npt.NDArray[np.int8]  # 1 yes, 0 no, -1 not told
    line: npt.NDArray[np.uint32]
    moved: MovedPorts
    twice: int  # lines that name an address or subscriber of an earlier line

    def __len__(self) -> int:
        return len(self.line)

    def device(self, address: Address | None = None, subscriber: str | None = None) -> Device | None:
        """The device of a subscriber, else the one behind an address; None when the inventory has neither."""
        row = self._row(address, subscriber)
        return None if row is None else self._device(row)

    def named(
        self, findings: Iterable[Finding], subscribers: Subscribers | None = None
    ) -> tuple[Finding, ...]:
        """The findings, with what the inventory knows of their devices as ``details["inventory"]``.

        For a finding about one known device: ``model``, ``firmware`` and ``fixed``; else ``models``: how many of
        the devices that its records name are of which model.
        """
        return tuple(self._name(finding, subscribers) for finding in findings)

    def models(
        self,
        findings: Iterable[Finding],
        *,
        subscribers: Subscribers | None = None,
        view: View | None = None,
    ) -> tuple[ModelLine, ...]:
        """Every model and firmware, the worst first. ``view`` finds attacked devices that no record names."""
        hits = None if view is None else Hits(view)
        happened: dict[int, set[str]] = {}
        for finding in findings:
            for concern in concerns(finding, self._knows(subscribers), hits):
                for row in self._rows_of(concern, subscribers):
                    happened.setdefault(row, set()).add(concern.happened)
        return model_lines(self.kinds, self.kind, self.fixed, happened)

    def notes(self, policy: Policy, catalogue: Catalogue) -> tuple[str, ...]:
        """What its reader should know: ports that are not watched, devices that stand there twice."""
        told = list(port_notes(self.moved, policy, catalogue, self.file))
        if self.twice:
            told.append(
                f"{self.file}: {self.twice:,} lines name an address or subscriber of an earlier line; "
                "the last line counts"
            )
        return tuple(told)

    def _row(self, address: Address | None, subscriber: str | None) -> int | None:
        if subscriber is not None and subscriber in self.by_subscriber:
            return self.by_subscriber[subscriber]
        if address is None:
            return None
        rows = next(self.index.holders(address), None)
        return None if rows is None else int(self.by_index[rows[-1]])

    def _device(self, row: int) -> Device:
        model, firmware = self.kinds[self.kind[row]]
        told = int(self.fixed[row])
        return Device(model, firmware, None if told == _UNKNOWN else bool(told), int(self.line[row]))

    def _knows(self, subscribers: Subscribers | None) -> Callable[[Network], bool]:
        """What counts as ours here: what the inventory or the leases name."""

        def knows(network: Network) -> bool:
            address = network.network_address
            return any(self.index.holders(address)) or (
                subscribers is not None and any(subscribers.index.holders(address))
            )

        return knows

    def _rows_of(self, concern: Concern, subscribers: Subscribers | None) -> Iterator[int]:
        """The devices of a concern: those who held the address when the records were made."""
        for address, port, time in _moments(concern):
            leases = subscribers.at(address, port, time) if subscribers is not None else ()
            row = self._row(address, leases[0].subscriber if len(leases) == 1 else None)
            if row is not None:
                yield row

    def _name(self, finding: Finding, subscribers: Subscribers | None) -> Finding:
        rows = {
            row
            for concern in concerns(finding, self._knows(subscribers))
            for row in self._rows_of(concern, subscribers)
        }
        if not rows:
            return finding
        devices = [self._device(row) for row in sorted(rows)]
        subject = read_network(finding.subject.address)
        if len(devices) == 1 and subject is not None and finding.subject.role == "device":
            [device] = devices
            told: dict[str, Any] = {
                "model": device.model,
                "firmware": device.firmware or None,
                "fixed": device.fixed,
            }
        else:
            told = {"models": dict(sorted(Counter(device.model for device in devices).items()))}
        return replace(finding, details={**finding.details, "inventory": told})


def _moments(concern: Concern) -> Iterator[tuple[Address, int | None, int]]:
    """The own address, port and time of each record; without records the beginning of the finding."""
    if not concern.evidence:
        yield concern.address.network_address, None, concern.finding.first_seen
    for item in concern.evidence:
        end = own_end(item, concern.address)
        if end is not None:
            yield *end, item.time


def load_inventory(path: str | Path, *, limit: int = MAX_DEVICES) -> Inventory:
    """Read a table of devices. Raises :class:`InputError` with file, line, column and remedy."""
    table = _Table()
    remedy = "keep the devices of the networks that are looked at"
    fill_table(path, COLUMNS, _NEEDED, table, one="device", most=limit, fewer=remedy)
    return table.finish(str(path))


class _Table:
    """Columns that grow while a file is read."""

    def __init__(self) -> None:
        self.high, self.low, self.length, self.row = array("Q"), array("Q"), array("B"), array("I")
        self.by_subscriber: dict[str, int] = {}
        self.kind, self.fixed, self.line = array("I"), array("b"), array("I")
        self.kinds: dict[tuple[str, str], int] = {}
        self.moved = MovedPortsBuilder()
        self.compared: dict[tuple[str, str], bool | None] = {}
        self.twice = 0

    def __len__(self) -> int:
        return len(self.line)

    def add(self, row: Row, problems: Problems) -> None:
        """Read one line; what is wrong with it goes to ``problems``."""
        place = "model"
        try:
            model, firmware = row["model"], row["firmware"]
            if not model:
                raise CellError("the device has no model", "write the model as your reports shall name it")
            place = "address"
            prefix = read_prefix(row[place]) if row[place] else None
            place = "connection request url"
            host, port = read_url(row[place]) if row[place] else (None, 0)
            place = "fixed"
            fixed = self._fixed(row, firmware)
        except CellError as error:
            problems.add(row.line, row.column(place), error.problem, error.remedy)
            return
        prefix = prefix or (None if host is None else (*host, 128))
        subscriber = row["subscriber"]
        if prefix is None and not subscriber:
            problems.add(
                row.line, "", "the device has neither address nor subscriber", "write one of them, or both"
            )
            return
        number = len(self.line)
        if prefix is not None:
            for column, value in zip((self.high, self.low, self.length), prefix, strict=True):
                column.append(value)
            self.row.append(number)
            if port:
                self.moved.add(*prefix[:2], port)
        if subscriber:
            self.twice += subscriber in self.by_subscriber
            self.by_subscriber[subscriber] = number
        self.kind.append(self.kinds.setdefault((model, firmware), len(self.kinds)))
        self.fixed.append(_UNKNOWN if fixed is None else int(fixed))
        self.line.append(row.line)

    def _fixed(self, row: Row, firmware: str) -> bool | None:
        """What the table says itself, else whether the firmware is the one that mends it, or a later one."""
        told = row["fixed"]
        if told:
            return read_yes(told)
        pair = firmware, row["fixed in"]
        if not all(pair):
            return None
        if pair not in self.compared:
            self.compared[pair] = at_least(*pair)
        return self.compared[pair]

    def finish(self, file: str) -> Inventory:
        """Sort by prefix and give the arrays away."""
        row = np.asarray(self.row)
        index, order = PrefixRows.build(
            np.asarray(self.high), np.asarray(self.low), np.asarray(self.length), row
        )
        return Inventory(
            file=file,
            index=index,
            by_index=row[order],
            by_subscriber=self.by_subscriber,
            kind=np.asarray(self.kind),
            kinds=tuple(self.kinds),
            fixed=np.asarray(self.fixed),
            line=np.asarray(self.line),
            moved=self.moved.finish(),
            twice=self.twice + int(index.same_prefix().sum()),
        )
