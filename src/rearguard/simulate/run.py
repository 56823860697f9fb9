"""Run a simulation: windows of sessions become packets or flows, leave in order, and are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from rearguard.model.errors import UsageError
from rearguard.simulate.capture import Capture
from rearguard.simulate.day import TEN_MINUTES, Day
from rearguard.simulate.line import Line
from rearguard.simulate.meter import FLOW_TYPE, meter
from rearguard.simulate.netflow5 import MOST_RATE, NetFlow5
from rearguard.simulate.packets import PACKET_TYPE, spread
from rearguard.simulate.parquet import ParquetFlows
from rearguard.simulate.policy_text import policy_text
from rearguard.simulate.scenario import Scenario
from rearguard.simulate.sessions import Sessions
from rearguard.simulate.tables import Tables, tables
from rearguard.simulate.templated import IPFIX, NETFLOW9, Templated
from rearguard.simulate.truth import truth
from rearguard.simulate.walk import PORT_COLUMNS, SETTING_TYPE, choose, lengths

__all__ = ["FORMATS", "Made", "Watch", "simulate"]

FORMATS = ("pcap", "netflow5", "netflow9", "ipfix", "parquet")
ROOM = 1 << 19
"""Rows that a kernel may make before they are put in line; more than any session has packets."""

Watch = Callable[[float, int], None]
"""Called for every window with the share that is done and the records so far."""


class Writer(Protocol):
    """Takes rows in the order in which they leave."""

    def write(self, rows: NDArray[np.void], /) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Made:
    """What a simulation leaves besides its output."""

    records: int
    truth: dict[str, Any]
    policy: str


def simulate(
    scenario: Scenario,
    out: BinaryIO,
    *,
    form: str,
    seed: int = 1,
    rate: int = 1,
    flows: int | None = None,
    watch: Watch = lambda done, records: None,
) -> Made:
    """Write the day in one of :data:`FORMATS` to ``out``; the same seed and scenario give the same bytes.

    ``rate``: one of how many packets the routers take. ``flows``: go on (or stop early) until at least so many
    records were made, then end with the window. Raises ``UsageError`` where a format cannot hold what is asked.
    """
    if form == "netflow5" and rate > MOST_RATE:
        raise UsageError(
            f"NetFlow v5 has 14 bits for the sampling rate, {rate:,} does not fit",
            remedy=f"take --sampling {MOST_RATE} at most, or another --format",
        )
    day = Day(scenario, seed)
    running = _Running(day, form, rate, _writer(out, form, scenario, rate))
    for window, sessions in day.windows(endless=flows is not None):
        end = window.begins + window.length
        running.take(sessions, window.begins, np.random.default_rng([seed, 50, window.number]))
        running.release(end)
        done = (
            (end - scenario.start_ns) / (scenario.hours * 3.6e12)
            if flows is None
            else running.records / flows
        )
        watch(min(1.0, done), running.records)
        if flows is not None and running.records >= flows:
            break
    running.release(None)
    running.writer.close()
    ports, left = running.ports, running.left_out
    made = {
        "format": form,
        "seed": seed,
        "sampling": rate,
        "records": running.records,
        "sessions": running.sessions,
        "packets_on_the_wire": int(ports[:, :, PORT_COLUMNS.index("packets")].sum()),
        "packets_exported": int(ports[:, :, PORT_COLUMNS.index("flow_packets")].sum()),
        "sessions_over_v6_left_out": left,
    }
    # Version 5 has no way to say that nothing was sampled: its field is 0 then, as where nobody filled it in.
    told = form != ("pcap" if rate > 1 else "netflow5")
    return Made(running.records, truth(day, ports, made), policy_text(day, rate, told=told))


def _writer(out: BinaryIO, form: str, scenario: Scenario, rate: int) -> Writer:
    exporters, start = scenario.export.exporters, scenario.start_ns
    if form == "pcap":
        return Capture(out)
    if form == "netflow5":
        return NetFlow5(out, exporters, rate, start)
    if form == "parquet":
        return ParquetFlows(out, exporters, rate)
    return Templated(out, NETFLOW9 if form == "netflow9" else IPFIX, exporters, rate, start)


class _Running:
    """The state between two windows."""

    def __init__(self, day: Day, form: str, rate: int, writer: Writer) -> None:
        export = day.stage.scenario.export
        kind = PACKET_TYPE if form == "pcap" else FLOW_TYPE
        self._day, self._rate, self._form = day, rate, form
        self._tables: Tables = tables()
        self._kernel = spread if form == "pcap" else meter
        self._room = np.zeros(ROOM, kind)
        self._line = Line(kind)
        self._setting = np.zeros(1, SETTING_TYPE)
        self._setting["every"] = rate
        self._setting["active"] = round(export.active_timeout * 1e9)
        self._setting["inactive"] = round(export.inactive_timeout * 1e9)
        self._setting["exporters"] = export.exporters
        self._setting["asymmetric"] = round(export.asymmetric * 65_536)
        self._setting["inbound_only"] = export.view == "inbound"
        self._setting["six"] = form != "netflow5"
        self.ports = np.zeros((2, 65_536, len(PORT_COLUMNS)), np.int64)
        self.writer = writer
        self.records = self.sessions = self.left_out = 0

    def take(self, sessions: Sessions, begins: int, rng: np.random.Generator) -> None:
        """Make rows of the sessions that start in a window."""
        table = self._tables
        ends = np.cumsum(lengths(sessions, table.kinds))
        chosen = choose(int(ends[-1]) if len(ends) else 0, self._rate, rng)
        self._setting["bucket"] = (begins - self._day.stage.scenario.start_ns) // TEN_MINUTES
        self.sessions += len(sessions)
        if self._form == "netflow5":
            self.left_out += int((sessions["client_hi"] != 0).sum())
        at = place = 0
        while at < len(sessions):
            at, place, made = self._kernel(
                sessions,
                ends,
                chosen,
                table.rows,
                table.kinds,
                self._setting[0],
                self._room,
                self._day.stage.ledger.counts,
                self.ports,
                at,
                place,
            )
            self.records += made
            self._line.add(self._room[:made])

    def release(self, moment: int | None) -> None:
        """Write what leaves before a moment."""
        rows = self._line.until(moment)
        if len(rows):
            self.writer.write(rows)
