"""Sessions: one conversation each, before it becomes packets; what all kinds of traffic make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rearguard.simulate.conversations import number
from rearguard.simulate.ground import (
    LIVE,
    OPEN_REQUESTS,
    OPEN_SSDP,
    OPEN_TELNET,
    REFUSES,
    V6,
    Ground,
)
from rearguard.simulate.ledger import Ledger
from rearguard.simulate.scenario import Scenario

__all__ = [
    "ACCESS",
    "CORE",
    "DAY",
    "HOUR",
    "MIRAI",
    "NOBODY",
    "SECOND",
    "SESSION_TYPE",
    "UPSTREAM",
    "ZMAP",
    "Sessions",
    "Stage",
    "Traffic",
    "Window",
    "asked",
    "blank",
    "ephemeral",
    "probes",
]

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
UPSTREAM, ACCESS, CORE = 1, 2, 3
"""Sides of a border router, as its interfaces are numbered: the Internet, customers, the operator's own servers."""
NOBODY = -1
MIRAI, ZMAP = 1, 2
"""Marks: the SYN's sequence number is the destination; the IPv4 identification is 54321."""

SESSION_TYPE = np.dtype(
    [
        ("start", "i8"),
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("trip", "i8"),
        ("own", "u4"),
        ("actor", "i4"),
        ("device", "i4"),
        ("loops", "u2"),
        ("cport", "u2"),
        ("sport", "u2"),
        ("kind", "u1"),
        ("client_side", "u1"),
        ("server_side", "u1"),
        ("mark", "u1"),
    ]
)
"""``start`` and ``trip`` (a round trip) in ns; ``own`` is the customer's offset; ``actor`` (who did it) and
``device`` (to whom) are entries of the ledger."""

Sessions = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of the simulated time, ns; ``begins`` counts from the start of the day."""

    number: int
    begins: int
    length: int

    @property
    def hours(self) -> float:
        """Its length."""
        return self.length / HOUR

    def times(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Random moments in it, whole microseconds."""
        return self.begins + rng.integers(0, self.length // 1_000, count) * 1_000


@dataclass(frozen=True, slots=True)
class Stage:
    """What all traffic stands on."""

    scenario: Scenario
    ground: Ground
    ledger: Ledger


class Traffic(Protocol):
    """One kind of traffic."""

    def expected(self) -> float:
        """About how many sessions an hour it makes at its busiest."""
        ...

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """The sessions that start in a window; asked for one window after the other."""
        ...


def blank(count: int, rng: np.random.Generator) -> Sessions:
    """Sessions of nobody in particular, with a round trip of 8 to 120 ms."""
    made = np.zeros(count, SESSION_TYPE)
    made["actor"] = NOBODY
    made["device"] = NOBODY
    made["trip"] = rng.integers(8_000, 120_000, count) * 1_000
    return made


def ephemeral(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Client ports as Linux chooses them, 32768 to 60999."""
    return rng.integers(32_768, 61_000, count)


def probes(stage: Stage, offset: NDArray[np.uint32], port: NDArray[np.integer], six: NDArray[np.bool_],
           rng: np.random.Generator) -> Sessions:  # fmt: skip
    """TCP probes of ports of our addresses from outside, client and time still to be filled in.

    The device decides what becomes of a probe, so every source meets the same: one that is open answers, others
    refuse or are silent; dark addresses are silent. In IPv6 a customer without it is dark.
    """
    ground, count = stage.ground, len(offset)
    made = blank(count, rng)
    made["own"] = offset
    made["server_hi"], made["server_lo"] = ground.address(offset, six)
    made["sport"] = port
    made["client_side"], made["server_side"] = UPSTREAM, ACCESS
    roles = ground.roles[offset]
    there = (roles & LIVE != 0) & (~six | (roles & V6 != 0))
    chance = rng.random(count)
    made["kind"] = np.where(
        there & (roles & REFUSES != 0),
        number("probe-refused"),
        np.where(chance < 0.1, number("probe-twice"), number("probe")),
    )
    made["loops"] = made["kind"] == number("probe-twice")
    for role, port_open in ((OPEN_REQUESTS, 7547), (OPEN_TELNET, 23)):
        hits = np.flatnonzero(there & (port == port_open) & (roles & role != 0))
        made["kind"][hits] = np.where(chance[hits] < 0.4, number("probe-talked"), number("probe-answered"))
        made["loops"][hits] = 0
        made["device"][hits] = stage.ledger.exposed(port_open, offset[hits])
    return made


def asked(stage: Stage, offset: NDArray[np.uint32], port: NDArray[np.integer],
          rng: np.random.Generator) -> Sessions:  # fmt: skip
    """The same over UDP and IPv4: only open devices answer."""
    count = len(offset)
    made = blank(count, rng)
    made["own"] = offset
    made["server_hi"], made["server_lo"] = stage.ground.address(offset, np.zeros(count, bool))
    made["sport"] = port
    made["client_side"], made["server_side"] = UPSTREAM, ACCESS
    hits = np.flatnonzero((port == 1900) & (stage.ground.roles[offset] & OPEN_SSDP != 0))
    made["kind"] = np.where(port == 1900, number("search"), number("ask"))
    made["kind"][hits] = number("search-answered")
    made["device"][hits] = stage.ledger.exposed(1900, offset[hits])
    return made
