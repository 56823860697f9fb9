"""Observers that saw different packets, observers that saw the same ones (rule A5), and at what rate they sampled.

Counts of one *group* are added, of several groups the largest holds. What goes into one group:

=====================================  ===============================================================
interfaces of a capture, and files     apart, for the same packets may have passed both; files (or one
                                       interface in several files) that follow each other in time are
                                       one observer that was rotated
an exporter of flows                   all its interfaces, since it exports a packet once; but what it
                                       says it saw leaving ("out") is apart from what it saw entering
what matches one entry of the          one group, by the entry's ``group`` if it has one
policy's ``observers``
entries with ``external``              what enters by such an interface, and what was seen leaving by it,
                                       of all such entries together: a packet enters a network once
=====================================  ===============================================================

Silence is believed where return traffic was heard (rule A6). That is asked of a wider circle, the *hearing*: all
groups of one exporter, of one entry's ``group``, and of all entries with ``external``, because a router often
exports the two directions at different interfaces.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.view import SourceInfo
from rearguard.policy import Policy
from rearguard.sources.reader import Exporter, Observer

if TYPE_CHECKING:
    from rearguard.policy import ObserverRule

__all__ = ["Places", "Rate", "places_of"]

SLACK = 2_000_000_000
"""ns by which rotated captures may overlap: packets are not written strictly in the order of their times."""
FLOW_OVERLAP = 0.75
"""Share of the shorter file's span by which rotated files of flows may overlap, where they do not say who exported
them: a flow is written when it ends. An assumption; two exporters' files of the same minutes overlap nearly whole.
Say it better with ``observers`` in the policy."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At what rate a place sampled, 1:N (0 unknown), and whence it is known: capture, options, record or policy."""

    place: str
    rate: int
    source: str


@dataclass(frozen=True, slots=True)
class Places:
    """By observer number: its group, its hearing, and what its sampling rate is where the records do not tell."""

    groups: npt.NDArray[np.uint32]
    hearing: npt.NDArray[np.uint32]
    fixed: npt.NDArray[np.uint32]
    """Rates that hold whatever the records say (the policy's word about a capture); 0 none."""
    untold: npt.NDArray[np.uint32]
    """Rates for records that tell none; 0 unknown."""
    rates: tuple[Rate, ...] = ()

    @classmethod
    def of_groups(cls, groups: npt.NDArray[np.uint32]) -> Places:
        """Groups whose records tell their own rates, and each of which hears for itself."""
        nothing = np.zeros(len(groups), dtype=np.uint32)
        return cls(groups, groups, nothing, nothing)

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.groups.max(initial=0)) + 1

    def sampling(self, observer: npt.NDArray[Any], told: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
        """The rates of records of these observers that were told as ``told``."""
        fixed, untold = self.fixed[observer], self.untold[observer]
        return np.where(fixed > 0, fixed, np.where(told == 0, untold, told)).astype(np.uint32)

    def heard_by(self) -> npt.NDArray[np.uint32]:
        """The hearing of each group."""
        out = np.zeros(self.count, dtype=np.uint32)
        out[self.groups] = self.hearing
        return out


def places_of(
    observers: Sequence[tuple[int, Observer]], sources: Sequence[SourceInfo], policy: Policy
) -> Places:
    """``observers`` are given with the index of the source that had them first."""
    groups, hearings = _Numbers(), _Numbers()
    size = len(observers)
    group_of, hearing_of, fixed, untold = (np.zeros(size, dtype=np.uint32) for _ in range(4))
    rotation = _Rotation()
    told = _told(sources)
    lines: dict[Rate, None] = {}
    by_time = sorted(enumerate(observers), key=lambda item: (sources[item[1][0]].first_seen or 0, item[0]))
    for number, (source, observer) in by_time:
        rule = _rule(policy, sources[source].uri, observer)
        group, hearing = _keys(observer, rule, policy)
        if group is None:
            hearing = rotation.key(source, observer.name, sources[source])
            group = hearing, observer.way == "out"
        group_of[number], hearing_of[number] = groups.of(group), hearings.of(hearing)
        stated = policy.sampling.observers.get(rule or "") or policy.sampling.default or 0
        if observer.exporter or sources[source].exporters:
            exporters = told.get(observer.exporter, []) if observer.exporter else sources[source].exporters
            known = [one for one in exporters if one.rate]
            untold[number] = known[0].rate if known else stated
            place = observer.exporter or sources[source].uri
            for one in known:
                lines[Rate(place, one.rate, one.rate_from)] = None
            if not known:
                lines[Rate(place, stated, "policy" if stated else "unknown")] = None
        else:
            fixed[number] = stated
            place = f"{sources[source].uri} {observer.name}".rstrip()
            lines[Rate(place, stated or 1, "policy" if stated else "capture")] = None
    return Places(group_of, hearing_of, fixed, untold, tuple(lines))


class _Numbers:
    """Small numbers for keys, in the order of their first use."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, key: Hashable) -> int:
        return self._known.setdefault(key, len(self._known))


def _told(sources: Sequence[SourceInfo]) -> dict[str, list[Exporter]]:
    """The exporters by name; those with a rate from options data come first (rule B14's order)."""
    found: dict[str, list[Exporter]] = {}
    for source in sources:
        for exporter in source.exporters:
            found.setdefault(exporter.name, []).append(exporter)
    for exporters in found.values():
        exporters.sort(key=lambda one: (one.rate_from != "options", one.domain))
    return found


def _keys(observer: Observer, rule: str | None, policy: Policy) -> tuple[Hashable, Hashable]:
    """Group and hearing; None where only the times of the files can tell."""
    leaving = observer.way == "out"
    if rule is None:
        return ((observer.exporter, leaving), observer.exporter) if observer.exporter else (None, None)
    entry = policy.observers[rule]
    base = ("rule", entry.group or rule)
    if not entry.external or not observer.exporter:
        return (*base, leaving), base
    at = observer.egress if leaving else observer.ingress
    if str(at) in entry.external:
        return "external", "external"
    return (*base, leaving), "external"


class _Rotation:
    """Captures and files of flows that nobody named: which of them follow each other."""

    def __init__(self) -> None:
        self._files: list[tuple[str, int | None, int | None]] = []
        self._known: dict[tuple[int, str], Hashable] = {}

    def key(self, source: int, name: str, info: SourceInfo) -> Hashable:
        """One for all observers of this name in the source, and in those that it follows."""
        if (source, name) not in self._known:
            self._known[source, name] = self._place(name, info)
        return self._known[source, name]

    def _place(self, name: str, info: SourceInfo) -> Hashable:
        for at, (other, first, last) in enumerate(self._files):
            if other == name and _follows(info, first, last):
                ends = [time for time in (last, info.last_seen) if time is not None]
                self._files[at] = name, info.first_seen, max(ends, default=None)
                return "file", at
        self._files.append((name, info.first_seen, info.last_seen))
        return "file", len(self._files) - 1


def _follows(info: SourceInfo, first: int | None, last: int | None) -> bool:
    if last is None or first is None or info.first_seen is None or info.last_seen is None:
        return True
    slack = float(SLACK)
    if info.exporters:
        slack = max(slack, FLOW_OVERLAP * min(last - first, info.last_seen - info.first_seen))
    return info.first_seen >= last - slack


def _rule(policy: Policy, uri: str, observer: Observer) -> str | None:
    """The first entry of the policy's ``observers`` that this is."""
    for rule, entry in policy.observers.items():
        if _matches(entry, uri, observer):
            return rule
    return None


def _matches(entry: ObserverRule, uri: str, observer: Observer) -> bool:
    if entry.match in (observer.name, observer.exporter):
        return True
    return any(
        fnmatchcase(text, entry.match) for text in (uri, PurePath(uri).name, observer.exporter) if text
    )
