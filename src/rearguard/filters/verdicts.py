"""The filter as SQL over ``judged``: what would happen to each contact that enters.

What the kernel judges packet by packet, this judges contact by contact: all packets of a contact have one
source, one destination and one port, and the kinds of packets that matter were counted while reading
(``tries``, ``unacked``). :mod:`rearguard.filters.judge` is what it must agree with; a test holds them together.

One pass judges several *plans*: the filter of the policy, and the what-ifs, one for each interface. A
controller has its permit at one edge only; records do not tell the edge, so each is taken to come in through
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rearguard.filters.guarded import PROTOCOL, Cell, listening
from rearguard.model.address import prefix_range
from rearguard.model.bits import KNOWN_ONE_PACKET, SEEN_ACK, SEEN_DATA, SEEN_FIN, SYN
from rearguard.policy.entries import INSIDE
from rearguard.policy.values import Port

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.filters.model import Left
    from rearguard.policy import Policy

__all__ = ["DROPPED", "PLAN", "laid_out"]

PLAN = ""
"""The plan that is the policy's own filter; the others have names of interfaces."""
DROPPED = "dropped"
"""The fate of an initiation that the filter stops; the others are reasons why not."""

_WENT_ON = SEEN_DATA | SEEN_ACK | SEEN_FIN
_TABLES = {
    "plan_cells": "plan VARCHAR, number USMALLINT, network VARCHAR, six BOOLEAN, proto UTINYINT, port USMALLINT, "
    "by_port BOOLEAN",
    "plan_left": "network VARCHAR, six BOOLEAN, proto UTINYINT, port USMALLINT, reason VARCHAR",
    "plan_rights": "network VARCHAR, proto UTINYINT, port USMALLINT, controller VARCHAR",
    "plan_sources": "controller VARCHAR, first_hi UBIGINT, first_lo UBIGINT, last_hi UBIGINT, last_lo UBIGINT",
    "plan_never": "first_hi UBIGINT, first_lo UBIGINT, last_hi UBIGINT, last_lo UBIGINT",
    "plan_home": "authorised_by VARCHAR",
    "plan_proven": "client_hi UBIGINT, client_lo UBIGINT, server_hi UBIGINT, server_lo UBIGINT, "
    "port USMALLINT, proto UTINYINT",
}
_ARROW = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UBIGINT": pa.uint64(),
}


def _within(address: str, table: str) -> str:
    """SQL: the address lies in the range of a row of the table."""
    high, low = f"{address}_hi", f"{address}_lo"
    return (
        f"({high} > {table}.first_hi OR ({high} = {table}.first_hi AND {low} >= {table}.first_lo))"
        f" AND ({high} < {table}.last_hi OR ({high} = {table}.last_hi AND {low} <= {table}.last_lo))"
    )


def _six(address: str) -> str:
    return f"NOT ({address}_hi = 0 AND {address}_lo >> 32 = 65535)"


# Few addresses are spared, so they are found once: a controller or a monitor has many contacts.
SPARED_SQL = f"""
CREATE OR REPLACE TEMP TABLE plan_permitted AS
SELECT DISTINCT j.client_hi, j.client_lo, r.network, r.proto, r.port
FROM judged j
JOIN plan_rights r ON r.network = j.server_network AND r.proto = j.proto AND r.port = j.port
JOIN plan_sources s ON s.controller = r.controller AND {_within("j.client", "s")}
WHERE j.direction = 'inbound';
CREATE OR REPLACE TEMP TABLE plan_spared AS
SELECT DISTINCT j.client_hi AS hi, j.client_lo AS lo FROM judged j JOIN plan_never n ON {_within("j.client", "n")}
UNION
SELECT DISTINCT j.server_hi, j.server_lo FROM judged j JOIN plan_never n ON {_within("j.server", "n")};
"""

CONTACTS_SQL = f"""
CREATE OR REPLACE TEMP VIEW plan_contacts AS
SELECT
    judged.*, {_six("judged.server")} AS six,
    -- SYNs and datagrams. A flow of several packets with SYN among its flags began with one.
    CASE
        WHEN tries > 0 THEN tries
        WHEN known & {KNOWN_ONE_PACKET} = 0 AND packets_c > 1 AND flags_c & {SYN} <> 0 THEN 1
        ELSE 0
    END::BIGINT AS initiations,
    tries = 0 AND seen_c & {_WENT_ON} <> 0 AND outcome IN ('answered', 'conversed') AS was_open,
    -- A customer's own service (rule B7): answered on a port where customers run services, and no payload shows
    -- that the management interface was meant.
    outcome IN ('answered', 'conversed') AND fp_mirai = 0 AND {{shared}} AND {{unproven}} AS guest,
    {{untouchable}} AS untouchable, {{permitted}} AS permitted
FROM judged{{joins}}
"""

_JOINS = {
    "plan_proven": (
        "unproven",
        "proven.port IS NULL",
        "true",
        " LEFT JOIN plan_proven proven USING (client_hi, client_lo, server_hi, server_lo, port, proto)",
    ),
    "plan_permitted": (
        "permitted",
        "permitted.port IS NOT NULL",
        "false",
        " LEFT JOIN plan_permitted permitted ON permitted.client_hi = judged.client_hi"
        " AND permitted.client_lo = judged.client_lo AND permitted.network = judged.server_network"
        " AND permitted.proto = judged.proto AND permitted.port = judged.port",
    ),
    "plan_spared": (
        "untouchable",
        "source.hi IS NOT NULL OR target_.hi IS NOT NULL",
        "false",
        " LEFT JOIN plan_spared source ON source.hi = judged.client_hi AND source.lo = judged.client_lo"
        " LEFT JOIN plan_spared target_ ON target_.hi = judged.server_hi AND target_.lo = judged.server_lo",
    ),
}
"""What the views ask of these tables: the column, how it is told, what it is when the table is empty, and the join,
which is left out then: every contact pays for it."""

FATES_SQL = f"""
CREATE OR REPLACE TEMP VIEW plan_fates AS
SELECT
    j.client_hi, j.client_lo, j.server_hi, j.server_lo, j.port, j.proto, j.interface, j.direction,
    j.server_network AS network, j.guest, 1 AS contacts, j.initiations,
    CASE
        WHEN j.direction <> 'inbound' THEN j.direction
        WHEN c.port IS NULL THEN coalesce(l.reason, 'not-listed')
        WHEN j.untouchable THEN 'never-block'
        WHEN j.permitted THEN 'authorised-addresses'
        ELSE '{DROPPED}'
    END AS fate
FROM plan_contacts j
LEFT JOIN plan_cells c ON c.plan = '{PLAN}' AND c.network = j.server_network AND c.six = j.six
    AND c.proto = j.proto AND c.port = j.port
LEFT JOIN plan_left l ON l.network = j.server_network AND l.six = j.six AND l.proto = j.proto AND l.port = j.port
WHERE j.target AND NOT coalesce(j.authorised, false) AND j.direction <> 'transit' AND j.initiations > 0
UNION ALL
SELECT
    NULL, NULL, NULL, NULL, j.port, j.proto, j.interface, j.direction, j.network, false, j.clients::BIGINT,
    j.tries::BIGINT, CASE WHEN c.port IS NULL THEN coalesce(l.reason, 'not-listed') ELSE '{DROPPED}' END
FROM (SELECT *, {_six("server")} AS six FROM crowd WHERE direction = 'inbound') j
LEFT JOIN plan_cells c ON c.plan = '{PLAN}' AND c.network = j.network AND c.six = j.six AND c.proto = j.proto
    AND c.port = j.port
LEFT JOIN plan_left l ON l.network = j.network AND l.six = j.six AND l.proto = j.proto AND l.port = j.port
"""


_CLEAR_SQL = """
DROP TABLE IF EXISTS temp.plan_places;
DROP VIEW IF EXISTS temp.plan_fates;
DROP VIEW IF EXISTS temp.plan_contacts;
DROP TABLE IF EXISTS temp.plan_permitted;
DROP TABLE IF EXISTS temp.plan_spared;
"""


@contextmanager
def laid_out(
    view: View,
    policy: Policy,
    catalogue: Catalogue,
    plans: Mapping[str, Iterable[Cell]],
    left: Sequence[Left] = (),
) -> Iterator[None]:
    """Leave the views ``plan_contacts`` and ``plan_fates`` in the view's connection, and take them away again."""
    cells = {
        (plan, cell.network, cell.family, cell.port): cell for plan, each in plans.items() for cell in each
    }
    number = {plan: place for place, plan in enumerate(plans)}
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "plan_cells": (
            (plan, number[plan], network, family == 6, PROTOCOL[port.transport], port.number, cell.by_port)
            for (plan, network, family, port), cell in cells.items()
        ),
        "plan_left": _left(left),
        "plan_rights": _rights(policy, catalogue, {(cell.network, cell.port) for cell in cells.values()}),
        "plan_sources": (
            (name, *_ends(prefix))
            for name, entry in policy.controllers.items()
            if entry.enters_at != INSIDE
            for prefix in entry.addresses("requests_from")
        ),
        "plan_never": (_ends(prefix) for prefix in policy.never_block),
        "plan_home": (
            (", ".join(names),)
            for names in policy.controller_sets("requests_from")
            if all(policy.controllers[name].enters_at == INSIDE for name in names)
        ),
        "plan_proven": _proven(view, catalogue),
    }
    try:
        for name, columns in _TABLES.items():
            view.con.register(name, _table(columns, rows[name]))
        view.con.execute(SPARED_SQL)
        view.con.execute(CONTACTS_SQL.format(shared=_shared(catalogue), **_joins(view.con)))
        view.con.execute(FATES_SQL)
        yield
    finally:
        view.con.execute(_CLEAR_SQL)
        for name in _TABLES:
            view.con.unregister(name)


def _joins(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The parts of the view over the contacts that depend on which tables have rows."""
    parts = {"joins": ""}
    for table, (column, told, otherwise, join) in _JOINS.items():
        some = con.execute(f"FROM {table} LIMIT 1").fetchone() is not None
        parts[column] = told if some else otherwise
        parts["joins"] += join if some else ""
    return parts


def _rights(
    policy: Policy, catalogue: Catalogue, places: Iterable[tuple[str, Port]]
) -> Iterator[tuple[Any, ...]]:
    for network, port in places:
        here = listening(policy, catalogue, network, port)
        for name, entry in policy.controllers.items():
            if entry.manages & here:
                yield network, PROTOCOL[port.transport], port.number, name


def _left(left: Sequence[Left]) -> Iterator[tuple[Any, ...]]:
    """One reason a place: the first that was found."""
    found: dict[tuple[str, bool, int, int], str] = {}
    for item in left:
        for text in item.ports:
            transport, number = text.split("/")
            for six in (False, True) if item.family is None else (item.family == 6,):
                found.setdefault((item.network, six, PROTOCOL[transport], int(number)), str(item.reason))
    return ((*place, reason) for place, reason in found.items())


def _shared(catalogue: Catalogue) -> str:
    """SQL: whether a contact's interface is one that customers run services of their own on, at its port.

    No ``IN`` with many words, for DuckDB makes a join of it, and no text that is put together for every row.
    """
    names = _shared_ports(catalogue)
    cases = "".join(
        f" WHEN {place} THEN CASE judged.interface"
        + "".join(f" WHEN '{name}' THEN true" for name in here)
        + " ELSE false END"
        for place, here in sorted(names.items())
    )
    return f"CASE judged.port::UINTEGER << 8 | judged.proto{cases} ELSE false END" if cases else "false"


def _shared_ports(catalogue: Catalogue) -> dict[int, list[str]]:
    """Interfaces by port and protocol, where customers run services of their own."""
    names: dict[int, list[str]] = {}
    for entry in catalogue.interfaces:
        for port in entry.ports:
            if port.shared:
                names.setdefault(port.port << 8 | PROTOCOL[port.transport], []).append(entry.id)
    return names


def _proven(view: View, catalogue: Catalogue) -> set[tuple[int, ...]]:
    """Contacts whose payload meant a management interface (rule B7), or was an attack on one; only of ports where
    that is in doubt."""
    doubtful = _shared_ports(catalogue).keys()
    return {
        (each.client_hi, each.client_lo, each.server_hi, each.server_lo, each.port, each.proto)
        for each in view.exchanges
        if (each.hits or each.identity is not None) and each.port << 8 | each.proto in doubtful
    }


def _ends(prefix: Any) -> tuple[int, int, int, int]:
    first, last = prefix_range(prefix)
    return (*first, *last)


def _table(columns: str, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    fields = [column.split() for column in columns.split(", ")]
    values = list(zip(*rows, strict=True)) or [()] * len(fields)
    return pa.table(
        {name: pa.array(each, _ARROW[kind]) for (name, kind), each in zip(fields, values, strict=True)}
    )
