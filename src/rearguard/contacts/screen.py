"""One look at every row: which ends are ours, and which of the kernels after this one have anything to do with it.

Nineteen rows of twenty belong to nobody's question: they are the middle of a connection on a port that is no
management interface. Each kernel would have to find that out again, with loads and branches that are guessed wrong.
So one pass makes four lists of row numbers, without branches, and the kernels walk along these. A list may hold
rows that the kernel then leaves out (it decides by the exact rule), never lack one that it would take.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.place import DST_OURS, SRC_OURS, is_ours
from rearguard.model.bits import (
    ACK,
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

TFTP = 69
"""Ours opens it to fetch a payload: an initiation although no handshake says so."""

_LISTED_FROM = np.zeros(4, dtype=np.uint8)
_LISTED_TO = np.zeros(4, dtype=np.uint8)
for _place in range(4):
    _LISTED_FROM[_place] = LISTED | OWN_ONLY if _place & SRC_OURS else LISTED
    _LISTED_TO[_place] = LISTED | OWN_ONLY if _place & DST_OURS else LISTED
"""By place: which bits of a port make it a management interface (web ports do only where the listener is ours)."""

_BY_FLAGS = np.zeros(32, dtype=np.uint8)
_BY_WHY = np.zeros(32, dtype=np.uint8)
for _bits in range(32):
    if _bits & SYN and not _bits & ACK:
        _BY_FLAGS[_bits] = DST_OURS
    elif _bits & ACK and _bits & (SYN | RST):
        _BY_FLAGS[_bits] = SRC_OURS
    _BY_WHY[_bits] = (DST_OURS if _bits & (WHY_INITIATOR | WHY_QUOTED) else 0) | (
        SRC_OURS if _bits & WHY_RESPONDER else 0
    )
"""By the lower five flags, by ``why``: which end listens if that end is ours, whatever the ports are (rule A3)."""


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
    who listens; under TRIES if it may be an initiation of anybody; under SENDERS if an own address sent it; under
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
        told = why & WHY_INITIATOR
        unquoted = why & WHY_QUOTED == 0
        sent = ours & SRC_OURS != 0 and unquoted
        picked.row[SENDERS, senders] = i
        senders += sent
        if proto == TCP:
            flags = rows[i].flags
            listed = (guard.tcp[rows[i].sport] & _LISTED_FROM[ours]) | (
                guard.tcp[rows[i].dport] & _LISTED_TO[ours]
            )
            speaks = listed | (ours & (_BY_FLAGS[flags & 31] | _BY_WHY[why & 31]))
            opens = ((flags & SYN) | told) != 0
            tried = opens
        elif proto == UDP:
            served = guard.udp[rows[i].sport]
            listed = (served & _LISTED_FROM[ours]) | (guard.udp[rows[i].dport] & _LISTED_TO[ours])
            speaks = listed | (why & WHY_QUOTED)
            opens = rows[i].dport == TFTP
            tried = served == 0 or told != 0
        else:
            continue
        picked.row[CONTACTS, contacts] = i
        contacts += ours != 0 and speaks != 0 and why & (WHY_PACKET | WHY_QUOTED) != 0
        picked.row[TRIES, tries] = i
        tries += tried and why & WHY_PACKET != 0
        picked.row[INITIATIONS, initiations] = i
        initiations += sent and opens
    picked.counts[CONTACTS] = contacts
    picked.counts[TRIES] = tries
    picked.counts[SENDERS] = senders
    picked.counts[INITIATIONS] = initiations
