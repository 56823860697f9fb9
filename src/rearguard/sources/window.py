"""The buffer through which a file is seen: filled by ``readinto``, its unread tail moved to the front.

Not mmap: a mapped capture costs its size in memory, and one that is cut short while it is read kills the
process.
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import Buffer
from rearguard.sources.compression import Inflow

__all__ = ["PIECE", "SIZE", "Window"]

SIZE = 2 * 1024 * 1024
PIECE = 512 * 1024
"""Bytes read at once. They are walked and decoded while they lie in a core's own cache: a record that has to come
from memory again costs more than all that is done with it."""


class Window:
    """``buffer[pos:end]`` is not yet consumed; ``buffer[0]`` is byte ``base`` of the stream."""

    def __init__(self, inflow: Inflow, base: int = 0, size: int = SIZE) -> None:
        self.inflow = inflow
        self.base = base
        self.buffer: Buffer = np.zeros(size, np.uint8)
        self.pos = 0
        self.end = 0

    @property
    def offset(self) -> int:
        """Where in the stream ``pos`` is."""
        return self.base + self.pos

    def extend(self, need: int) -> bool:
        """Read the next piece behind what is there; nothing moves, so rows that point into the buffer stay.

        False when there is no room for it, or less than ``need`` unread bytes are there then: see :meth:`fill`.
        """
        if self.pos + need > self.buffer.size:
            return False
        self._read(min(max(self.end + PIECE, self.pos + need), self.buffer.size))
        return self.end - self.pos >= need

    def fill(self, need: int) -> bool:
        """Move what is unread to the front and read a piece. Rows that point into the buffer end here.

        True when at least ``need`` unread bytes are there.
        """
        left = self.end - self.pos
        if need > self.buffer.size:
            grown = np.zeros(need + SIZE, np.uint8)
            grown[:left] = self.buffer[self.pos : self.end]
            self.buffer = grown
        elif self.pos:
            self.buffer[:left] = self.buffer[self.pos : self.end].copy()
        self.base += self.pos
        self.pos, self.end = 0, left
        self._read(min(max(left + PIECE, need), self.buffer.size))
        return self.end >= need

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes without consuming them; fewer at the end of the stream."""
        if self.end - self.pos < size:
            self.fill(size)
        return self.buffer[self.pos : min(self.pos + size, self.end)].tobytes()

    def _read(self, upto: int) -> None:
        view = memoryview(self.buffer.data)
        while self.end < upto:
            n = self.inflow.readinto(view[self.end : upto])
            if n == 0:
                break
            self.end += n
