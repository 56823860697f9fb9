"""The result of one run, before it is told: facts only, no text made for a sink."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.contacts.view import SourceInfo, View
    from rearguard.filters.border import Border
    from rearguard.model.finding import Finding
    from rearguard.policy import Policy
    from rearguard.report.inventory import Inventory
    from rearguard.report.subscribers import Subscribers

__all__ = ["Analysis", "ContactCounts", "InterfaceLine", "SamplingLine"]


@dataclass(frozen=True, slots=True)
class SamplingLine:
    """The sampling rate of one observer and whence it is known (capture | options | record | policy)."""

    observer: str
    rate: int
    source: str


@dataclass(frozen=True, slots=True)
class ContactCounts:
    """How many contacts with management interfaces of ours, after merging (targets only)."""

    total: int
    authorised: int
    unauthorised: int
    by_outcome: dict[str, int]


@dataclass(frozen=True, slots=True)
class InterfaceLine:
    """One row of 'who tried which interface, and what came back': unauthorised contacts, per interface.

    ``remotes`` and ``devices`` are distinct addresses, ``tries`` initiations (not scaled by sampling).
    """

    interface: str
    direction: str
    remotes: int
    devices: int
    contacts: int
    tries: int
    outcomes: dict[str, int]


@dataclass(slots=True)
class Analysis:
    """Everything a report may say."""

    policy: Policy
    catalogue: Catalogue
    view: View
    findings: tuple[Finding, ...]
    contacts: ContactCounts
    interfaces: tuple[InterfaceLine, ...]
    sampling: tuple[SamplingLine, ...]
    approximations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # loud ones: what was assumed, what could not be judged
    timings: dict[str, float] = field(default_factory=dict)  # stage -> seconds
    border: Border | None = None  # the filter, its replay and the what-ifs
    inventory: Inventory | None = None
    subscribers: Subscribers | None = None

    @property
    def sources(self) -> tuple[SourceInfo, ...]:
        return self.view.sources
