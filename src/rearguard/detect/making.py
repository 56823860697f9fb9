"""One way to make a finding: what is counted comes from a group's figures, what is concluded from the detector.

The figures of a group are a :class:`~rearguard.detect.portrait.Portrait` of contacts, or what was
:class:`~rearguard.detect.said.Said` in dialogues. What is known of an attack or an interface elsewhere
(mechanisms, incidents, CVE numbers) is looked up in the catalogue; recommendations follow from mechanisms, in the
room of lessons.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from rearguard.detect import wording
from rearguard.model import bits
from rearguard.model.finding import Evidence, Finding, Kind, Peers, Severity, Subject

if TYPE_CHECKING:
    from rearguard.catalogue.attacks import Attack
    from rearguard.catalogue.model import Interface

__all__ = ["MAX_PORTS", "Figures", "known_elsewhere", "make", "transport"]

MAX_PORTS = 1024
"""Ports that a finding lists; a sweep of all 65,536 says how many more there were."""

_TRANSPORTS = {bits.TCP: "tcp", bits.UDP: "udp"}


class Figures(Protocol):
    """What a group comes to, in the words of :class:`~rearguard.model.finding.Finding`."""

    @property
    def peers(self) -> Peers: ...
    @property
    def contacts(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def proto(self) -> int: ...
    @property
    def ports(self) -> tuple[int, ...]: ...
    @property
    def outcomes(self) -> dict[str, int]: ...
    @property
    def fingerprints(self) -> tuple[str, ...]: ...
    @property
    def evidence(self) -> tuple[Evidence, ...]: ...


def make(
    kind: Kind,
    figures: Figures,
    *,
    subject: Subject,
    entry: Interface | None,
    way: int,
    severity: tuple[Severity, str],
    confidence: float,
    reason: str,
    details: dict[str, Any],
    labels: Iterable[str] = (),
    attacks: Iterable[Attack] = (),
    shows: Iterable[str] = (),
    evidence: tuple[Evidence, ...] | None = None,
    fingerprints: tuple[str, ...] | None = None,
) -> Finding:
    """The finding; ``severity`` comes with its reason, ``way`` is a direction's number. ``evidence`` and
    ``fingerprints`` stand in place of those of the figures.

    ``attacks`` are those that were seen, the most telling first; ``shows`` are mechanisms that this conclusion
    itself shows, whatever the interface is.
    """
    level, why = severity
    return Finding(
        kind=kind,
        subject=subject,
        interface=entry.id if entry is not None else None,
        transport=transport(figures.proto),
        ports=figures.ports[:MAX_PORTS],
        direction=wording.direction(way),
        severity=level,
        severity_reason=why,
        confidence=confidence,
        peers=figures.peers,
        contacts=figures.contacts,
        packets=figures.packets,
        bytes=figures.bytes,
        first_seen=figures.first,
        last_seen=figures.last,
        outcomes=figures.outcomes,
        fingerprints=figures.fingerprints if fingerprints is None else fingerprints,
        labels=tuple(labels),
        evidence=figures.evidence if evidence is None else evidence,
        reason=reason,
        details=details,
        **known_elsewhere(entry, attacks, shows),
    )


def known_elsewhere(
    entry: Interface | None, attacks: Iterable[Attack] = (), shows: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Mechanisms, incidents and CVE numbers as finding fields: first what was seen, then what the catalogue says of
    the interface."""
    known = [*attacks]
    mechanisms = [*shows, *(name for attack in known for name in attack.mechanisms)]
    incidents = [name for attack in known for name in attack.incidents]
    if entry is not None:
        mechanisms.extend(entry.mechanisms)
        incidents.extend(entry.incidents)
    return {
        "mechanisms": tuple(dict.fromkeys(mechanisms)),
        "incidents": tuple(dict.fromkeys(incidents)),
        "cves": tuple(dict.fromkeys(name for attack in known for name in attack.cves)),
    }


def transport(proto: int) -> str:
    """``tcp``, ``udp``, or the number."""
    return _TRANSPORTS.get(proto) or str(proto)
