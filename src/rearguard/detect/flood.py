"""``flood``: so many initiations at one device, or in one network, that the interface itself suffers (rule B12).

A contact tells how many tries it held and from when to when, not when each came. Each contact therefore spreads its
tries evenly over its time, over one minute at least, and a sweep over beginnings and ends adds them up: the
highest sum is the peak, in initiations a minute. Bursts inside one long contact are flattened by that, so the
peak is a lower value. Sources that are only counted (``crowd``) spread over their minute.

With a baseline (the input is at least ``surge_baseline_minutes`` long) a rate that holds for more than half of
the time within ``flood_factor`` of the peak is the usual load and no flood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rearguard.detect import wording
from rearguard.detect.estimate import interval, needed
from rearguard.detect.flood_total import Total
from rearguard.detect.loads import loads
from rearguard.detect.making import make
from rearguard.detect.members import of_targets
from rearguard.detect.portrait import draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import SECOND
from rearguard.detect.touches import table_sql
from rearguard.model.address import format_address
from rearguard.model.bits import DIRECTIONS
from rearguard.model.finding import Finding, Kind, Severity, Subject

if TYPE_CHECKING:
    from rearguard.detect.ledger import Ledger
    from rearguard.detect.members import Members

__all__ = ["Flood"]

NETWORK_DEVICES = 50
"""A network is flooded from the rate on that so many of its devices would be."""

LOADS = (
    "found_loads (interface VARCHAR, way UTINYINT, network VARCHAR, device_hi UBIGINT, device_lo UBIGINT,"
    " start BIGINT, seconds BIGINT, tries UBIGINT, rate UINTEGER)"
)

LOAD_SQL = """
CREATE OR REPLACE TEMP VIEW loads AS
FROM found_loads
UNION ALL
SELECT interface, way, network, NULL, NULL, minute * 60, 60, tries, 1 FROM fact_crowd;

CREATE OR REPLACE TEMP TABLE candidates AS
SELECT row_number() OVER ()::INTEGER AS gid, *
FROM (
    SELECT
        interface, way, device_hi, device_lo, NULL::VARCHAR AS network, max(rate) AS rate,
        sum(tries)::BIGINT AS tries
    FROM loads WHERE device_hi IS NOT NULL
    GROUP BY interface, way, device_hi, device_lo HAVING sum(tries) >= {device}
    UNION ALL
    SELECT
        interface, way, NULL, NULL, network, max(rate), sum(tries)::BIGINT
    FROM loads WHERE network IS NOT NULL GROUP BY ALL HAVING sum(tries) >= {network}
);
"""

SWEEP_SQL = """
CREATE OR REPLACE TEMP TABLE chosen AS
WITH slopes AS (
    SELECT gid, start, seconds, sum(loads.tries) * 60000 // seconds AS slope
    FROM loads JOIN candidates USING (interface, way, device_hi, device_lo)
    GROUP BY gid, start, seconds
    UNION ALL
    SELECT gid, start, seconds, sum(loads.tries) * 60000 // seconds
    FROM loads JOIN candidates USING (interface, way, network)
    GROUP BY gid, start, seconds
),
events AS (
    SELECT gid, moment, sum(delta) AS delta
    FROM (
        SELECT gid, start AS moment, slope AS delta FROM slopes
        UNION ALL SELECT gid, start + seconds, -slope FROM slopes
    )
    GROUP BY ALL
),
levels AS (
    SELECT
        gid, moment, sum(delta) OVER (PARTITION BY gid ORDER BY moment) AS level,
        lead(moment, 1, moment) OVER (PARTITION BY gid ORDER BY moment) - moment AS held
    FROM events
),
peaks AS (
    SELECT gid, max(level) AS peak, arg_min(moment, (-level, moment)) AS peak_at FROM levels GROUP BY gid
),
busy AS (
    SELECT gid, sum(held) AS busy FROM levels JOIN peaks USING (gid)
    WHERE level * {factor} >= peak GROUP BY gid
)
SELECT
    candidates.*, CASE WHEN network IS NULL THEN of_device ELSE of_network END AS threshold,
    (peak / 1000)::DOUBLE AS peak, peak_at, busy::BIGINT AS busy, count(*) OVER () AS total
FROM candidates JOIN bars USING (rate) JOIN peaks USING (gid) JOIN busy USING (gid)
WHERE peak >= threshold * 1000 AND NOT ({span} >= {learned} AND busy * 2 > {span})
ORDER BY peak / threshold DESC, interface, way, device_hi, device_lo, network LIMIT {limit}
"""

CROWDS_SQL = """
SELECT
    gid, sum(clients)::BIGINT AS clients, max(clients)::BIGINT AS most, sum(packets)::BIGINT AS packets,
    sum(bytes)::BIGINT AS bytes, min(first) AS first, max(last) AS last,
    list_sort(list(DISTINCT port)) AS ports, min(proto) AS proto,
    arg_min(
        {{'rec': proof_rec_c, 'time': proof_time_c, 'far_port': proof_port_c, 'port': port, 'proto': proto,
         'client_hi': client_hi, 'client_lo': client_lo, 'server_hi': server_hi, 'server_lo': server_lo}},
        {{'time': proof_time_c, 'rec': proof_rec_c}}, {evidence}
    ) AS proofs
FROM fact_crowd JOIN chosen USING (interface, way, network)
GROUP BY gid
"""


@dataclass(frozen=True)
class Flood:
    """Devices and networks under more initiations than they were made for."""

    kind: ClassVar[Kind] = Kind.FLOOD
    needs: ClassVar[frozenset[str]] = frozenset({"touches", "crowd"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        thresholds, limits = context.policy.thresholds, context.policy.limits
        overview, con = context.overview, context.con
        device, network = thresholds.flood_per_minute, thresholds.flood_per_minute * NETWORK_DEVICES
        if overview.initiations < device and not overview.crowds:
            return Conclusion()
        con.execute(table_sql(LOADS, []))
        for some in loads(context.ledger, overview.initiations, device):
            con.register("given", some)
            con.execute("INSERT INTO found_loads BY NAME FROM given")
            con.unregister("given")
        con.execute(LOAD_SQL.format(device=device, network=network))
        if not rows(con, "FROM candidates LIMIT 1"):
            return Conclusion()
        bars = [
            (rate, needed(device, rate) * rate, needed(network, rate) * rate)
            for rate in sorted({1, *overview.rates})
        ]
        span = (context.span[1] - context.span[0]) // SECOND if context.span is not None else 0
        con.execute(
            table_sql("bars (rate UINTEGER, of_device UBIGINT, of_network UBIGINT)", bars)
            + SWEEP_SQL.format(
                factor=thresholds.flood_factor,
                span=span,
                learned=thresholds.surge_baseline_minutes * 60,
                limit=limits.findings_per_kind,
            )
        )
        chosen = sorted(rows(con, "SELECT * FROM chosen"), key=lambda group: group["gid"])
        if not chosen:
            return Conclusion()
        portraits = draw(context, (group["gid"] for group in chosen), _members(chosen, context.ledger))
        crowds = {row["gid"]: row for row in rows(con, CROWDS_SQL.format(evidence=limits.evidence))}
        findings = tuple(
            _finding(
                group, Total.of(portraits.get(group["gid"]), crowds.get(group["gid"]), context), context, span
            )
            for group in chosen
        )
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


def _members(chosen: list[dict[str, Any]], ledger: Ledger) -> Members:
    """The touches with tries of each group, a device or a network."""
    places = [place for place, group in enumerate(chosen) if group["network"] is None]
    networks = np.full((len(ledger.interfaces), len(DIRECTIONS), len(ledger.networks)), -1, np.int64)
    for place, group in enumerate(chosen):
        if group["network"] is not None:
            at = ledger.interfaces.index(group["interface"]), group["way"]
            networks[(*at, ledger.networks.index(group["network"]))] = place
    devices = ledger.groups((chosen[place] for place in places), "device")
    return of_targets(ledger, devices, np.array(places, np.int64), networks)


def _finding(group: dict[str, Any], total: Total, context: Context, span: int) -> Finding:
    thresholds = context.policy.thresholds
    entry = context.catalogue.get(group["interface"])
    one = group["network"] is None
    address = format_address(group["device_hi"], group["device_lo"]) if one else str(group["network"])
    what = f"Our device {address}" if one else f"The network {address}"
    excess = group["peak"] / group["threshold"]
    rate = max(1, group["rate"])
    low, high = (
        (value * rate for value in interval(group["peak"] / rate)) if rate > 1 else (group["peak"],) * 2
    )
    learned = span >= thresholds.surge_baseline_minutes * 60
    if total.muted:
        severity, severity_reason = Severity.LOW, "only sources that the policy knows and accepts"
    elif excess >= thresholds.flood_factor:
        severity, severity_reason = Severity.CRITICAL, f"{excess:.0f} times the rate that counts as a flood"
    else:
        severity, severity_reason = Severity.HIGH, "weak devices fall under such rates"
    return make(
        Kind.FLOOD,
        total,
        subject=Subject("device", address, True),
        entry=entry,
        way=group["way"],
        severity=(severity, severity_reason),
        confidence=min(wording.CEILING, 1 - (0.1 if learned else 0.2) * 0.5 ** min(10.0, excess - 1)),
        labels=("muted",) if total.muted else (),
        shows=("unauthenticated-dos",),
        reason=(
            f"{what} got {group['tries']:,} unauthorised initiations on {entry.id} from"
            f" {wording.many(total.peers.count, 'source address')}, at the peak about {group['peak']:,.0f} a minute"
            f" (a flood from {group['threshold']:,} on)."
        ),
        details={
            "scope": "device" if one else "network",
            "peak_per_minute": round(group["peak"], 1),
            "peak_interval": [math.floor(low), math.ceil(high)],
            "peak_at_s": group["peak_at"],
            "threshold_per_minute": group["threshold"],
            "seconds_near_peak": group["busy"],
            "baseline": "half of the time below" if learned else "input too short for a baseline",
            "sampling": rate,
        },
    )
