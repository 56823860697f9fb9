"""Observers of flow records, numbered inside kernels: exporter, interfaces, and the way of observation.

The table has a fixed size. When an attacker (or a router with very many tunnels) fills it, further interfaces of
an exporter are put together as its interface 0, so that nothing is lost but the place.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from rearguard.model.compiled import inlined, load
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
SLOTS = 1 << 14
_LAST = np.uint64(SLOTS - 1)
_1, _2, _32 = np.uint64(1), np.uint64(2), np.uint64(32)

ObserverTable: Any = namedtuple("ObserverTable", ["slot", "places", "speakers", "now"])
"""``slot``: open addressing, 1 + number. Then, by number, the interfaces (``ingress << 32 | egress``) and who told
of them how (``exporter << 2 | way``). ``now[0]``: how many."""


def new_table() -> Any:
    """No observers yet."""
    return ObserverTable(
        np.zeros(SLOTS, np.uint32),
        np.zeros(_ALL, np.uint64),
        np.zeros(_ALL, np.uint64),
        np.zeros(1, np.int64),
    )


@inlined
def observer_of(table: Any, exporter: int, ingress: int, egress: int, way: int) -> int:
    """The observer's number; a new one is added. ``exporter`` is below MAX_EXPORTERS, ``way`` one of INGRESS,
    EGRESS, UNTOLD; interface indices are cut to 32 bits."""
    place = np.uint64(ingress & 0xFFFF_FFFF) << _32 | np.uint64(egress & 0xFFFF_FFFF)
    speaker = np.uint64(exporter) << _2 | np.uint64(way)
    at = _slot(table, place, speaker)
    if table.slot[at] != 0:
        return int(table.slot[at]) - 1
    if table.now[0] >= PLACES:
        place = np.uint64(0)
        at = _slot(table, place, speaker)
        if table.slot[at] != 0:
            return int(table.slot[at]) - 1
    number = int(table.now[0])
    if number >= table.places.size:
        return 0
    table.places[number] = place
    table.speakers[number] = speaker
    table.now[0] = number + 1
    table.slot[at] = number + 1
    return number


@load
def _slot(table: Any, place: np.uint64, speaker: np.uint64) -> int:
    """Where an observer is, or would be. There are more slots than numbers, so one is always empty."""
    h = place ^ speaker * np.uint64(0x9E3779B97F4A7C15)
    h *= np.uint64(0xD6E8FEB86659FD93)
    at = (h ^ h >> _32) & _LAST
    if table.slot.size != SLOTS:
        raise IndexError("a table of another size")
    while table.slot[at] != 0:
        number = np.uint64(table.slot[at]) - _1
        if number >= np.uint64(table.places.size) or number >= np.uint64(table.speakers.size):
            raise IndexError("no such observer")
        if table.places[number] == place and table.speakers[number] == speaker:
            break
        at = (at + _1) & _LAST
    return int(at)


def observers(table: Any, exporters: Sequence[Exporter], known: list[Observer]) -> list[Observer]:
    """``known`` with the observers that were added since; returns the same list."""
    told = slice(len(known), int(table.now[0]))
    for place, speaker in zip(table.places[told].tolist(), table.speakers[told].tolist(), strict=True):
        known.append(
            Observer(
                exporter=exporters[speaker >> 2].name,
                ingress=place >> 32,
                egress=place & 0xFFFF_FFFF,
                way=WAYS[speaker & 3],
            )
        )
    return known
