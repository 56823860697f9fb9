"""Touches: the unauthorised contacts, in the few columns that detectors reason about.

What is left out here can never become a finding: what the policy allows (rules B1, B2), what only looks like a
management port because a client happened to use it (rule A3), and what neither begins nor ends with us.

``opened`` tells an initiation from its echo (rule B5): somebody sent a SYN or a datagram to the port; or went on
talking after an answer; or the record is a flow of several packets with SYN among its flags. A SYN+ACK, RST or
ICMP error for a packet that nobody sent opens nothing.
``bare`` means that the opener never went on: SYNs and nothing else, or a datagram without a reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.detect.shape import State, append, read
from rearguard.model import bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from rearguard.contacts.view import View
    from rearguard.detect.shape import Context, Table

__all__ = [
    "ANSWERED",
    "CONVERSED",
    "OUTCOMES",
    "REFUSED",
    "UNANSWERED",
    "UNKNOWN",
    "fill",
    "fold_touches",
    "prepare",
]

OUTCOMES = ("unknown", "unanswered", "refused", "answered", "conversed")
UNKNOWN, UNANSWERED, REFUSED, ANSWERED, CONVERSED = range(5)

_WENT_ON = bits.SEEN_DATA | bits.SEEN_ACK | bits.SEEN_FIN

TOUCHES_SQL = f"""
SELECT
    client_hi, client_lo, server_hi, server_lo, port, proto, interface, sampling,
    list_position({list(bits.DIRECTIONS)!r}, direction)::UTINYINT AS way,
    list_position({list(OUTCOMES)!r}, outcome)::UTINYINT AS result,
    server_network, surveyor, exception, verified, dark,
    tries, packets_c, packets_s, bytes_c, bytes_s, coalesce(first_c, first) AS begun, last,
    fp_mirai, fp_zmap, fp_masscan,
    {{answer}} AS answer,
    CASE WHEN answer THEN proof_rank_s ELSE proof_rank_c END AS proof_rank,
    CASE WHEN answer THEN proof_time_s ELSE proof_time_c END AS proof_time,
    CASE WHEN answer THEN proof_rec_s ELSE proof_rec_c END AS proof_rec,
    CASE WHEN answer THEN proof_port_s ELSE proof_port_c END AS proof_port,
    coalesce(
        tries > 0
        OR (seen_c & {_WENT_ON} <> 0 AND outcome IN ('answered', 'conversed'))
        OR (known & {bits.KNOWN_ONE_PACKET} = 0 AND packets_c > 1 AND flags_c & {bits.SYN} <> 0),
        false
    ) AS opened,
    coalesce(
        tries > 0 AND CASE
            WHEN proto = {bits.TCP} THEN seen_c & {_WENT_ON} = 0 AND flags_c & {bits.ACK} = 0
            ELSE packets_s = 0
        END,
        false
    ) AS bare
    {{more}}
FROM judged
WHERE target AND NOT coalesce(authorised, false) AND direction <> 'transit' AND ({{which}})
"""

ANSWER_SQL = {
    False: "coalesce(proof_rank_c, 255) = 255",
    True: "coalesce(proof_rank_s, 255) < 255",
}
"""Whose packet proves a touch: the opener's unless it was not seen, or the listener's if it was."""

PREPARE_SQL = """
CREATE OR REPLACE TEMP VIEW touches AS
SELECT
    * EXCLUDE (way, result),
    (way - 1)::UTINYINT AS way, (result - 1)::UTINYINT AS result,
    greatest(sampling, 1) AS rate,
    client_hi AS source_hi,
    CASE WHEN client_hi = 0 AND client_lo >> 32 = 65535 THEN client_lo ELSE 0 END AS source_lo,
    {device_hi} AS device_hi, {device_lo} AS device_lo,
    CASE
        WHEN client_hi = 0 AND client_lo >> 32 = 65535 THEN client_lo >> 8 ELSE client_hi >> 16
    END AS source_net,
    proto = {udp} AND coalesce(interface IN ({amplifiers}), false) AND NOT coalesce(verified, false)
        AS forgeable
FROM facts
"""

PROTOCOLS = {"tcp": bits.TCP, "udp": bits.UDP}


def fold_touches(
    state: State | None, window: View, which: str, *, server_proof: bool = False, more: str = ""
) -> State:
    """Add a window's touches that satisfy ``which``, a condition on the columns of ``judged``.

    ``server_proof``: the listener's packet is the evidence (it answered), not the opener's. ``more``: further
    columns of the select list, each after a comma.
    """
    sql = TOUCHES_SQL.format(which=which, answer=ANSWER_SQL[server_proof], more=more)
    return append(state, {"touches": read(window, sql)})


def prepare(context: Context, table: Table) -> duckdb.DuckDBPyConnection:
    """A cursor with the view ``touches``: the facts, and who counts as one source and as one device.

    A source is an IPv4 address or an IPv6 /64; a device is an address, or the delegated prefix where the policy
    gives its length (rule A8). ``source_net`` is the /24 or /48. ``forgeable``: a request whose sender may be
    somebody else, toward a service that answers more than it is asked (rule B4). Beside it the table
    ``shared_ports``, where customers run services of their own, so that an answer does not say whose it is
    (rule B7).
    """
    con = context.con.cursor()
    con.register("facts", table)
    interfaces = context.catalogue.interfaces
    device_hi, device_lo = _device(context)
    con.execute(
        PREPARE_SQL.format(
            device_hi=device_hi,
            device_lo=device_lo,
            udp=bits.UDP,
            amplifiers=_list(entry.id for entry in interfaces if entry.amplifies),
        )
    )
    shared = [
        (entry.id, PROTOCOLS[port.transport], port.port)
        for entry in interfaces
        for port in entry.ports
        if port.shared
    ]
    fill(con, "shared_ports (interface VARCHAR, proto UTINYINT, port USMALLINT)", shared)
    return con


def _device(context: Context) -> tuple[str, str]:
    """SQL for both halves of a device: most policies give no delegated length, and then it costs nothing."""
    masks = [
        (name, ((1 << network.delegated) - 1) << (64 - network.delegated))
        for name, network in context.policy.networks.items()
        if network.delegated is not None
    ]
    if not masks:
        return "server_hi", "server_lo"
    six = "NOT (server_hi = 0 AND server_lo >> 32 = 65535)"
    cases = " ".join(f"WHEN {six} AND server_network = {_list([name])} THEN" + " {}" for name, _ in masks)
    high = cases.format(*(f"server_hi & {mask}::UBIGINT" for _, mask in masks))
    low = cases.format(*("0" for _ in masks))
    return f"CASE {high} ELSE server_hi END", f"CASE {low} ELSE server_lo END"


def _list(names: Iterable[str]) -> str:
    """Names as SQL strings; of none, one that no interface has."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names) or "''"


def fill(con: duckdb.DuckDBPyConnection, shape: str, rows: Sequence[tuple[int | str | None, ...]]) -> None:
    """A small temporary table of this ``name (columns)`` with these rows, written by one statement."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE {shape}")
    if rows:
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        con.execute(f"INSERT INTO {shape.split(' ', 1)[0]} VALUES {values}")


def _literal(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else _list([value])
