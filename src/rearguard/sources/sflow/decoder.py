"""The decoder of sFlow datagrams: rows of packets, and what is known of the agents that sent them.

The rows are those of the packet decoder, with one packet each, the sampling rate of the sample, and the agent's
interfaces as observer. An sFlow datagram has no clock, so the time is the datagram's own.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer
from rearguard.sources.decode import decode_frames, new_times
from rearguard.sources.frames import REASONS, new_frames
from rearguard.sources.observers import new_table, observers
from rearguard.sources.reader import Exporter, Observer, Tally
from rearguard.sources.sflow.agents import new_agents, new_places
from rearguard.sources.sflow.samples import COUNTS, FIRST_REASON, SAMPLES, SKIPPED, finish, walk

__all__ = ["Agent", "Decoder"]

FRAMES = 4_096
"""Frames that are found before they are decoded; more than the largest datagram has samples."""

_Told: Any = namedtuple("_Told", ["number", "rate"])


@dataclass(slots=True)
class Agent(Exporter):
    """An sFlow agent or sub-agent. ``lost`` counts datagrams; ``lost_samples`` also those that were in them."""

    lost_samples: int = 0
    """Flow samples that the numbers of its data sources say are missing."""
    pool: int = 0
    """Packets that it could have sampled between the first and the last sample of each data source."""
    drops: int = 0
    """Samples that it says it had to drop, in the same time."""
    discarded: int = 0
    """Samples of packets that the device did not forward (output format 1)."""


class Decoder:
    """Takes datagrams in the order in which they came; keeps what must be remembered between them."""

    def __init__(self) -> None:
        self._agents = new_agents()
        self._places = new_places()
        self._table = new_table()
        self._frames = new_frames(FRAMES)
        self._told = _Told(np.zeros(FRAMES, np.int64), np.zeros(FRAMES, np.int64))
        self._records = 0
        self._exporters: list[Agent] = []
        self._observers: list[Observer] = []

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The agents that were heard, as they stand now."""
        table = self._agents
        for number in range(int(table.now[0])):
            if number == len(self._exporters):
                address = _text(int(table.hi[number]), int(table.lo[number]))
                self._exporters.append(Agent(address, int(table.sub[number]), "sFlow v5"))
            one = self._exporters[number]
            one.datagrams = int(table.datagrams[number])
            one.records = int(table.samples[number])
            one.lost = int(table.lost[number])
            one.lost_samples = int(table.lost_samples[number])
            one.pool = int(table.pool[number])
            one.drops = int(table.drops[number])
            one.discarded = int(table.discarded[number])
            one.rate = int(table.rate[number])
            one.rate_least, one.rate_most = int(table.rate_least[number]), int(table.rate_most[number])
            one.rate_from = "record" if one.rate else ""
        return self._exporters

    @property
    def observers(self) -> Sequence[Observer]:
        """What the rows' ``observer`` points to; it grows only at its end."""
        if len(self._observers) < int(self._table.now[0]):
            observers(self._table, self.exporters, self._observers)
        return self._observers

    def feed(
        self, buffer: Buffer, datagrams: Any, start: int, n: int, rows: Any, row: int, tally: Tally
    ) -> tuple[int, int]:
        """Decode datagrams ``start`` to ``n - 1`` into the rows from ``row`` on; returns the next datagram and the
        next row. It stops early when the rows might not hold what the next datagram can give.

        Payloads that rows point to lie in ``buffer``.
        """
        while start < n:
            counts = np.zeros(COUNTS, np.int64)
            skipped = np.zeros(len(REASONS), np.int64)
            stopped, found, after = walk(
                buffer, datagrams, start, n, self._agents, self._places, self._table, self._frames, self._told,
                self._records, counts, rows, row,
            )  # fmt: skip
            made = (
                decode_frames(buffer, self._frames, found, 0, rows, after, skipped, new_times())
                if found
                else 0
            )
            finish(rows, after, made, self._told)
            self._records += int(counts[SAMPLES])
            _count(tally, counts, skipped, rows["ts"][row : after + made])
            row = after + made
            if stopped == start:
                break
            start = stopped
        return start, row

    def finish(self, tally: Tally) -> None:
        """No more will come. An sFlow datagram waits for nothing, so there is nothing to count."""


def _count(tally: Tally, counts: Any, skipped: Any, times: Any) -> None:
    tally.records += int(counts[SAMPLES])
    tally.rows += len(times)
    for reason, count in zip(SKIPPED, counts[FIRST_REASON:].tolist(), strict=True):
        tally.skip(reason, count)
    for reason, count in zip(REASONS, skipped.tolist(), strict=True):
        tally.skip(reason, count)
    if times.size:
        tally.spans(int(times.min()), int(times.max()))


def _text(hi: int, lo: int) -> str:
    if hi == 0 and lo >> 32 == 0xFFFF:
        return str(IPv4Address(lo & 0xFFFF_FFFF))
    return str(IPv6Address(hi << 64 | lo))
