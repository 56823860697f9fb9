"""Findings as report.html shows them: grouped by kind, each with its evidence. Plain strings, made visible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rearguard.model.finding import Kind, Severity, format_time
from rearguard.report import words
from rearguard.report.escape import shell_quote, visible

if TYPE_CHECKING:
    from rearguard.contacts.view import SourceInfo
    from rearguard.model.finding import Evidence, Finding

__all__ = [
    "MOST_EVIDENCE",
    "MOST_FINDINGS",
    "Titles",
    "finding_groups",
    "is_minor",
    "minor_rows",
    "record_command",
]

MOST_FINDINGS = 200
"""More would make a page that no browser likes; they are counted, and findings.json has them all."""

AT_ONCE = 4
"""Of one kind; the rest of them unfolds."""

MOST_EVIDENCE = 20
MOST_MINOR = 500
MOST_NAMES = 5  # of one list within a sentence
LONGEST = 1000  # characters of one string
CAPTURES = frozenset({"pcap", "pcapng"})
"""Formats in which tshark counts records as Rearguard does."""

GROUPS = {
    Kind.COMPROMISED_DEVICE: "Devices that behave as if taken over",
    Kind.EXPLOIT_ATTEMPT: "Attacks that were sent",
    Kind.UNAUTHORISED_CONTROLLER: "Controllers that the policy does not know",
    Kind.EXPOSED_DEVICE: "Devices that answered strangers",
    Kind.CLEARTEXT_MANAGEMENT: "Management that anybody on the way can read",
    Kind.REFLECTOR: "Devices that can be used against third parties",
    Kind.FLOOD: "Floods of requests",
    Kind.SCAN: "Searches for management interfaces",
    Kind.PORT_SURGE: "Ports that the world suddenly tries",
    Kind.PROBE: "Single tries",
}
"""In the order of reading: what has happened before what was tried."""

Titles = Mapping[str, str]
"""Readable titles by id of mechanisms and incidents; an unknown id is shown as it is."""


def record_command(sources: Iterable[SourceInfo]) -> Callable[[str, int], str]:
    """Gives the command that shows a record of a source, or where it stands when no program counts as we do."""
    formats = {item.uri: item.format for item in sources}

    def command(source: str, record: int) -> str:
        if source == "-":
            return f"standard input, record {record}"
        if formats.get(source) in CAPTURES:
            return visible(f"tshark -r {shell_quote(source)} -Y frame.number=={record}")
        return visible(f"{source}, record {record}")

    return command


def finding_groups(
    findings: Sequence[Finding], titles: Titles, command: Callable[[str, int], str]
) -> list[dict[str, Any]]:
    """Groups with their findings, worst first; at most :data:`MOST_FINDINGS` in all."""
    groups = []
    left = MOST_FINDINGS
    for kind, title in GROUPS.items():
        items = [item for item in findings if item.kind is kind]
        shown = [_finding(item, titles, command) for item in items[:left]]
        left -= len(shown)
        if items:
            at_once = len(shown) if len(shown) <= AT_ONCE + 1 else AT_ONCE
            groups.append(
                {
                    "title": title,
                    "count": words.count(len(items), "finding"),
                    "first": shown[:at_once],
                    "rest": shown[at_once:],
                    "hidden": hidden(len(items) - len(shown), "finding"),
                }
            )
    return groups


def is_minor(item: Finding) -> bool:
    """A single low probe is a line in a table; hundreds of entries would bury everything else."""
    return item.kind is Kind.PROBE and item.severity is Severity.LOW


def minor_rows(findings: Sequence[Finding], command: Callable[[str, int], str]) -> dict[str, Any]:
    """The low probes as rows of one table."""
    return {
        "rows": [_minor(item, command) for item in findings[:MOST_MINOR]],
        "count": words.count(len(findings), "probe"),
        "hidden": hidden(len(findings) - MOST_MINOR, "probe"),
    }


def hidden(more: int, noun: str) -> str:
    """Where the rest is; empty when there is none."""
    return f"And {words.count(more, f'more {noun}', f'more {noun}s')}, in findings.json." if more > 0 else ""


def _finding(item: Finding, titles: Titles, command: Callable[[str, int], str]) -> dict[str, Any]:
    ports = ", ".join(f"{item.transport}/{port}" for port in item.ports[:20])
    verified = "verified" if item.subject.verified else "not verified"
    role = item.subject.role if item.subject.role != "remote" else f"remote, {verified}"
    figures = [
        *([ports] if item.interface and ports else []),
        words.peers_text(item.peers),
        words.count(item.contacts, "contact"),
        words.count(item.packets, "packet"),
        words.size(item.bytes),
        f"came back: {words.outcomes_text(item.outcomes)}",
        f"{words.time_text(item.first_seen)} to {words.time_text(item.last_seen)}",
    ]
    return {
        "severity": str(item.severity),
        "what": _shown(f"{item.interface or ports} · {item.direction}"),
        "subject": _shown(words.subject_text(item)),
        "role": _shown(role),
        "labels": [_shown(label) for label in item.labels],
        "reason": _shown(item.reason),
        "figures": _shown(" · ".join(figures)),
        "severity_reason": _shown(item.severity_reason.rstrip(".")),
        "confidence": f"{item.confidence:.2f}",
        "known": [(name, _shown(_some(values))) for name, values in _known(item, titles).items() if values],
        "evidence": [_evidence(row, command) for row in item.evidence[:MOST_EVIDENCE]],
        "evidence_count": words.count(len(item.evidence), "record"),
        "evidence_hidden": hidden(len(item.evidence) - MOST_EVIDENCE, "record"),
        "kind": str(item.kind),
        "id": item.id,
    }


def _known(item: Finding, titles: Titles) -> dict[str, Sequence[str]]:
    """Fingerprints, and what is known of the attack elsewhere."""
    return {
        "Fingerprint": item.fingerprints,
        "CVE": item.cves,
        "Mechanisms": [titles.get(name, name) for name in item.mechanisms],
        "Like": [titles.get(name, name) for name in item.incidents],
        "Peers, for example": item.peers.sample,
    }


def _minor(item: Finding, command: Callable[[str, int], str]) -> dict[str, str]:
    ports = ", ".join(f"{item.transport}/{port}" for port in item.ports[:5])
    return {
        "subject": _shown(words.subject_text(item)),
        "verified": "verified" if item.subject.verified else "not verified",
        "interface": _shown(f"{item.interface or ports} ({item.direction})"),
        "peers": words.peers_text(item.peers),
        "outcomes": words.outcomes_text(item.outcomes),
        "known": _shown(", ".join((*item.fingerprints, *item.labels))),
        "first": words.time_text(item.first_seen),
        "command": command(item.evidence[0].source, item.evidence[0].record) if item.evidence else "",
    }


def _some(values: Sequence[str]) -> str:
    """The first few; a well-known interface has failed in a dozen incidents."""
    more = len(values) - MOST_NAMES
    return "; ".join(values[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _evidence(row: Evidence, command: Callable[[str, int], str]) -> dict[str, str]:
    return {
        "record": str(row.record),
        "time": format_time(row.time).replace("T", " "),
        "src": _shown(words.end(row.src, row.sport)),
        "dst": _shown(words.end(row.dst, row.dport)),
        "note": _shown(f"{row.proto}: {row.note}"),
        "command": command(row.source, row.record),
    }


def _shown(text: str) -> str:
    return visible(text, LONGEST)
