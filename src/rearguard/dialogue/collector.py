"""One worker's collector: chunks in, segments out to the sink that all workers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.dialogue.segments import BYTES, SEGMENTS, Ports, collect, new_held, new_table
from rearguard.dialogue.sink import Sink
from rearguard.model.chunk import Chunk

__all__ = ["Collector", "Limits", "budget_of"]

HEAD = 16 * 1024
"""Bytes of each side that are kept. More finds an attack behind a longer prelude and costs memory."""


def budget_of(head: int) -> int:
    """What a side may weigh in one spell: twice the head, for retransmissions and for small segments."""
    return 2 * head


@dataclass(frozen=True, slots=True)
class Limits:
    """Memory of one collector: conversations that it counts at once, segments and bytes before it hands
    over."""

    table: int = 8_192
    segments: int = 16_384
    arena: int = 4 << 20


@dataclass(slots=True)
class Collector:
    """Feed it chunks; :meth:`finish` hands over what it still holds."""

    ports: Ports
    sink: Sink
    head: int = HEAD
    limits: Limits = field(default_factory=Limits)
    _table: Any = None
    _held: Any = None

    def __post_init__(self) -> None:
        if self.limits.arena < self.head:
            raise ValueError("the arena is smaller than one head")
        self._table = new_table(self.limits.table)
        self._held = new_held(self.limits.segments, self.limits.arena)

    def feed(
        self,
        chunk: Chunk,
        place: npt.NDArray[np.uint8],
        lanes: npt.NDArray[np.uint32],
        source: np.uint64,
    ) -> None:
        """Take what is wanted of one chunk.

        ``place`` and ``lanes`` have a value a row, as the contact kernel gets them; ``source`` is the source
        number shifted to the record pointer's upper part.
        """
        done = 0
        while True:
            done = collect(
                chunk.rows, done, chunk.n, chunk.buffer, place, self.ports, lanes, source,
                self.head, budget_of(self.head), self.sink.chosen, self._table, self._held,
            )  # fmt: skip
            if done == chunk.n:
                return
            self.finish()

    def finish(self) -> None:
        """Hand over what is held. What was counted stays counted: the collector may be fed on."""
        used = self._held.used
        self.sink.add(self._held.segment[: used[SEGMENTS]], self._held.arena[: used[BYTES]])
        used[:] = 0
