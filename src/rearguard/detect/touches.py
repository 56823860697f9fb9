"""Touches: the unauthorised contacts, in the few columns that detectors reason about.

What is left out here can never become a finding: what the policy allows (rules B1, B2), what only looks like a
management port because a client happened to use it (rule A3), and what neither begins nor ends with us.

``opened`` tells an initiation from its echo (rule B5): somebody sent a SYN or a datagram to the port; or went on
talking after an answer; or the exporter tells no flags, so that nothing better is known than the port
(``flagless``: enough for a scan, too little for a single probe). A SYN+ACK, RST or ICMP error for a packet that
nobody sent opens nothing.
``bare`` means that the opener never went on: SYNs and nothing else, or a datagram without a reply.
``lan`` is the use of a home network: both ends private or link-local and in one /24 (IPv6: /64), on an interface
that its owner may open; or a host that calls itself. Few such contacts are nobody's business.
``unproven``: on this port customers commonly run services of their own, and no payload proved that a management
interface listens there (rule B7). ``guest``: somebody got an answer on such a port; it may be a visitor of a
customer's web server, so it makes neither a probe nor a scan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.catalogue.model import Initiator
from rearguard.model import bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.policy.policy import Policy

__all__ = ["OUTCOMES", "PROTOCOLS", "TOUCHES_SQL", "number_sql", "shared_ports", "table_sql", "view_sql"]

OUTCOMES = ("unknown", "unanswered", "refused", "answered", "conversed")
"""The order of ``result``: the further, the worse."""

_WENT_ON = bits.SEEN_DATA | bits.SEEN_ACK | bits.SEEN_FIN


def _list(names: Iterable[str]) -> str:
    """Names as SQL strings; of none, one that no interface has."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names) or "''"


def number_sql(column: str, words: Sequence[str], kind: str = "UTINYINT") -> str:
    """SQL for the place of a word, from 0; NULL where it is none of these."""
    cases = "".join(f" WHEN {_list([word])} THEN {place}" for place, word in enumerate(words))
    return f"CASE {column}{cases} END::{kind}" if cases else f"NULL::{kind}"


TOUCHES_SQL = f"""
SELECT
    client_hi, client_lo, server_hi, server_lo, port, proto, interface, sampling,
    {number_sql("direction", bits.DIRECTIONS)} AS way, {number_sql("outcome", OUTCOMES)} AS result,
    client_network, server_network, surveyor, exception, verified, dark,
    tries, packets_c, packets_s, bytes_c, bytes_s, payload_s,
    coalesce(first_c, first) AS begun, coalesce(last_c, last) AS ended, last,
    fp_mirai, fp_zmap, fp_masscan,
    coalesce(proof_rank_c, 255) AS rank_c, proof_time_c AS time_c, proof_rec_c AS rec_c, proof_port_c AS port_c,
    coalesce(proof_rank_s, 255) AS rank_s, proof_time_s AS time_s, proof_rec_s AS rec_s, proof_port_s AS port_s,
    coalesce(load_port_s, proof_port_s, 0) AS far_port,
    coalesce(listener, 'device') = 'device' AS on_device,
    seen_s & {bits.SEEN_SYNACK} <> 0 AS synack, seen_s & {bits.SEEN_DATA} <> 0 OR payload_s > 0 AS spoke,
    coalesce(
        tries > 0
        OR (seen_c & {_WENT_ON} <> 0 AND outcome IN ('answered', 'conversed'))
        OR (known & {bits.KNOWN_FLAGS} = 0 AND proto = {bits.TCP} AND packets_c > 0),
        false
    ) AS opened,
    proto = {bits.TCP} AND known & {bits.KNOWN_FLAGS} = 0 AS flagless,
    known & {bits.KNOWN_ONE_PACKET} = 0 AS grouped,
    coalesce(
        tries > 0 AND CASE
            WHEN proto = {bits.TCP} THEN seen_c & {_WENT_ON} = 0 AND flags_c & {bits.ACK} = 0
            ELSE packets_s = 0
        END,
        false
    ) AS bare
FROM judged
WHERE target AND NOT coalesce(authorised, false) AND direction <> 'transit'
"""

VIEW_SQL = """
CREATE OR REPLACE TEMP VIEW marked AS
SELECT
    *, CASE WHEN client_hi = 0 AND client_lo >> 32 = 65535 THEN client_lo ELSE 0 END AS source_lo,
    CASE
        WHEN proto = {udp} THEN {amplifies} AND NOT coalesce(verified, false)
        ELSE false
    END AS forgeable,
    CASE WHEN way = {internal} AND client_hi = server_hi THEN
        client_lo = server_lo OR {owned} AND CASE
            WHEN client_hi = 0 THEN client_lo >> 8 = server_lo >> 8 AND (
                client_lo >> 24 = 16776970             -- 10.0.0.0/8, RFC 1918
                OR client_lo >> 20 = 268434113         -- 172.16.0.0/12
                OR client_lo >> 16 IN (4294951080, 4294945278)  -- 192.168.0.0/16; 169.254.0.0/16, RFC 3927
            )
            ELSE client_hi >> 57 = 126 OR client_hi >> 54 = 1018  -- fc00::/7, RFC 4193; fe80::/10, RFC 4291
        END
        ELSE false
    END AS lan,
    {shared}{unproven} AS unproven
FROM fact_touches;

CREATE OR REPLACE TEMP VIEW touches AS
SELECT
    *, greatest(sampling, 1) AS rate, client_hi AS source_hi,
    {device_hi} AS device_hi, {device_lo} AS device_lo,
    CASE
        WHEN client_hi = 0 AND client_lo >> 32 = 65535 THEN client_lo >> 8 ELSE client_hi >> 16
    END AS source_net,
    unproven AND result >= 3 AND fp_mirai = 0 AS guest
FROM marked;
"""
"""``marked`` has what costs time to work out and may be copied; ``touches`` adds what costs none.

No ``IN`` with many words in it: DuckDB makes a join of each, and every query over the view then pays for all of
them, whichever columns it names."""

UNPROVEN_SQL = " AND (server_hi, server_lo, port, proto) NOT IN (FROM proven)"

PROTOCOLS = {"tcp": bits.TCP, "udp": bits.UDP}
_OWNER = {Initiator.OWNER_ON_LAN, Initiator.OWNER_FROM_ANYWHERE}


def view_sql(policy: Policy, catalogue: Catalogue, *, proven: bool = False) -> str:
    """The views ``marked`` and ``touches`` over the facts: who counts as one source and as one device, and what is
    whose right.

    ``proven``: the table of that name, the listeners whose payload tells what they are, has some on shared ports.

    A source is an IPv4 address or an IPv6 /64; a device is an address, or the delegated prefix where the policy
    gives its length (rule A8). ``source_net`` is the /24 or /48. ``forgeable``: a request whose sender may be
    somebody else, toward a service that answers more than it is asked (rule B4).
    """
    device_hi, device_lo = _device(policy)
    shared = shared_ports(catalogue)
    return VIEW_SQL.format(
        device_hi=device_hi,
        device_lo=device_lo,
        udp=bits.UDP,
        internal=bits.INTERNAL,
        amplifies=_among(entry.id for entry in catalogue.interfaces if entry.amplifies),
        shared=_shared_sql(shared),
        unproven=UNPROVEN_SQL if proven else "",
        owned=_among(entry.id for entry in catalogue.interfaces if _OWNER & {*entry.initiators}),
    )


def shared_ports(catalogue: Catalogue) -> list[tuple[str, int, int]]:
    """Interface, protocol and port where customers run services of their own, so that an answer does not say
    whose it is (rule B7)."""
    return [
        (entry.id, PROTOCOLS[port.transport], port.port)
        for entry in catalogue.interfaces
        for port in entry.ports
        if port.shared
    ]


def _shared_sql(shared: Sequence[tuple[str, int, int]]) -> str:
    """SQL: whether a contact is with one of these interfaces, protocols and ports."""
    services = sorted({(port, proto) for _, proto, port in shared})
    cases = "".join(
        f" WHEN {port << 8 | proto} THEN {_among(name for name, *at in shared if at == [proto, port])}"
        for port, proto in services
    )
    return f"CASE port::UINTEGER << 8 | proto{cases} ELSE false END" if cases else "false"


def _among(names: Iterable[str]) -> str:
    """SQL: whether ``interface`` is one of these names."""
    cases = "".join(f" WHEN {_list([name])} THEN true" for name in names)
    return f"CASE interface{cases} ELSE false END" if cases else "false"


def _device(policy: Policy) -> tuple[str, str]:
    """SQL for both halves of a device: most policies give no delegated length, and then it costs nothing."""
    masks = [
        (name, ((1 << network.delegated) - 1) << (64 - network.delegated))
        for name, network in policy.networks.items()
        if network.delegated is not None
    ]
    if not masks:
        return "server_hi", "server_lo"
    six = "NOT (server_hi = 0 AND server_lo >> 32 = 65535)"
    cases = " ".join(f"WHEN {six} AND server_network = {_list([name])} THEN" + " {}" for name, _ in masks)
    high = cases.format(*(f"server_hi & {mask}::UBIGINT" for _, mask in masks))
    low = cases.format(*("0" for _ in masks))
    return f"CASE {high} ELSE server_hi END", f"CASE {low} ELSE server_lo END"


def table_sql(shape: str, rows: Sequence[tuple[int | str | None, ...]]) -> str:
    """Statements that make a small temporary table of this ``name (columns)`` with these rows."""
    made = f"CREATE OR REPLACE TEMP TABLE {shape};"
    if not rows:
        return made
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"{made} INSERT INTO {shape.split(' ', 1)[0]} VALUES {values};"


def _literal(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else _list([value])
