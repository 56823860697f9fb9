"""What to do first: at most five steps, each for what was found, in the order of urgency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rearguard.model.finding import Finding, Kind
from rearguard.report import words
from rearguard.report.border_words import useful
from rearguard.report.summary import taken

if TYPE_CHECKING:
    from rearguard.filters.border import Border
    from rearguard.report.analysis import Analysis

__all__ = ["steps"]

MOST_NAMED = 3


def steps(analysis: Analysis) -> list[str]:
    """Imperative sentences; empty when nothing was found."""
    told = (
        _fallen(analysis.findings),
        _foreign(analysis.findings),
        _filter(analysis.border),
        _open(analysis.findings),
        _readable(analysis.findings),
    )
    return [text for text in told if text]


def _fallen(findings: Iterable[Finding]) -> str:
    devices = sorted({*_subjects(findings, Kind.COMPROMISED_DEVICE), *taken(findings)})
    if not devices:
        return ""
    return (
        f"Isolate {_named(devices, 'device')} and tell the owner: a device that was taken over stays dangerous to "
        "others, and no filter at the border repairs it."
    )


def _foreign(findings: Iterable[Finding]) -> str:
    controllers = _subjects(findings, Kind.UNAUTHORISED_CONTROLLER)
    if not controllers:
        return ""
    return (
        f"Find out who runs {_named(controllers, 'controller')}: list it in the policy if it is yours, stop it if "
        "it is not."
    )


def _filter(border: Border | None) -> str:
    if border is None:
        return ""
    if border.replay is None:
        best = [item.interface for item in useful(border.what_ifs)]
        if not best:
            return ""
        names = words.listed(best, MOST_NAMED)
        return f"Decide whether the border shall drop {names}: the what-ifs say what that would hit."
    files = words.listed([edge.file for edge in border.edges], MOST_NAMED)
    if border.replay.authorised_dropped:
        return (
            f"Do not load {files} yet: it would have dropped "
            f"{words.count(border.replay.authorised_dropped, 'authorised initiation')}."
        )
    if not border.replay.initiations_dropped:
        return ""
    return f"Check and load {files} where the traffic enters; its head says how."


def _open(findings: Iterable[Finding]) -> str:
    exposed = [item for item in findings if item.kind in {Kind.EXPOSED_DEVICE, Kind.REFLECTOR}]
    devices = {item.subject.address for item in exposed if item.subject.address}
    if not devices:
        return ""
    interfaces = words.listed(sorted({item.interface for item in exposed if item.interface}), MOST_NAMED)
    return (
        f"Close {interfaces} toward strangers on {words.count(len(devices), 'device')}; a device that answers "
        "nobody but its controller needs no filter."
    )


def _readable(findings: Iterable[Finding]) -> str:
    devices = _subjects(findings, Kind.CLEARTEXT_MANAGEMENT)
    if not devices:
        return ""
    return f"Change the credentials of {_named(devices, 'device')}: anybody on the way could read them."


def _subjects(findings: Iterable[Finding], kind: Kind) -> list[str]:
    return sorted({item.subject.address for item in findings if item.kind is kind and item.subject.address})


def _named(addresses: list[str], noun: str) -> str:
    if len(addresses) <= MOST_NAMED:
        return words.listed(addresses, MOST_NAMED)
    return f"{words.count(len(addresses), noun)} ({', '.join(addresses[:MOST_NAMED])} ...)"
