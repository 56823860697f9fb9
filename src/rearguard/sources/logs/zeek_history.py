"""What Zeek says about a connection beside its counts: flags, payload and who opened.

Zeek keeps state, so its records say more than counts: who opened (``id.orig_h``), and in ``history`` a letter for
every kind of packet, upper case from the originator and lower case from the responder (Zeek reference, Conn::Info):

====  =====================  ====================================================================================
s     SYN without ACK        "S" from the originator, or "h" from the responder: it opened, and no other reading
h     SYN and ACK            is left. "s" or "H" as well (a simultaneous open, or sides that Zeek mixed up), or
a     a pure ACK             neither (a connection from the middle): who opened is not known.
d     payload
f, r  FIN, RST
i     FIN and RST, ...
q     SYN and FIN or RST
^     the sides were swapped, by ports or by what came first: without a handshake that is a guess (rule A3)
====  =====================  ====================================================================================

A packet with payload has an ACK, unless it is the SYN itself; so payload counts as ACK only where the handshake was
answered or not seen. Logs without ``history`` are read by ``conn_state``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import ACK, FIN, RST, SYN, TCP
from rearguard.sources.logs.convert import words
from rearguard.sources.logs.mapping import Columns
from rearguard.sources.logs.records import SOURCE, UNSAID, Records

__all__ = ["refine"]

# What the letters of one side (in upper case) say about its TCP flags.
_FLAG = {"S": SYN, "H": SYN | ACK, "A": ACK, "F": FIN, "R": RST, "I": FIN | RST, "Q": SYN}

_STATES: Mapping[str, tuple[int, int, bool]] = {
    "S0": (SYN, 0, True), "S1": (SYN | ACK, SYN | ACK, True), "SF": (SYN | ACK | FIN, SYN | ACK | FIN, True),
    "REJ": (SYN, RST, True), "S2": (SYN | ACK | FIN, SYN | ACK, True), "S3": (SYN | ACK, SYN | ACK | FIN, True),
    "RSTO": (SYN | ACK | RST, SYN | ACK, True), "RSTR": (SYN | ACK, SYN | ACK | RST, True),
    "RSTOS0": (SYN | RST, 0, True), "RSTRH": (0, SYN | ACK | RST, True), "SH": (SYN | FIN, 0, True),
    "SHR": (0, SYN | ACK | FIN, True),
}  # fmt: skip
"""Flags of originator and responder, and whether the originator opened, by ``conn_state``."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What one history says."""

    there: int
    back: int
    opened: bool
    """Whether it is certain that the originator opened (TCP); of other protocols, that nothing was swapped."""
    load_there: bool
    load_back: bool


def _told(history: str) -> _Told:
    letters, lower = set(history), {each.upper() for each in history if each.islower()}
    upper = {each for each in history if each.isupper()}
    there, back = _flags(upper, lower), _flags(lower, upper)
    opened = ("S" in letters or "h" in letters) and not letters & {"s", "H"}
    return _Told(there, back, opened, "D" in letters, "d" in letters)


def _flags(own: set[str], other: set[str]) -> int:
    flags = 0
    for letter in own:
        flags |= _FLAG.get(letter, 0)
    answered = "H" in other or "S" not in own
    return flags | (ACK if "D" in own and answered else 0)


def refine(records: Records, columns: Columns) -> None:
    """Flags, payload and who opened, from ``history`` or ``conn_state``."""
    n = records.n
    tcp = records.proto == TCP
    there, back = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    opened, known = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    swapped = np.zeros(n, np.bool_)
    if (history := columns.get("history")) is not None:
        texts, index = words(history)
        told = [_told(text) for text in texts] + [_Told(0, 0, False, False, False)]
        there, back = (_pick([one.there for one in told], index), _pick([one.back for one in told], index))
        opened = _pick([one.opened for one in told], index).astype(np.bool_)
        known = _pick([text not in ("", "-") for text in texts] + [False], index).astype(np.bool_)
        swapped = _pick(["^" in text for text in texts] + [False], index).astype(np.bool_)
        for side, loads in (
            (records.there, _pick([one.load_there for one in told], index).astype(np.bool_)),
            (records.back, _pick([one.load_back for one in told], index).astype(np.bool_)),
        ):
            # The count goes by sequence numbers, and one that is lost makes it huge: no more than the packets.
            most = np.where(side.bytes > 0, np.minimum(side.bytes, 2**62), 2**62).astype(np.int64)
            side.payload = np.where(
                known & tcp, np.where(loads, np.clip(side.payload, 1, most), 0), side.payload
            )
    if (state := columns.get("conn_state")) is not None:
        texts, index = words(state)
        by_state = [_STATES.get(text, (0, 0, False)) for text in texts] + [(0, 0, False)]
        there = np.where(known, there, _pick([one[0] for one in by_state], index))
        back = np.where(known, back, _pick([one[1] for one in by_state], index))
        opened = np.where(known, opened, _pick([one[2] for one in by_state], index).astype(np.bool_))
    records.there.flags = np.where(tcp, there, 0).astype(np.uint8)
    records.back.flags = np.where(tcp, back, 0).astype(np.uint8)
    records.initiator = np.where(np.where(tcp, opened, ~swapped), SOURCE, UNSAID).astype(np.uint8)
    _count(records, columns, known & (records.back.flags != 0))


def _pick(values: list[Any], index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return np.array(values, np.uint8)[index]


def _count(records: Records, columns: Columns, answered: npt.NDArray[np.bool_]) -> None:
    """Without connection sizes (an old or a lean log) a side that was seen has one packet, and its payload."""
    if "orig_pkts" in columns:
        return
    for side, seen in (
        (records.there, np.ones(records.n, np.bool_)),
        (records.back, answered | (records.back.payload > 0)),
    ):
        side.packets = seen.astype(np.uint64)
        side.bytes = np.maximum(side.bytes, np.maximum(side.payload, 0).astype(np.uint64))
