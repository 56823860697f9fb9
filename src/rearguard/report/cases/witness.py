"""More records for an address that changed hands: a finding keeps its earliest ones, a case needs its own.

Where several leases of one address lie in the time of a finding about its device, the contacts of that device on
that interface are asked for records in the time of each lease. One query for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.detect.touches import table_sql
from rearguard.model.address import Address, format_address, halves
from rearguard.model.finding import Evidence

if TYPE_CHECKING:
    from rearguard.contacts.view import View

__all__ = ["MOST_WANTED", "Wanted", "witnesses"]

MOST_WANTED = 20_000
"""Times that are asked about in one analysis at most."""

_PROTOS = {6: "tcp", 17: "udp"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records of an address on an interface (None: on a port outside the catalogue) within a time, end excluded."""

    address: Address
    interface: str | None
    port: int
    start: int
    end: int


_SHAPE = (
    "wanted (number INTEGER, high UBIGINT, low UBIGINT, interface VARCHAR, port INTEGER, start BIGINT,"
    " stop BIGINT)"
)

QUERY = """
WITH device_spoke AS (
    SELECT number, true AS as_client, client_hi, client_lo, server_hi, server_lo, judged.port, proto,
        proof_time_c AS time, proof_rec_c AS rec, proof_port_c AS client_port
    FROM judged JOIN wanted ON client_hi = high AND client_lo = low
        AND (judged.interface = wanted.interface OR (wanted.interface IS NULL AND judged.port = wanted.port))
    WHERE target AND NOT authorised AND proof_rank_c < 255 AND time >= start AND time < stop
    UNION ALL
    SELECT number, false, client_hi, client_lo, server_hi, server_lo, judged.port, proto,
        proof_time_s AS time, proof_rec_s, proof_port_s
    FROM judged JOIN wanted ON server_hi = high AND server_lo = low
        AND (judged.interface = wanted.interface OR (wanted.interface IS NULL AND judged.port = wanted.port))
    WHERE target AND NOT authorised AND proof_rank_s < 255 AND time >= start AND time < stop
)
FROM device_spoke
QUALIFY row_number() OVER (PARTITION BY number ORDER BY time, rec) <= {most}
ORDER BY number, time, rec
"""


def witnesses(view: View, wanted: Sequence[Wanted], most: int) -> list[list[Evidence]]:
    """For each of ``wanted``, in its order, the earliest packets that the device itself sent, ``most`` at most."""
    found: list[list[Evidence]] = [[] for _ in wanted]
    asked = [
        (number, *halves(one.address), one.interface, one.port, one.start, one.end)
        for number, one in enumerate(wanted[:MOST_WANTED])
    ]
    if not asked:
        return found
    view.con.execute(table_sql(_SHAPE, asked))
    for row in view.con.execute(QUERY.format(most=most)).fetchall():
        number, as_client, c_hi, c_lo, s_hi, s_lo, port, proto, time, rec, client_port = row
        client = format_address(c_hi, c_lo), client_port
        server = format_address(s_hi, s_lo), port
        (src, sport), (dst, dport) = (client, server) if as_client else (server, client)
        source, record = view.pointer(rec)
        found[number].append(
            Evidence(
                source=source,
                record=record,
                time=time,
                proto=_PROTOS.get(proto, str(proto)),
                src=src,
                sport=sport,
                dst=dst,
                dport=dport,
                note="sent by the device while this subscriber held the address",
            )
        )
    return found
