"""``port-surge``: many networks suddenly try one port (rule B13), as in the first hours of a worm.

The census alone decides *whether* it is one (see :mod:`rearguard.detect.surge_statistics`); the contacts then tell
*what* it is: a survey by few networks, a flood of few targets, or a distributed outbreak; whether the sources
listen on that port themselves, as the victims of a worm do; and whether our devices answer.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rearguard.contacts import hll
from rearguard.detect import wording
from rearguard.detect.making import known_elsewhere, transport
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.surge_series import Series, build, ranges, split_key
from rearguard.detect.surge_statistics import Alarm, Budget, Diurnal, alarms
from rearguard.detect.touches import table_sql
from rearguard.model.finding import Finding, Kind, Peers, Severity, Subject

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue.model import Interface

__all__ = ["PortSurge"]

MINUTE = 60_000_000_000
MOST_MINUTES = 100_000
"""About ten weeks. A wrong clock (or a forged one) makes a span of centuries, and each minute costs memory."""

FEW_TARGETS = 3
WORM_SHARE = 0.1
"""From this share of sources that listen on the port themselves the surge has the shape of a worm."""

CELLS_SQL = """
SELECT
    port, count(*) AS cells, count(DISTINCT (proto, direction)) AS series,
    min(minute) AS first, max(minute) AS last
FROM fact_census GROUP BY port ORDER BY port
"""

ORDERED_SQL = """
SELECT minute, port, proto, direction, tries, sources
FROM fact_census WHERE port BETWEEN {first} AND {last} ORDER BY port, proto, direction, minute
"""

TOTALS_SQL = """
SELECT gid, sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes, sum(tries)::BIGINT AS tries
FROM fact_census JOIN surges USING (port, proto, direction)
WHERE minute >= from_minute AND minute < to_minute
GROUP BY gid
"""

TARGETS_SQL = """
SELECT gid, targets
FROM fact_census JOIN surges USING (port, proto, direction)
WHERE minute >= worst_from AND minute < worst_to
"""

MEMBERS_SQL = f"""
CREATE OR REPLACE TEMP VIEW members AS
SELECT s.gid, t.*, t.client_hi AS peer_hi, t.client_lo AS peer_lo
FROM touches t JOIN surges s ON s.port = t.port AND s.proto = t.proto AND s.direction = t.way
WHERE t.tries > 0 AND t.ended >= from_minute * {MINUTE} AND t.begun < to_minute * {MINUTE}
"""

SHAPE_SQL = """
SELECT
    gid, count(DISTINCT (client_hi, client_lo)) AS sources,
    count(DISTINCT (client_hi, client_lo)) FILTER (l.port IS NOT NULL) AS listeners,
    count(DISTINCT (client_hi, client_lo)) FILTER (surveyor IS NOT NULL) AS surveyors,
    count(DISTINCT (m.server_hi, m.server_lo)) FILTER (result >= 3) AS answering
FROM members m LEFT JOIN (SELECT DISTINCT * FROM fact_listeners) l
    ON l.server_hi = m.client_hi AND l.server_lo = m.client_lo AND l.port = m.port AND l.proto = m.proto
GROUP BY gid
"""


@dataclass(frozen=True)
class PortSurge:
    """Ports that suddenly interest many networks."""

    kind: ClassVar[Kind] = Kind.PORT_SURGE
    needs: ClassVar[frozenset[str]] = frozenset({"touches", "census", "listeners"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        thresholds, con = context.policy.thresholds, context.con
        ports = rows(con, CELLS_SQL)
        if not ports:
            return Conclusion()
        span = min(row["first"] for row in ports), max(row["last"] for row in ports)
        if context.span is not None:
            span = context.span[0] // MINUTE, context.span[1] // MINUTE
        minutes = span[1] - span[0] + 1
        needed = 2 * thresholds.surge_baseline_minutes  # the later half of a short past is not learned from
        if minutes <= needed:
            told = f"{wording.many(minutes, 'minute')} of traffic, and the first {needed} are needed as a baseline"
            return Conclusion(approximations=(f"port-surge was not judged: {told}",))
        if minutes > MOST_MINUTES:
            told = f"the records span {minutes:,} minutes, more than {MOST_MINUTES:,}; are all clocks right?"
            return Conclusion(approximations=(f"port-surge was not judged: {told}",))
        pieces = tuple(ranges([row["port"] for row in ports], [row["cells"] for row in ports]))
        budget = Budget.of(sum(row["series"] for row in ports), thresholds.surge_false_alarms)
        day = Diurnal(span[0] // 60, span[1] // 60)
        if day.worthwhile:
            for piece in pieces:
                day.learn(_series(con, piece, span)[-1])
        shape = day.shape()
        by_port: dict[int, list[Alarm]] = defaultdict(list)
        for piece in pieces:
            for one in _series(con, piece, span):
                for alarm in alarms(one, shape, thresholds, budget):
                    by_port[alarm.key].append(alarm)
        worst_first = sorted(by_port.values(), key=lambda found: (min(a.log_p for a in found), found[0].key))
        limit = context.policy.limits.findings_per_kind
        findings = _describe(context, worst_first[:limit], budget, shape is not None)
        return Conclusion(tuple(findings), max(0, len(worst_first) - limit))


def _series(con: duckdb.DuckDBPyConnection, piece: tuple[int, int], span: tuple[int, int]) -> list[Series]:
    """The series of a range of ports."""
    first, last = piece
    return build(con.sql(ORDERED_SQL.format(first=first, last=last)).to_arrow_table(), span)


def _describe(
    context: Context,
    surges: list[list[Alarm]],
    budget: Budget,
    shaped: bool,
) -> list[Finding]:
    if not surges:
        return []
    con = context.con
    table = []
    for gid, found in enumerate(surges):
        worst = _worst(found)
        table.append(
            (
                gid,
                *split_key(worst.key),
                min(alarm.window * alarm.minutes for alarm in found),
                max((alarm.window + 1) * alarm.minutes for alarm in found),
                worst.window * worst.minutes,
                (worst.window + 1) * worst.minutes,
            )
        )
    columns = (
        "gid INTEGER, port USMALLINT, proto UTINYINT, direction UTINYINT,"
        " from_minute BIGINT, to_minute BIGINT, worst_from BIGINT, worst_to BIGINT"
    )
    con.execute(table_sql(f"surges ({columns})", table) + MEMBERS_SQL)
    portraits = draw(context, range(len(surges)))
    shapes = {row["gid"]: row for row in rows(con, SHAPE_SQL)}
    totals = {row["gid"]: row for row in rows(con, TOTALS_SQL)}
    targets: dict[int, list[bytes]] = defaultdict(list)
    for row in rows(con, TARGETS_SQL):
        targets[row["gid"]].append(row["targets"])
    return [
        _finding(
            found,
            (table[gid][4], table[gid][5]),
            totals[gid],
            _distinct(targets[gid]),
            portraits.get(gid),
            shapes.get(gid),
            context,
            budget,
            shaped,
        )
        for gid, found in enumerate(surges)
    ]


def _worst(found: list[Alarm]) -> Alarm:
    return min(found, key=lambda alarm: (alarm.log_p, alarm.minutes, alarm.window))


def _distinct(blobs: list[bytes]) -> float:
    registers = np.frombuffer(b"".join(blobs), dtype=np.uint8)
    return float(hll.estimate(hll.merge(registers))[0])


def _finding(
    found: list[Alarm],
    span: tuple[int, int],
    total: dict[str, Any],
    targets: float,
    portrait: Portrait | None,
    shape: dict[str, Any] | None,
    context: Context,
    budget: Budget,
    shaped: bool,
) -> Finding:
    worst = _worst(found)
    port, proto, way = split_key(worst.key)
    name = f"{transport(proto)}/{port}"
    entries = context.catalogue.listening(transport(proto), port)
    entry = entries[0] if entries else None
    tells = _tells(worst, targets, shape, context)
    worm = shape is not None and shape["listeners"] >= max(2, WORM_SHARE * shape["sources"])
    answering = shape["answering"] if shape is not None else 0
    severity, severity_reason = _severity(tells, entry, worm, answering)
    error = 2 * hll.ERROR * worst.sources
    sample = portrait.peers.sample if portrait is not None else ()
    return Finding(
        kind=Kind.PORT_SURGE,
        subject=Subject("port", name),
        interface=entry.id if entry is not None else None,
        transport=transport(proto),
        ports=(port,),
        direction=wording.direction(way),
        severity=severity,
        severity_reason=severity_reason,
        confidence=0.9 if worst.past.short else 0.97,
        peers=Peers(
            round(worst.sources),
            (max(0, math.floor(worst.sources - error)), math.ceil(worst.sources + error)),
            sample,
        ),
        contacts=portrait.contacts if portrait is not None else 0,
        packets=total["packets"],
        bytes=total["bytes"],
        first_seen=span[0] * MINUTE,
        last_seen=span[1] * MINUTE - 1,
        outcomes=portrait.outcomes if portrait is not None else {},
        fingerprints=portrait.fingerprints if portrait is not None else (),
        labels=("worm-shape",) if worm else (),
        evidence=portrait.evidence if portrait is not None else (),
        reason=(
            f"{round(worst.sources):,} source networks tried {name} within {worst.minutes} min where"
            f" {worst.expected:.1f} were expected and the past never showed more than {worst.ceiling:.0f}: {tells}."
        ),
        details={
            "tells": tells,
            "merge_minutes": worst.minutes,
            "sources": round(worst.sources, 1),
            "expected": round(worst.expected, 2),
            "background_ceiling": round(worst.ceiling, 1),
            "smallest_surge_seen": worst.smallest,
            "log_p": round(worst.log_p, 2),
            "windows_alarmed": len(found),
            "baseline_minutes": worst.past.windows * worst.minutes,
            "baseline": "short: no shape of the day, bar raised" if worst.past.short else "full",
            "day_shape_known": shaped,
            "tests_a_day": budget.tests_a_day,
            "targets": round(targets),
            "tries": total["tries"],
            "sources_that_listen_there": shape["listeners"] if shape is not None else 0,
            "surveyor_sources": shape["surveyors"] if shape is not None else 0,
            "devices_that_answer": answering,
            "time_to_warn": "holds for packets, and for flows whose active timeout is within merge_minutes",
        },
        **known_elsewhere(entry),
    )


def _tells(worst: Alarm, targets: float, shape: dict[str, Any] | None, context: Context) -> str:
    """Which of the three it looks like."""
    if round(targets) <= FEW_TARGETS:
        return "flood"
    few = worst.sources <= 3 * context.policy.thresholds.surge_min_sources
    if few and worst.tries >= 20 * worst.sources:
        return "survey by few networks"
    if shape is not None and 2 * shape["surveyors"] > shape["sources"]:
        return "survey by few networks"
    return "distributed outbreak"


def _severity(tells: str, entry: Interface | None, worm: bool, answering: int) -> tuple[Severity, str]:
    if tells == "survey by few networks":
        return Severity.LOW, "few networks search; nothing spreads"
    if tells == "flood":
        if entry is None:
            return Severity.LOW, "one target on no management port; a popular service looks the same"
        return Severity.MEDIUM, "many sources at one target"
    if entry is None:
        level = Severity.HIGH if worm else Severity.MEDIUM
        return level, "an outbreak on a port that the catalogue does not know"
    if worm or answering:
        signs = ["its sources listen on that port themselves"] if worm else []
        signs += [f"{wording.many(answering, 'device')} of ours answered"] if answering else []
        return Severity.CRITICAL, " and ".join(signs)
    return Severity.HIGH, f"an outbreak on {entry.title}"
