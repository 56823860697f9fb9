"""The answer in five sentences, for somebody who reads nothing else.

One sentence a question: who tried, what they sent and whether it worked, which devices are concerned, who else
manages them, what a filter at the border would have done. A question to which nothing was found has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rearguard.model.finding import Finding, Kind
from rearguard.report import border_words, words

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis

__all__ = ["summary", "taken", "title_of", "verdict"]

MOST_NAMED = 3

_TRIED = """
SELECT
    count(DISTINCT (client_hi, client_lo)) AS clients,
    count(DISTINCT (server_hi, server_lo)) AS servers,
    count(DISTINCT (server_hi, server_lo)) FILTER (outcome IN ('answered', 'conversed')) AS answering
FROM judged
WHERE target AND interface IS NOT NULL AND NOT authorised AND tries > 0 AND direction = $direction
"""

_CROWD = """
SELECT coalesce(sum(clients), 0)::BIGINT FROM crowd WHERE interface IS NOT NULL AND direction = $direction
"""


def verdict(analysis: Analysis) -> str:
    """The worst that is known, in a few words."""
    devices = {kind: _devices(analysis.findings, kind) for kind in Kind}
    if fallen := devices[Kind.COMPROMISED_DEVICE]:
        many = words.count(len(fallen), "device")
        return f"{many} of ours {_verb(fallen, 'behaves', 'behave')} as if taken over."
    if foreign := devices[Kind.UNAUTHORISED_CONTROLLER]:
        many = words.count(len(foreign), "controller")
        return f"{many} that the policy does not know {_verb(foreign, 'manages', 'manage')} devices of ours."
    if open_ones := devices[Kind.EXPOSED_DEVICE] | devices[Kind.REFLECTOR]:
        return f"{words.count(len(open_ones), 'device')} of ours answered strangers; none is known to have fallen."
    if analysis.findings:
        return "Strangers looked for devices of ours; none is known to have answered or fallen."
    return words.headline(analysis)


def summary(analysis: Analysis) -> list[str]:
    """At most five sentences; one that says out of what when nothing was found."""
    told = (
        _who(analysis),
        _sent(analysis.findings),
        _concerned(analysis.findings),
        _managed(analysis.findings),
        border_words.sentence(analysis.border),
    )
    found = [text for text in told if text]
    return found if analysis.findings or analysis.interfaces else [words.headline(analysis)]


def title_of(analysis: Analysis, interface: str) -> str:
    """What readers call an interface; its id where the catalogue has none."""
    return next((each.title for each in analysis.catalogue.interfaces if each.id == interface), interface)


def _who(analysis: Analysis) -> str:
    for direction, place, side in (
        ("inbound", "from outside", "ours"),
        ("internal", "of our own", "ours"),
        ("outbound", "of our own", "others"),
    ):
        lines = [line for line in analysis.interfaces if line.direction == direction]
        if not lines:
            continue
        row = analysis.view.con.execute(_TRIED, {"direction": direction}).fetchone()
        crowd = analysis.view.con.execute(_CROWD, {"direction": direction}).fetchone()
        assert row is not None
        assert crowd is not None
        clients, servers, answering = row
        busiest = sorted(lines, key=lambda line: (-line.contacts, line.interface))
        names = _some([title_of(analysis, line.interface) for line in busiest], "more management interfaces")
        return (
            f"{_capital(words.count(clients + crowd[0], 'address', 'addresses'))} {place} tried {names} on "
            f"{words.count(servers, 'address', 'addresses')} of {side} without being authorised; "
            f"{_answering(answering)}."
        )
    return ""


def _answering(answering: int) -> str:
    return f"{words.number(answering)} of those answered" if answering else "none of those was seen to answer"


def _sent(findings: Sequence[Finding]) -> str:
    attacks = [item for item in findings if item.kind is Kind.EXPLOIT_ATTEMPT]
    if not attacks:
        return ""
    senders = _subjects(attacks)
    cves = sorted({cve for item in attacks for cve in item.cves})
    what = f" ({_some(cves)})" if cves else ""
    fell = sorted({str(device) for item in attacks for device in item.details.get("fell", ())})
    worked = [f"{_some(fell, 'more devices')} then contacted the host that the attack named"] if fell else []
    if let_in := [device for device in taken(attacks) if device not in fell]:
        worked.append(f"{_some(let_in, 'more devices')} let a login in")
    end = _and(worked) or "no device was seen to give way to one"
    named = _some([f"“{title}”" for title in _titles(attacks)])
    colon = ": " if named else ""
    return f"{words.count(len(senders), 'address', 'addresses')} sent attacks{colon}{named}{what}; {end}."


def _titles(attacks: Iterable[Finding]) -> list[str]:
    """What was sent, the most frequent first."""
    told = Counter(
        str(attack["title"])
        for item in attacks
        for attack in item.details.get("attacks", ())
        if isinstance(attack, dict) and "title" in attack
    )
    return [title for title, _ in sorted(told.items(), key=lambda each: (-each[1], each[0]))]


def taken(findings: Iterable[Finding]) -> list[str]:
    """Devices that let an attacker log in."""
    return sorted(
        {
            str(told["device"])
            for item in findings
            if item.kind is Kind.EXPLOIT_ATTEMPT
            for told in item.details.get("devices", ())
            if told["result"] == "taken"
        }
    )


def _concerned(findings: Sequence[Finding]) -> str:
    told = []
    for kind, one, many in (
        (Kind.COMPROMISED_DEVICE, "behaves as if taken over", "behave as if taken over"),
        (Kind.EXPOSED_DEVICE, "answered strangers", "answered strangers"),
        (Kind.SCAN, "searches for others", "search for others"),
        (Kind.FLOOD, "was flooded with requests", "were flooded with requests"),
        (Kind.REFLECTOR, "can be used against third parties", "can be used against third parties"),
    ):
        devices = _subjects(item for item in findings if item.kind is kind and item.subject.role == "device")
        if devices:
            named = f" ({_some(sorted(devices))})" if len(devices) <= MOST_NAMED else ""
            told.append(f"{words.number(len(devices))}{named} {one if len(devices) == 1 else many}")
    return f"Of our devices, {_and(told)}." if told else ""


def _managed(findings: Sequence[Finding]) -> str:
    told = []
    foreign = _devices(findings, Kind.UNAUTHORISED_CONTROLLER)
    if foreign:
        told.append(
            f"{words.count(len(foreign), 'controller')} that the policy does not know "
            f"{_verb(foreign, 'manages', 'manage')} devices of ours ({_some(sorted(foreign))})"
        )
    readable = _devices(findings, Kind.CLEARTEXT_MANAGEMENT)
    if readable:
        told.append(f"logins or commands of {words.count(len(readable), 'device')} were readable on the wire")
    return f"{_capital(_and(told))}." if told else ""


def _devices(findings: Iterable[Finding], kind: Kind) -> set[str]:
    """The distinct subjects of one kind of finding."""
    return _subjects(item for item in findings if item.kind is kind)


def _subjects(findings: Iterable[Finding]) -> set[str]:
    return {item.subject.address for item in findings if item.subject.address is not None}


def _verb(many: set[str], one: str, more: str) -> str:
    return one if len(many) == 1 else more


def _some(names: Sequence[str], more: str = "more") -> str:
    return words.listed(names, MOST_NAMED, more)


def _and(parts: Sequence[str]) -> str:
    return words.listed(parts, len(parts))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
