"""Background radiation, and sources that search on purpose.

Radiation is what every address gets all the time: ever new sources that try one to four addresses once, on ports
with a heavy tail (a few that every worm wants, then all others with a probability that falls with their rank), and
answers to packets that somebody else sent in our name. None of it is a scan: no source tries enough.

Scanners are sources of their own, each on one port and at its own pace, which differs by orders of magnitude;
surveyors are research scanners that sweep all addresses on one port after the other and publish who they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rearguard.model.address import format_address
from rearguard.simulate.conversations import number
from rearguard.simulate.ground import foreign_v4, foreign_v6, hashed
from rearguard.simulate.sessions import (
    HOUR,
    MIRAI,
    UPSTREAM,
    ZMAP,
    Sessions,
    Stage,
    Window,
    asked,
    blank,
    probes,
)

__all__ = ["Radiation", "Searchers"]

TCP_PORTS = (
    23, 445, 22, 80, 8080, 3389, 7547, 5555, 2323, 1433, 443, 6379, 81, 8443, 5900, 3306, 37215, 25, 8291, 52869,
    21, 5060, 8088, 60001, 9200, 2222, 8545, 49152, 30005, 4567, 5431, 32764, 37777, 34567, 8000, 49000,
)  # fmt: skip
UDP_PORTS = (5060, 53, 123, 1900, 161, 389, 11211, 53413, 3702, 5683, 137, 69, 623, 10001, 37810, 19)
"""The heads of the distributions, the most wanted first; behind them all 65,535 ports."""
HEAD = 0.8
"""Share of the probes that go to the head; within it, and in the tail, a port's share falls with its rank."""
FIRST_RADIATION = 16_000_000
VICTIMS = 64
"""Hosts whose answers to forged packets reach us at one time."""


class Radiation:
    """Probes from ever new sources, and backscatter."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sources = FIRST_RADIATION

    def _hourly(self) -> float:
        return self._stage.scenario.radiation.per_address * self._stage.ground.space

    def expected(self) -> float:
        """Sessions an hour."""
        return self._hourly()

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """Both."""
        scene = self._stage.scenario.radiation
        mean = self._hourly() * window.hours
        return np.concatenate(
            [
                self._tried(rng.poisson(mean * (1 - scene.backscatter)), window, rng),
                self._echoes(rng.poisson(mean * scene.backscatter), window, rng),
            ]
        )

    def _tried(self, count: int, window: Window, rng: np.random.Generator) -> Sessions:
        udp = int(count * self._stage.scenario.radiation.udp)
        offset = rng.integers(0, self._stage.ground.space, count, np.uint32)
        tcp_ports, udp_ports = _ports(count - udp, TCP_PORTS, rng), _ports(udp, UDP_PORTS, rng)
        never = np.zeros(count - udp, bool)
        made = np.concatenate(
            [
                probes(self._stage, offset[: count - udp], tcp_ports, never, rng),
                asked(self._stage, offset[count - udp :], udp_ports, rng),
            ]
        )
        source = self._sources + np.repeat(np.arange(count), rng.integers(1, 5, count))[:count]
        self._sources += count
        made["client_lo"] = foreign_v4(source)
        made["cport"] = rng.integers(1_024, 65_536, count)
        made["start"] = window.times(count, rng)
        made["mark"] = np.where((hashed(source, 1) % np.uint64(5) == 0), MIRAI, 0)
        return made

    def _echoes(self, count: int, window: Window, rng: np.random.Generator) -> Sessions:
        made = blank(count, rng)
        offset = rng.integers(0, self._stage.ground.space, count, np.uint32)
        victim = 700_000 + window.begins // HOUR * VICTIMS + rng.integers(0, VICTIMS, count)
        made["own"] = offset
        made["server_hi"], made["server_lo"] = self._stage.ground.address(offset, np.zeros(count, bool))
        made["client_lo"] = foreign_v4(victim)
        made["cport"] = np.array((80, 443, 53, 7547))[hashed(victim, 2) % np.uint64(4)]
        made["sport"] = rng.integers(1_024, 65_536, count)
        made["kind"] = np.where(rng.random(count) < 0.7, number("echo-synack"), number("echo-reset"))
        made["client_side"], made["server_side"] = UPSTREAM, 2
        made["start"] = window.times(count, rng)
        return made


def _ports(count: int, head: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
    """Ports with a heavy tail."""
    in_head = rng.random(count) < HEAD
    rank = ((len(head) + 1.0) ** rng.random(count)).astype(np.int64) - 1
    tail = (65_535.0 ** rng.random(count)).astype(np.int64)
    return np.where(
        in_head, np.array(head)[np.minimum(rank, len(head) - 1)], 1 + hashed(tail, 3) % np.uint64(65_535)
    )


class Searchers:
    """Scanners and surveyors: a table of sources, each with its port, its pace and its time."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        self._stage = stage
        scene, ground, hours = stage.scenario.scanners, stage.ground, stage.scenario.hours
        count = scene.count
        weights = np.array(list(scene.ports.values()))
        self._port = rng.choice(np.array(list(scene.ports)), count, p=weights / weights.sum())
        self._pace = scene.tries_per_hour * np.exp(1.2 * rng.standard_normal(count))
        length = scene.hours * np.exp(0.8 * rng.standard_normal(count))
        self._from = np.maximum(0.0, rng.random(count) * hours - 0.2 * length)
        self._until = np.minimum(self._from + length, hours)
        self._six = rng.random(count) < (scene.v6 if len(ground.with_v6) else 0.0)
        self._salt = rng.integers(1, 1 << 31, count, np.uint32)
        self._mark = rng.choice(np.array((0, MIRAI, ZMAP)), count, p=(0.5, 0.25, 0.25))
        self._mark[self._six & (self._mark == MIRAI)] = 0
        self._done = np.zeros(count, np.int64)
        self._limit = np.where(self._six, len(ground.with_v6), ground.space)
        self._actor = np.array([self._enter(place) for place in range(count)], np.int64)
        self._surveys = [_Survey(stage, place) for place in range(scene.surveyors)]

    def _address(self, place: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        high, low = foreign_v6(place)
        six = self._six[place]
        return np.where(six, high, np.uint64(0)), np.where(six, low, foreign_v4(place))

    def _enter(self, place: int) -> int:
        high, low = self._address(np.array([place]))
        return self._stage.ledger.add(
            "scanner",
            format_address(int(high[0]), int(low[0])),
            port=int(self._port[place]),
            transport="tcp",
            tries_per_hour=round(float(self._pace[place]), 1),
            fingerprint=(None, "mirai", "zmap")[int(self._mark[place])],
        )

    def expected(self) -> float:
        """Scanners are on only part of the time; the surveyors' sweeps are the peaks."""
        return float(self._pace.sum()) / 2 + sum(survey.hourly for survey in self._surveys)

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """All of them."""
        return np.concatenate(
            [self._scans(window, rng), *(survey.sessions(window, rng) for survey in self._surveys)]
        )

    def _scans(self, window: Window, rng: np.random.Generator) -> Sessions:
        begins = window.begins - self._stage.scenario.start_ns
        on = np.minimum(self._until, (begins + window.length) / HOUR) - np.maximum(self._from, begins / HOUR)
        counts = np.minimum(rng.poisson(self._pace * np.maximum(on, 0.0)), self._limit - self._done)
        source = np.repeat(np.arange(len(counts)), counts)
        step = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts) + self._done[source]
        self._done += counts
        six, ground = self._six[source], self._stage.ground
        offset = ground.walk(step, self._salt[source])
        if len(ground.with_v6):
            known = (step + self._salt[source]) % len(ground.with_v6)
            offset = np.where(six, ground.with_v6[known], offset)
        made = probes(self._stage, offset, self._port[source], six, rng)
        made["client_hi"], made["client_lo"] = self._address(source)
        made["cport"] = rng.integers(1_024, 65_536, len(source))
        made["start"] = window.times(len(source), rng)
        made["actor"] = self._actor[source]
        made["mark"] = self._mark[source]
        return made


class _Survey:
    """One research scanner: all addresses in the order of a permutation, then the next port."""

    def __init__(self, stage: Stage, place: int) -> None:
        scene = stage.scenario.scanners
        self._stage = stage
        self._number = 800_000 + place
        self._salt = np.uint32(place * 7 + 3)
        self._done = 0
        self.hourly = scene.surveyor_sweeps * stage.ground.space
        address = format_address(0, int(foreign_v4(np.array([self._number]))[0]))
        # One entry a port: on each, a surveyor is a scan of its own.
        self._actors = np.array(
            [
                stage.ledger.add("surveyor", address, port=port, transport="tcp")
                for port in scene.surveyor_ports
            ]
        )

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        space, ports = self._stage.ground.space, self._stage.scenario.scanners.surveyor_ports
        count = min(rng.poisson(self.hourly * window.hours), space * len(ports) - self._done)
        step = self._done + np.arange(count)
        self._done += count
        turn = step // space
        offset = self._stage.ground.walk(step % space, np.full(count, self._salt))
        made = probes(self._stage, offset, np.array(ports)[turn], np.zeros(count, bool), rng)
        made["client_lo"] = foreign_v4(np.full(count, self._number))
        made["cport"] = rng.integers(32_768, 61_000, count)
        made["start"] = window.times(count, rng)
        made["actor"] = self._actors[turn]
        made["mark"] = ZMAP
        return made
