"""What report.html shows, as plain strings: every decision about wording and length is made here.

All text that can come from an input has passed :func:`visible`; the template escapes the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rearguard.model.finding import Kind, Severity, format_time
from rearguard.report import words
from rearguard.report.escape import shell_quote, visible

if TYPE_CHECKING:
    from rearguard.model.finding import Evidence, Finding
    from rearguard.report.analysis import Analysis

__all__ = ["MOST_EVIDENCE", "MOST_FINDINGS", "page"]

MOST_FINDINGS = 200
"""More would make a page that no browser likes; they are counted, and findings.json has them all."""

MOST_EVIDENCE = 20
MOST_MINOR = 500
MOST_NAMES = 5  # of one list within a sentence
MOST_DEVICES = 1000
LONGEST = 1000  # characters of one string
CAPTURES = frozenset({"pcap", "pcapng"})
"""Formats in which tshark counts records as Rearguard does."""


def page(analysis: Analysis) -> dict[str, Any]:
    """The values of the template, charts and style excepted."""
    findings = words.ranked(analysis.findings)
    formats = {item.uri: item.format for item in analysis.sources}
    devices = _devices(findings)
    minor = [item for item in findings if _is_minor(item)]
    major = [item for item in findings if not _is_minor(item)]
    first, *rest = words.sentences(analysis)
    return {
        "headline": _shown(first),
        "sentences": [_shown(line) for line in rest],
        "span": words.span_text(analysis),
        "notes": [_shown(note) for note in analysis.notes],
        "approximations": [_shown(line) for line in analysis.approximations],
        "interfaces": _interfaces(analysis),
        "findings": [_finding(item, formats) for item in major[:MOST_FINDINGS]],
        "findings_hidden": _hidden(len(major) - MOST_FINDINGS, "finding"),
        "minor": [_minor(item, formats) for item in minor[:MOST_MINOR]],
        "minor_count": words.count(len(minor), "probe"),
        "minor_hidden": _hidden(len(minor) - MOST_MINOR, "probe"),
        "devices": devices[:MOST_DEVICES],
        "devices_hidden": _hidden(len(devices) - MOST_DEVICES, "device"),
        "facts": _facts(analysis),
        "sources": _sources(analysis),
        "sources_count": words.count(len(analysis.sources), "source"),
        "thresholds": _thresholds(analysis),
        "scaled_note": _scaled_note(analysis),
    }


def _shown(text: str) -> str:
    return visible(text, LONGEST)


def _hidden(more: int, noun: str) -> str:
    return f"And {words.count(more, f'more {noun}', f'more {noun}s')}, in findings.json." if more > 0 else ""


def _interfaces(analysis: Analysis) -> list[dict[str, str]]:
    lines = sorted(analysis.interfaces, key=lambda line: (-line.contacts, line.interface, line.direction))
    return [
        {
            "interface": _shown(line.interface),
            "direction": line.direction,
            "remotes": words.number(line.remotes),
            "devices": words.number(line.devices),
            "contacts": words.number(line.contacts),
            "tries": words.number(line.tries),
            "outcomes": words.outcomes_text(line.outcomes),
        }
        for line in lines
    ]


def _finding(item: Finding, formats: dict[str, str]) -> dict[str, Any]:
    ports = ", ".join(f"{item.transport}/{port}" for port in item.ports[:20])
    verified = {True: "verified", False: "not verified"}[item.subject.verified]
    role = item.subject.role if item.subject.role != "remote" else f"remote, {verified}"
    figures = [
        f"{words.peers_text(item.peers)}",
        words.count(item.contacts, "contact"),
        words.count(item.packets, "packet"),
        words.size(item.bytes),
        f"came back: {words.outcomes_text(item.outcomes)}",
        f"{words.time_text(item.first_seen)} to {words.time_text(item.last_seen)}",
    ]
    return {
        "severity": str(item.severity),
        "title": _shown(f"{item.kind} · {item.interface or ports} · {item.direction}"),
        "subject": _shown(f"{words.subject_text(item)} ({role})"),
        "labels": [_shown(label) for label in item.labels],
        "reason": _shown(item.reason),
        "figures": _shown(" · ".join([ports, *figures] if item.interface and ports else figures)),
        "severity_reason": _shown(item.severity_reason.rstrip(".")),
        "confidence": f"{item.confidence:.2f}",
        "known": _shown(_known(item)),
        "evidence": [_evidence(row, formats.get(row.source, "")) for row in item.evidence[:MOST_EVIDENCE]],
        "evidence_count": words.count(len(item.evidence), "record"),
        "evidence_hidden": _hidden(len(item.evidence) - MOST_EVIDENCE, "record"),
    }


def _is_minor(item: Finding) -> bool:
    """A single low probe is a line in a table; hundreds of cards would bury everything else."""
    return item.kind is Kind.PROBE and item.severity is Severity.LOW


def _minor(item: Finding, formats: dict[str, str]) -> dict[str, str]:
    ports = ", ".join(f"{item.transport}/{port}" for port in item.ports[:5])
    first = _evidence(item.evidence[0], formats.get(item.evidence[0].source, "")) if item.evidence else None
    return {
        "subject": _shown(words.subject_text(item)),
        "verified": "verified" if item.subject.verified else "not verified",
        "interface": _shown(f"{item.interface or ports} ({item.direction})"),
        "peers": words.peers_text(item.peers),
        "outcomes": words.outcomes_text(item.outcomes),
        "known": _shown(", ".join((*item.fingerprints, *item.labels))),
        "first": words.time_text(item.first_seen),
        "command": first["command"] if first else "",
    }


def _known(item: Finding) -> str:
    """Fingerprints and what is known of the attack elsewhere."""
    named = {
        "Fingerprint": item.fingerprints,
        "CVE": item.cves,
        "Mechanism": item.mechanisms,
        "Like": item.incidents,
        "Recommended": item.recommendations,
        "Peers, for example": item.peers.sample[:MOST_NAMES],
    }
    return " ".join(f"{name}: {_some(values)}." for name, values in named.items() if values)


def _some(values: tuple[str, ...]) -> str:
    """The first few; a well-known interface has failed in a dozen incidents."""
    more = len(values) - MOST_NAMES
    return ", ".join(values[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _evidence(row: Evidence, source_format: str) -> dict[str, str]:
    if row.source == "-":
        command = f"standard input, record {row.record}"
    elif source_format in CAPTURES:
        command = f"tshark -r {shell_quote(row.source)} -Y frame.number=={row.record}"
    else:
        command = f"{row.source}, record {row.record}"
    return {
        "record": str(row.record),
        "time": format_time(row.time).replace("T", " "),
        "src": _shown(_end(row.src, row.sport)),
        "dst": _shown(_end(row.dst, row.dport)),
        "note": _shown(f"{row.proto}: {row.note}"),
        "command": visible(command),
    }


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _devices(findings: list[Finding]) -> list[dict[str, str]]:
    """One row a device, worst first; ``findings`` are ranked already."""
    grouped: dict[str, list[Finding]] = {}
    for item in findings:
        if item.subject.role == "device" and item.subject.address is not None:
            grouped.setdefault(item.subject.address, []).append(item)
    return [
        {
            "address": _shown(address),
            "severity": str(items[0].severity),
            "kinds": ", ".join(dict.fromkeys(str(item.kind) for item in items)),
            "interfaces": _shown(
                ", ".join(dict.fromkeys(item.interface for item in items if item.interface))
            ),
            "first": words.time_text(min(item.first_seen for item in items)),
            "last": words.time_text(max(item.last_seen for item in items)),
        }
        for address, items in grouped.items()
    ]


def _facts(analysis: Analysis) -> list[tuple[str, str]]:
    contacts = analysis.contacts
    skipped = words.skipped_total(analysis)
    sampling = [
        f"{line.observer} 1:{words.number(line.rate)} (known from {line.source})"
        if line.rate
        else f"{line.observer} unknown"
        for line in analysis.sampling[:10]
    ]
    guessed = " (guessed: no policy was given)" if analysis.policy.assumed else ""
    observers = analysis.view.observers
    return [
        ("records read", words.number(words.records_read(analysis))),
        ("skipped", words.skipped_text(skipped)),
        ("contacts with management interfaces", words.number(contacts.total)),
        ("of these authorised", words.number(contacts.authorised)),
        ("of these unauthorised", words.number(contacts.unauthorised)),
        ("what came back, all contacts", words.outcomes_text(contacts.by_outcome)),
        ("time span", words.span_text(analysis)),
        ("observers", _shown(f"{len(observers)}: {', '.join(observers[:10])}")),
        ("sampling", _shown(", ".join(sampling) or "none known")),
        ("policy", f"{analysis.policy.digest}{guessed}"),
    ]


def _sources(analysis: Analysis) -> list[dict[str, str]]:
    return [
        {
            "uri": _shown(item.uri),
            "format": _shown(item.format),
            "records": words.number(item.records),
            "size": words.size(item.bytes),
            "skipped": _shown(words.skipped_text(item.skipped)),
            "first": "" if item.first_seen is None else words.time_text(item.first_seen),
            "damaged": "" if item.damaged is None else _shown(item.damaged),
        }
        for item in analysis.sources
    ]


def _thresholds(analysis: Analysis) -> list[dict[str, str]]:
    """Every number that decided, with its trade-off."""
    from rearguard.policy.thresholds import explain_fields

    return [
        {"key": row.key, "value": f"{row.value}", "unit": row.unit, "text": row.text}
        for row in explain_fields(analysis.policy.thresholds)
    ]


def _scaled_note(analysis: Analysis) -> str:
    if all(line.rate == 1 for line in analysis.sampling):
        return ""
    return "The traffic was sampled: contacts, tries and charts count what was seen and are not scaled up."
