"""What happened when: one line an event, out of the findings, for the timeline and for the reader beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.model.finding import Finding, Kind, Severity
from rearguard.report import words

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis

__all__ = ["MOST_EVENTS", "Event", "chronicle"]

MOST_EVENTS = 9
"""As many as can be numbered on a chart with one digit."""


MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Event:
    """The first of its sort: when (ns), what, and how bad."""

    at: int
    text: str
    severity: Severity


_WORDS = {
    Kind.SCAN: ("begins to search for {where}", "{n} search for {where}, the first is {who}"),
    Kind.EXPLOIT_ATTEMPT: ("sends an attack to {where}", "{n} send attacks to {where}, the first is {who}"),
    Kind.EXPOSED_DEVICE: (
        "answers a stranger on {where}",
        "{n} of our devices answer strangers on {where}, the first is {who}",
    ),
    Kind.COMPROMISED_DEVICE: (
        "behaves as if taken over",
        "{n} of our devices behave as if taken over, the first is {who}",
    ),
    Kind.FLOOD: ("is flooded on {where}", "{n} are flooded on {where}, the first is {who}"),
    Kind.REFLECTOR: (
        "begins to answer forged requests on {where}",
        "{n} of our devices answer forged requests on {where}, the first is {who}",
    ),
    Kind.UNAUTHORISED_CONTROLLER: (
        "manages a device of ours, unknown to the policy",
        "{n} controllers unknown to the policy manage devices of ours, the first is {who}",
    ),
    Kind.CLEARTEXT_MANAGEMENT: (
        "is managed in clear text on {where}",
        "{n} are managed in clear text on {where}, the first is {who}",
    ),
    Kind.PORT_SURGE: (
        "is tried by many new networks",
        "{n} ports are tried by many new networks, the first is {who}",
    ),
}
"""One subject, several subjects; a probe is no event."""

TOGETHER = frozenset({Kind.EXPOSED_DEVICE, Kind.COMPROMISED_DEVICE, Kind.CLEARTEXT_MANAGEMENT})
"""One event, whatever the interface."""


def chronicle(analysis: Analysis) -> list[Event]:
    """The beginnings, at most :data:`MOST_EVENTS`, the worst kept and told in the order of time."""
    groups: dict[tuple[Kind, str, str], list[Finding]] = {}
    for item in analysis.findings:
        if item.kind in _WORDS and "muted" not in item.labels:
            where = ("", "") if item.kind in TOGETHER else (item.interface or "", item.direction)
            groups.setdefault((item.kind, *where), []).append(item)
    events = [_event(kind, items) for (kind, _, _), items in groups.items()]
    worst = sorted(events, key=lambda event: (-event.severity.rank, event.at, event.text))[:MOST_EVENTS]
    return sorted(worst, key=lambda event: (event.at, event.text))


def _event(kind: Kind, items: Sequence[Finding]) -> Event:
    first = min(items, key=lambda item: (item.first_seen, item.id))
    one, many = _WORDS[kind]
    who = words.subject_text(first)
    subjects = len({words.subject_text(item) for item in items})
    where = words.listed(sorted({item.interface or words.subject_text(item) for item in items}), MOST_NAMED)
    inside = " (of our own)" if first.direction == "internal" and kind is Kind.SCAN else ""
    text = (
        f"{who}{inside} {one.format(where=where)}"
        if subjects == 1
        else many.format(n=words.number(subjects), where=where, who=f"{who}{inside}")
    )
    return Event(first.first_seen, text, max(items, key=lambda item: item.severity.rank).severity)
