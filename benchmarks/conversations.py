"""The conversations that the realistic mix is made of, as tables: one row a packet.

A row says when (in round trips after the first packet), who sends (`>` the client, `<` the server), the TCP
flags, and what is carried: a number of bytes without meaning, or a text. Sequence and acknowledgement numbers
follow from the rows. All records have even lengths, which lets headers be placed as 16-bit words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.frames import ACK, FIN, PSH, RST, SYN

__all__ = [
    "CONVERSATIONS",
    "ROLE_ANSWER",
    "ROLE_OTHER",
    "ROLE_PROBE",
    "ROLE_REFUSAL",
    "TEXTS",
    "Table",
    "table",
]

Row = tuple[float, str, str, int | bytes]

ROLE_OTHER, ROLE_PROBE, ROLE_ANSWER, ROLE_REFUSAL = range(4)
"""What a row means for the truth: nothing, a first SYN, an exact SYN+ACK, an RST in answer to a SYN."""

_LETTERS = {"S": SYN, "A": ACK, "P": PSH, "F": FIN, "R": RST}
FULL = 1_460


def _even(text: bytes) -> bytes:
    return text if len(text) % 2 == 0 else text + b"\n"


_REQUEST = _even(b"GET /cr HTTP/1.1\r\nHost: 10.64.0.1:7547\r\nUser-Agent: acs\r\n\r\n")
_CHALLENGE = _even(
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="cpe", qop="auth", nonce="6f1c"\r\n'
    b"Content-Length: 0\r\n\r\n"
)
_AUTHORISED = _even(
    b'GET /cr HTTP/1.1\r\nHost: 10.64.0.1:7547\r\nAuthorization: Digest username="acs", realm="cpe", '
    b'nonce="6f1c", uri="/cr", qop=auth, nc=00000001, cnonce="0a4f", '
    b'response="6629fae49393a05397450978507c4ef1"\r\n\r\n'
)
_ACCEPTED = _even(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
_NAME = b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"
_QUERY = _even(b"\x2b\x1f\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _NAME)
_REPLY = _even(
    b"\x2b\x1f\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    + _NAME
    + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xcb\x00\x71\x07"
)

TEXTS: tuple[bytes, ...] = (_REQUEST, _CHALLENGE, _AUTHORISED, _ACCEPTED, _QUERY, _REPLY)


def _download(full_segments: int, tail: int) -> list[Row]:
    """A web session: handshake, one request, an answer in full segments, every second one acknowledged."""
    rows: list[Row] = [(0, ">", "S", 0), (1, "<", "SA", 0), (1.01, ">", "A", 0), (1.02, ">", "PA", 516)]
    at = 2.02
    for number in range(full_segments):
        at += 0.02
        rows.append((at, "<", "A", FULL))
        if number % 2:
            rows.append((at + 0.005, ">", "A", 0))
    rows += [(at + 0.02, "<", "PA", tail), (at + 0.03, ">", "A", 0)]
    rows += [(at + 1, ">", "FA", 0), (at + 2, "<", "FA", 0), (at + 2.01, ">", "A", 0)]
    return rows


def _quic(full_datagrams: int) -> list[Row]:
    rows: list[Row] = [(0, ">", "", 1_200), (1, "<", "", 1_200), (1.1, ">", "", 1_200), (1.2, ">", "", 84)]
    at = 2.1
    for number in range(full_datagrams):
        at += 0.02
        rows.append((at, "<", "", 1_350))
        if number % 4 == 3:
            rows.append((at + 0.01, ">", "", 36))
    return rows


_CONNECTION_REQUEST: list[Row] = [
    (0, ">", "S", 0),
    (1, "<", "SA", 0),
    (1.01, ">", "A", 0),
    (1.02, ">", "PA", _REQUEST),
    (2.05, "<", "PA", _CHALLENGE),
    (2.06, ">", "PA", _AUTHORISED),
    (3.1, "<", "PA", _ACCEPTED),
    (3.11, ">", "FA", 0),
    (4.12, "<", "FA", 0),
    (4.13, ">", "A", 0),
]

CONVERSATIONS: dict[str, list[Row]] = {
    "web-small": _download(2, 320),
    "web": _download(12, 700),
    "web-large": _download(48, 1_100),
    "quic": _quic(16),
    "dns": [(0, ">", "", _QUERY), (1, "<", "", _REPLY)],
    "connection-request": _CONNECTION_REQUEST,
    "probe": [(0, ">", "S", 0)],
    "probe-twice": [(0, ">", "S", 0), (20, ">", "S", 0)],
    "probe-refused": [(0, ">", "S", 0), (1, "<", "RA", 0)],
    "probe-answered": [(0, ">", "S", 0), (1, "<", "SA", 0), (1.01, ">", "R", 0)],
}
"""``probe-twice`` sends its SYN again: more packets, not more addresses tried."""

PLAIN_SYN = frozenset({"probe", "probe-twice", "probe-refused", "probe-answered"})
"""Conversations of scanning tools: their SYN carries no TCP options."""

_ROW_TYPE = np.dtype(
    [
        ("at", "f8"),
        ("up", "?"),
        ("udp", "?"),
        ("options", "?"),
        ("flags", "u1"),
        ("role", "u1"),
        ("text", "i1"),
        ("payload", "u2"),
        ("seq", "u4"),
        ("ack", "u4"),
    ]
)


@dataclass(frozen=True, slots=True)
class Table:
    """All conversations as one array of rows, and where each conversation lies in it."""

    rows: np.ndarray[tuple[int], np.dtype[np.void]]
    first: np.ndarray[tuple[int], np.dtype[np.int64]]
    length: np.ndarray[tuple[int], np.dtype[np.int64]]
    names: tuple[str, ...]

    def number(self, name: str) -> int:
        """The number of the conversation ``name``."""
        return self.names.index(name)


def table() -> Table:
    """Lay the conversations out one after another, with their sequence numbers worked out."""
    names = tuple(CONVERSATIONS)
    rows = [entry for name in names for entry in _numbered(CONVERSATIONS[name], name in PLAIN_SYN)]
    length = np.array([len(CONVERSATIONS[name]) for name in names], np.int64)
    return Table(np.array(rows, _ROW_TYPE), np.cumsum(length) - length, length, names)


def _numbered(rows: Sequence[Row], plain_syn: bool) -> list[tuple[float | int | bool, ...]]:
    sent = {">": 0, "<": 0}
    probed = False
    numbered: list[tuple[float | int | bool, ...]] = []
    for at, sender, letters, carried in rows:
        flags = sum(_LETTERS[letter] for letter in letters)
        size = carried if isinstance(carried, int) else len(carried)
        text = -1 if isinstance(carried, int) else TEXTS.index(carried)
        seq = 0 if flags == SYN else sent[sender]
        ack = sent["<" if sender == ">" else ">"] if flags & ACK else 0
        role = _role(flags, again=probed)
        probed = probed or flags == SYN
        options = bool(flags & SYN) and not (plain_syn and sender == ">")
        numbered.append((at, sender == ">", not letters, options, flags, role, text, size, seq, ack))
        sent[sender] = seq + size + bool(flags & (SYN | FIN))
    return numbered


def _role(flags: int, *, again: bool) -> int:
    if flags == SYN:
        return ROLE_OTHER if again else ROLE_PROBE
    if flags == SYN | ACK:
        return ROLE_ANSWER
    return ROLE_REFUSAL if flags == RST | ACK else ROLE_OTHER
