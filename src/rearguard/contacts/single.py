"""The contact of one packet, in 64 bytes: what a flood of spoofed sources consists of.

A single is a partial like any other. It stands for a contact of which this partial saw exactly one packet:
a plain SYN, or a datagram, from the client. One cache line holds it, and it is what a fixed-size cache
mostly evicts under attack; :func:`to_contacts` widens it to a full row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model import bits
from rearguard.model.fields import CONTACT, dtype

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
    rows = np.zeros(len(singles), dtype=dtype(CONTACT))
    for name in ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto", "known"):
        rows[name] = singles[name]
    rows["observer"] = observers[singles["lane"]]
    rows["sampling"] = samplings[singles["lane"]]
    rows["packets_c"] = 1
    rows["tries"] = 1
    rows["bytes_c"] = singles["bytes"]
    rows["payload_c"] = singles["payload"]
    rows["flags_c"] = singles["flags"]
    for name in ("first_c", "last_c", "proof_time_c"):
        rows[name] = singles["time"]
    rows["proof_rec_c"] = singles["rec"]
    rows["proof_port_c"] = singles["client_port"]
    _silent_server(rows)
    loaded = singles["payload"] > 0
    rows["load_time_c"] = np.where(loaded, singles["time"], NEVER_FIRST)
    rows["load_rec_c"] = np.where(loaded, singles["rec"], NO_RECORD)
    rows["load_port_c"] = np.where(loaded, singles["client_port"], 0)
    tcp = singles["proto"] == bits.TCP
    rows["seen_c"] = np.where(tcp, bits.SEEN_SYN, bits.SEEN_DATAGRAM) | np.where(loaded, bits.SEEN_DATA, 0)
    both = singles["bits"] & BIT_BOTH > 0
    rows["role"] = np.where(tcp, bits.ROLE_HANDSHAKE, np.where(both, bits.ROLE_BOTH, bits.ROLE_PORT))
    rows["unacked"] = tcp & (singles["flags"] & bits.RST == 0)
    rows["no_options"] = singles["bits"] & BIT_NO_OPTIONS > 0
    rows["fp_mirai"] = singles["bits"] & BIT_MIRAI > 0
    rows["fp_zmap"] = singles["bits"] & BIT_ZMAP > 0
    rows["fp_masscan"] = singles["bits"] & BIT_MASSCAN > 0
    return rows


def _silent_server(rows: npt.NDArray[Any]) -> None:
    rows["first_s"] = NEVER_FIRST
    rows["last_s"] = NEVER_LAST
    for side in ("proof_rank_s",):
        rows[side] = NO_PROOF
    rows["proof_time_s"] = NEVER_FIRST
    rows["proof_rec_s"] = NO_RECORD
    rows["load_time_s"] = NEVER_FIRST
    rows["load_rec_s"] = NO_RECORD
