"""Shadowserver's exposure reports, joined with what was seen inside ("seen open from outside", SEMANTICS D).

A report is no traffic, so it gives no contacts; it is the word of an outside party:

* where a stranger was answered here, too, the finding says so: two views agree;
* where nothing was seen here, it is a finding of its own, ``exposed-device`` by rule B7, with its confidence.

Either way it tells which of the policy's controllers were seen using that interface of the device, if any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rearguard.detect.making import make
from rearguard.model.address import from_halves
from rearguard.model.bits import INBOUND, TCP, UDP
from rearguard.model.finding import Evidence, Finding, Kind, Peers, Severity, Subject, format_time
from rearguard.report.cases.concern import read_network
from rearguard.report.shadowserver_reports import Reports, Sighting, device_text

if TYPE_CHECKING:
    from rearguard.contacts.view import View
    from rearguard.policy import Policy

__all__ = ["LABEL", "joined"]

LABEL = "seen-from-outside"
"""Label of a finding that such a report confirms, or rests on alone."""

CONFIDENCE = 0.8
"""Of a finding that rests on a report alone. An assumption: the address may have had another holder then."""

Key = tuple[str, str]
"""A device as text, and the interface."""


def joined(
    reports: Reports, findings: Iterable[Finding], view: View, policy: Policy, today: date
) -> tuple[Finding, ...]:
    """The findings with what was seen from outside, and those that follow from it alone.

    ``today`` decides which exceptions hold. In the order of :func:`rearguard.detect.run`.
    """
    waiting = dict(reports.sightings)
    users = _controllers(waiting, view, policy)
    told: list[Finding] = []
    for finding in findings:
        key = _key(finding, policy)
        one = waiting.pop(key, None) if key is not None else None
        told.append(finding if one is None or key is None else _confirmed(finding, one, users.get(key, ())))
    alone = [_finding(key[0], one, users.get(key, ()), policy, today) for key, one in waiting.items()]
    alone.sort(key=lambda finding: (-finding.severity.rank, finding.id))
    told += alone[: policy.limits.findings_per_kind]
    return tuple(sorted(told, key=lambda each: (-each.severity.rank, str(each.kind), each.id)))


def _key(finding: Finding, policy: Policy) -> Key | None:
    """Whom and what an exposed-device finding is about; None for other findings."""
    network = read_network(finding.subject.address)
    if finding.kind is not Kind.EXPOSED_DEVICE or network is None or finding.interface is None:
        return None
    return device_text(network.network_address, policy), finding.interface


def _controllers(wanted: Mapping[Key, Sighting], view: View, policy: Policy) -> dict[Key, tuple[str, ...]]:
    """Which controllers were seen using the interface of a device that was seen from outside."""
    found: dict[Key, set[str]] = {}
    if wanted:
        rows = view.con.execute(
            "SELECT DISTINCT server_hi, server_lo, interface, authorised_by FROM judged"
            " WHERE authorised AND interface IS NOT NULL AND authorised_by IS NOT NULL AND listener = 'device'"
        )
        while batch := rows.fetchmany(10_000):
            for high, low, interface, name in batch:
                key = device_text(from_halves(high, low), policy), interface
                if key in wanted:
                    found.setdefault(key, set()).add(name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def _details(one: Sighting, controllers: Sequence[str]) -> dict[str, Any]:
    return {
        "first": format_time(one.first),
        "last": format_time(one.last),
        "ports": [f"{one.transport}/{port}" for port in one.ports],
        "asked_for_login": one.login,
        "controllers": list(controllers),
        "records": [f"{Path(file).name}:{line}" for file, line in one.records],
    }


def _confirmed(finding: Finding, one: Sighting, controllers: Sequence[str]) -> Finding:
    """The same finding, confirmed from outside."""
    return replace(
        finding,
        labels=tuple(dict.fromkeys((*finding.labels, LABEL))),
        reason=f"{finding.reason} {_words(one)}{_used_by(controllers)}",
        details={**finding.details, "shadowserver": _details(one, controllers)},
    )


def _words(one: Sighting) -> str:
    ports = ", ".join(f"{one.transport}/{port}" for port in one.ports)
    return f"Shadowserver saw it open from outside on {ports}, last on {format_time(one.last)[:10]}."


def _used_by(controllers: Sequence[str]) -> str:
    return f" Here it was used by {', '.join(controllers)}." if controllers else ""


@dataclass(frozen=True, slots=True)
class _NoContacts:
    """The figures of a finding that rests on no traffic."""

    first: int
    last: int
    proto: int
    ports: tuple[int, ...]
    peers: Peers = field(default_factory=lambda: Peers(0, (0, 0)))
    contacts: int = 0
    packets: int = 0
    bytes: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    fingerprints: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def _finding(device: str, one: Sighting, controllers: Sequence[str], policy: Policy, today: date) -> Finding:
    """What a report alone concludes."""
    accepted = policy.exemption(one.address, one.interface.id, today)
    text = device if one.several else str(one.address)
    return make(
        Kind.EXPOSED_DEVICE,
        _NoContacts(one.first, one.last, TCP if one.transport == "tcp" else UDP, one.ports),
        subject=Subject("device", text, True),
        entry=one.interface,
        way=INBOUND,
        severity=_severity(one, accepted is not None),
        confidence=CONFIDENCE,
        labels=("exception", "muted", LABEL) if accepted is not None else (LABEL,),
        shows=("lan-protocol-on-wan",) if one.interface.lan_only else (),
        reason=(
            f"{_words(one)} No answer of our device {text} to a stranger on {one.interface.id} was seen"
            f" here.{_used_by(controllers)}"
        ),
        details={"proof": "shadowserver", "shadowserver": _details(one, controllers)},
    )


def _severity(one: Sighting, accepted: bool) -> tuple[Severity, str]:
    """Rule B7, as far as the report tells what came back."""
    if accepted:
        return Severity.LOW, "accepted by an exception of the policy"
    if one.interface.lan_only:
        return Severity.CRITICAL, f"{one.interface.title} is made for the home side and answers the outside"
    if one.page:
        return Severity.HIGH, "no login is in the way; what came back to Shadowserver: a page (200)"
    if one.login:
        return Severity.MEDIUM, "strangers reach it; what came back to Shadowserver: a login is asked first"
    return Severity.MEDIUM, "it answers strangers; whether a login is asked first is not known"
