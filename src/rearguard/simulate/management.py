"""Controllers and their devices: CWMP as TR-069 describes it, and the devices that obey somebody else.

A device opens its sessions, now and then and within 30 seconds after a Connection Request (3.2.2); the controller
opens Connection Requests only, two connections each (the first is answered by 401). Devices are asked in a fixed
order, each by the same controller, so that by distinct addresses a controller comes first everywhere (rule B2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rearguard.model.address import V4_MAPPED, format_address
from rearguard.simulate.conversations import number
from rearguard.simulate.ground import CALLED_AT, CALLED_AT_V6, CALLS_FROM, V6, foreign_v4, v4
from rearguard.simulate.sessions import (
    ACCESS,
    CORE,
    NOBODY,
    SECOND,
    UPSTREAM,
    Sessions,
    Stage,
    Window,
    blank,
    ephemeral,
)

__all__ = ["Management"]

WITHIN = 30 * SECOND
FOREIGN_ACS = 900_000
FOREIGN_SESSIONS = 24.0
"""Sessions a day of a device that has just been moved to another controller."""


class Management:
    """Sessions of devices, Connection Requests, and sessions to the foreign controller."""

    def __init__(self, stage: Stage, rng: np.random.Generator) -> None:
        self._stage = stage
        self._asked = 0
        ledger, ground, scene = stage.ledger, stage.ground, stage.scenario.management
        self._callers = np.array(
            [
                ledger.add(
                    "controller", format_address(0, V4_MAPPED | CALLS_FROM[number]), role="requests_from"
                )
                for number in range(scene.controllers)
            ]
        )
        self._moved = np.sort(rng.permutation(ground.managed)[: scene.foreign])
        address = format_address(0, int(foreign_v4(np.array([FOREIGN_ACS]))[0]))
        self._foreign = (
            ledger.add(
                "foreign-controller",
                address,
                port=7547,
                devices=[ground.text(int(one)) for one in self._moved],
            )
            if len(self._moved)
            else NOBODY
        )

    def expected(self) -> float:
        """Both connections of a request and the session after it."""
        scene = self._stage.scenario.management
        return (
            len(self._stage.ground.managed) * (scene.sessions_per_device + 3 * scene.requests_per_device) / 24
        )

    def sessions(self, window: Window, rng: np.random.Generator) -> Sessions:
        """All three."""
        scene, ground = self._stage.scenario.management, self._stage.ground
        share = window.hours / 24
        count = (
            rng.poisson(len(ground.managed) * scene.requests_per_device * share) if len(ground.managed) else 0
        )
        requests, called, at = self._requests(count, window, rng)
        alone = rng.poisson(len(ground.managed) * scene.sessions_per_device * share)
        devices = np.concatenate(
            [called, ground.managed[rng.integers(0, max(1, len(ground.managed)), alone)]]
        )
        starts = np.concatenate([at, window.times(alone, rng)])
        return np.concatenate(
            [requests, self._sessions(devices, starts, rng), self._foreign_sessions(share, window, rng)]
        )

    def _requests(
        self, count: int, window: Window, rng: np.random.Generator
    ) -> tuple[Sessions, NDArray[np.uint32], NDArray[np.int64]]:
        """Requests, whom they ask, and when those will open their sessions."""
        ground, made = self._stage.ground, blank(2 * count, rng)
        turn = (self._asked + np.arange(count)) % max(1, len(ground.managed))
        self._asked += count
        devices = ground.managed[turn]
        caller = turn % len(self._callers)
        start = window.times(count, rng)
        made["own"] = np.tile(devices, 2)
        high, low = ground.address(devices, np.zeros(count, bool))
        made["server_hi"], made["server_lo"] = np.tile(high, 2), np.tile(low, 2)
        made["client_lo"] = np.tile(v4(np.array(CALLS_FROM))[caller], 2)
        made["actor"] = np.tile(self._callers[caller], 2)
        made["start"][:count] = start
        made["start"][count:] = start + rng.integers(400_000, 900_000, count) * 1_000
        made["kind"][:count] = number("request-challenged")
        made["kind"][count:] = number("request-granted")
        made["cport"] = ephemeral(2 * count, rng)
        made["sport"] = 7547
        made["client_side"], made["server_side"] = CORE, ACCESS
        return made, devices, start + SECOND + rng.integers(0, WITHIN // 1_000 - 10**6, count) * 1_000

    def _sessions(
        self, devices: NDArray[np.uint32], starts: NDArray[np.int64], rng: np.random.Generator
    ) -> Sessions:
        count = len(devices)
        made = self._opened_by(devices, starts, rng)
        six = made["client_hi"] != 0
        made["server_hi"] = np.where(six, np.uint64(CALLED_AT_V6[0]), np.uint64(0))
        made["server_lo"] = np.where(six, np.uint64(CALLED_AT_V6[1]), v4(CALLED_AT))
        plain = rng.random(count) < self._stage.scenario.management.plain
        made["kind"] = np.where(plain, number("session-plain"), number("session-tls"))
        made["server_side"] = CORE
        return made

    def _foreign_sessions(self, share: float, window: Window, rng: np.random.Generator) -> Sessions:
        count = rng.poisson(len(self._moved) * FOREIGN_SESSIONS * share)
        devices = self._moved[rng.integers(0, max(1, len(self._moved)), count)] if count else self._moved[:0]
        made = self._opened_by(devices, window.times(count, rng), rng, six=False)
        made["server_lo"] = foreign_v4(np.full(count, FOREIGN_ACS))
        made["kind"] = number("session-foreign")
        made["server_side"] = UPSTREAM
        made["device"] = self._foreign
        return made

    def _opened_by(
        self,
        devices: NDArray[np.uint32],
        starts: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        six: bool = True,
    ) -> Sessions:
        count = len(devices)
        made = blank(count, rng)
        over_v6 = (self._stage.ground.roles[devices] & V6 != 0) & six
        made["own"] = devices
        made["client_hi"], made["client_lo"] = self._stage.ground.address(devices, over_v6)
        made["start"] = starts
        made["cport"] = ephemeral(count, rng)
        made["sport"] = 7547
        made["client_side"] = ACCESS
        return made
