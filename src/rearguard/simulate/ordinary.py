"""Customers' own traffic: what must never be accused of anything.

Browsing with a heavy tail of sizes, name service, QUIC, time, long quiet connections, peers of file sharing that
answer, refuse or are gone, clients of our own whose port happens to be one of the catalogue, and customers' own
web servers with visitors from outside. The level follows the evening; the sum of a day is what the scenario says.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rearguard.simulate.conversations import SHAPES, number
from rearguard.simulate.ground import V6, foreign_v4, foreign_v6
from rearguard.simulate.sessions import (
    ACCESS,
    HOUR,
    UPSTREAM,
    Sessions,
    Stage,
    Window,
    blank,
    ephemeral,
)

__all__ = ["ODD_PORTS", "Ordinary", "diurnal"]

ODD_PORTS = (7547, 37215, 5555, 30005, 49152, 52869)
MIX = {
    "web": (0.30, 443, 8.0),
    "upload": (0.02, 443, 12.0),
    "quic": (0.16, 443, 10.0),
    "dns": (0.36, 53, 0.0),
    "ntp": (0.04, 123, 0.0),
    "messages": (0.02, 443, 3.0),
    "peer": (0.06, 0, 4.0),
    "peer-refused": (0.02, 0, 0.0),
    "peer-gone": (0.02, 0, 2.0),
}
"""Kind: share of the sessions, server port (0: any high one), median turns of the loop."""
PEERS = frozenset({"peer", "peer-refused", "peer-gone"})
FIXED_TURNS = frozenset({"peer-gone"})
SERVERS, FIRST_SERVER, FIRST_PEER, FIRST_VISITOR = 4_096, 3_000_000, 4_000_000, 8_000_000
"""Where the numbers of foreign hosts begin; peers and visitors are some millions."""
MOST_TURNS, MOST_WAITS = 3_000, 60
"""Turns of a transfer, and of a connection that waits between its turns: it lasts up to an hour."""
AMPLITUDE, PEAK_HOUR = 0.6, 20.0


def diurnal(ns: int) -> float:
    """The level of customers' traffic at a time of day, 1 on the average."""
    hour = ns / HOUR % 24
    return 1 + AMPLITUDE * math.cos((hour - PEAK_HOUR) / 24 * math.tau)


class Ordinary:
    """Sessions that customers open, and visits to their servers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._kinds = np.array([number(name) for name in MIX], np.uint8)
        self._shares = np.cumsum([share for share, _, _ in MIX.values()])
        self._ports = np.array([port for _, port, _ in MIX.values()])
        self._turns = np.array([turns for _, _, turns in MIX.values()])
        self._most = np.array([MOST_WAITS if SHAPES[name].wait else MOST_TURNS for name in MIX])
        self._fixed = np.array([name in FIXED_TURNS for name in MIX])
        self._is_peer = np.array([name in PEERS for name in MIX])

    def expected(self) -> float:
        """At the evening's peak."""
        return (1 + AMPLITUDE) * (self._opened_hourly() + self._visits_hourly())

    def _opened_hourly(self) -> float:
        return self._stage.scenario.customers * self._stage.scenario.ordinary.sessions_per_customer / 24

    def _visits_hourly(self) -> float:
        return len(self._stage.ground.hosting) * self._stage.scenario.ordinary.visits_per_host / 24

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """Both."""
        level = diurnal(window.begins) * window.hours
        return np.concatenate(
            [
                self._opened(rng.poisson(self._opened_hourly() * level), window, rng),
                self._visits(rng.poisson(self._visits_hourly() * level), window, rng),
            ]
        )

    def _opened(self, count: int, window: Window, rng: np.random.Generator) -> Sessions:
        ground, made = self._stage.ground, blank(count, rng)
        which = np.minimum(self._shares.searchsorted(rng.random(count), side="right"), len(MIX) - 1)
        own = ground.customers[rng.integers(0, len(ground.customers), count)]
        peer = self._is_peer[which]
        six = (ground.roles[own] & V6 != 0) & (rng.random(count) < 0.5)
        made["start"] = window.times(count, rng)
        made["kind"] = self._kinds[which]
        made["own"] = own
        made["client_hi"], made["client_lo"] = ground.address(own, six)
        far = np.where(
            peer, FIRST_PEER + rng.integers(0, 3_000_000, count), FIRST_SERVER + _popular(count, rng)
        )
        _foreign(made, "server", far, six)
        made["cport"] = _client_ports(count, self._stage.scenario.ordinary.odd_client_ports, rng)
        made["sport"] = np.where(peer, rng.integers(10_000, 65_536, count), self._ports[which])
        made["loops"] = np.where(
            self._fixed[which], self._turns[which], _turns(self._turns[which], self._most[which], rng)
        )
        made["client_side"], made["server_side"] = ACCESS, UPSTREAM
        return made

    def _visits(self, count: int, window: Window, rng: np.random.Generator) -> Sessions:
        ground, made = self._stage.ground, blank(count, rng)
        if not count:
            return made
        own = ground.hosting[rng.integers(0, len(ground.hosting), count)]
        made["start"] = window.times(count, rng)
        made["kind"] = number("web")
        made["own"] = own
        made["server_hi"], made["server_lo"] = ground.address(own, np.zeros(count, bool))
        made["client_lo"] = foreign_v4(FIRST_VISITOR + rng.integers(0, 3_000_000, count))
        made["cport"] = ephemeral(count, rng)
        made["sport"] = 443
        made["loops"] = _turns(np.full(count, 6.0), np.full(count, MOST_TURNS), rng)
        made["client_side"], made["server_side"] = UPSTREAM, ACCESS
        return made


def _popular(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Servers by popularity: half of the sessions go to a sixteenth of them."""
    return (SERVERS * rng.random(count) ** 4).astype(np.int64)


def _turns(
    median: NDArray[np.float64], most: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Log-normal, as sizes of what is fetched are: one in a hundred is thirty times the median."""
    return np.minimum(median * np.exp(1.5 * rng.standard_normal(len(median))), most).astype(np.int64)


def _client_ports(count: int, odd: float, rng: np.random.Generator) -> NDArray[np.int64]:
    ports = ephemeral(count, rng)
    chosen = np.flatnonzero(rng.random(count) < odd)
    ports[chosen] = rng.choice(ODD_PORTS, len(chosen))
    return ports


def _foreign(made: Sessions, side: str, which: NDArray[np.int64], six: NDArray[np.bool_]) -> None:
    """Write the addresses of foreign hosts."""
    high, low = foreign_v6(which)
    made[f"{side}_hi"] = np.where(six, high, np.uint64(0))
    made[f"{side}_lo"] = np.where(six, low, foreign_v4(which))
