"""Contacts cut down to what a first look needs: who, with whom, where, and how far it got.

The first pass holds every address of the input for ours, so there may be very many contacts; what is kept of
each is 72 bytes, one partition of the clients at a time. All contacts of a client are in one partition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.single import BIT_MASSCAN, BIT_MIRAI, BIT_ZMAP, NEVER_FIRST, NEVER_LAST
from rearguard.contacts.spill import side_by_side
from rearguard.model.bits import (
    ROLE_HANDSHAKE,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_ICMP_UNREACH,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    TCP,
)

if TYPE_CHECKING:
    from rearguard.contacts.reducer import Partials

__all__ = [
    "ANSWERED",
    "CLIENT_SENT",
    "CLIENT_WENT_ON",
    "CONVERSED",
    "LISTENER_OPENED",
    "OPENED",
    "REFUSED",
    "SLIM",
    "Rows",
    "slim_contacts",
    "starts_of",
]

Rows = npt.NDArray[Any]

SLIM = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("first", "i8"),
        ("last", "i8"),
        ("tries", "u8"),
        ("survey", "u4"),
        ("worm", "u4"),
        ("port", "u2"),
        ("proto", "u1"),
        ("bits", "u1"),
    ]
)
"""``first`` and ``last`` are times of the client's packets; ``survey`` and ``worm`` count
SYNs with the fingerprint of a survey tool (ZMap, masscan) and of Mirai."""

CLIENT_SENT = 1
ANSWERED = 2
"""Exactly SYN+ACK, or a datagram, came back."""
CLIENT_WENT_ON = 4
"""The client sent more than what opens a contact; with ANSWERED, its address is its own (rule B4)."""
OPENED = 8
"""A handshake says who opened."""
LISTENER_OPENED = 16
"""A handshake says that the "server" was a client for once (rule A3)."""
_CLIENT_DATA = 32
_SERVER_DATA = 64
REFUSED = 128
"""A reset or an ICMP error came back."""
CONVERSED = _CLIENT_DATA | _SERVER_DATA
"""Payload both ways, when both bits are set."""

_KEY = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")


def slim_contacts(partials: Partials) -> Iterator[Rows]:
    """SLIM rows, one a client, server, port and protocol, sorted; a client is in one of the arrays only.

    What several observers saw is put together: bits are united, of the counts the largest holds (rule A5).
    """
    for singles, full in side_by_side(partials.singles, partials.contacts):
        yield _folded(singles, full)


def starts_of(rows: Rows, names: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """Where each group of equal values begins, in rows that are sorted by these columns."""
    changed = np.zeros(len(rows), dtype=np.bool_)
    changed[:1] = True
    for name in names:
        changed[1:] |= rows[name][1:] != rows[name][:-1]
    return np.flatnonzero(changed)


def _folded(singles: Rows, full: Rows) -> Rows:
    rows = np.concatenate([_of_singles(singles), _of_full(full)])
    rows = rows[np.lexsort(tuple(rows[name] for name in reversed(_KEY)))]
    starts = starts_of(rows, _KEY)
    out = rows[starts]
    if len(out):
        out["first"] = np.minimum.reduceat(rows["first"], starts)
        out["last"] = np.maximum.reduceat(rows["last"], starts)
        out["bits"] = np.bitwise_or.reduceat(rows["bits"], starts)
        for name in ("tries", "survey", "worm"):
            out[name] = np.maximum.reduceat(rows[name], starts)
    return out


def _of_singles(singles: Rows) -> Rows:
    rows = np.zeros(len(singles), dtype=SLIM)
    for name in _KEY:
        rows[name] = singles[name]
    rows["first"] = rows["last"] = singles["time"]
    rows["tries"] = 1
    rows["survey"] = singles["bits"] & (BIT_ZMAP | BIT_MASSCAN) > 0
    rows["worm"] = singles["bits"] & BIT_MIRAI > 0
    rows["bits"] = CLIENT_SENT | np.where(singles["proto"] == TCP, OPENED, 0)
    rows["bits"] |= np.where(singles["payload"] > 0, _CLIENT_DATA, 0).astype(np.uint8)
    return rows


def _of_full(full: Rows) -> Rows:
    rows = np.zeros(len(full), dtype=SLIM)
    for name in (*_KEY, "tries"):
        rows[name] = full[name]
    rows["first"] = np.where(full["first_c"] == NEVER_FIRST, full["first_s"], full["first_c"])
    rows["last"] = np.where(full["last_c"] == NEVER_LAST, full["last_s"], full["last_c"])
    rows["survey"] = np.maximum(full["fp_zmap"], full["fp_masscan"])
    rows["worm"] = full["fp_mirai"]
    seen_c, seen_s, tcp = full["seen_c"], full["seen_s"], full["proto"] == TCP
    wrong_way = (seen_s & SEEN_SYN > 0) | (seen_c & SEEN_SYNACK > 0)
    for bit, holds in (
        (CLIENT_SENT, full["packets_c"] > 0),
        (ANSWERED, seen_s & np.where(tcp, SEEN_SYNACK, SEEN_DATAGRAM) > 0),
        (REFUSED, seen_s & (SEEN_RST | SEEN_ICMP_UNREACH) > 0),
        (CLIENT_WENT_ON, tcp & (seen_c & (SEEN_ACK | SEEN_DATA) > 0)),
        (OPENED, full["role"] & ROLE_HANDSHAKE > 0),
        (LISTENER_OPENED, wrong_way & (full["role"] & ROLE_HANDSHAKE == 0)),
        (_CLIENT_DATA, seen_c & SEEN_DATA > 0),
        (_SERVER_DATA, seen_s & SEEN_DATA > 0),
    ):
        rows["bits"] |= np.where(holds, bit, 0).astype(np.uint8)
    return rows
