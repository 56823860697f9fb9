"""All detectors over one view: facts, conclusions in the order that ``after`` asks for, and the limits."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from rearguard.detect.compromised import Compromised
from rearguard.detect.exposed import Exposed
from rearguard.detect.flood import Flood
from rearguard.detect.probe import Probe
from rearguard.detect.reflector import Reflector
from rearguard.detect.scan import Scan
from rearguard.detect.shape import Context, Detector, Result
from rearguard.detect.surge import PortSurge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.model.finding import Finding
    from rearguard.policy.policy import Policy

__all__ = ["detectors", "ordered", "run", "run_windows"]


def detectors() -> tuple[Detector, ...]:
    """One a finding kind."""
    return (Compromised(), Exposed(), Flood(), Reflector(), PortSurge(), Scan(), Probe())


def ordered(given: Iterable[Detector]) -> tuple[Detector, ...]:
    """So that whatever a detector is ``after`` comes before it; raises on a circle."""
    by_kind = {detector.kind: detector for detector in given}
    graph = {kind: detector.after & by_kind.keys() for kind, detector in sorted(by_kind.items())}
    try:
        return tuple(by_kind[kind] for kind in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"detectors wait for each other: {' -> '.join(map(str, error.args[1]))}") from error


def run(view: View, policy: Policy, catalogue: Catalogue) -> Result:
    """All findings of one view."""
    return run_windows([view], policy, catalogue)


def run_windows(views: list[View], policy: Policy, catalogue: Catalogue) -> Result:
    """All findings of several views of disjoint contacts, as if they were one.

    One detector at a time, so that only its facts are in memory. Findings: the worst severity first, then by kind
    and id. What a limit left out is told among the approximations, after those of the views.
    """
    spans = [view.span for view in views if view.span is not None]
    told = [text for view in views for text in view.approximations]
    findings: list[Finding] = []
    for detector in ordered(detectors()):
        state = None
        for view in views:
            state = detector.fold(state, view)
        assert state is not None
        context = Context(
            con=views[0].con,
            policy=policy,
            catalogue=catalogue,
            pointer=views[0].pointer,
            span=(min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None,
            concluded=tuple(findings),
        )
        conclusion = detector.conclude(state, context)
        state = None  # before the next detector takes its facts
        findings.extend(conclusion.findings)
        told.extend(conclusion.approximations)
        if conclusion.omitted:
            told.append(
                f"{conclusion.omitted:,} more findings of the kind {detector.kind} are not listed"
                f" (limits.findings_per_kind is {policy.limits.findings_per_kind:,})"
            )
    findings.sort(key=lambda finding: (-finding.severity.rank, str(finding.kind), finding.id))
    return Result(tuple(findings), tuple(told))
