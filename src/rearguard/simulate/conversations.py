"""The conversations that a simulated day is made of, as tables: one row a packet.

A shape has a head, a loop that is repeated as often as a session says (so that sizes have a heavy tail), and a
tail. A row says when (in round trips after the first packet), who sends (`>` the one that opens, `<` the other),
the TCP flags (none: UDP), and what is carried: a number of bytes, or the name of a text. The times of the loop's
rows are those of the first turn without its wait, those of the tail's rows are of a session without a turn.
Sequence and acknowledgement numbers follow from the rows.

Sizes and packet counts of CWMP sessions were measured with real clients: 15 to 22 packets and 5 to 11 kB in clear,
30 packets and 14 kB over TLS, three to four times as much from the device as to it; a Connection Request is two
connections of some ten small packets each (GET, 401; GET with Digest, 200).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SHAPES", "SYN_OPTIONS", "Row", "Shape", "number"]

Row = tuple[float, str, str, int | str]
SYN_OPTIONS = bytes.fromhex("020405b40101040201030307")
"""MSS 1460, selective acknowledgements, window scale 7, padded to twelve bytes."""
FULL = 1_460


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of conversation."""

    head: tuple[Row, ...]
    loop: tuple[Row, ...] = ()
    tail: tuple[Row, ...] = ()
    turn: float = 0.0
    """Round trips from one turn of the loop to the next."""
    wait: float = 0.0
    """Seconds before each turn, besides."""
    plain: bool = False
    """The first SYN carries no options, as scanning tools send it."""
    answered: bool = False
    """The one that was called answers (SYN+ACK, or a datagram)."""
    opens: bool = True
    """It begins with a SYN or a datagram to a listener; backscatter does not."""


_OPEN: tuple[Row, ...] = ((0, ">", "S", 0), (1, "<", "SA", 0), (1.01, ">", "A", 0))
_CLOSE: tuple[Row, ...] = ((3.2, ">", "FA", 0), (4.2, "<", "FA", 0), (4.21, ">", "A", 0))
_DOWN: tuple[Row, ...] = ((2.04, "<", "A", FULL), (2.05, "<", "A", FULL), (2.06, ">", "A", 0))
_UP: tuple[Row, ...] = ((2.04, ">", "A", FULL), (2.05, ">", "A", FULL), (2.3, "<", "A", 0))
_SYN: tuple[Row, ...] = ((0, ">", "S", 0),)
_MIRROR: tuple[Row, ...] = (
    (0, ">", "", "search"),
    (1, "<", "", 310),
    (1.01, "<", "", 318),
    (1.02, "<", "", 366),
    (1.03, "<", "", 402),
)

_SESSION_TLS: tuple[Row, ...] = (
    *_OPEN,
    (1.02, ">", "PA", 310),
    (2.0, "<", "A", FULL),
    (2.01, "<", "PA", 1_180),
    (2.02, ">", "A", 0),
    (2.2, ">", "PA", 190),
    (3.1, "<", "PA", 51),
    (3.2, ">", "A", FULL),
    (3.21, ">", "A", FULL),
    (3.22, ">", "PA", 870),
    (3.9, "<", "A", 0),
    (4.2, "<", "PA", 620),
    (4.21, ">", "A", 0),
    (4.3, ">", "PA", 240),
    (5.2, "<", "PA", 780),
    (5.3, ">", "A", FULL),
    (5.31, ">", "A", FULL),
    (5.32, ">", "PA", 410),
    (6.1, "<", "A", 0),
    (6.3, "<", "PA", 150),
    (6.31, ">", "A", 0),
    (6.4, ">", "PA", 31),
    (6.41, ">", "FA", 0),
    (7.4, "<", "PA", 31),
    (7.41, "<", "FA", 0),
    (7.42, ">", "A", 0),
    (7.43, ">", "R", 0),
    (7.44, ">", "R", 0),
)
_AFTER_INFORM: tuple[Row, ...] = (
    (1.9, "<", "A", 0),
    (2.1, "<", "PA", 510),
    (2.11, ">", "A", 0),
    (2.2, ">", "PA", 170),
    (3.1, "<", "PA", 660),
    (3.2, ">", "A", FULL),
    (3.21, ">", "PA", 980),
    (3.9, "<", "A", 0),
    (4.1, "<", "PA", 95),
    (4.11, ">", "A", 0),
    *((at + 1, who, flags, size) for at, who, flags, size in _CLOSE),
)


def _call(request: str, answer: str) -> Shape:
    """One connection of a Connection Request; the device closes it."""
    return Shape(
        (
            *_OPEN,
            (1.02, ">", "PA", request),
            (1.9, "<", "A", 0),
            (2.05, "<", "PA", answer),
            (2.06, ">", "A", 0),
            (2.1, "<", "FA", 0),
            (2.2, ">", "FA", 0),
            (3.2, "<", "A", 0),
        ),
        answered=True,
    )


SHAPES: dict[str, Shape] = {
    "web": Shape(
        (*_OPEN, (1.02, ">", "PA", 516), (2.03, "<", "PA", 640)), _DOWN, _CLOSE, turn=0.03, answered=True
    ),
    "upload": Shape((*_OPEN, (1.02, ">", "PA", 516)), _UP, _CLOSE, turn=0.3, answered=True),
    "quic": Shape(
        ((0, ">", "", 1_200), (1, "<", "", 1_200), (1.1, ">", "", 1_200), (1.2, ">", "", 84)),
        ((2.1, "<", "", 1_350), (2.11, "<", "", 1_350), (2.12, ">", "", 36)),
        turn=0.04,
        answered=True,
    ),
    "dns": Shape(((0, ">", "", 41), (1, "<", "", 105)), answered=True),
    "ntp": Shape(((0, ">", "", 48), (1, "<", "", 48)), answered=True),
    "messages": Shape(
        (*_OPEN, (1.02, ">", "PA", 517), (2.1, "<", "PA", 1_100)),
        ((2.2, ">", "PA", 60), (3.2, "<", "PA", 60), (3.21, ">", "A", 0)),
        _CLOSE,
        turn=2.0,
        wait=40.0,
        answered=True,
    ),
    "peer": Shape(
        ((0, ">", "", 68), (1, "<", "", 120)),
        ((1.1, "<", "", 1_380), (1.2, ">", "", 40)),
        turn=0.1,
        answered=True,
    ),
    "peer-refused": Shape((*_SYN, (1, "<", "RA", 0))),
    "peer-gone": Shape(_SYN, _SYN, turn=0, wait=1.0),
    "request-challenged": _call("request", "challenge"),
    "request-granted": _call("authorised", "accepted"),
    "session-tls": Shape(_SESSION_TLS, answered=True),
    "session-plain": Shape((*_OPEN, (1.02, ">", "PA", "periodic"), *_AFTER_INFORM), answered=True),
    "session-foreign": Shape((*_OPEN, (1.02, ">", "PA", "bootstrap"), *_AFTER_INFORM), answered=True),
    "probe": Shape(_SYN, plain=True),
    "probe-twice": Shape(_SYN, _SYN, turn=0, wait=3.0, plain=True),
    "probe-refused": Shape((*_SYN, (1, "<", "RA", 0)), plain=True),
    "probe-answered": Shape((*_SYN, (1, "<", "SA", 0), (1.01, ">", "R", 0)), plain=True, answered=True),
    "probe-talked": Shape(
        (
            *_OPEN,
            (1.1, ">", "PA", "look"),
            (1.9, "<", "A", 0),
            (2.1, "<", "PA", "challenge"),
            (2.11, ">", "A", 0),
            *_CLOSE,
        ),
        plain=True,
        answered=True,
    ),
    "ask": Shape(((0, ">", "", 40),)),
    "search": Shape(((0, ">", "", "search"),)),
    "search-answered": Shape(((0, ">", "", "search"), (1, "<", "", 310)), answered=True),
    "reflection": Shape(_MIRROR, _MIRROR, wait=0.5, answered=True),
    "knock": Shape(_SYN),
    "knock-answered": Shape((*_SYN, (1, "<", "SA", 0)), answered=True),
    "echo-synack": Shape(((0, ">", "SA", 0),), opens=False),
    "echo-reset": Shape(((0, ">", "RA", 0),), opens=False),
}
"""All kinds. ``knock`` has the options of an ordinary stack; ``echo-…`` is backscatter of what we never sent."""


def number(name: str) -> int:
    """The number of a kind."""
    return list(SHAPES).index(name)
