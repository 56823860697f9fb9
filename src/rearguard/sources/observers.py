"""Observers of flow records, numbered inside kernels: exporter, interfaces, and the way of observation.

The table has a fixed size. When an attacker (or a router with very many tunnels) fills it, further interfaces of
an exporter are put together as its interface 0, so that nothing is lost but the place.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from rearguard.model.compiled import inlined
from rearguard.sources.reader import Exporter, Observer

__all__ = [
    "EGRESS",
    "INGRESS",
    "MAX_EXPORTERS",
    "UNTOLD",
    "ObserverTable",
    "new_table",
    "observer_of",
    "observers",
]

UNTOLD = 0
INGRESS = 1
EGRESS = 2
WAYS = ("", "in", "out")

MAX_EXPORTERS = 1_024
"""Exporters (with domains) of one source; what comes beyond is for the decoder to refuse and count."""
PLACES = 4_096
_ALL = PLACES + 3 * MAX_EXPORTERS
_SLOTS = 1 << 14

ObserverTable: Any = namedtuple("ObserverTable", ["slot", "exporter", "ingress", "egress", "way", "now"])
"""``slot``: open addressing, 1 + number; then the columns of the observers by number; ``now[0]``: how many."""


def new_table() -> Any:
    """No observers yet."""
    return ObserverTable(
        np.zeros(_SLOTS, np.uint32),
        np.zeros(_ALL, np.uint32),
        np.zeros(_ALL, np.uint32),
        np.zeros(_ALL, np.uint32),
        np.zeros(_ALL, np.uint8),
        np.zeros(1, np.int64),
    )


@inlined
def observer_of(table: Any, exporter: int, ingress: int, egress: int, way: int) -> int:
    """The observer's number; a new one is added. ``exporter`` is below MAX_EXPORTERS, ``way`` one of INGRESS,
    EGRESS, UNTOLD; interface indices are cut to 32 bits."""
    ingress, egress = ingress & 0xFFFF_FFFF, egress & 0xFFFF_FFFF
    if table.now[0] >= PLACES:
        at = _slot(table, exporter, ingress, egress, way)
        if table.slot[at] == 0:
            ingress, egress = 0, 0
    at = _slot(table, exporter, ingress, egress, way)
    if table.slot[at] != 0:
        return int(table.slot[at]) - 1
    number = int(table.now[0])
    if number >= table.exporter.size:
        return 0
    table.exporter[number] = exporter
    table.ingress[number] = ingress
    table.egress[number] = egress
    table.way[number] = way
    table.now[0] = number + 1
    table.slot[at] = number + 1
    return number


@inlined
def _slot(table: Any, exporter: int, ingress: int, egress: int, way: int) -> int:
    h = np.uint64(ingress) << np.uint64(32) | np.uint64(egress)
    h ^= (np.uint64(exporter) << np.uint64(2) | np.uint64(way)) * np.uint64(0x9E3779B97F4A7C15)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    last = np.uint64(table.slot.size - 1)
    at = int(np.int64(h & last))
    while table.slot[at] != 0:
        number = int(table.slot[at]) - 1
        if (
            table.egress[number] == egress
            and table.ingress[number] == ingress
            and table.exporter[number] == exporter
            and table.way[number] == way
        ):
            break
        at = (at + 1) & (table.slot.size - 1)
    return at


def observers(table: Any, exporters: Sequence[Exporter], known: list[Observer]) -> list[Observer]:
    """``known`` with the observers that were added since; returns the same list."""
    for number in range(len(known), int(table.now[0])):
        known.append(
            Observer(
                exporter=exporters[int(table.exporter[number])].name,
                ingress=int(table.ingress[number]),
                egress=int(table.egress[number]),
                way=WAYS[int(table.way[number])],
            )
        )
    return known
