"""What the charts show, as plain values: small tables out of the judged view and the interface lines.

Only unauthorised contacts with management interfaces (targets, rule A3) are drawn; figures are not scaled by
sampling, which the page says beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rearguard.model.address import format_address
from rearguard.report.chronicle import chronicle
from rearguard.report.escape import visible
from rearguard.report.words import OUTCOMES

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis

__all__ = ["BUCKETS", "bucket_seconds", "chart_data"]

BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400)
"""Lengths of a bar of the timeline, seconds; the first that needs at most ``MOST_BARS`` bars is taken."""

MOST_BARS = 72
MOST_SERIES = 5  # interfaces with a colour of their own; the rest is "others"
MOST_ROWS = 10
LABEL = 40
MARK_ROOM = 12  # so many numbers fit beside each other on a phone

_BEGUN = """
SELECT interface, (first - $start) // $bucket AS bucket, count(*) AS contacts
FROM judged
WHERE target AND interface IS NOT NULL AND NOT authorised
GROUP BY ALL ORDER BY ALL
"""

_CROWD = """
SELECT interface, (greatest(first, $start) - $start) // $bucket AS bucket, sum(clients)::UBIGINT AS contacts
FROM crowd
WHERE interface IS NOT NULL
GROUP BY ALL ORDER BY ALL
"""

_REMOTES = """
WITH foreign_contacts AS (
    SELECT client_hi, client_lo, outcome, server_hi, server_lo
    FROM judged
    WHERE target AND interface IS NOT NULL AND NOT authorised
), busiest AS (
    SELECT client_hi, client_lo, count(*) AS contacts
    FROM foreign_contacts GROUP BY ALL
    ORDER BY contacts DESC, client_hi, client_lo LIMIT $most
)
SELECT client_hi, client_lo, busiest.contacts, outcome, count(*) AS part
FROM foreign_contacts JOIN busiest USING (client_hi, client_lo)
GROUP BY ALL ORDER BY busiest.contacts DESC, client_hi, client_lo, outcome
"""


def bucket_seconds(first: int, last: int) -> int:
    """The length of one bar for a span given in ns."""
    seconds = (last - first) / 1e9
    return next((length for length in BUCKETS if seconds / length <= MOST_BARS), BUCKETS[-1])


def chart_data(analysis: Analysis) -> dict[str, Any]:
    """The data of all charts; an empty list is a chart that has nothing to show and is not drawn."""
    return {
        "timeline": _timeline(analysis),
        "interfaces": _interfaces(analysis),
        "remotes": _remotes(analysis),
    }


def _timeline(analysis: Analysis) -> dict[str, Any]:
    span = analysis.view.span
    if span is None:
        return {"bucket": 0, "series": [], "rows": [], "marks": []}
    seconds = bucket_seconds(*span)
    bucket = seconds * 1_000_000_000
    start = span[0] - span[0] % bucket
    con = analysis.view.con
    counted: dict[tuple[str, int], int] = {}
    for query in (_BEGUN, _CROWD):
        for interface, place, contacts in con.execute(query, {"start": start, "bucket": bucket}).fetchall():
            counted[interface, int(place)] = counted.get((interface, int(place)), 0) + int(contacts)
    names = _most(counted)
    rows: dict[tuple[int, str], int] = {}
    for (interface, place), contacts in counted.items():
        name = interface if interface in names else "others"
        rows[place, name] = rows.get((place, name), 0) + contacts
    return {
        "bucket": seconds,
        "start": start // 1_000_000,
        "bars": (span[1] - start) // bucket + 1,
        "series": [
            visible(name, LABEL)
            for name in (*names, *(("others",) if len(names) < _distinct(counted) else ()))
        ],
        "rows": [
            {
                "at": start // 1_000_000 + place * seconds * 1000,
                "name": visible(name, LABEL),
                "contacts": contacts,
            }
            for (place, name), contacts in sorted(rows.items())
        ],
        "marks": _marks(analysis, start, span[1]),
    }


def _marks(analysis: Analysis, start: int, last: int) -> list[dict[str, Any]]:
    """The numbers of events; those that would stand on each other share one mark (``2-5``)."""
    room = (last - start) // MARK_ROOM
    groups: list[tuple[int, list[int]]] = []
    for number, event in enumerate(chronicle(analysis), start=1):
        if groups and event.at - groups[-1][0] < room:
            groups[-1][1].append(number)
        else:
            groups.append((event.at, [number]))
    return [{"at": at // 1_000_000, "name": _numbers(numbers)} for at, numbers in groups]


def _numbers(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def _distinct(counted: dict[tuple[str, int], int]) -> int:
    return len({interface for interface, _ in counted})


def _most(counted: dict[tuple[str, int], int]) -> list[str]:
    """The interfaces with most contacts, most first."""
    total: dict[str, int] = {}
    for (interface, _), contacts in counted.items():
        total[interface] = total.get(interface, 0) + contacts
    return sorted(total, key=lambda name: (-total[name], name))[:MOST_SERIES]


def _interfaces(analysis: Analysis) -> list[dict[str, Any]]:
    lines = sorted(analysis.interfaces, key=lambda line: (-line.contacts, line.interface, line.direction))
    rows = []
    for line in lines[:MOST_ROWS]:
        name = line.interface if line.direction == "inbound" else f"{line.interface} ({line.direction})"
        rows += _stack(visible(name, LABEL), line.outcomes)
    return rows


def _remotes(analysis: Analysis) -> list[dict[str, Any]]:
    found = analysis.view.con.execute(_REMOTES, {"most": MOST_ROWS}).fetchall()
    outcomes: dict[str, dict[str, int]] = {}
    for high, low, _, outcome, part in found:
        outcomes.setdefault(format_address(high, low), {})[outcome] = int(part)
    return [row for name, each in outcomes.items() for row in _stack(name, each)]


def _stack(name: str, outcomes: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {"name": name, "outcome": outcome, "place": place, "contacts": outcomes[outcome]}
        for place, outcome in enumerate(OUTCOMES)
        if outcomes.get(outcome)
    ]
