"""A worm: its hosts outside and inside, whose number grows logistically.

With K hosts in the end and I0 at the beginning, I(t) = K / (1 + (K/I0 - 1) * exp(-r t)), r = ln 2 / doubling time;
so host number j falls when I(t) passes j - 1/2. From then on a host outside tries our addresses at random, now and
then; one of ours tries addresses outside, all the time. Their SYNs carry Mirai's mark.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.model.address import format_address
from rearguard.simulate.conversations import number
from rearguard.simulate.ground import OPEN_REQUESTS, foreign_v4, hashed
from rearguard.simulate.sessions import (
    ACCESS,
    HOUR,
    MIRAI,
    UPSTREAM,
    Sessions,
    Stage,
    Window,
    blank,
    probes,
)

__all__ = ["Outbreak", "fall_times", "infected"]

FIRST_HOST = 1_000_000
ANSWERS_OUTSIDE = 0.01
"""Share of addresses outside that answer one of ours."""


def infected(hours: float, hosts: float, seeds: float, doubling_hours: float) -> float:
    """I(t), ``hours`` after the outbreak."""
    if hours < 0:
        return 0.0
    return hosts / (1 + (hosts / seeds - 1) * math.exp(-math.log(2) / doubling_hours * hours))


def fall_times(count: int, hosts: float, seeds: float, doubling_hours: float) -> NDArray[np.float64]:
    """When the first, second ... of ``count`` hosts fall if all of them fall as the ``hosts`` do; hours."""
    level = (np.arange(count) + 0.5) * (hosts / max(count, 1))
    if seeds >= hosts:
        return np.zeros(count)
    times = np.log((hosts / seeds - 1) / (hosts / level - 1)) * doubling_hours / math.log(2)
    return np.asarray(np.maximum(times, 0.0))


class Outbreak:
    """Everybody whom the worm has, or will have."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        scene, ground = stage.scenario.outbreak, stage.ground
        self._stage = stage
        curve = (float(max(scene.hosts, 1)), scene.seeds, scene.doubling_minutes / 60)
        self._ports = np.array(list(scene.ports))
        self._weights = np.array(list(scene.ports.values())) / sum(scene.ports.values())
        self._outside = fall_times(scene.hosts, *curve) + stage.scenario.begins
        self._pace = scene.tries_per_hour * np.exp(0.8 * rng.standard_normal(scene.hosts))
        self._salt = rng.integers(1, 1 << 31, scene.hosts, np.uint32)
        self._done = np.zeros(scene.hosts, np.int64)
        addresses = foreign_v4(FIRST_HOST + np.arange(scene.hosts))
        names = [format_address(0, int(address)) for address in addresses]
        self._hosts = self._enter("worm", names, self._outside, self._pace)
        prey = ground.customers[ground.roles[ground.customers] & OPEN_REQUESTS != 0]
        self._prey = rng.permutation(prey)[: scene.infected]
        self._inside = fall_times(len(self._prey), *curve) + stage.scenario.begins
        self._speed = scene.tries_per_second * 3_600 * np.exp(0.8 * rng.standard_normal(len(self._prey)))
        self._tried = np.zeros(len(self._prey), np.int64)
        names = [ground.text(int(device)) for device in self._prey]
        self._devices = self._enter("infected", names, self._inside, self._speed)

    def _enter(
        self, kind: str, names: list[str], falls: NDArray[np.float64], paces: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """One entry of the ledger a host and port, since on each it is a finding of its own."""
        entries = [
            self._stage.ledger.add(
                kind,
                name,
                port=port,
                transport="tcp",
                falls_ns=self._stage.scenario.start_ns + round(float(fall) * HOUR),
                tries_per_hour=round(float(pace * share), 1),
                fingerprint="mirai",
            )
            for name, fall, pace in zip(names, falls, paces, strict=True)
            for port, share in zip(self._ports.tolist(), self._weights, strict=True)
        ]
        return np.array(entries, np.int64).reshape(len(names), len(self._ports))

    def expected(self) -> float:
        """When all have fallen."""
        return float(self._pace.sum() + self._speed.sum())

    def curve(self) -> list[dict[str, Any]]:
        """Infected hosts outside and inside, at a hundred moments of the day."""
        moments = np.linspace(0, self._stage.scenario.hours, 101)
        return [
            {
                "hours": round(float(moment), 4),
                "outside": int((self._outside <= moment).sum()),
                "inside": int((self._inside <= moment).sum()),
            }
            for moment in moments
        ]

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """Tries from outside and from inside."""
        begins = (window.begins - self._stage.scenario.start_ns) / HOUR
        return np.concatenate([self._inward(begins, window, rng), self._outward(begins, window, rng)])

    def _inward(self, begins: float, window: Window, rng: np.random.Generator) -> Sessions:
        on = np.clip(begins + window.hours - self._outside, 0.0, window.hours)
        counts = np.minimum(rng.poisson(self._pace * on), self._stage.ground.space - self._done)
        source, step = _each(counts, self._done)
        self._done += counts
        count = len(source)
        offset = self._stage.ground.walk(step, self._salt[source])
        which = _choose(offset, self._weights)
        made = probes(self._stage, offset, self._ports[which], np.zeros(count, bool), rng)
        made["client_lo"] = foreign_v4(FIRST_HOST + source)
        made["cport"] = 1_024 + hashed(source, 4) % np.uint64(64_512)
        made["start"] = _after(window, on[source], rng)
        made["actor"] = self._hosts[source, which]
        made["mark"] = MIRAI
        return made

    def _outward(self, begins: float, window: Window, rng: np.random.Generator) -> Sessions:
        on = np.clip(begins + window.hours - self._inside, 0.0, window.hours)
        counts = rng.poisson(self._speed * on)
        source, step = _each(counts, self._tried)
        self._tried += counts
        made = blank(len(source), rng)
        own = self._prey[source]
        made["own"] = own
        made["client_lo"] = self._stage.ground.address(own, np.zeros(len(own), bool))[1]
        made["server_lo"] = foreign_v4(20_000_000 + source * 9_999_991 + step)
        made["cport"] = 1_024 + hashed(own, 4) % np.uint64(64_512)
        which = _choose(step, self._weights)
        made["sport"] = self._ports[which]
        answered = rng.random(len(source)) < ANSWERS_OUTSIDE
        made["kind"] = np.where(answered, number("probe-answered"), number("probe"))
        made["client_side"], made["server_side"] = ACCESS, UPSTREAM
        made["start"] = _after(window, on[source], rng)
        made["actor"] = self._devices[source, which]
        made["mark"] = MIRAI
        return made


def _each(counts: NDArray[np.int64], done: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One row a try: whose it is, and its number."""
    source = np.repeat(np.arange(len(counts)), counts)
    return source, np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts) + done[source]


def _choose(which: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """The port that belongs to a target, so that everybody tries the same one there."""
    level = (hashed(which, 5) >> np.uint64(11)) / float(1 << 53)
    return np.minimum(np.cumsum(weights).searchsorted(level, side="right"), len(weights) - 1)


def _after(window: Window, on: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Random moments in the last ``on`` hours of a window."""
    back = (rng.random(len(on)) * on * HOUR / 1_000).astype(np.int64)
    return window.begins + window.length - 1_000 - np.minimum(back, window.length // 1_000 - 1) * 1_000
