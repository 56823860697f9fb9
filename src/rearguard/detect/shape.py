"""The one shape that every detector has, and what it is given to conclude from.

A detector is a fold over windows of the judged view: ``fold`` takes facts out of one window and puts them beside
those of earlier windows, ``conclude`` reasons about all of them. Facts are Arrow tables that merge by being put
one after the other, so any division of the contacts into windows gives the same findings; a file is one window,
a live run has many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb
    import pyarrow as pa

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.model.finding import Finding, Kind
    from rearguard.policy.policy import Policy

__all__ = ["Conclusion", "Context", "Detector", "Result", "State", "Table", "append", "read"]

Table: TypeAlias = "pa.Table"
State: TypeAlias = "dict[str, pa.Table]"
"""Facts by name."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a conclusion rests on beside the facts: policy, catalogue, where records are, earlier findings.

    ``con`` is a place to reason in: detectors take a cursor of it, so that nothing of theirs stays behind.
    """

    con: duckdb.DuckDBPyConnection
    policy: Policy
    catalogue: Catalogue
    pointer: Callable[[int], tuple[str, int]]
    span: tuple[int, int] | None
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
    """Which tables of the view: ``judged``, ``census``, ``crowd``."""
    after: ClassVar[frozenset[Kind]]
    """Kinds whose findings ``conclude`` wants to see."""

    def fold(self, state: State | None, window: View) -> State:
        """The facts of ``window`` beside those of ``state``; neither is changed."""

    def conclude(self, state: State, context: Context) -> Conclusion:
        """The findings of all facts."""


def read(window: View, sql: str) -> Table:
    """The answer of a query over one window."""
    return window.con.sql(sql).to_arrow_table()


def append(state: State | None, facts: State) -> State:
    """Facts of two disjoint windows together."""
    if state is None:
        return facts
    import pyarrow as pa

    return {name: pa.concat_tables([state[name], table]) for name, table in facts.items()}
