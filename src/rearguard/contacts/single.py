"""The contact of one packet, in 64 bytes: what a flood of spoofed sources consists of.

A single is a partial like any other. It stands for a contact of which this partial saw exactly one packet:
a plain SYN, or a datagram, from the client. One cache line holds it, and it is what a fixed-size cache
mostly evicts under attack; :func:`to_contacts` widens it to a full row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model import bits, fields
from rearguard.model.compiled import kernel

__all__ = [
    "BIT_BOTH",
    "BIT_MASSCAN",
    "BIT_MIRAI",
    "BIT_NO_OPTIONS",
    "BIT_ZMAP",
    "NEVER_FIRST",
    "NEVER_LAST",
    "NO_RECORD",
    "SINGLE",
    "to_contacts",
    "widen",
]

SINGLE = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("time", "i8"),
        ("rec", "u8"),
        ("lane", "u4"),  # index of (observer, sampling)
        ("bytes", "u2"),
        ("payload", "u2"),
        ("port", "u2"),
        ("client_port", "u2"),
        ("proto", "u1"),
        ("bits", "u1"),
        ("flags", "u1"),
        ("known", "u1"),
    ],
    align=True,
)

BIT_MIRAI = 1
BIT_ZMAP = 2
BIT_MASSCAN = 4
BIT_NO_OPTIONS = 8
BIT_BOTH = 16
"""The client's port is a known service too, so a datagram does not tell who opened (ROLE_BOTH)."""

NEVER_FIRST = np.iinfo(np.int64).max
NEVER_LAST = np.iinfo(np.int64).min
NO_RECORD = np.iinfo(np.uint64).max
NO_PROOF = 255


def to_contacts(
    singles: npt.NDArray[Any], observers: npt.NDArray[np.uint32], samplings: npt.NDArray[np.uint32]
) -> npt.NDArray[Any]:
    """Widen singles to CONTACT rows; the two arrays give observer and sampling of each lane."""
    rows = np.empty(len(singles), dtype=fields.dtype(fields.CONTACT))
    widen(singles, observers, samplings, rows)
    return rows


@kernel
def widen(
    singles: Any, observers: npt.NDArray[np.uint32], samplings: npt.NDArray[np.uint32], rows: Any
) -> None:
    """Write each single into the CONTACT row of its number; every field is set."""
    for i in range(singles.size):
        one, row = singles[i], rows[i]
        tcp, loaded = one.proto == bits.TCP, one.payload > 0
        row.client_hi, row.client_lo = one.client_hi, one.client_lo
        row.server_hi, row.server_lo = one.server_hi, one.server_lo
        row.port, row.proto = one.port, one.proto
        row.observer, row.sampling = observers[one.lane], samplings[one.lane]
        row.packets_c, row.packets_s = 1, 0
        row.bytes_c, row.bytes_s = one.bytes, 0
        row.payload_c, row.payload_s = one.payload, 0
        row.first_c, row.first_s = one.time, NEVER_FIRST
        row.last_c, row.last_s = one.time, NEVER_LAST
        row.proof_rank_c, row.proof_rank_s = 0, NO_PROOF
        row.proof_time_c, row.proof_time_s = one.time, NEVER_FIRST
        row.proof_rec_c, row.proof_rec_s = one.rec, NO_RECORD
        row.proof_port_c, row.proof_port_s = one.client_port, 0
        row.load_time_c = one.time if loaded else NEVER_FIRST
        row.load_rec_c = one.rec if loaded else NO_RECORD
        row.load_port_c = one.client_port if loaded else 0
        row.load_time_s, row.load_rec_s, row.load_port_s = NEVER_FIRST, NO_RECORD, 0
        row.flags_c, row.flags_s = one.flags, 0
        seen = bits.SEEN_SYN if tcp else bits.SEEN_DATAGRAM
        row.seen_c, row.seen_s = seen | (bits.SEEN_DATA if loaded else 0), 0
        role = bits.ROLE_BOTH if one.bits & BIT_BOTH != 0 else bits.ROLE_PORT
        row.role = bits.ROLE_HANDSHAKE if tcp else role
        row.known = one.known
        row.tries, row.sessions = 1, 0
        row.unacked = 1 if tcp and one.flags & bits.RST == 0 else 0
        row.no_options = 1 if one.bits & BIT_NO_OPTIONS != 0 else 0
        row.fp_mirai = 1 if one.bits & BIT_MIRAI != 0 else 0
        row.fp_zmap = 1 if one.bits & BIT_ZMAP != 0 else 0
        row.fp_masscan = 1 if one.bits & BIT_MASSCAN != 0 else 0
