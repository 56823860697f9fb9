"""The input against the filter, in the detail that one wants before a filter goes into force.

The figures are those of :mod:`rearguard.filters.replay`. Here stands who is behind them: which controllers would be
cut and what to write so that they are not, who among the dropped behaves like a controller, whose traffic would be
hit beside the attacks, which attacks remain and who can do something about them, and what one more drop would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rearguard.filters.collateral import Collateral, collateral_of
from rearguard.filters.guarded import guard
from rearguard.filters.verdicts import PLAN, laid_out
from rearguard.filters.what_if import plans
from rearguard.model.address import from_halves
from rearguard.model.bits import SEEN_ACK, SEEN_DATA, SEEN_DATAGRAM, SEEN_SYN, SEEN_SYNACK
from rearguard.report.remaining import Remaining, remaining_of
from rearguard.report.replay_callers import Caller, Entry, callers, missing, suggested, transport

if TYPE_CHECKING:
    import duckdb

    from rearguard.filters.border import Border
    from rearguard.report.analysis import Analysis

__all__ = ["TOGETHER", "Also", "Fate", "Hit", "Replaying", "replaying"]

TOGETHER = "all of them"
"""The name of the plan that has everything named by ``--also-drop``."""
MOST = 1000
"""Rows of each list."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the initiations that a finding rests on."""

    id: str
    kind: str
    severity: str
    subject: str
    interface: str | None
    direction: str
    dropped: int
    passed: int


@dataclass(frozen=True, slots=True)
class Hit:
    """Collateral of one kind: contacts that are no attack and would lose packets."""

    kind: str
    """``reply`` to an own client, or ``service`` of a customer's own."""
    transport: str
    port: int
    network: str
    contacts: int
    packets: int
    sample: tuple[str, ...]
    """Own addresses that would be hit."""


@dataclass(frozen=True, slots=True)
class Also:
    """What dropping one interface more would do, beside the present filter."""

    interface: str
    cells: int
    counts: Collateral
    needs_consent: bool


@dataclass(frozen=True, slots=True)
class Replaying:
    """Everything, in the order in which it is told."""

    border: Border
    fates: tuple[Fate, ...]
    cut: tuple[Caller, ...]
    missing: tuple[Entry, ...]
    lookalikes: tuple[Caller, ...]
    suggested: tuple[Entry, ...]
    hits: tuple[Hit, ...]
    remaining: tuple[Remaining, ...]
    also: tuple[Also, ...]

    @property
    def cuts_controllers(self) -> bool:
        """Whether the filter, or one of the drops that are considered, would cut an authorised initiation."""
        replay = self.border.replay
        return bool(replay and replay.authorised_dropped) or any(each.counts.authorised for each in self.also)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``filter`` is as in ``findings.json``."""
        return {
            "filter": {key: value for key, value in self.border.to_json().items() if key != "edges"},
            "findings": [asdict(each) for each in self.fates],
            "controllers_cut": [asdict(each) for each in self.cut],
            "controllers_to_add": [asdict(each) for each in self.missing],
            "behave_like_controllers": [asdict(each) for each in self.lookalikes],
            "if_they_are_yours_add": [asdict(each) for each in self.suggested],
            "collateral": [asdict(each) for each in self.hits],
            "remaining": [asdict(each) for each in self.remaining],
            "also_drop": [asdict(each) for each in self.also],
        }


_TOOK_PART = SEEN_SYN | SEEN_SYNACK | SEEN_ACK | SEEN_DATA | SEEN_DATAGRAM
_HITS_SQL = f"""
WITH hits AS (
    SELECT
        j.*, CASE WHEN c.by_port THEN packets_c ELSE unacked END AS lost,
        target AND guest AND NOT coalesce(authorised, false) AS service,
        NOT target AND NOT dark AND (packets_s = 0 OR seen_s & {_TOOK_PART} <> 0) AS reply
    FROM plan_contacts j
    JOIN plan_cells c ON c.plan = $plan AND c.network = j.server_network AND c.six = j.six AND c.proto = j.proto
        AND c.port = j.port
    WHERE j.direction = 'inbound' AND NOT j.untouchable AND NOT j.permitted
)
SELECT
    CASE WHEN service THEN 'service' ELSE 'reply' END AS kind, proto, port, server_network, count(*),
    sum(lost)::BIGINT, list(DISTINCT [server_hi, server_lo])[:5]
FROM hits WHERE lost > 0 AND (service OR reply)
GROUP BY ALL ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT $most
"""


def replaying(analysis: Analysis, also: Sequence[str]) -> Replaying:
    """``also``: interfaces or families that might be dropped too. ``UsageError``: one is not in the catalogue."""
    border = analysis.border
    assert border is not None, "every analysis has one"
    policy, catalogue, con = analysis.policy, analysis.catalogue, analysis.view.con
    named = sorted(catalogue.resolve(also))
    guarded = guard(policy, catalogue)
    more = plans(policy, catalogue, named, guarded.cells)
    if len(more) > 1:
        more[TOGETHER] = tuple(
            {
                (cell.network, cell.family, cell.port): cell for cells in more.values() for cell in cells
            }.values()
        )
    with laid_out(analysis.view, policy, catalogue, {PLAN: guarded.cells, **more}, guarded.left):
        cut = tuple(callers(con, authorised=True))
        lookalikes = tuple(callers(con, authorised=False))
        hits = tuple(_hits(con)) if guarded.cells else ()
        counts = collateral_of(con)
        remaining = remaining_of(con, analysis.findings, border)
    considered = [
        Also(
            name,
            len(more.get(name, ())),
            counts.get(name, Collateral()),
            any(
                cell.port.transport == "udp" and cell.by_port and cell.port.number >= 1024
                for cell in more.get(name, ())
            ),
        )
        for name in (*named, *([TOGETHER] if TOGETHER in more else []))
    ]
    return Replaying(
        border,
        tuple(_fates(analysis)),
        cut,
        tuple(missing(analysis, cut)),
        lookalikes,
        tuple(suggested(analysis, lookalikes)),
        hits,
        remaining,
        tuple(considered),
    )


def _fates(analysis: Analysis) -> Iterator[Fate]:
    """The most severe first, then those of which most passes."""
    played = analysis.border.replay if analysis.border else None
    by_id: Mapping[str, tuple[int, int]] = played.by_finding if played else {}
    ranked = sorted(
        analysis.findings, key=lambda each: (-each.severity.rank, -by_id.get(each.id, (0, 0))[1], each.id)
    )
    for finding in ranked:
        if finding.id in by_id:
            dropped, passed = by_id[finding.id]
            subject = finding.subject.address or finding.subject.role
            yield Fate(
                finding.id,
                str(finding.kind),
                str(finding.severity),
                subject,
                finding.interface,
                finding.direction,
                dropped,
                passed,
            )


def _hits(con: duckdb.DuckDBPyConnection) -> Iterator[Hit]:
    for kind, proto, port, network, contacts, packets, sample in con.execute(
        _HITS_SQL, {"plan": PLAN, "most": MOST}
    ).fetchall():
        addresses = tuple(sorted(str(from_halves(hi, lo)) for hi, lo in sample))
        yield Hit(kind, transport(proto), port, network, contacts, packets, addresses)
