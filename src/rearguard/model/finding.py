"""A finding: a conclusion with its evidence. The names here are those of ``findings.json``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

__all__ = ["Evidence", "Finding", "Kind", "Peers", "Severity", "Subject", "finding_id", "format_time"]


class Kind(StrEnum):
    """The finding kinds; nothing else is ever concluded."""

    SCAN = "scan"
    PROBE = "probe"
    EXPLOIT_ATTEMPT = "exploit-attempt"
    EXPOSED_DEVICE = "exposed-device"
    COMPROMISED_DEVICE = "compromised-device"
    FLOOD = "flood"
    REFLECTOR = "reflector"
    UNAUTHORISED_CONTROLLER = "unauthorised-controller"
    CLEARTEXT_MANAGEMENT = "cleartext-management"
    PORT_SURGE = "port-surge"


class Severity(StrEnum):
    """Ordered low < medium < high < critical; compare with :attr:`rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a finding is about. ``verified``: a handshake proved that the address is no forgery (rule B4)."""

    role: str  # remote | victim | device | port
    address: str | None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Peers:
    """The other side: how many, with the interval that sampling or sketches leave, and a few of them."""

    count: int
    interval: tuple[int, int]
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One packet or flow that proves something; ``record`` counts from 1 as tshark and nfdump do."""

    source: str
    record: int
    time: int  # ns since the epoch, UTC
    proto: str
    src: str
    sport: int
    dst: str
    dport: int
    note: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion. Times are int64 ns since the epoch, UTC."""

    kind: Kind
    subject: Subject
    interface: str | None
    transport: str
    ports: tuple[int, ...]
    direction: str
    severity: Severity
    severity_reason: str
    confidence: float
    peers: Peers
    contacts: int
    packets: int
    bytes: int
    first_seen: int
    last_seen: int
    reason: str
    evidence: tuple[Evidence, ...]
    outcomes: dict[str, int] = field(default_factory=dict)
    fingerprints: tuple[str, ...] = ()
    cves: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # e.g. "surveyor:censys", "muted"
    details: dict[str, Any] = field(default_factory=dict)  # kind-specific figures

    @property
    def id(self) -> str:
        return finding_id(self.kind, self.subject, self.interface, self.direction)

    def to_json(self) -> dict[str, Any]:
        """The finding as ``findings.json`` has it."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "severity": str(self.severity),
            "severity_reason": self.severity_reason,
            "confidence": round(self.confidence, 4),
            "interface": self.interface,
            "transport": self.transport,
            "ports": list(self.ports),
            "direction": self.direction,
            "subject": {
                "role": self.subject.role,
                "address": self.subject.address,
                "verified": self.subject.verified,
            },
            "peers": {
                "count": self.peers.count,
                "interval": list(self.peers.interval),
                "sample": list(self.peers.sample),
            },
            "contacts": self.contacts,
            "packets": self.packets,
            "bytes": self.bytes,
            "first_seen": format_time(self.first_seen),
            "last_seen": format_time(self.last_seen),
            "outcomes": dict(self.outcomes),
            "fingerprints": list(self.fingerprints),
            "cves": list(self.cves),
            "mechanisms": list(self.mechanisms),
            "incidents": list(self.incidents),
            "recommendations": list(self.recommendations),
            "labels": list(self.labels),
            "details": dict(self.details),
            "reason": self.reason,
            "evidence": [
                {
                    "source": item.source,
                    "record": item.record,
                    "time": format_time(item.time),
                    "proto": item.proto,
                    "src": item.src,
                    "sport": item.sport,
                    "dst": item.dst,
                    "dport": item.dport,
                    "note": item.note,
                }
                for item in self.evidence
            ],
        }


def finding_id(kind: Kind, subject: Subject, interface: str | None, direction: str) -> str:
    """A name that stays the same over time: a hash of kind, subject, interface and direction only."""
    text = "\x1f".join((str(kind), subject.role, subject.address or "", interface or "", direction))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def format_time(ns: int) -> str:
    """RFC 3339 in UTC with nine decimals, so that no nanosecond is lost."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
