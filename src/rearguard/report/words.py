"""The sentences and figures that every sink tells in the same words. Plain text; no sink's markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rearguard.model.finding import Finding, Kind, Severity

if TYPE_CHECKING:
    from rearguard.model.finding import Peers
    from rearguard.report.analysis import Analysis, InterfaceLine

__all__ = [
    "OUTCOMES",
    "count",
    "duration",
    "end",
    "headline",
    "interface_sentence",
    "listed",
    "number",
    "outcomes_text",
    "peers_text",
    "ranked",
    "records_read",
    "size",
    "skipped_text",
    "skipped_total",
    "span_text",
    "subject_text",
    "time_text",
]

OUTCOMES = ("unanswered", "refused", "answered", "conversed", "unknown")
"""In the order of how far a stranger came; ``unknown`` last."""

_KIND_ORDER = {kind: place for place, kind in enumerate(Kind)}


def number(value: int) -> str:
    """``1964`` as ``1,964``."""
    return f"{value:,}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """``1 record``, ``2 records``."""
    return f"{number(value)} {noun if value == 1 else plural or noun + 's'}"


def size(value: int) -> str:
    """Bytes in decimal units, three digits at most: ``88.1 kB``."""
    if value < 1000:
        return f"{value} B"
    scaled = float(value)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.5 or unit == "TB":
            break
    return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.1f} {unit}"


def duration(ns: int) -> str:
    """A length of time in the two largest units that matter."""
    seconds = ns / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for big, small, big_name, small_name in (
        (86400, 3600, "d", "h"),
        (3600, 60, "h", "min"),
        (60, 1, "min", "s"),
    ):
        if whole >= big:
            rest = whole % big // small
            return f"{whole // big} {big_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def time_text(ns: int) -> str:
    """A time for readers, to the second, UTC; the exact one is in findings.json."""
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def span_text(analysis: Analysis) -> str:
    """From when to when the records are, and how long that is."""
    span = analysis.view.span
    if span is None:
        return "no record had a time"
    first, last = span
    return f"{time_text(first)} to {time_text(last)} ({duration(last - first)})"


def outcomes_text(outcomes: Mapping[str, int]) -> str:
    """``1,900 unanswered, 60 refused``; zeroes are left out, names nobody knows come last."""
    names = [name for name in OUTCOMES if outcomes.get(name)]
    names += sorted(name for name in outcomes if name not in OUTCOMES and outcomes[name])
    return ", ".join(f"{number(outcomes[name])} {name}" for name in names) or "none"


def peers_text(peers: Peers) -> str:
    """How many peers, with the interval where sampling or sketches leave one."""
    low, high = peers.interval
    text = count(peers.count, "peer")
    return text if low == high == peers.count else f"{text} ({number(low)} to {number(high)})"


def listed(names: Sequence[str], most: int, more: str = "more") -> str:
    """``a, b and c``, or ``a, b and 4 more`` when there are more than ``most``."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {number(len(names) - most + 1)} {more}"
    return f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else "".join(names)


def end(address: str, port: int) -> str:
    """One end of a conversation, readable in both families."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def subject_text(finding: Finding) -> str:
    """The address of the subject, or the ports where it has none."""
    if finding.subject.address is not None:
        return finding.subject.address
    return ", ".join(f"{finding.transport}/{port}" for port in finding.ports) or finding.subject.role


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first; ties by kind, contacts and id, so that the order depends on nothing else."""
    return sorted(
        findings, key=lambda item: (-item.severity.rank, _KIND_ORDER[item.kind], -item.contacts, item.id)
    )


def records_read(analysis: Analysis) -> int:
    """Records of all sources."""
    return sum(item.records for item in analysis.sources)


def skipped_total(analysis: Analysis) -> dict[str, int]:
    """Skipped records of all sources by reason, reasons in alphabetical order, zeroes left out."""
    total: Counter[str] = Counter()
    for item in analysis.sources:
        total.update(item.skipped)
    return {reason: total[reason] for reason in sorted(total) if total[reason]}


def skipped_text(skipped: Mapping[str, int]) -> str:
    """``12 skipped (arp 10, truncated 2)``."""
    told = {reason: skipped[reason] for reason in sorted(skipped) if skipped[reason]}
    if not told:
        return "none skipped"
    reasons = ", ".join(f"{reason} {number(value)}" for reason, value in told.items())
    return f"{number(sum(told.values()))} skipped ({reasons})"


def headline(analysis: Analysis) -> str:
    """The result in one sentence; "nothing found" is only said together with out of what."""
    records = records_read(analysis)
    if analysis.findings:
        tally = Counter(item.severity for item in analysis.findings)
        parts = [f"{number(tally[level])} {level}" for level in reversed(Severity) if tally[level]]
        return f"{count(len(analysis.findings), 'finding')}: {', '.join(parts)}."
    if records == 0:
        return "No record was read, so nothing could be judged."
    judged = analysis.contacts.total
    if judged == 0:
        return (
            f"Nothing found out of {count(records, 'record')}, 0 contacts of which could be judged: "
            "none touched a management interface of these networks."
        )
    out_of = f"{count(records, 'record')}, {count(judged, 'contact')} of which could be judged"
    unknown = analysis.contacts.by_outcome.get("unknown", 0)
    doubt = f" (what came back is unknown for {number(unknown)})" if unknown else ""
    return f"Nothing found out of {out_of}{doubt}."


def interface_sentence(line: InterfaceLine) -> str:
    """Who tried it, on how many, and what came back."""
    return (
        f"{count(line.remotes, 'address', 'addresses')} without authority tried {line.interface} on "
        f"{count(line.devices, 'address', 'addresses')} ({line.direction}): {outcomes_text(line.outcomes)}."
    )
