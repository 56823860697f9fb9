"""Which attacks a border filter leaves, why, and who can do something about them (rule C8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.filters.replay import WHAT_CAN
from rearguard.filters.verdicts import DROPPED
from rearguard.lessons import load as load_lessons
from rearguard.model.finding import Kind
from rearguard.report.border_words import BEYOND, REASONS

if TYPE_CHECKING:
    import duckdb

    from rearguard.filters.border import Border
    from rearguard.lessons import Knowledge
    from rearguard.model.finding import Finding

__all__ = ["WHO_CAN", "Advice", "Remaining", "remaining_of"]

WHO_CAN: Mapping[str, tuple[str, ...]] = {
    "internal": ("ope-02", "ope-05", "ope-01"),
    "outbound": ("ope-05", "own-02"),
    "cloud-managed": ("clo-03", "clo-04", "man-10"),
    "authorised-addresses": ("ope-06", "ope-07"),
    "shared-addresses": ("ope-02", "man-01"),
    "softwires": ("ope-02", "man-01"),
    "udp-from-1024": ("man-02", "ope-02"),
    "port-too-common": ("man-01", "ope-02"),
    "not-listed": ("ope-02",),
    "never-block": ("ope-06",),
    "already-open": ("ope-10",),
    "controller-listens": ("ope-06",),
}
"""Recommendations of the knowledge base that act where this border does not, by reason."""
MOST = 100


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation."""

    id: str
    audience: str
    text: str


@dataclass(frozen=True, slots=True)
class Remaining:
    """Findings of one sort that go on under the filter."""

    kind: str
    severity: str
    """The worst of them."""
    interface: str | None
    direction: str
    findings: int
    initiations: int
    """That would have passed; contacts, for findings that rest on no initiations."""
    subjects: tuple[str, ...]
    """Some of them."""
    reason: str
    why: str
    policy_can: bool
    """Whether another policy for this border would stop it; else no border can."""
    what_can: str
    recommendations: tuple[Advice, ...]


_REASONS_SQL = f"""
SELECT interface, fate FROM plan_fates
WHERE direction = 'inbound' AND fate <> '{DROPPED}' AND interface IS NOT NULL AND NOT guest
GROUP BY interface, fate ORDER BY sum(initiations) DESC, fate
"""


def remaining_of(
    con: duckdb.DuckDBPyConnection, findings: Sequence[Finding], border: Border
) -> tuple[Remaining, ...]:
    """The most severe first; :func:`rearguard.filters.verdicts.laid_out` must hold."""
    reasons: dict[str, str] = {}
    for interface, fate in con.execute(_REASONS_SQL).fetchall():
        reasons.setdefault(interface, fate)
    passed = (
        {} if border.replay is None else {name: each[1] for name, each in border.replay.by_finding.items()}
    )
    groups: dict[tuple[str, str | None, str, str], list[Finding]] = {}
    for finding in findings:
        reason = _reason(finding, reasons, passed)
        if reason is not None:
            groups.setdefault((str(finding.kind), finding.interface, finding.direction, reason), []).append(
                finding
            )
    rows = [_row(*key, each, passed) for key, each in groups.items()]
    return tuple(rows[at] for at in _ranked(rows, list(groups.values())))[:MOST]


def _reason(finding: Finding, reasons: Mapping[str, str], passed: Mapping[str, int]) -> str | None:
    """None: the filter stops it, or the finding is none of traffic that a filter could judge."""
    if finding.kind is Kind.UNAUTHORISED_CONTROLLER:
        return "cloud-managed"
    if finding.direction in ("internal", "outbound"):
        return finding.direction
    if finding.direction != "inbound" or finding.interface is None:
        return None
    if passed and not passed.get(finding.id):
        return None
    return reasons.get(finding.interface)


def _row(
    kind: str,
    interface: str | None,
    direction: str,
    reason: str,
    findings: Sequence[Finding],
    passed: Mapping[str, int],
) -> Remaining:
    worst = max(findings, key=lambda each: each.severity.rank)
    subjects = dict.fromkeys(each.subject.address for each in findings if each.subject.address)
    return Remaining(
        kind,
        str(worst.severity),
        interface,
        direction,
        len(findings),
        sum(passed.get(each.id, each.contacts) for each in findings),
        tuple(subjects)[:5],
        reason,
        REASONS.get(reason, reason),
        reason not in BEYOND,
        WHAT_CAN.get(reason, ""),
        tuple(_advice(load_lessons(), reason)),
    )


def _ranked(rows: Sequence[Remaining], findings: Sequence[Sequence[Finding]]) -> list[int]:
    rank = [max(each.severity.rank for each in group) for group in findings]
    return sorted(range(len(rows)), key=lambda at: (-rank[at], -rows[at].initiations, rows[at].kind))


def _advice(knowledge: Knowledge, reason: str) -> Iterator[Advice]:
    for name in WHO_CAN.get(reason, ()):
        entry = knowledge.recommendation(name)
        yield Advice(entry.id, entry.audience, entry.recommendation)
