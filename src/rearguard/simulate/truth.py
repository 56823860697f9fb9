"""The truth beside a simulation, as JSON: who did what, and what of it the routers exported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.simulate.day import Day
from rearguard.simulate.ledger import Entry
from rearguard.simulate.walk import PORT_COLUMNS

__all__ = ["truth"]

GROUPS = {
    "scanners": "scanner",
    "surveyors": "surveyor",
    "worm_hosts": "worm",
    "infected": "infected",
    "exposed": "exposed",
    "controllers": "controller",
    "foreign_controllers": "foreign-controller",
    "flooded": "flooded",
    "reflectors": "reflector",
}
"""Keys of the file, and the kinds of the ledger."""
SEARCHING = frozenset({"scanner", "surveyor", "worm", "infected"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def truth(day: Day, ports: NDArray[np.int64], made: Mapping[str, Any]) -> dict[str, Any]:
    """Everything; ``made`` says how the output was made and what is in it."""
    scenario, ground, ledger = day.stage.scenario, day.stage.ground, day.stage.ledger
    return {
        "schema": "1",
        **made,
        "scenario": scenario.model_dump(mode="json"),
        "networks": list(ground.prefixes),
        "customers": len(ground.customers),
        "managed": len(ground.managed),
        "outbreak": {
            "begins": time(scenario.start_ns + round(scenario.begins * 3.6e12)),
            "curve": day.outbreak.curve(),
        },
        **{key: [_entry(entry, count) for entry, count in ledger.of(kind)] for key, kind in GROUPS.items()},
        "ports": {"columns": list(PORT_COLUMNS), "tcp": _totals(ports[0]), "udp": _totals(ports[1])},
    }


def time(ns: int) -> str:
    """RFC 3339, UTC, with microseconds."""
    return (_EPOCH + timedelta(microseconds=ns // 1_000)).isoformat().replace("+00:00", "Z")


def _entry(entry: Entry, count: NDArray[np.void]) -> dict[str, Any]:
    facts = {
        key.removesuffix("_ns"): time(value) if key.endswith("_ns") else value
        for key, value in entry.facts.items()
    }
    happened = int(count["sessions"]) > 0
    searching = entry.kind in SEARCHING
    return {
        "address": entry.address,
        **facts,
        "touched" if searching else "sessions": int(count["sessions"]),
        "observed": int(count["observed"]),
        "opened_observed": int(count["opened"]),
        "answered": int(count["answered"]),
        "most_in_ten_minutes": int(count["peak"]),
        "most_opened_observed_in_ten_minutes": int(count["seen_peak"]),
        "packets_exported": int(count["packets"]),
        "flows_exported": int(count["flows"]),
        "answering_flows": int(count["back_flows"]),
        "lone_answers": int(count["proofs"]),
        "first": time(int(count["first"])) if happened else None,
        "last": time(int(count["last"])) if happened else None,
    }


def _totals(ports: NDArray[np.int64]) -> dict[str, list[int]]:
    return {str(port): ports[port].tolist() for port in np.flatnonzero(ports.any(axis=1)).tolist()}
