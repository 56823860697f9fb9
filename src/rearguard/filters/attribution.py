"""Which initiations a finding rests on, and so how many of them the filter would have dropped.

A finding names a subject, an interface, a direction and ports; the contacts that fit are its own. Several
findings may rest on the same contact (a scan, and the device that it exposed).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rearguard.filters.guarded import PROTOCOL
from rearguard.filters.verdicts import DROPPED
from rearguard.model.address import halves, prefix_range
from rearguard.model.finding import Kind

if TYPE_CHECKING:
    import duckdb

    from rearguard.model.finding import Finding

__all__ = ["attribute", "beyond_border"]

_LISTENER = frozenset({Kind.FLOOD, Kind.EXPOSED_DEVICE, Kind.REFLECTOR})
"""Kinds whose subject is the device that was called, in any direction."""

_WANTED = pa.schema(
    [
        ("id", pa.string()),
        ("side", pa.string()),  # a key of _ENDS
        ("network", pa.string()),
        ("first_hi", pa.uint64()),
        ("first_lo", pa.uint64()),
        ("last_hi", pa.uint64()),
        ("last_lo", pa.uint64()),
        ("interface", pa.string()),
        ("direction", pa.string()),
        ("proto", pa.uint8()),
        ("ports", pa.list_(pa.uint16())),
    ]
)

_ENDS = {
    "client": "f.client_hi = w.first_hi AND f.client_lo = w.first_lo",
    "server": "f.server_hi = w.first_hi AND f.server_lo = w.first_lo",
    # A delegated prefix or a /64 begins and ends with whole high halves.
    "clients": "f.client_hi BETWEEN w.first_hi AND w.last_hi",
    "servers": "f.server_hi BETWEEN w.first_hi AND w.last_hi",
    "network": "f.network = w.network",
    "port": "true",
}
"""What makes a contact one of a finding, by the kind of its subject."""

_PLACES_SQL = f"""
CREATE OR REPLACE TEMP TABLE plan_places AS
SELECT
    network, interface, direction, port, proto, guest, fate, fate = '{DROPPED}' AS dropped,
    sum(contacts) AS contacts, sum(initiations) AS initiations
FROM plan_fates
GROUP BY ALL
"""
"""The fates without addresses, for what asks for none; it goes with the views."""

_FATES_SQL = f"""
CREATE OR REPLACE TEMP TABLE plan_counted AS
SELECT client_hi, client_lo, server_hi, server_lo, port, proto, interface, direction, network, initiations,
    fate = '{DROPPED}' AS dropped
FROM plan_fates
"""
"""Worked out once and asked several times: each fate takes half a dozen joins."""

_STAYED_SQL = """
CREATE OR REPLACE TEMP TABLE plan_counted AS
SELECT client_hi, client_lo, server_hi, server_lo, port, proto, interface, direction, network, initiations
FROM plan_fates
WHERE direction IN ('internal', 'outbound')
"""
"""The same, but for what enters."""

_TABLES = {"network": "plan_places", "port": "plan_places"}
"""Where those of a finding without an address are counted, if not in ``plan_counted``."""

_MATCH = """
FROM {table} f JOIN plan_wanted w
    ON {end} AND w.side = '{side}' AND f.direction = w.direction AND f.proto = w.proto
    AND CASE WHEN w.interface IS NULL OR w.side = 'port' THEN list_contains(w.ports, f.port)
        ELSE f.interface = w.interface END
"""

_COUNT_SQL = f"""
SELECT
    w.id, coalesce(sum(f.initiations) FILTER (f.dropped), 0)::BIGINT,
    coalesce(sum(f.initiations) FILTER (NOT f.dropped), 0)::BIGINT
{_MATCH}
GROUP BY w.id ORDER BY w.id
"""

_KEEP_SQL = f"""
INSERT INTO plan_beyond
SELECT f.client_hi, f.client_lo, f.server_hi, f.server_lo, f.port, f.proto, f.direction, f.initiations
{_MATCH}
WHERE f.direction IN ('internal', 'outbound')
"""

_BEYOND_TABLE_SQL = """
CREATE OR REPLACE TEMP TABLE plan_beyond (
    client_hi UBIGINT, client_lo UBIGINT, server_hi UBIGINT, server_lo UBIGINT, port USMALLINT, proto UTINYINT,
    direction VARCHAR, initiations BIGINT
)
"""

_BEYOND_SQL = """
SELECT direction, count(*), sum(initiations)::BIGINT FROM (SELECT DISTINCT * FROM plan_beyond) GROUP BY direction
"""


def attribute(
    con: duckdb.DuckDBPyConnection, findings: Sequence[Finding]
) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Initiations (dropped, passed) by finding; and (contacts, initiations) that never enter, by direction.

    Of what stays inside or goes out only what belongs to a finding counts: customers opening their own router's
    page, or a server elsewhere, is nobody's business. Leaves the table ``plan_places``: fates by place.
    """
    con.execute(_PLACES_SQL)
    by_finding: dict[str, tuple[int, int]] = {}
    with _laid_beside(con, findings, _FATES_SQL) as wanted:
        for side in sorted({row["side"] for row in wanted}):
            sql = _COUNT_SQL.format(table=_TABLES.get(side, "plan_counted"), end=_ENDS[side], side=side)
            for name, dropped, passed in con.execute(sql).fetchall():
                by_finding[name] = (dropped, passed)
        return by_finding, _beyond(con, wanted)


def beyond_border(con: duckdb.DuckDBPyConnection, findings: Sequence[Finding]) -> dict[str, tuple[int, int]]:
    """The second half of what :func:`attribute` gives, for when no filter is there to drop anything."""
    staying = [finding for finding in findings if finding.direction != "inbound"]
    with _laid_beside(con, staying, _STAYED_SQL) as wanted:
        return _beyond(con, wanted)


@contextmanager
def _laid_beside(
    con: duckdb.DuckDBPyConnection, findings: Sequence[Finding], fates: str
) -> Iterator[list[dict[str, Any]]]:
    """``plan_wanted``, what the findings ask for, beside ``plan_counted``, which ``fates`` makes if need be."""
    wanted = list(_wanted(findings))
    if not wanted:
        yield wanted
        return
    columns = {item.name: pa.array([row.get(item.name) for row in wanted], item.type) for item in _WANTED}
    con.register("plan_wanted", pa.table(columns))
    try:
        con.execute(fates)
        yield wanted
    finally:
        con.execute("DROP TABLE IF EXISTS temp.plan_beyond; DROP TABLE IF EXISTS temp.plan_counted")
        con.unregister("plan_wanted")


def _beyond(con: duckdb.DuckDBPyConnection, wanted: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Of what never enters the (contacts, initiations) that belong to a finding, by direction."""
    sides = {row["side"] for row in wanted if row["direction"] != "inbound"}
    if not sides:
        return {}
    con.execute(_BEYOND_TABLE_SQL)
    for side in sorted(sides):
        con.execute(_KEEP_SQL.format(table="plan_counted", end=_ENDS[side], side=side))
    return {way: (contacts, count) for way, contacts, count in con.execute(_BEYOND_SQL).fetchall()}


def _wanted(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    for finding in findings:
        if finding.transport not in PROTOCOL:
            continue
        row = {
            "id": finding.id,
            "side": "port",
            "interface": finding.interface,
            "direction": finding.direction,
            "proto": PROTOCOL[finding.transport],
            "ports": list(finding.ports),
        }
        text = finding.subject.address
        if finding.subject.role == "port" or text is None:
            yield row
            continue
        try:
            first, last = _range(text)
        except ValueError:
            yield row | {"side": "network", "network": text}
            continue
        yield row | {
            "side": _side(finding) + ("s" if first != last else ""),
            "first_hi": first[0],
            "first_lo": first[1],
            "last_hi": last[0],
            "last_lo": last[1],
        }


def _range(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last address of an address or a prefix; raises ValueError for the name of a network."""
    if "/" in text:
        return prefix_range(ipaddress.ip_network(text))
    one = halves(ipaddress.ip_address(text))
    return one, one


def _side(finding: Finding) -> str:
    """On which end of a contact the subject is."""
    if finding.kind is Kind.UNAUTHORISED_CONTROLLER:
        return "server"
    if finding.kind in _LISTENER:
        return "server"
    called = finding.direction == "inbound" and finding.subject.role == "device"
    return "server" if called else "client"
