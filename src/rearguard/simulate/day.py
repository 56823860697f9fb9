"""The day as a stream of windows: all kinds of traffic together, in pieces of about the same size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rearguard.model.errors import UsageError
from rearguard.simulate.ground import OPEN_REQUESTS, OPEN_SSDP, OPEN_TELNET, lay_out
from rearguard.simulate.ledger import Ledger
from rearguard.simulate.management import Management
from rearguard.simulate.ordinary import Ordinary
from rearguard.simulate.outbreak import Outbreak
from rearguard.simulate.radiation import Radiation, Searchers
from rearguard.simulate.scenario import Scenario
from rearguard.simulate.sessions import SECOND, Sessions, Stage, Traffic, Window
from rearguard.simulate.strain import Strain

__all__ = ["TEN_MINUTES", "Day"]

TEN_MINUTES = 600 * SECOND
LENGTHS = (600, 300, 120, 60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Seconds of a window: divisors of ten minutes, so that no window lies in two of the ledger's buckets."""
SESSIONS = 100_000
"""About so many start in a window at the busiest time."""


class Day:
    """Everything that happens, from one seed: who takes part (:attr:`stage`) and, window by window, sessions."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._seed = seed
        ledger = Ledger()
        ground = lay_out(scenario, np.random.default_rng([seed, 0]))
        self.stage = Stage(scenario, ground, ledger)
        for port, role in ((7547, OPEN_REQUESTS), (23, OPEN_TELNET), (1900, OPEN_SSDP)):
            offsets = ground.customers[ground.roles[ground.customers] & role != 0]
            ledger.expose(port, offsets, [ground.texts(int(offset)) for offset in offsets])
        self.outbreak = Outbreak(self.stage, np.random.default_rng([seed, 1]))
        self._traffic: tuple[Traffic, ...] = (
            Ordinary(self.stage),
            Management(self.stage, np.random.default_rng([seed, 2])),
            Radiation(self.stage),
            Searchers(self.stage, np.random.default_rng([seed, 3])),
            self.outbreak,
            Strain(self.stage, np.random.default_rng([seed, 4])),
        )
        ledger.open()
        hourly = max(1.0, sum(traffic.expected() for traffic in self._traffic))
        self.hourly = hourly
        fitting = (length for length in LENGTHS if length / 3_600 * hourly <= SESSIONS)
        shortest = next(fitting, None)
        if shortest is None:
            raise UsageError(
                f"{hourly:,.0f} sessions an hour are more than can be simulated",
                remedy="take fewer customers, or lower rates in the scenario",
            )
        self._length = round(shortest * SECOND)

    def windows(self, *, endless: bool = False) -> Iterator[tuple[Window, Sessions]]:
        """Windows and what starts in them, until the scenario's hours are over, or for ever."""
        scenario, counted = self.stage.scenario, 0
        begins, end = scenario.start_ns, scenario.start_ns + round(scenario.hours * 3_600_000) * 1_000_000
        while endless or begins < end:
            length = self._length if endless else min(self._length, end - begins)
            window = Window(counted, begins, length)
            parts = [
                traffic.sessions(window, np.random.default_rng([self._seed, 100 + place, counted]))
                for place, traffic in enumerate(self._traffic)
            ]
            yield window, np.concatenate(parts)
            begins += length
            counted += 1
