"""One look at every row: which ends are ours, and which of the kernels after this one have anything to do with it.

Nineteen rows of twenty belong to nobody's question: they are the middle of a connection on a port that is no
management interface. Each kernel would have to find that out again, with loads and branches that are guessed wrong.
So one pass makes four lists of row numbers, without branches, and the kernels walk along these. A list may hold
rows that the kernel then leaves out (it decides by the exact rule), never lack one that it would take. That of the
tries is exact:

    a SYN without ACK; a datagram whose own port is no service (else it is more likely an answer); a flow whose
    record says that its source opened; a flow with SYN and ACK of which only the port that it went to is a service
    (rule A3)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.place import DST_OURS, SRC_OURS, is_ours
from rearguard.model.bits import (
    ACK,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    RST,
    SYN,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_PACKET,
    WHY_QUOTED,
    WHY_RESPONDER,
)
from rearguard.model.compiled import kernel
from rearguard.model.guard import LISTED, OWN_ONLY, Guard

__all__ = ["CONTACTS", "INITIATIONS", "SENDERS", "TRIES", "Picked", "new_picked", "screen"]

CONTACTS, TRIES, SENDERS, INITIATIONS = range(4)

SEVERAL = 32
TFTP = 69
"""Ours opens it to fetch a payload: an initiation although no handshake says so."""

_LISTED_FROM = np.zeros(4, dtype=np.uint8)
_LISTED_TO = np.zeros(4, dtype=np.uint8)
for _place in range(4):
    _LISTED_FROM[_place] = LISTED | OWN_ONLY if _place & SRC_OURS else LISTED
    _LISTED_TO[_place] = LISTED | OWN_ONLY if _place & DST_OURS else LISTED
"""By place: which bits of a port make it a management interface (web ports do only where the listener is ours)."""

_BY_FLAGS = np.zeros(64, dtype=np.uint8)
_BY_WHY = np.zeros(32, dtype=np.uint8)
for _bits in range(32):
    if _bits & SYN and not _bits & ACK:
        _BY_FLAGS[_bits] = _BY_FLAGS[_bits | SEVERAL] = DST_OURS
    elif _bits & ACK and _bits & (SYN | RST):
        _BY_FLAGS[_bits] = SRC_OURS
        _BY_FLAGS[_bits | SEVERAL] = 0 if _bits & SYN else SRC_OURS
    _BY_WHY[_bits] = (DST_OURS if _bits & (WHY_INITIATOR | WHY_QUOTED) else 0) | (
        SRC_OURS if _bits & WHY_RESPONDER else 0
    )
"""By the lower five flags and whether they may be of several packets, by ``why``: which end listens if it is ours,
whatever the ports are (rule A3). A SYN and an ACK of several packets tell nothing."""


class Picked(NamedTuple):
    """``row`` int32[4, rows]: the row numbers of each list, ascending; ``counts`` int64[4]: how many there are."""

    row: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]


def new_picked(rows: int) -> Picked:
    """Lists for chunks of that many rows, empty."""
    return Picked(np.zeros((4, rows), dtype=np.int32), np.zeros(4, dtype=np.int64))


@kernel
def screen(rows: Any, n: int, guard: Guard, place: npt.NDArray[np.uint8], picked: Picked) -> None:
    """Fill ``place[0:n]`` with the bits SRC_OURS and DST_OURS, and the four lists.

    A row is listed under CONTACTS if one end is ours and a port, a handshake, a reset or the record itself may say
    who listens; under TRIES if it is an initiation of anybody; under SENDERS if an own address sent it; under
    INITIATIONS if an own address may have opened something.
    """
    contacts = tries = senders = initiations = 0
    for i in range(n):
        ours = 0
        if is_ours(rows[i].src_hi, rows[i].src_lo, guard):
            ours |= SRC_OURS
        if is_ours(rows[i].dst_hi, rows[i].dst_lo, guard):
            ours |= DST_OURS
        place[i] = ours
        proto, why = rows[i].proto, rows[i].why
        told = why & WHY_INITIATOR != 0
        unquoted = why & WHY_QUOTED == 0
        sent = ours & SRC_OURS != 0 and unquoted
        picked.row[SENDERS, senders] = i
        senders += sent
        if proto == TCP:
            flags, known = rows[i].flags, rows[i].known
            served, serves = guard.tcp[rows[i].sport], guard.tcp[rows[i].dport]
            several = known & KNOWN_ONE_PACKET == 0
            listed = (served & _LISTED_FROM[ours]) | (serves & _LISTED_TO[ours])
            speaks = listed | (
                ours & (_BY_FLAGS[flags & 31 | (SEVERAL if several else 0)] | _BY_WHY[why & 31])
            )
            opens = (flags & SYN != 0) | told
            whole = (flags & ACK != 0) & several & (told | ((serves != 0) & (served == 0)))
            bare = flags & (SYN | ACK) == SYN
            tried = (bare | ((flags & SYN != 0) & whole)) if known & KNOWN_FLAGS else told
        elif proto == UDP:
            served = guard.udp[rows[i].sport]
            listed = (served & _LISTED_FROM[ours]) | (guard.udp[rows[i].dport] & _LISTED_TO[ours])
            speaks = listed | (why & WHY_QUOTED)
            opens = rows[i].dport == TFTP
            tried = (served == 0) | told
        else:
            continue
        picked.row[CONTACTS, contacts] = i
        contacts += ours != 0 and speaks != 0 and why & (WHY_PACKET | WHY_QUOTED) != 0
        picked.row[TRIES, tries] = i
        tries += tried and why & (WHY_PACKET | WHY_RESPONDER) == WHY_PACKET
        picked.row[INITIATIONS, initiations] = i
        initiations += sent and opens
    picked.counts[CONTACTS] = contacts
    picked.counts[TRIES] = tries
    picked.counts[SENDERS] = senders
    picked.counts[INITIATIONS] = initiations
