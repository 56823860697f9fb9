"""The kernel behind :mod:`rearguard.contacts.judge`: one pass over folded contacts writes all columns.

Twenty passes of numpy over sixty columns, and as many copies for Arrow, took a microsecond a contact. Here a row is
loaded once, and each column is written where Arrow reads it. Columns of one width share an array, one line each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.flows import answer_first, opener_first, read_flows
from rearguard.contacts.ranges import Ranges, label_at
from rearguard.contacts.senders import is_sender
from rearguard.contacts.single import NEVER_FIRST, NEVER_LAST, NO_RECORD
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import (
    INBOUND,
    INTERNAL,
    KNOWN_FLAGS,
    OUTBOUND,
    ROLE_BOTH,
    ROLE_HANDSHAKE,
    ROLE_PORT,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_FLOW_SYN,
    SEEN_ICMP_UNREACH,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    TCP,
    TRANSIT,
)
from rearguard.model.compiled import inlined, kernel

__all__ = ["Law", "Verdicts", "judge_rows", "new_verdicts"]

NONE = -1
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)

WORDS = (
    "interface", "listener", "certainty", "direction", "client_network", "server_network",
    "authorised_by", "surveyor", "exception", "outcome",
)  # fmt: skip
MARKS = (
    "target", "authorised", "verified", "dark",
    # whether these are told:
    "first_c", "first_s", "last_c", "last_s", "proof_c", "proof_s", "load_c", "load_s", "unacked",
)  # fmt: skip
WIDE = (
    "client_hi", "client_lo", "server_hi", "server_lo", "first", "last",
    "packets_c", "packets_s", "bytes_c", "bytes_s", "payload_c", "payload_s",
    "first_c", "last_c", "proof_time_c", "proof_rec_c", "load_time_c", "load_rec_c",
    "first_s", "last_s", "proof_time_s", "proof_rec_s", "load_time_s", "load_rec_s",
    "unacked", "tries",
)  # fmt: skip
MIDDLE = ("observers", "sampling", "known", "no_options", "fp_mirai", "fp_zmap", "fp_masscan")
NARROW = ("port", "seen_c", "seen_s", "proof_port_c", "load_port_c", "proof_port_s", "load_port_s")
SMALL = ("proto", "flags_c", "flags_s", "proof_rank_c", "proof_rank_s")


class Law(NamedTuple):
    """Policy, catalogue and what was heard, as arrays."""

    networks: Ranges
    surveyors: Ranges
    requests: Ranges
    sessions: Ranges
    request_labels: int
    may_request: npt.NDArray[np.bool_]  # [label, interface]
    device_listens: npt.NDArray[np.bool_]  # [interface]
    by_port: npt.NDArray[np.int32]  # [0 tcp | 1 udp, port] -> interface of a device
    moved: npt.NDArray[np.int64]  # lines of (network, protocol, port, interface); of equals the last holds
    at_controller: npt.NDArray[np.int64]  # lines of (session label, protocol, port, interface)
    subjects: npt.NDArray[np.uint64]  # of exceptions: lines of (first_hi, first_lo, last_hi, last_lo)
    excepted: npt.NDArray[np.bool_]  # [exception, interface]
    heard: npt.NDArray[np.bool_]  # [hearing, network]: return traffic was seen there (rule A6)
    heard_by: npt.NDArray[np.uint32]  # [observer group]: its hearing
    senders: npt.NDArray[np.uint64]  # the set of own IPv4 addresses (low halves) that were seen sending


class Verdicts(NamedTuple):
    """Columns: a line for each name in WORDS, MARKS, WIDE, MIDDLE, NARROW, SMALL, an element for each contact."""

    words: npt.NDArray[np.int32]
    marks: npt.NDArray[np.uint8]
    wide: npt.NDArray[np.uint64]  # times are int64 with the same bits
    middle: npt.NDArray[np.uint32]
    narrow: npt.NDArray[np.uint16]
    small: npt.NDArray[np.uint8]


_PAD = 192
"""Bytes after each line, so that the same element of all lines does not fall into one set of a core's cache."""


def new_verdicts(rows: int) -> Verdicts:
    """Room for so many contacts, and a little more in each line."""
    return Verdicts(
        _lines(WORDS, rows, np.int32),
        _lines(MARKS, rows, np.uint8),
        _lines(WIDE, rows, np.uint64),
        _lines(MIDDLE, rows, np.uint32),
        _lines(NARROW, rows, np.uint16),
        _lines(SMALL, rows, np.uint8),
    )


def _lines(names: tuple[str, ...], rows: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.empty((len(names), rows + _PAD // np.dtype(kind).itemsize), dtype=kind)


@kernel
def judge_rows(
    rows: Any, order: npt.NDArray[np.int64], observers: npt.NDArray[np.uint32], law: Law, out: Verdicts
) -> None:
    """Judge ``rows[order[i]]`` into element i of every column; ``observers`` is by row, as at how many places it
    was seen."""
    for i in range(order.size):
        row = rows[order[i]]
        seen_c, seen_s, sessions = read_flows(row)
        tries = row.tries + np.uint64(sessions)
        client = label_at(law.networks, row.client_hi, row.client_lo)
        server = label_at(law.networks, row.server_hi, row.server_lo)
        session = label_at(law.sessions, row.server_hi, row.server_lo)
        interface = _interface(row, server, session, law)
        by = _authorised(row, client, server, interface, session, law)
        certainty, target = _role(row, seen_c, seen_s)
        heard = server >= 0 and law.heard[law.heard_by[row.observer], server]
        v4 = row.server_hi == 0 and row.server_lo >> np.uint64(32) == _V4_PREFIX
        dark = heard and v4 and row.sampling == 1 and not is_sender(law.senders, row.server_lo)
        listener = NONE
        if interface != NONE:
            listener = 0 if law.device_listens[interface] else 1
        words = out.words
        words[0, i], words[1, i], words[2, i] = interface, listener, certainty
        words[3, i], words[4, i], words[5, i] = _direction(client, server), client, server
        words[6, i] = by
        words[7, i] = label_at(law.surveyors, row.client_hi, row.client_lo)
        words[8, i] = _exception(row, interface, law)
        words[9, i] = _outcome(row, seen_c, seen_s, tries, heard)
        marks = out.marks
        marks[0, i], marks[1, i] = target and not _to_many(row, v4), by != NONE
        marks[2, i] = seen_s & SEEN_SYNACK != 0 and seen_c & (SEEN_ACK | SEEN_DATA) != 0  # rule B4
        marks[3, i] = dark
        out.narrow[1, i], out.narrow[2, i] = seen_c, seen_s
        out.middle[0, i] = observers[order[i]]
        _facts(row, i, tries, sessions, out)


@inlined
def _interface(row: Any, server: int, session: int, law: Law) -> int:
    """A controller's interface comes before that of a device (rule A1); moved ports count too (rule A9)."""
    if session >= 0:
        for k in range(law.at_controller.shape[0]):
            at = law.at_controller[k]
            if at[0] == session and at[1] == row.proto and at[2] == row.port:
                return int(at[3])
    found = int(law.by_port[0 if row.proto == TCP else 1, row.port])
    for k in range(law.moved.shape[0]):
        at = law.moved[k]
        if at[0] == server and at[1] == row.proto and at[2] == row.port:
            found = int(at[3])
    return found


@inlined
def _authorised(row: Any, client: int, server: int, interface: int, session: int, law: Law) -> int:
    """Rule A1: judged on the initiator's role, the listener's role and the pair, never on the port. By whose right,
    or NONE."""
    if interface == NONE:
        return NONE
    if not law.device_listens[interface]:
        return session + law.request_labels if session >= 0 and client >= 0 else NONE
    if server < 0:
        return NONE
    request = label_at(law.requests, row.client_hi, row.client_lo)
    return request if request >= 0 and law.may_request[request, interface] else NONE


@inlined
def _role(row: Any, seen_c: int, seen_s: int) -> tuple[int, bool]:
    """Rule A3: how sure it is that the server listens, and whether findings may rest on it.

    A handshake makes it certain. Without one: a port that is alone in the catalogue makes it likely; where
    both are services only the order of first packets helps, and only with datagrams and with flows that hold
    a SYN each way, for any other TCP packet may come from the middle of anything. A handshake that starts at
    the "listener" says that it is none, and so does the order of two such flows.
    """
    opened = row.role & ROLE_HANDSHAKE != 0
    whole = row.sampling == 1  # of sampled datagrams the first one that was seen may well be a reply
    if row.proto == TCP:
        client_first, server_first = opener_first(row), answer_first(row)
    else:
        client_first = whole and row.first_c < row.first_s and row.first_s != NEVER_FIRST
        server_first = whole and row.first_s < row.first_c
    both = row.role & ROLE_BOTH != 0
    likely = client_first if both else row.role & ROLE_PORT != 0
    certainty = 2
    if opened:
        certainty = 0
    elif likely:
        certainty = 1
    listener_opened = seen_s & SEEN_SYN != 0 or seen_c & SEEN_SYNACK != 0
    return certainty, (opened or (likely and not listener_opened)) and not server_first


@inlined
def _to_many(row: Any, v4: bool) -> bool:
    """Multicast and limited broadcast: a question to all on the link (SSDP, WSD), not a try at one device."""
    if v4:
        address = row.server_lo & np.uint64(0xFFFF_FFFF)
        return bool(address >> np.uint64(28) == 14 or address == 0xFFFF_FFFF)
    return bool(row.server_hi >> np.uint64(56) == 0xFF)


@inlined
def _direction(client: int, server: int) -> int:
    if client >= 0:
        return INTERNAL if server >= 0 else OUTBOUND
    return INBOUND if server >= 0 else TRANSIT


@inlined
def _exception(row: Any, interface: int, law: Law) -> int:
    """The first exception that covers this interface and one of the ends."""
    if interface == NONE:
        return NONE
    for k in range(law.subjects.shape[0]):
        if law.excepted[k, interface]:
            subject = law.subjects[k]
            client = _within(row.client_hi, row.client_lo, subject)
            if client or _within(row.server_hi, row.server_lo, subject):
                return int(k)
    return NONE


@inlined
def _within(hi: np.uint64, lo: np.uint64, subject: npt.NDArray[np.uint64]) -> bool:
    above = hi > subject[0] or (hi == subject[0] and lo >= subject[1])
    return bool(above and (hi < subject[2] or (hi == subject[2] and lo <= subject[3])))


@inlined
def _outcome(row: Any, seen_c: int, seen_s: int, tries: np.uint64, heard: bool) -> int:
    """The place in ``OUTCOMES``."""
    tcp = row.proto == TCP
    # One datagram each way is question and answer; a conversation goes on after the answer.
    if seen_c & seen_s & SEEN_DATA != 0 and (tcp or row.last_c > row.first_s):
        return 3
    if seen_s & (SEEN_SYNACK if tcp else SEEN_DATAGRAM) != 0:
        return 2
    if seen_s & (SEEN_RST | SEEN_ICMP_UNREACH) != 0:
        return 1
    # A client that acknowledges was answered, on a way that nobody saw (rule A6).
    went_on = tcp and seen_c & (SEEN_ACK | SEEN_FLOW_SYN) != 0
    silent = row.packets_s == 0 and tries > 0 and heard and row.sampling == 1 and not went_on
    return 0 if silent else 4


@inlined
def _facts(row: Any, i: int, tries: np.uint64, sessions: int, out: Verdicts) -> None:
    """What is only copied, or next to it; what was never seen is marked as not told."""
    wide, marks, narrow, small = out.wide, out.marks, out.narrow, out.small
    wide[0, i], wide[1, i], wide[2, i], wide[3, i] = (
        row.client_hi,
        row.client_lo,
        row.server_hi,
        row.server_lo,
    )
    wide[4, i] = np.uint64(min(row.first_c, row.first_s))
    wide[5, i] = np.uint64(max(row.last_c, row.last_s))
    wide[6, i], wide[7, i] = row.packets_c, row.packets_s
    wide[8, i], wide[9, i] = row.bytes_c, row.bytes_s
    wide[10, i], wide[11, i] = row.payload_c, row.payload_s
    wide[12, i], wide[13, i] = np.uint64(row.first_c), np.uint64(row.last_c)
    wide[14, i], wide[15, i] = np.uint64(row.proof_time_c), row.proof_rec_c
    wide[16, i], wide[17, i] = np.uint64(row.load_time_c), row.load_rec_c
    wide[18, i], wide[19, i] = np.uint64(row.first_s), np.uint64(row.last_s)
    wide[20, i], wide[21, i] = np.uint64(row.proof_time_s), row.proof_rec_s
    wide[22, i], wide[23, i] = np.uint64(row.load_time_s), row.load_rec_s
    wide[24, i] = row.unacked + np.uint64(sessions) if row.proto == TCP else row.packets_c
    wide[25, i] = tries
    marks[4, i], marks[5, i] = row.first_c != NEVER_FIRST, row.first_s != NEVER_FIRST
    marks[6, i], marks[7, i] = row.last_c != NEVER_LAST, row.last_s != NEVER_LAST
    marks[8, i], marks[9, i] = row.proof_rec_c != NO_RECORD, row.proof_rec_s != NO_RECORD
    marks[10, i], marks[11, i] = row.load_rec_c != NO_RECORD, row.load_rec_s != NO_RECORD
    marks[12, i] = row.proto != TCP or row.known & KNOWN_FLAGS != 0
    out.middle[1, i], out.middle[2, i], out.middle[3, i] = row.sampling, row.known, row.no_options
    out.middle[4, i], out.middle[5, i], out.middle[6, i] = row.fp_mirai, row.fp_zmap, row.fp_masscan
    narrow[0, i] = row.port
    narrow[3, i], narrow[4, i] = row.proof_port_c, row.load_port_c
    narrow[5, i], narrow[6, i] = row.proof_port_s, row.load_port_s
    small[0, i], small[1, i], small[2, i] = row.proto, row.flags_c, row.flags_s
    small[3, i], small[4, i] = row.proof_rank_c, row.proof_rank_s
