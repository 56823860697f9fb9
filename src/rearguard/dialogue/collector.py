"""One worker's collector: chunks in, segments out to the sink that all workers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.dialogue.layout import BYTES, SEGMENTS, Ports, new_held
from rearguard.dialogue.segments import collect, pick
from rearguard.dialogue.sink import Sink
from rearguard.dialogue.table import new_table
from rearguard.model.chunk import ROWS, Chunk
from rearguard.model.guard import Guard

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
    controllers: Guard = field(default_factory=Guard.of_nobody)
    """Of the conversations with these addresses few are kept (see the strata of the layout)."""
    _table: Any = None
    _held: Any = None
    _picked: Any = None

    def __post_init__(self) -> None:
        if self.limits.arena < self.head:
            raise ValueError("the arena is smaller than one head")
        self._table = new_table(self.limits.table)
        self._held = new_held(self.limits.segments, self.limits.arena)
        self._picked = np.zeros(ROWS, dtype=np.int64)

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
        found = pick(chunk.rows, chunk.n, chunk.buffer, place, self.ports, self._picked)
        done = 0
        while done < found:
            done = collect(
                chunk.rows, done, self._picked[:found], chunk.buffer, place, self.ports, self.controllers,
                lanes, source, self.head, budget_of(self.head), self.sink.chosen, self._table, self._held,
            )  # fmt: skip
            if done < found:
                self.finish()

    def finish(self) -> None:
        """Hand over what is held. What was counted stays counted: the collector may be fed on."""
        used = self._held.used
        self.sink.add(self._held.segment[: used[SEGMENTS]], self._held.arena[: used[BYTES]])
        used[:] = 0
