"""The facts that detectors reason about: folded from windows of the judged view, the same for all kinds.

Facts of disjoint contacts merge by being put one after the other, so any division of the contacts into windows
gives the same findings. Facts of the only window are not even copied: a :class:`Query` over its tables stands
for them until a second window comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.detect.touches import TOUCHES_SQL
from rearguard.model.bits import TRANSIT

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from rearguard.contacts.view import View
    from rearguard.dialogue.exchange import Exchange

__all__ = ["FACTS", "Query", "State", "bind", "fold"]

CROWD_SQL = """
SELECT
    interface, CASE direction WHEN 'inbound' THEN 0 ELSE 2 END::UTINYINT AS way,
    network, port, proto, minute, clients, tries, packets, bytes, first, last,
    proof_rec_c, proof_time_c, proof_port_c, client_hi, client_lo, server_hi, server_lo
FROM crowd
WHERE interface IS NOT NULL AND direction IN ('inbound', 'internal')
"""

CENSUS_SQL = f"""
SELECT minute, port, proto, direction, packets, bytes, tries, sources, targets
FROM census
WHERE tries > 0 AND direction <> {TRANSIT}
"""

LISTENERS_SQL = """
SELECT DISTINCT server_hi, server_lo, port, proto
FROM judged
WHERE direction = 'outbound' AND outcome IN ('answered', 'conversed')
"""

INITIATIONS_SQL = """
SELECT client_hi, client_lo, server_hi, server_lo, time, rec, port, client_port, proto FROM initiations
"""

FACTS = {
    "touches": TOUCHES_SQL,
    "crowd": CROWD_SQL,
    "census": CENSUS_SQL,
    "listeners": LISTENERS_SQL,
    "initiations": INITIATIONS_SQL,
}
"""What each kind of fact is in a window: contacts of strangers, sources that are only counted, tries by minute
and port, the foreign hosts that were seen to listen, and what attacked devices opened. Beside them are the
``exchanges``: what was said."""


@dataclass(frozen=True, slots=True)
class Query:
    """Facts that still lie in a window."""

    con: duckdb.DuckDBPyConnection
    sql: str

    def table(self) -> pa.Table:
        """A copy that outlives the window."""
        return self.con.sql(self.sql).to_arrow_table()


@dataclass(frozen=True, slots=True)
class State:
    """Facts of one window or of many: tables by name, and exchanges in no particular order."""

    tables: dict[str, Query | pa.Table]
    exchanges: tuple[Exchange, ...] = ()


def fold(state: State | None, window: View) -> State:
    """The facts of ``window`` beside those of ``state``; neither is changed."""
    if state is None:
        return State({name: Query(window.con, sql) for name, sql in FACTS.items()}, window.exchanges)
    import pyarrow as pa

    tables = {
        name: pa.concat_tables([_copied(state.tables[name]), Query(window.con, sql).table()])
        for name, sql in FACTS.items()
    }
    return State(tables, state.exchanges + window.exchanges)


def bind(con: duckdb.DuckDBPyConnection, state: State) -> None:
    """Make the tables readable in ``con``: ``fact_touches``, ``fact_crowd`` and so on.

    Facts that still lie in a window need a ``con`` of the same database.
    """
    for name, facts in state.tables.items():
        if isinstance(facts, Query):
            con.execute(f"CREATE OR REPLACE TEMP VIEW fact_{name} AS {facts.sql}")
        else:
            con.register(f"fact_{name}", facts)


def _copied(facts: Query | pa.Table) -> pa.Table:
    return facts.table() if isinstance(facts, Query) else facts
