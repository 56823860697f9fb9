"""What the records of a file that are no flows say to those that are: exporters, their sampling, extension maps.

Kernels read it from arrays of fixed size (:class:`Tables`), each bounded. Where a kernel meets a record that
changes them, or an exporter that nobody announced, it returns; :class:`State` reads the record and the kernel
goes on.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rearguard.sources.nfcapd.shapes import new_shapes
from rearguard.sources.observers import MAX_EXPORTERS, new_table
from rearguard.sources.reader import Exporter

__all__ = [
    "BAD",
    "EMPTY",
    "EVENT",
    "HEARD",
    "MAPS",
    "MAX_SAMPLERS",
    "NAT_EVENT",
    "NOT_A_FLOW",
    "NO_ADDRESS",
    "REASONS",
    "RECORDS",
    "SAMPLERS",
    "UNKNOWN",
    "State",
    "Tables",
]

# Indices of ``counts``.
RECORDS = 0
"""Flow records, also those that gave no row, as nfdump counts them."""
EMPTY = 1
NAT_EVENT = 2
EVENT = 3
NO_ADDRESS = 4
BAD = 5
NOT_A_FLOW = 6
REASONS = ("", "empty-flow", "nat-event", "event", "no-addresses", "bad-flow-record", "not-a-flow")

UNKNOWN = -1
"""In ``exporter`` and ``map_slot``: not defined."""
MAX_SAMPLERS = 1_024
NUMBERS = 1 << 16
REST = "exporters beyond the first 1,023"

Tables: Any = namedtuple(
    "Tables",
    [
        "exporter", "rate", "flows",
        "heard_hi", "heard_lo", "heard_exporter", "wanted",
        "sampler_exporter", "sampler_id", "sampler_rate",
        "used", "map_slot", "maps", "shapes", "counts", "times", "observers",
    ],
)  # fmt: skip
"""``exporter``: by the file's number of an exporter, its index; ``rate``, ``flows``: by that index. ``heard_*``:
exporters that no record announced, by the address that their flows tell, and ``wanted``: the one that a kernel
asks for. ``sampler_*``: samplers by exporter and identifier. ``used``: how many are heard, how many samplers and
maps there are. ``map_slot`` and ``maps``: extension maps (:mod:`.maps`); ``shapes``: those of records
(:mod:`.shapes`). ``times``: of rows, the earliest and the latest ``ts``."""

HEARD, SAMPLERS, MAPS = 0, 1, 2

IMPOSED, ASSUMED, ANNOUNCED = -3, -2, -1
"""Samplers without an identifier of the exporter's: what the collector's operator imposed on it or assumed where
it says nothing, and what it says of all its packets."""


def _new_tables(map_columns: int) -> Any:
    return Tables(
        np.full(NUMBERS, UNKNOWN, np.int32),
        np.zeros(MAX_EXPORTERS, np.int64),
        np.zeros(MAX_EXPORTERS, np.int64),
        np.zeros(MAX_EXPORTERS, np.uint64),
        np.zeros(MAX_EXPORTERS, np.uint64),
        np.zeros(MAX_EXPORTERS, np.int32),
        np.zeros(2, np.uint64),
        np.zeros(MAX_SAMPLERS, np.int32),
        np.zeros(MAX_SAMPLERS, np.int64),
        np.zeros(MAX_SAMPLERS, np.int64),
        np.zeros(3, np.int64),
        np.full(NUMBERS, UNKNOWN, np.int32),
        np.zeros((16, map_columns), np.int32),
        new_shapes(),
        np.zeros(len(REASONS), np.int64),
        np.array([np.iinfo(np.int64).max, np.iinfo(np.int64).min]),
        new_table(),
    )


@dataclass(slots=True)
class State:
    """The tables, and the exporters that they number."""

    map_columns: int
    exporters: list[Exporter] = field(default_factory=list)
    tables: Any = None
    _numbers: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _samplers: dict[tuple[int, int], int] = field(default_factory=dict)
    _rates: dict[int, dict[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = _new_tables(self.map_columns)

    def number(self, address: str, domain: int, kind: str) -> int:
        """The index of an exporter; a new one is added, the last place is for all that have none."""
        key = address, domain, kind
        if key not in self._numbers:
            if len(self.exporters) >= MAX_EXPORTERS - 1:
                key = REST, 0, ""
            if key not in self._numbers:
                self._numbers[key] = len(self.exporters)
                self.exporters.append(Exporter(*key))
        return self._numbers[key]

    def hear(self, address: str) -> None:
        """Add the exporter whose address a kernel put into ``wanted``; full tables count it to the last one."""
        tables = self.tables
        number, at = self.number(address, 0, ""), int(tables.used[HEARD])
        if at >= MAX_EXPORTERS:
            at = MAX_EXPORTERS - 1
        else:
            tables.used[HEARD] = at + 1
        tables.heard_hi[at], tables.heard_lo[at] = tables.wanted
        tables.heard_exporter[at] = number

    def sample(self, number: int, identifier: int, rate: int) -> None:
        """Note a sampler, and what rate records have that name none."""
        tables = self.tables
        at = self._samplers.get((number, identifier), len(self._samplers))
        if at == MAX_SAMPLERS:
            return
        self._samplers[number, identifier] = at
        tables.sampler_exporter[at], tables.sampler_id[at] = number, identifier
        tables.used[SAMPLERS] = max(at + 1, int(tables.used[SAMPLERS]))
        rates = self._rates.setdefault(number, {})
        rates[identifier] = rate
        for known, told in rates.items():
            tables.sampler_rate[self._samplers[number, known]] = rates.get(IMPOSED, told)
        exporter = self.exporters[number]
        tables.rate[number] = exporter.rate = _usual(rates)
        exporter.rate_from = "options"

    def finish(self) -> None:
        """Write the flows of each exporter to it."""
        told = self.tables.flows[: len(self.exporters)].tolist()
        for exporter, flows in zip(self.exporters, told, strict=True):
            exporter.records = flows


def _usual(rates: dict[int, int]) -> int:
    """Which of an exporter's samplers holds for a flow that names none, in nfcapd's order; else the only one."""
    for identifier in (IMPOSED, ANNOUNCED, ASSUMED):
        if identifier in rates:
            return rates[identifier]
    return next(iter(rates.values())) if len(rates) == 1 else 0
