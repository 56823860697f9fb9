"""How many contacts there were: the first numbers of every output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.report.analysis import ContactCounts, InterfaceLine

if TYPE_CHECKING:
    import duckdb

__all__ = ["count_contacts"]

_COUNTS_SQL = """
SELECT authorised, tries > 0, interface, direction, outcome, count(*), sum(tries)::BIGINT
FROM judged
WHERE target AND interface IS NOT NULL
GROUP BY ALL
"""

_OUTCOMES = ("unanswered", "refused", "answered", "conversed", "unknown")


def count_contacts(con: duckdb.DuckDBPyConnection) -> tuple[ContactCounts, tuple[InterfaceLine, ...]]:
    """All contacts with management interfaces of ours by right and outcome; those of strangers by interface."""
    by_right = {True: 0, False: 0}
    by_outcome = dict.fromkeys(_OUTCOMES, 0)
    tries: dict[tuple[str, str], int] = {}
    outcomes: dict[tuple[str, str], dict[str, int]] = {}
    for authorised, tried, interface, direction, outcome, contacts, times in con.execute(
        _COUNTS_SQL
    ).fetchall():
        by_right[authorised] += contacts
        by_outcome[outcome] += contacts
        if tried and not authorised:
            at = (interface, direction)
            tries[at] = tries.get(at, 0) + times
            outcomes.setdefault(at, dict.fromkeys(_OUTCOMES, 0))[outcome] += contacts
    counts = ContactCounts(
        sum(by_right.values()),
        by_right[True],
        by_right[False],
        {outcome: n for outcome, n in by_outcome.items() if n},
    )
    places = sorted(outcomes, key=lambda at: (-sum(outcomes[at].values()), at))
    lines = tuple(
        InterfaceLine(
            *at,
            remotes,
            devices,
            sum(outcomes[at].values()),
            tries[at],
            {name: n for name, n in outcomes[at].items() if n},
        )
        for at, (remotes, devices) in zip(places, _addresses(con, places), strict=True)
    )
    return counts, lines


def _addresses(con: duckdb.DuckDBPyConnection, places: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """The different remotes and devices at each interface and direction."""
    if not places:
        return []
    from rearguard.contacts.different import different

    cases = "".join(
        f" WHEN interface = {_text(interface)} AND direction = {_text(direction)} THEN {place}"
        for place, (interface, direction) in enumerate(places)
    )
    return different(
        con, len(places), f"CASE{cases} END",
        "judged WHERE target AND interface IS NOT NULL AND NOT authorised AND tries > 0",
    )  # fmt: skip


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
