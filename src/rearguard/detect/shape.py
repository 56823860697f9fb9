"""The one shape that every detector has, and what it is given to conclude from.

All detectors reason about the same facts, which are folded once (:mod:`rearguard.detect.facts`). A detector says
which of them it ``needs`` and ``conclude``s; a file is one window of facts, a live run has many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import duckdb

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.detect.attempts import Campaign
    from rearguard.detect.falls import Fall
    from rearguard.detect.ledger import Ledger
    from rearguard.detect.overview import Overview
    from rearguard.detect.voices import Voice
    from rearguard.model.finding import Finding, Kind
    from rearguard.policy.policy import Policy

__all__ = ["Conclusion", "Context", "Detector", "Result"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a conclusion rests on: the facts, policy, catalogue, where records are, earlier findings.

    ``con`` has the facts as views, and ``touches``, ``answering``, ``ours``, ``required``, ``replies``, ``proven``
    and ``reflections`` beside them (:func:`rearguard.detect.overview.lay_out`); ``overview`` tells what is in them.
    ``ledger`` has the tries at our interfaces as rows for kernels.
    """

    con: duckdb.DuckDBPyConnection
    overview: Overview
    ledger: Ledger
    policy: Policy
    catalogue: Catalogue
    pointer: Callable[[int], tuple[str, int]]
    span: tuple[int, int] | None
    today: date
    """The day on which exceptions must still hold."""
    voices: tuple[Voice, ...] = ()
    """What was said to and by our devices, in the order of time."""
    campaigns: tuple[Campaign, ...] = ()
    """Who attacked what (rule B8)."""
    falls: tuple[Fall, ...] = ()
    """Which attacked devices did what they were told to (rule B9a)."""
    concluded: tuple[Finding, ...] = ()

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of a kind that was concluded before (the detector names it in ``after``)."""
        return tuple(finding for finding in self.concluded if finding.kind == kind)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """At most ``limits.findings_per_kind`` findings, how many more there are, and what was approximated."""

    findings: tuple[Finding, ...] = ()
    omitted: int = 0
    approximations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """All findings, the worst first, and in words what was left out or approximated."""

    findings: tuple[Finding, ...]
    approximations: tuple[str, ...]


class Detector(Protocol):
    """One finding kind."""

    kind: ClassVar[Kind]
    needs: ClassVar[frozenset[str]]
    """Which facts: ``touches``, ``census``, ``crowd``, ``listeners``, ``initiations``, ``exchanges``."""
    after: ClassVar[frozenset[Kind]]
    """Kinds whose findings ``conclude`` wants to see."""

    def conclude(self, context: Context) -> Conclusion:
        """The findings of all facts."""
