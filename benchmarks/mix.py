"""A realistic mix at the border of an access network, with hundreds of scanning sources inside it.

Conversations start at random moments and overlap. Time is generated in windows: conversations that start in
a window are spread out into packets, packets that fall behind the window's end wait for the next one, and the
rest is put in time order and becomes bytes. Memory depends on the window alone.

A scanning source tries the customers' addresses in the order of a permutation of them all, so never one twice
(it may repeat an unanswered SYN); whether a device answers is a property of its address. So the truth needs a
few counters a source, and is counted from the packets that really were written.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import Table, table
from benchmarks.frames import OWN_V4, OWN_V4_BITS, Array, Batch, is_own
from benchmarks.render import PACKET_TYPE, SESSION_TYPE, Renderer
from benchmarks.truth import Scanners, Truth

__all__ = ["CONTROLLERS", "Mix"]

CONTROLLERS = tuple((198 << 24) | (51 << 16) | (100 << 8) | last for last in (9, 10, 11))
"""198.51.100.9 to .11, outside the customers' prefix."""
MANAGED_DEVICES = 20_000
SCANNERS = {7547: 400, 23: 100}
PROBES_PER_GB = {7547: 100, 23: 50}
"""About one packet in fifty is a probe: dozens of times as many as at the border of a real access network."""

WINDOW_SECONDS = 4
SECONDS_PER_GB = 300
SPACE = 1 << OWN_V4_BITS

ORDINARY_PER_GB = {"web-small": 8_000, "web": 14_000, "web-large": 4_400, "quic": 9_000, "dns": 60_000}
SERVER_PORT = {"web-small": 80, "web": 443, "web-large": 443, "quic": 443, "dns": 53}
V6_SHARE = 0.2
ANSWER_SHARE, REFUSAL_SHARE, REPEAT_SHARE = 0.05, 0.10, 0.05


class Mix:
    """The mix as an endless stream of batches; ``truth`` says what the batches noted as written contain."""

    def __init__(self, seed: int, start_us: int) -> None:
        self._rng = np.random.default_rng([seed, 0])
        self._start = start_us
        self._table: Table = table()
        self._renderer = Renderer(self._table, self._rng)
        self._scanners = _choose_scanners(self._rng)
        self._probes = np.zeros(len(self._scanners.address), np.int64)
        servers = self._rng.integers(16 << 24, 200 << 24, 4_096, np.uint32)
        self._servers = servers[~is_own(servers)]
        self._requests = 0
        self.truth = Truth(self._scanners, self._table)

    def batches(self) -> Iterator[Batch]:
        """Endless batches in time order."""
        waiting = np.zeros(0, PACKET_TYPE)
        window = 0
        while True:
            begin = self._start + window * WINDOW_SECONDS * 1_000_000
            end = begin + WINDOW_SECONDS * 1_000_000
            packets = np.concatenate([waiting, self._spread(self._sessions(begin))])
            due = packets["time"] < end
            waiting = packets[~due]
            packets = packets[due]
            packets = packets[np.argsort(packets["time"], kind="stable")]
            yield self._renderer.render(packets)
            window += 1

    def _sessions(self, begin: int) -> Array:
        share = WINDOW_SECONDS / SECONDS_PER_GB
        parts = [self._ordinary(name, self._rng.poisson(n * share)) for name, n in ORDINARY_PER_GB.items()]
        parts.append(self._requests_of_controllers(self._rng.poisson(MANAGED_DEVICES * share)))
        parts.append(self._scans(share))
        sessions = np.concatenate(parts)
        count = len(sessions)
        sessions["start"] = begin + self._rng.integers(0, WINDOW_SECONDS * 1_000_000, count)
        sessions["round_trip"] = self._rng.integers(8_000, 120_000, count)
        sessions["isn_server"] = self._rng.integers(0, 1 << 32, count, np.uint32)
        return sessions

    def _ordinary(self, name: str, count: int) -> Array:
        rng = self._rng
        sessions = np.zeros(count, SESSION_TYPE)
        sessions["conversation"] = self._table.number(name)
        sessions["scanner"] = -1
        sessions["v6"] = rng.random(count) < V6_SHARE
        sessions["client"] = OWN_V4 | (rng.integers(0, SPACE // 4, count, np.uint32) * 4 + 1)
        sessions["server"] = self._servers[rng.integers(0, len(self._servers), count)]
        sessions["cport"] = rng.integers(32_768, 61_000, count)
        sessions["sport"] = SERVER_PORT[name]
        sessions["isn_client"] = rng.integers(0, 1 << 32, count, np.uint32)
        return sessions

    def _requests_of_controllers(self, count: int) -> Array:
        """Connection Requests: each managed device in its turn, always by the same controller."""
        turn = (self._requests + np.arange(count)) % MANAGED_DEVICES
        self._requests += count
        sessions = np.zeros(count, SESSION_TYPE)
        sessions["conversation"] = self._table.number("connection-request")
        sessions["scanner"] = -1
        sessions["client"] = np.array(CONTROLLERS, np.uint32)[turn % len(CONTROLLERS)]
        sessions["server"] = OWN_V4 | _permuted(turn, np.uint32(1))
        sessions["cport"] = self._rng.integers(32_768, 61_000, count)
        sessions["sport"] = 7547
        sessions["isn_client"] = self._rng.integers(0, 1 << 32, count, np.uint32)
        return sessions

    def _scans(self, share: float) -> Array:
        scanners, rng = self._scanners, self._rng
        counts = np.minimum(rng.poisson(scanners.probes_per_gb * share), SPACE - self._probes)
        scanner = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(len(scanner)) - np.repeat(np.cumsum(counts) - counts, counts)
        target = _permuted(self._probes[scanner] + rank, scanners.salt[scanner])
        self._probes += counts
        port = scanners.port[scanner]
        sessions = np.zeros(len(scanner), SESSION_TYPE)
        sessions["conversation"] = self._behaviour(target, port)
        sessions["scanner"] = scanner
        sessions["client"] = scanners.address[scanner]
        sessions["server"] = OWN_V4 | target
        sessions["cport"] = rng.integers(1_024, 65_536, len(scanner))
        sessions["sport"] = port
        random = rng.integers(0, 1 << 32, len(scanner), np.uint32)
        sessions["isn_client"] = np.where(scanners.mirai[scanner], sessions["server"], random)
        return sessions

    def _behaviour(self, target: NDArray[np.uint32], port: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Which conversation a probe becomes; the device decides, so every source meets the same answer."""
        mixed = (target + port * np.uint32(SPACE)) * np.uint32(2_654_435_761)
        mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(2_246_822_519)
        level = (mixed >> np.uint32(8)) / (1 << 24)
        silent = np.where(
            self._rng.random(len(target)) < REPEAT_SHARE,
            self._table.number("probe-twice"),
            self._table.number("probe"),
        )
        heard = np.where(
            level < ANSWER_SHARE, self._table.number("probe-answered"), self._table.number("probe-refused")
        )
        return np.where(level < ANSWER_SHARE + REFUSAL_SHARE, heard, silent).astype(np.uint8)

    def _spread(self, sessions: Array) -> Array:
        """One row a packet: every session repeated over the rows of its conversation."""
        conversation = sessions["conversation"]
        length = self._table.length[conversation]
        owner = np.repeat(np.arange(len(sessions)), length)
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
        packets = np.empty(len(owner), PACKET_TYPE)
        packets["session"] = sessions[owner]
        row = self._table.first[conversation][owner] + rank
        packets["row"] = row
        after = self._table.rows["at"][row] * sessions["round_trip"][owner]
        packets["time"] = sessions["start"][owner] + after.astype(np.int64)
        return packets


def _permuted(number: NDArray[np.int64], salt: NDArray[np.uint32] | np.uint32) -> NDArray[np.uint32]:
    """A permutation of the customers' addresses for each salt: odd factors and shifted exclusive ors."""
    mask = np.uint32(SPACE - 1)
    value = number.astype(np.uint32) & mask
    value = (value * (np.uint32(2) * salt + np.uint32(1)) + (salt >> np.uint32(7))) & mask
    value ^= value >> np.uint32(9)
    value = (value * np.uint32(0x2C1B5)) & mask
    return value ^ (value >> np.uint32(7))


def _choose_scanners(rng: np.random.Generator) -> Scanners:
    total = sum(SCANNERS.values())
    candidates = np.unique(rng.integers(16 << 24, 200 << 24, 2 * total, np.uint32))
    candidates = candidates[~is_own(candidates) & ~np.isin(candidates, np.array(CONTROLLERS, np.uint32))]
    number = np.arange(total)
    return Scanners(
        address=rng.permutation(candidates)[:total],
        port=np.repeat(np.array(list(SCANNERS), np.uint16), list(SCANNERS.values())),
        probes_per_gb=np.repeat(list(PROBES_PER_GB.values()), list(SCANNERS.values())),
        mirai=number % 3 == 0,
        salt=rng.integers(1, 1 << 31, total, np.uint32),
    )
