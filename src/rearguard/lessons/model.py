"""The three kinds of entry of the knowledge base. The fields are the keys of the YAML files.

An incident names the mechanisms that it had; a recommendation names the mechanisms that it removes. Nothing
else is written twice: which incidents share a mechanism, and who should act on it, is derived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AUDIENCES",
    "Audience",
    "BorderFilter",
    "Check",
    "Cve",
    "Incident",
    "Mechanism",
    "Named",
    "Place",
    "Recommendation",
    "Scale",
    "Source",
    "Standard",
    "Weakness",
]

Audience = Literal["operator", "manufacturer", "cloud-provider", "regulator", "owner"]

AUDIENCES: tuple[Audience, ...] = ("operator", "manufacturer", "cloud-provider", "regulator", "owner")
"""Who acts, in the order in which a report tells it: the reader is an operator."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was read. ``url`` is None where it was read in a copy that has no address of its own."""

    title: str
    publisher: str
    url: str | None
    verified: bool
    """An excerpt was read; not that its claim is confirmed by somebody else."""
    date: str | None = None
    note: str | None = None
    locator: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The management interface of an incident, in the words of its sources."""

    name: str
    transport: str
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cve:
    """A vulnerability and, where it is needed, how it belongs here."""

    id: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Weakness:
    """A CWE number and whose opinion it is."""

    id: str
    basis: str


@dataclass(frozen=True, slots=True)
class Scale:
    """One figure of how large it was, with where it was read."""

    figure: str
    source_url: str | None
    source_locator: str | None = None


@dataclass(frozen=True, slots=True)
class BorderFilter:
    """Whether a filter at the operator's border would have helped."""

    would_help: Literal["yes", "partly", "no", "unknown"]
    why: str


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened through a management interface."""

    id: str
    title: str
    kind: str
    date: str
    """ISO 8601, as exact as it is known; see ``date_precision``."""
    date_precision: str
    what_happened: str
    interface: Place
    managed_by: str
    devices: tuple[str, ...]
    cve: tuple[Cve, ...]
    cwe: tuple[Weakness, ...]
    scale: tuple[Scale, ...]
    mechanisms: tuple[str, ...]
    what_stopped_it: tuple[str, ...]
    border_filter: BorderFilter
    sources: tuple[Source, ...]
    conflicts_or_limits: tuple[str, ...] = ()
    mechanisms_inferred: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A number of CWE or ATT&CK with its name, and whether both were seen together."""

    id: str
    name: str
    name_verified: bool


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A root cause that many incidents share."""

    id: str
    title: str
    definition: str
    recognise_in_traffic: tuple[str, ...]
    check_device_non_destructively: tuple[str, ...]
    cwe: tuple[Named, ...]
    attack: tuple[Named, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Standard:
    """A document that asks for the same, and how far the reference was checked."""

    document: str
    clause: str
    verified: bool
    evidence: str
    seen_at: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """How somebody finds out whether a recommendation is followed."""

    type: Literal["device test", "traffic check", "policy"]
    check: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one kind of reader can do about some mechanisms."""

    id: str
    audience: Audience
    recommendation: str
    rationale: str
    mechanisms: tuple[str, ...]
    standards: tuple[Standard, ...]
    how_checked: tuple[Check, ...]
    incident_examples: tuple[str, ...] = ()
