"""Rows through reducers, fold, judge and detectors, as the tests need it."""

from __future__ import annotations

import ipaddress
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
from tests.contacts.reference import World
from tests.contacts.rows import Row, chunk_of

from rearguard.catalogue import load
from rearguard.contacts.fold import fold_contacts
from rearguard.contacts.guarding import build_guard
from rearguard.contacts.observing import Places
from rearguard.contacts.reducer import Partials, Reducer, Sizes
from rearguard.contacts.settle import Settled, settle
from rearguard.contacts.single import to_contacts
from rearguard.contacts.spill import PartitionedSpill, Spill
from rearguard.contacts.view import SourceInfo, View
from rearguard.model.bits import TCP, UDP
from rearguard.model.fields import CENSUS, CONTACT, HOST, Field, dtype, key_names
from rearguard.model.guard import LISTED, OWN_ONLY, WELL_KNOWN, Guard
from rearguard.model.prefixes import PrefixTable
from rearguard.policy import Policy

__all__ = [
    "ONE",
    "POLICY",
    "POLICY_GUARD",
    "SMALL",
    "Conclusion",
    "Facts",
    "concluded",
    "facts",
    "guard_of",
    "policy_with",
    "world_of",
]

OBSERVERS = 1024
TODAY = date(2026, 11, 22)
NETWORKS = ("198.51.100.0/24", "2001:db8:c::/48")
POLICY: dict[str, Any] = {
    "networks": {"customers": {"prefixes": list(NETWORKS), "managed": "operator"}},
    "controllers": {
        "acs": {
            "requests_from": ["192.0.2.8/30", "2001:db8:a::10/128"],
            "sessions_at": ["192.0.2.20/32"],
            "manages": ["cwmp"],
            "enters_at": "inside",
        }
    },
    "thresholds": {
        "scan_targets": 3,
        "scan_ports": 3,
        "slow_scan_targets": 4,
        "compromised_targets": 2,
        "compromised_slash24": 1,
        "flood_per_minute": 4,
        "reflector_min_packets": 2,
    },
}
"""Thresholds so low that a handful of random rows makes findings."""

SMALL = Sizes(contacts=64, hosts=16, census_cells=16, emitted=64, spill=1 << 20)

Part = Sequence[Sequence[Row]]
"""The chunks that one reducer is fed."""


@dataclass(frozen=True)
class Facts:
    """Folded partials as sorted tuples in table order."""

    contacts: list[tuple[Any, ...]]
    census: list[tuple[Any, ...]]
    hosts: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Conclusion:
    """The judged contacts in their order, the other tables sorted, and what the detectors made of them."""

    judged: list[dict[str, Any]]
    census: list[dict[str, Any]]
    crowd: list[dict[str, Any]]
    findings: list[Any]
    told: list[str]
    settled: dict[str, int] = field(default_factory=dict)


def guard_of(world: World) -> Guard:
    """The guard that says what the reference's world says."""
    own = PrefixTable.build([(ipaddress.ip_network(text), 0) for text in world.own])
    return Guard.build(own, world.listed, world.own_only, world.well_known)


def world_of(guard: Guard, own: Sequence[str]) -> World:
    """The reference's world that says what a guard says of ports."""
    kinds = [
        frozenset(
            (proto, int(port))
            for proto, ports in ((TCP, guard.tcp), (UDP, guard.udp))
            for port in np.flatnonzero(ports & bit)
        )
        for bit in (LISTED, OWN_ONLY, WELL_KNOWN)
    ]
    return World(tuple(own), *kinds)


def policy_with(**parts: Any) -> Policy:
    """POLICY with other sections in the place of its own."""
    return Policy.model_validate(POLICY | parts, context={"known": load()})


POLICY_GUARD = build_guard(policy_with(), load())
ONE = world_of(POLICY_GUARD, NETWORKS)
"""The world of POLICY."""


def feed(parts: Iterable[Part], guard: Guard, folder: Path, sizes: Sequence[Sizes]) -> Partials:
    """One reducer a part, fed chunk by chunk in turn, so that their partials interleave."""
    partials = Partials.new(folder, sizes[0])
    parts = list(parts)
    workers = [Reducer(guard, partials, sizes[k % len(sizes)]) for k in range(len(parts))]
    for turn in range(max(map(len, parts), default=0)):
        for worker, chunks in zip(workers, parts, strict=True):
            for rows in chunks[turn : turn + 1]:
                for source in sorted({row["source"] for row in rows}):
                    mine = [row for row in rows if row["source"] == source]
                    worker.feed(chunk_of(mine), source, np.arange(OBSERVERS, dtype=np.uint32))
    for worker in workers:
        worker.finish()
    return partials


def rows_in(partials: Partials) -> npt.NDArray[Any]:
    """All contact partials, singles widened."""
    parts = [partials.contacts.partition(k) for k in range(partials.contacts.partitions)]
    for number in range(partials.singles.partitions):
        singles = partials.singles.partition(number)
        parts.append(to_contacts(singles, partials.lanes.observer, partials.lanes.sampling))
    return np.concatenate(parts).view(dtype(CONTACT))


def facts(
    parts: Iterable[Part],
    guard: Guard = POLICY_GUARD,
    sizes: Sequence[Sizes] = (SMALL,),
    shuffle: npt.NDArray[Any] | None = None,
) -> Facts:
    """What the kernels make of the rows. ``shuffle``: numbers by which the partials are reordered."""
    with tempfile.TemporaryDirectory() as folder:
        partials = feed(parts, guard, Path(folder), sizes)
        found = facts_of(partials, shuffle)
        partials.close()
    return found


def facts_of(partials: Partials, shuffle: npt.NDArray[Any] | None = None) -> Facts:
    """Partials of every kind, folded."""
    contacts = rows_in(partials)
    census, hosts = _all(partials.census), _all(partials.hosts)
    if shuffle is not None:
        contacts, census, hosts = (
            rows[np.argsort(np.resize(shuffle, len(rows)), kind="stable")]
            for rows in (contacts, census, hosts)
        )
    return Facts(_tuples(fold_contacts(contacts), CONTACT), _cells(census), _hosts(hosts))


def _all(spill: PartitionedSpill | Spill) -> npt.NDArray[Any]:
    if isinstance(spill, Spill):
        parts = [*spill.batches(1000), np.zeros(0, dtype=spill.kind)]
    else:
        parts = [spill.partition(number) for number in range(spill.partitions)]
    return np.concatenate(parts).view(spill.kind)


def _tuples(rows: npt.NDArray[Any], table: tuple[Field, ...]) -> list[tuple[Any, ...]]:
    keys = [i for i, item in enumerate(table) if item.merge == "key"]
    found = [tuple(row) for row in zip(*(rows[item.name].tolist() for item in table), strict=True)]
    return sorted(found, key=lambda row: [row[i] for i in keys])


def _hosts(rows: npt.NDArray[Any]) -> list[tuple[Any, ...]]:
    """Host partials merged here, for the product asks only whether there is one."""
    merged: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for high, low, observer, first, last, packets in _tuples(rows, HOST):
        _, _, _, *have = merged.get((high, low, observer), (0, 0, 0, first, last, 0))
        times = min(have[0], first), max(have[1], last)
        merged[high, low, observer] = (high, low, observer, *times, have[2] + packets)
    return list(merged.values())


def _cells(rows: npt.NDArray[Any]) -> list[tuple[Any, ...]]:
    """Census partials merged here, for the product merges them only as it settles."""
    width = len(key_names(CENSUS))
    merged: dict[tuple[Any, ...], list[Any]] = {}
    for row in _tuples(rows, CENSUS):
        have = merged.get(row[:width])
        if have is None:
            merged[row[:width]] = list(row[width:])
            continue
        have[:3] = [a + b for a, b in zip(have[:3], row[width : width + 3], strict=True)]
        for at in (3, 4):
            have[at] = [max(pair) for pair in zip(have[at], row[width + at], strict=True)]
    return [(*key, *merged[key]) for key in sorted(merged)]


def settled(
    partials: Partials,
    sources: Sequence[SourceInfo],
    groups: npt.NDArray[np.uint32],
    policy: Policy,
    folder: Path,
    spans: tuple[tuple[int, int], ...] = (),
) -> tuple[View, Settled]:
    """The judged view of partials; ``folder`` must outlive it."""
    con = duckdb.connect(config={"threads": 1, "preserve_insertion_order": False})
    done = settle(partials, Places.of_groups(groups), policy, load(), con, folder, TODAY, lambda stage: None)
    return View(con, tuple(sources), tuple(f"observer {k}" for k in range(len(groups))), spans), done


def concluded_from(view: View, done: Settled, policy: Policy, detecting: bool) -> Conclusion:
    """A view and its findings as plain values."""
    found, told = [], []
    if detecting:
        from rearguard.detect import run as detect  # the room above; most tests here do without it

        result = detect(view, policy, load())
        found = [json.loads(json.dumps(finding.to_json(), sort_keys=True)) for finding in result.findings]
        told = list(result.approximations)
    tables = {name: _table(view, name) for name in ("judged", "census", "crowd")}
    view.con.close()
    counts = {"contacts": done.contacts, "crowd_clients": done.crowd_clients}
    return Conclusion(**tables, findings=found, told=told, settled=counts)


def concluded(
    parts: Iterable[Part],
    sizes: Sequence[Sizes] = (SMALL,),
    groups: Sequence[int] = (0,) * OBSERVERS,
    policy: Policy | None = None,
    *,
    detecting: bool = True,
) -> Conclusion:
    """Everything that follows from the rows; without ``detecting`` no findings, which take longest."""
    policy = policy or policy_with()
    parts = list(parts)
    rows = [row for part in parts for chunk in part for row in chunk]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        partials = feed(parts, build_guard(policy, load()), folder, sizes)
        numbers = np.array(groups, dtype=np.uint32)
        view, done = settled(partials, _infos(rows), numbers, policy, folder)
        partials.close()
        return concluded_from(view, done, policy, detecting)


def _infos(rows: Sequence[Row]) -> list[SourceInfo]:
    found = []
    for number in range(max((row["source"] for row in rows), default=0) + 1):
        times = [row["ts"] for row in rows if row["source"] == number]
        span = (min(times, default=None), max(times, default=None))
        found.append(SourceInfo(f"{number}.pcap", "pcap", len(times), 0, {}, *span))
    return found


def _table(view: View, name: str) -> list[dict[str, Any]]:
    cursor = view.con.execute(f"SELECT * FROM {name}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return rows if name == "judged" else sorted(rows, key=repr)
