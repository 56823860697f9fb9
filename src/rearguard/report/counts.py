"""How many contacts there were: the first numbers of every output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.report.analysis import ContactCounts, InterfaceLine

if TYPE_CHECKING:
    import duckdb

__all__ = ["count_contacts"]

_COUNTS_SQL = """
SELECT authorised, outcome, count(*) AS contacts
FROM judged
WHERE target AND interface IS NOT NULL
GROUP BY authorised, outcome
"""

_LINES_SQL = """
SELECT
    interface, direction,
    count(DISTINCT (client_hi, client_lo)) AS remotes,
    count(DISTINCT (server_hi, server_lo)) AS devices,
    count(*) AS contacts,
    sum(tries)::BIGINT AS tries,
    count(*) FILTER (outcome = 'unanswered') AS unanswered,
    count(*) FILTER (outcome = 'refused') AS refused,
    count(*) FILTER (outcome = 'answered') AS answered,
    count(*) FILTER (outcome = 'conversed') AS conversed,
    count(*) FILTER (outcome = 'unknown') AS unknown
FROM judged
WHERE target AND interface IS NOT NULL AND NOT authorised AND tries > 0
GROUP BY interface, direction
ORDER BY contacts DESC, interface, direction
"""

_OUTCOMES = ("unanswered", "refused", "answered", "conversed", "unknown")


def count_contacts(con: duckdb.DuckDBPyConnection) -> tuple[ContactCounts, tuple[InterfaceLine, ...]]:
    """All contacts with management interfaces of ours by right and outcome; those of strangers by interface."""
    by_right = {True: 0, False: 0}
    by_outcome = dict.fromkeys(_OUTCOMES, 0)
    for authorised, outcome, contacts in con.execute(_COUNTS_SQL).fetchall():
        by_right[authorised] += contacts
        by_outcome[outcome] += contacts
    lines = tuple(
        InterfaceLine(
            interface,
            direction,
            remotes,
            devices,
            contacts,
            tries,
            {name: n for name, n in zip(_OUTCOMES, outcomes, strict=True) if n},
        )
        for interface, direction, remotes, devices, contacts, tries, *outcomes in con.execute(
            _LINES_SQL
        ).fetchall()
    )
    counts = ContactCounts(
        sum(by_right.values()),
        by_right[True],
        by_right[False],
        {outcome: n for outcome, n in by_outcome.items() if n},
    )
    return counts, lines
