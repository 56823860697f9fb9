"""Who tried how many devices on which interface: the grouping that ``scan`` and ``probe`` share.

A group is one source, one catalogued interface and one direction. Within it a device counts once, at its first
touch, so that repeated tries, several ports of one interface and retransmissions make nobody a scanner.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from rearguard.detect.estimate import needed
from rearguard.detect.portrait import rows
from rearguard.detect.touches import fill
from rearguard.model.address import format_address, halves
from rearguard.model.bits import DIRECTIONS, INBOUND
from rearguard.model.finding import Finding, Kind, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from rearguard.detect.portrait import Portrait
    from rearguard.detect.shape import Context

__all__ = ["SECOND", "build_groups", "find_reflections", "require", "source_key", "subject_of", "take"]

SECOND = 1_000_000_000

REFLECTIONS_SQL = """
CREATE OR REPLACE TEMP TABLE reflections AS
SELECT server_hi, server_lo, interface, source_net
FROM touches
WHERE forgeable AND packets_s > 0 AND way = 0
GROUP BY ALL
HAVING sum(tries * rate) >= {packets} AND sum(bytes_s) >= {ratio} * sum(bytes_c)
"""

PAIRS_SQL = """
CREATE OR REPLACE TEMP TABLE pairs AS
SELECT
    source_hi, source_lo, interface, way, device_hi, device_lo,
    min(begun) AS begun, coalesce(bool_or(dark), false) AS dark, min(rate) AS rate, max(result) AS result,
    min(client_lo) AS low, max(client_lo) AS high
FROM touches ANTI JOIN reflections USING (server_hi, server_lo, interface, source_net)
WHERE opened AND interface IS NOT NULL
GROUP BY ALL
"""

GROUPS_SQL = """
CREATE OR REPLACE TEMP TABLE groups AS
WITH counted AS (
    SELECT
        source_hi, source_lo, interface, way, count(*) AS devices, count(*) FILTER (dark) AS dark,
        min(rate) AS rate, max(result) AS result, min(low) AS low, max(high) AS high
    FROM pairs ANTI JOIN taken USING (source_hi, source_lo, interface, way)
    GROUP BY ALL
),
peaks AS (
    SELECT source_hi, source_lo, interface, way, max(recent) AS peak
    FROM (
        SELECT source_hi, source_lo, interface, way, count(*) OVER (
            PARTITION BY source_hi, source_lo, interface, way
            ORDER BY begun RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
        ) AS recent
        FROM pairs SEMI JOIN (
            SELECT source_hi, source_lo, interface, way FROM counted JOIN required USING (rate)
            WHERE devices >= least(in_window, in_all)
        ) USING (source_hi, source_lo, interface, way)
    )
    GROUP BY ALL
)
SELECT
    row_number() OVER ()::INTEGER AS gid, counted.*, coalesce(peak, devices) AS peak, in_window, in_all,
    coalesce(peak >= in_window OR devices >= in_all, false) AS is_scan,
    coalesce(peak >= in_window, false) AS is_fast
FROM counted
JOIN required USING (rate)
LEFT JOIN peaks USING (source_hi, source_lo, interface, way)
"""


def find_reflections(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Leave in ``reflections`` who is attacked through which amplifier: those are victims, not sources (B4)."""
    thresholds = context.policy.thresholds
    sql = REFLECTIONS_SQL.format(packets=thresholds.reflector_min_packets, ratio=thresholds.reflector_ratio)
    con.execute(sql)


def take(con: duckdb.DuckDBPyConnection, findings: Iterable[Finding]) -> None:
    """Leave in ``taken`` the groups that were concluded already as something worse."""
    keys = [
        (*source_key(finding.subject.address), finding.interface, DIRECTIONS.index(finding.direction))
        for finding in findings
        if finding.subject.address is not None
    ]
    shape = "taken (source_hi UBIGINT, source_lo UBIGINT, interface VARCHAR, way UTINYINT)"
    fill(con, shape, keys)


def require(con: duckdb.DuckDBPyConnection, in_window: int, in_all: int, in_ports: int) -> None:
    """Leave in ``required`` how much must be seen at each sampling rate that occurs (rule B14)."""
    rates = [
        row["rate"]
        for row in rows(con, "SELECT DISTINCT greatest(sampling, 1) AS rate FROM facts ORDER BY rate")
    ]
    shape = "required (rate UINTEGER, in_window UINTEGER, in_all UINTEGER, in_ports UINTEGER)"
    wanted = (in_window, in_all, in_ports)
    fill(con, shape, [(rate, *(needed(number, rate) for number in wanted)) for rate in rates])


def build_groups(con: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Leave the table ``groups``: each source on each interface, how many devices, and whether that is a scan.

    Groups that were concluded as a compromised device, and victims of reflection, are left out.
    """
    thresholds = context.policy.thresholds
    find_reflections(con, context)
    take(con, context.of(Kind.COMPROMISED_DEVICE))
    require(con, thresholds.scan_targets, thresholds.slow_scan_targets, thresholds.scan_ports)
    con.execute(PAIRS_SQL)
    con.execute(GROUPS_SQL.format(window=thresholds.scan_window * SECOND))


def source_key(address: str) -> tuple[int, int]:
    """The (source_hi, source_lo) of a subject's text, an address or an IPv6 /64."""
    network = ipaddress.ip_network(address, strict=False)
    high, low = halves(network.network_address)
    return (high, low) if network.version == 4 else (high, 0)


def subject_of(group: dict[str, Any], portrait: Portrait) -> Subject:
    """The source as a subject: its address; an IPv6 /64 when several addresses in it took part (rule A8)."""
    high, low = group["source_hi"], group["low"]
    text = format_address(high, low)
    if low != group["high"]:
        text = f"{format_address(high, 0)}/64"
    return Subject("remote" if group["way"] == INBOUND else "device", text, portrait.verified)
