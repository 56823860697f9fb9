"""What hurts devices: floods of Connection Requests, and requests in a victim's name that devices answer."""

from __future__ import annotations

import numpy as np

from rearguard.model.address import format_address
from rearguard.simulate.conversations import number
from rearguard.simulate.ground import OPEN_REQUESTS, OPEN_SSDP, foreign_v4
from rearguard.simulate.sessions import ACCESS, HOUR, UPSTREAM, Sessions, Stage, Window, blank, ephemeral

__all__ = ["Strain"]

FIRST_SOURCE, FIRST_VICTIM = 2_000_000, 2_500_000
BURST = 30
"""Requests in a victim's name from one forged port, two a second: one conversation."""


class Strain:
    """Events with a beginning and an end at single devices: floods first, then reflections."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        scene, ground, hours = stage.scenario.floods, stage.ground, stage.scenario.hours
        closed = ground.managed[ground.roles[ground.managed] & OPEN_REQUESTS == 0]
        answering = ground.customers[ground.roles[ground.customers] & OPEN_SSDP != 0]
        flooded = rng.permutation(closed)[: scene.count]
        mirrors = rng.permutation(answering)[: scene.reflections]
        self._stage = stage
        self._own = np.concatenate([flooded, mirrors])
        self._is_flood = np.arange(len(self._own)) < len(flooded)
        lasts = np.where(self._is_flood, scene.minutes, scene.reflection_minutes) / 60
        self._hourly = 60 * np.where(self._is_flood, scene.per_minute, scene.requests_per_minute / BURST)
        self._from = rng.random(len(self._own)) * np.maximum(0.0, hours - lasts)
        self._until = np.minimum(self._from + lasts, hours)
        self._entry = np.array([self._enter(place) for place in range(len(self._own))], np.int64)

    def _enter(self, place: int) -> int:
        device = self._stage.ground.text(int(self._own[place]))
        times = {
            "from_ns": self._stage.scenario.start_ns + round(float(self._from[place]) * HOUR),
            "until_ns": self._stage.scenario.start_ns + round(float(self._until[place]) * HOUR),
        }
        if self._is_flood[place]:
            sources = [_text(one) for one in self._sources(place)]
            return self._stage.ledger.add(
                "flooded", device, port=7547, transport="tcp", sources=sources, **times
            )
        victim = _text(FIRST_VICTIM + place)
        return self._stage.ledger.add(
            "reflector",
            device,
            port=1900,
            transport="udp",
            victim=victim,
            requests_per_session=BURST,
            **times,
        )

    def _sources(self, place: int) -> range:
        count = self._stage.scenario.floods.sources
        return range(FIRST_SOURCE + place * count, FIRST_SOURCE + (place + 1) * count)

    def expected(self) -> float:
        """If all came at once."""
        return float(self._hourly.sum())

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """Both."""
        begins = (window.begins - self._stage.scenario.start_ns) / HOUR
        on = np.minimum(self._until, begins + window.hours) - np.maximum(self._from, begins)
        counts = rng.poisson(self._hourly * np.maximum(on, 0.0))
        event = np.repeat(np.arange(len(counts)), counts)
        count = len(event)
        flood, made = self._is_flood[event], blank(count, rng)
        own = self._own[event]
        scene = self._stage.scenario.floods
        source = FIRST_SOURCE + event * scene.sources + rng.integers(0, scene.sources, count)
        made["own"] = own
        made["server_lo"] = self._stage.ground.address(own, np.zeros(count, bool))[1]
        made["client_lo"] = foreign_v4(np.where(flood, source, FIRST_VICTIM + event))
        made["cport"] = ephemeral(count, rng)
        made["sport"] = np.where(flood, 7547, 1900)
        made["kind"] = np.where(flood, number("knock"), number("reflection"))
        made["loops"] = np.where(flood, 0, BURST - 1)
        made["client_side"], made["server_side"] = UPSTREAM, ACCESS
        made["start"] = window.times(count, rng)
        made["actor"] = self._entry[event]
        mirrored = np.flatnonzero(~flood)
        made["device"][mirrored] = self._stage.ledger.exposed(1900, own[mirrored])
        return made


def _text(number_of: int) -> str:
    return format_address(0, int(foreign_v4(np.array([number_of]))[0]))
