"""All detectors over one view: facts, conclusions in the order that ``after`` asks for, and the limits."""

from __future__ import annotations

import gc
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.catalogue import load_attacks
from rearguard.detect.attempts import campaigns
from rearguard.detect.cleartext import Cleartext
from rearguard.detect.compromised import Compromised
from rearguard.detect.controller import Controller
from rearguard.detect.exploit import Exploit
from rearguard.detect.exposed import Exposed
from rearguard.detect.facts import State, fold
from rearguard.detect.falls import falls
from rearguard.detect.flood import Flood
from rearguard.detect.keeping import release
from rearguard.detect.overview import lay_out
from rearguard.detect.probe import Probe
from rearguard.detect.reflector import Reflector
from rearguard.detect.scan import Scan
from rearguard.detect.shape import Context, Detector, Result
from rearguard.detect.surge import PortSurge
from rearguard.detect.touch_rows import Touches
from rearguard.detect.voices import place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from rearguard.catalogue.attacks import Attacks
    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.model.finding import Finding
    from rearguard.policy.policy import Policy

__all__ = ["detectors", "ordered", "run", "run_windows"]

TEMPORARY_SQL = """
SELECT CASE table_type WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END, table_name
FROM information_schema.tables
WHERE table_catalog = 'temp'
"""


def detectors() -> tuple[Detector, ...]:
    """One a finding kind."""
    return (
        Exploit(),
        Compromised(),
        Exposed(),
        Cleartext(),
        Controller(),
        Flood(),
        Reflector(),
        PortSurge(),
        Scan(),
        Probe(),
    )


def ordered(given: Iterable[Detector]) -> tuple[Detector, ...]:
    """So that whatever a detector is ``after`` comes before it; raises on a circle."""
    by_kind = {detector.kind: detector for detector in given}
    graph = {kind: detector.after & by_kind.keys() for kind, detector in sorted(by_kind.items())}
    try:
        return tuple(by_kind[kind] for kind in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"detectors wait for each other: {' -> '.join(map(str, error.args[1]))}") from error


def run(
    view: View,
    policy: Policy,
    catalogue: Catalogue,
    *,
    attacks: Attacks | None = None,
    today: date | None = None,
) -> Result:
    """All findings of one view."""
    return run_windows([view], policy, catalogue, attacks=attacks, today=today)


def run_windows(
    views: Sequence[View],
    policy: Policy,
    catalogue: Catalogue,
    *,
    attacks: Attacks | None = None,
    today: date | None = None,
) -> Result:
    """All findings of several views of disjoint contacts, as if they were one.

    Findings: the worst severity first, then by kind and id. What a limit left out is told among the
    approximations, after those of the views. ``attacks`` (None: those that are shipped) are what the hits in
    exchanges refer to; ``today`` (None: the day in UTC) is when exceptions must still hold.
    """
    spans = [view.span for view in views if view.span is not None]
    told = [text for view in views for text in view.approximations]
    state = None
    for view in views:
        state = fold(state, view)
    assert state is not None
    con = views[0].con
    before = _temporary(con)
    with _uncollected(), tempfile.TemporaryDirectory(prefix="rearguard-") as name:
        folder = Path(name)
        touches = Touches(folder)
        try:
            overview, ledger = lay_out(con, state, policy, catalogue, folder, touches)
            context = Context(
                con=con,
                overview=overview,
                ledger=ledger,
                policy=policy,
                catalogue=catalogue,
                pointer=views[0].pointer,
                span=(min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None,
                today=today or datetime.now(UTC).date(),
            )
            concluded, limited = _conclude(_with_voices(context, state, attacks))
            con.execute(
                "".join(f'DROP {sort} temp."{name}";' for sort, name in sorted(_temporary(con) - before))
            )
        finally:
            touches.close()
            release(con, folder)
    found = sorted(concluded, key=lambda finding: (-finding.severity.rank, str(finding.kind), finding.id))
    return Result(tuple(found), (*told, *limited))


def _conclude(context: Context) -> tuple[tuple[Finding, ...], list[str]]:
    """The findings of all detectors, and what was approximated or left out."""
    told: list[str] = []
    for detector in ordered(detectors()):
        conclusion = detector.conclude(context)
        context = replace(context, concluded=(*context.concluded, *conclusion.findings))
        told.extend(conclusion.approximations)
        if conclusion.omitted:
            told.append(
                f"{conclusion.omitted:,} more findings of the kind {detector.kind} are not listed"
                f" (limits.findings_per_kind is {context.policy.limits.findings_per_kind:,})"
            )
    return context.concluded, told


def _with_voices(context: Context, state: State, attacks: Attacks | None) -> Context:
    """The context with what was said: who attacked, and who fell."""
    voices = place(state.exchanges, context.policy, context.catalogue)
    if not voices:
        return context
    found = campaigns(voices, context.con, context.catalogue, attacks or load_attacks())
    context = replace(context, voices=tuple(voices), campaigns=found)
    return replace(context, falls=falls(found, state.exchanges, context))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of circles: thousands of findings are made here, none of which is garbage, and to look
    through all of them again and again took a fifth of the time."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def _temporary(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """What lives in the connection only: detectors leave nothing of theirs behind, which would cost memory."""
    found = con.execute(TEMPORARY_SQL).fetchall()
    return {(sort, name) for sort, name in found}
