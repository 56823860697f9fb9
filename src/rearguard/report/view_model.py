"""What report.html shows, as plain strings: every decision about wording and length is made here.

All text that can come from an input has passed :func:`visible`; the template escapes the rest. A section that
has nothing to show is empty or None, and the page leaves it out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rearguard.lessons import load as load_lessons
from rearguard.model.finding import Kind, Severity
from rearguard.report import words
from rearguard.report.border_words import border_rows
from rearguard.report.chronicle import chronicle
from rearguard.report.device_rows import device_rows, model_rows
from rearguard.report.escape import visible
from rearguard.report.finding_rows import (
    LONGEST,
    finding_groups,
    is_minor,
    minor_rows,
    record_command,
)
from rearguard.report.lesson_rows import lesson_rows
from rearguard.report.resembles import resembles
from rearguard.report.said import attacks_said, secrets_said
from rearguard.report.steps import steps
from rearguard.report.summary import summary, title_of, verdict

if TYPE_CHECKING:
    from rearguard.model.finding import Finding
    from rearguard.report.analysis import Analysis

__all__ = ["page"]


def page(analysis: Analysis) -> dict[str, Any]:
    """The values of the template, charts and style excepted."""
    findings = words.ranked(analysis.findings)
    command = record_command(analysis.sources)
    knowledge = load_lessons()
    titles = {each.id: each.title for each in knowledge.mechanisms}
    titles |= {each.id: each.title for each in knowledge.incidents}
    minor = [item for item in findings if is_minor(item)]
    return {
        "headline": _shown(words.headline(analysis)),
        "verdict": _shown(verdict(analysis)),
        "tally": _tally(findings),
        "sentences": [_shown(line) for line in summary(analysis)],
        "steps": [_shown(line) for line in steps(analysis)],
        "span": words.span_text(analysis),
        "notes": [_shown(note) for note in analysis.notes],
        "approximations": [_shown(line) for line in analysis.approximations],
        "events": _events(analysis),
        "interfaces": _interfaces(analysis),
        "groups": finding_groups([item for item in findings if not is_minor(item)], titles, command),
        "minor": minor_rows(minor, command) if minor else None,
        "attacks": attacks_said(analysis.view, _attack_titles(findings), command),
        "secrets": secrets_said(analysis.view, command),
        "devices": device_rows(analysis, findings),
        "models": model_rows(analysis, findings),
        "border": border_rows(analysis),
        "lessons": lesson_rows(resembles(analysis.findings, knowledge)),
        "facts": _facts(analysis),
        "sources": _sources(analysis),
        "sources_count": words.count(len(analysis.sources), "source"),
        "thresholds": _thresholds(analysis),
        "scaled_note": _scaled_note(analysis),
    }


def _shown(text: str) -> str:
    return visible(text, LONGEST)


def _tally(findings: list[Finding]) -> list[tuple[str, str]]:
    """Severity and how many, worst first."""
    counts = Counter(item.severity for item in findings)
    return [(str(level), words.number(counts[level])) for level in reversed(Severity) if counts[level]]


def _attack_titles(findings: list[Finding]) -> dict[str, str]:
    """Title of an attack by its id, as the findings tell them."""
    return {
        str(attack["id"]): str(attack["title"])
        for item in findings
        if item.kind is Kind.EXPLOIT_ATTEMPT
        for attack in item.details.get("attacks", ())
    }


def _events(analysis: Analysis) -> list[dict[str, str]]:
    """With the date only where the records are of several days."""
    span = analysis.view.span
    one_day = span is not None and words.time_text(span[0])[:10] == words.time_text(span[1])[:10]
    return [
        {
            "time": words.time_text(item.at)[11:19] if one_day else words.time_text(item.at),
            "text": _shown(item.text),
            "severity": str(item.severity),
        }
        for item in chronicle(analysis)
    ]


def _interfaces(analysis: Analysis) -> list[dict[str, str]]:
    lines = sorted(analysis.interfaces, key=lambda line: (-line.contacts, line.interface, line.direction))
    return [
        {
            "interface": _shown(line.interface),
            "title": _shown(title_of(analysis, line.interface)),
            "direction": line.direction,
            "remotes": words.number(line.remotes),
            "devices": words.number(line.devices),
            "contacts": words.number(line.contacts),
            "tries": words.number(line.tries),
            "outcomes": words.outcomes_text(line.outcomes),
        }
        for line in lines
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
