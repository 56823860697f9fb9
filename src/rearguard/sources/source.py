"""A capture as a source of chunks: open it, read it once, count what was read and what was not.

How a file is read: the *window* holds bytes, the container's *walker* finds frames in them, the *decoder*
makes rows of these. The loop in :meth:`Source.chunks` acts on why the walker returned:

=========  ==========================================================
MORE       read the next piece; where the window has no room for it: yield what was decoded, move the window;
           at the end of the stream, what is left is a truncated record
FULL       decode, go on; yield when the chunk is full
STOPPED    the limit of the span is reached
DEFINE     let the container read the block, go on
DAMAGED    nothing after this place can be trusted: stop and say where
=========  ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np

from rearguard.model.chunk import ROWS, Chunk
from rearguard.sources.decode import decode_frames, new_times
from rearguard.sources.frames import (
    DAMAGED,
    DEFINE,
    FULL,
    MORE,
    REASONS,
    STOPPED,
    TRUNCATED_RECORD,
    new_frames,
)
from rearguard.sources.inputs import Input, Progress
from rearguard.sources.pcap import Pcap
from rearguard.sources.pcapng import Pcapng
from rearguard.sources.reader import Exporter, Observer, Span, Tally
from rearguard.sources.window import Window

__all__ = ["PacketSource"]

FAR = 1 << 62
FRAMES = 4_096
"""Frames that are found before they are decoded; few enough to stay in a core's cache."""


class PacketSource:
    """One capture, read once (a :class:`~rearguard.sources.reader.Reader` that can also be read in spans)."""

    def __init__(self, uri: str, number: int, inflow: Input, window: Window, state: Pcap | Pcapng) -> None:
        self.uri = uri
        self.number = number
        self.format = state.name
        self.compression = inflow.compression
        self.tally = Tally.of_packets()
        self.exporters: tuple[Exporter, ...] = ()
        self._observers: list[Observer] = []
        self._inflow = inflow
        self._window = window
        self._state = state
        self._start = 0
        self._limit = FAR
        self._skipped = np.zeros(len(REASONS), np.int64)
        self._times = new_times()
        self._frames = new_frames(FRAMES)
        self._chunk = Chunk()

    @property
    def container(self) -> Pcap | Pcapng:
        """The container's state."""
        return self._state

    @property
    def observers(self) -> Sequence[Observer]:
        """The interfaces that rows point to; in pcapng there may be more of them as the file is read."""
        names = self._state.observers
        self._observers += [Observer(name) for name in names[len(self._observers) :]]
        return self._observers

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""
        return self._inflow.progress

    @property
    def ended_at(self) -> int:
        """The offset in the stream where the walk stopped: where the next record would begin."""
        return self._window.offset

    @property
    def interfaces_digest(self) -> str:
        """A digest of the container's state at the present place; equal digests read alike what follows."""
        return self._state.digest

    def chunks(self) -> Iterator[Chunk]:
        """The records as chunks. The chunk, its rows and its buffer are reused: done with when the next is
        asked."""
        window, state, frames, chunk = self._window, self._state, self._frames, self._chunk
        chunk.n = 0
        while True:
            limit = max(0, min(self._limit - window.base, FAR))
            status, pos, n, need = state.walk(window.buffer, window.pos, window.end, limit, frames)
            if n:
                self._decode(n)
            window.pos = pos
            self.tally.bytes = window.offset - self._start
            if (status == FULL or (status == MORE and window.extend(need))) and chunk.n + FRAMES <= ROWS:
                continue
            self._count()
            if chunk.n:
                chunk.even = len(state.observers) == 1
                yield chunk
                chunk.n = 0
            if status == MORE:
                if window.end - window.pos < need and not window.fill(need):
                    self._end()
                    return
            elif status == DEFINE:
                if not self._define():
                    return
            elif status == STOPPED:
                return
            elif status == DAMAGED:
                self._damage("what is there cannot be a record")
                return

    def _decode(self, n: int) -> None:
        """Add the frames that were found to the chunk."""
        chunk, tally = self._chunk, self.tally
        chunk.buffer = self._window.buffer
        rows = decode_frames(
            chunk.buffer, self._frames, n, tally.records + 1, chunk.rows, chunk.n, self._skipped, self._times
        )
        tally.records += n
        tally.rows += rows
        chunk.n += rows

    def _count(self) -> None:
        first, last = self._times.tolist()
        if first <= last:
            self.tally.spans(first, last)
        for reason, count in zip(REASONS, self._skipped.tolist(), strict=True):
            self.tally.skipped[reason] = count

    def _define(self) -> bool:
        """Read the section or interface block at the window's position."""
        window, state = self._window, self._state
        assert isinstance(state, Pcapng)
        length = state.block_length(window.take(12))
        if length is None:
            self._damage("a block of an impossible length")
            return False
        block = window.take(length)
        if len(block) < length:
            self._end()
            return False
        problem = state.define(block)
        if problem:
            self._damage(problem)
            return False
        window.pos += length
        return True

    def _end(self) -> None:
        """The stream is over; what is left in the window is the beginning of a record that is not whole."""
        self.tally.bytes = self._window.base + self._window.end - self._start
        broken = self._inflow.damaged
        if self._window.end > self._window.pos:
            self._skipped[TRUNCATED_RECORD] += 1
            self.tally.records += 1
            self._count()
            broken = broken or f"the file ends in the middle of record {self.tally.records}"
        if broken:
            self.tally.damaged = broken

    def _damage(self, problem: str) -> None:
        place = f"after record {self.tally.records}, at byte {self._window.offset}"
        self.tally.damaged = f"{place}: {problem}; the rest was not read"

    def seek(self, span: Span) -> None:
        """Go to a span; on the way, what a pcapng file defines before its first packet is read."""
        self.first_time()
        self._limit = span.end
        if span.start > self._window.offset:
            self._start = span.start
            self._inflow.seek(span.start)
            self._window = Window(self._inflow, base=span.start)

    def first_time(self) -> int | None:
        """The time of the next packet, ns, without reading it; what defines interfaces before it is read."""
        one = new_frames(1)
        window = self._window
        while True:
            status, pos, n, need = self._state.walk(window.buffer, window.pos, window.end, FAR, one)
            if n:
                return int(one.ts[0])
            window.pos = pos
            if status == MORE and window.fill(need):
                continue
            if status != DEFINE or not self._define():
                return None

    def close(self) -> None:
        """Close the file and end the thread that unpacks it."""
        self._inflow.close()

    def __enter__(self) -> PacketSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
