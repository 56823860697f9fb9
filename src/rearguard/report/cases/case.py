"""A case: everything that concerns one subscriber, or one own address whose subscriber is not known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.model.finding import Severity
from rearguard.report.cases.advice import HAPPENED

if TYPE_CHECKING:
    from rearguard.report.cases.concern import Concern
    from rearguard.report.inventory import Device

__all__ = ["OPEN", "Case", "Cases", "case_id", "concern_order"]

OPEN = "open"
"""The state of a case that nobody has worked on yet; later ones are notified and clean."""

_ORDER = {happened: place for place, happened in enumerate(HAPPENED)}


@dataclass(frozen=True, slots=True)
class Case:
    """Times are ns since the epoch, UTC: of the records that concern this subscriber, where there are any."""

    id: str
    subscriber: str | None  # None: not known, the address stands for it
    contact: str
    addresses: tuple[str, ...]
    concerns: tuple[Concern, ...]  # the worst first
    shared: bool  # others share the address: only port and time tell who it was (rule A7)
    device: Device | None
    notes: tuple[str, ...]
    first_seen: int
    last_seen: int
    state: str = OPEN

    @property
    def severity(self) -> Severity:
        """That of its worst finding."""
        return max((concern.finding.severity for concern in self.concerns), key=lambda each: each.rank)

    @property
    def order(self) -> tuple[int, int, str]:
        """The worst first; the id decides between equals, so that the order depends on nothing else."""
        return -self.severity.rank, _ORDER[self.concerns[0].happened], self.id


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of one analysis, the worst first. ``left_off``: concerned, beyond the limit, not listed."""

    cases: tuple[Case, ...]
    left_off: int = 0


def case_id(name: str, *, named: bool) -> str:
    """A name that stays the same over time: a hash of the subscriber (``named``), else of the address."""
    text = f"{'subscriber' if named else 'address'}\x1f{name}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def concern_order(concern: Concern) -> tuple[int, int, str]:
    """The worst finding first, then what must be done most, then the finding's id."""
    return -concern.finding.severity.rank, _ORDER[concern.happened], concern.finding.id
