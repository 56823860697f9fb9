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

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import numpy.typing as npt

from rearguard.model.chunk import ROWS, Chunk
from rearguard.sources.decode import decode_frames
from rearguard.sources.frames import (
    DAMAGE,
    DAMAGED,
    DEFINE,
    FULL,
    MORE,
    REASONS,
    STOPPED,
    TRUNCATED_RECORD,
    new_frames,
)
from rearguard.sources.inputs import Input, Progress, open_input
from rearguard.sources.pcap import Pcap
from rearguard.sources.pcapng import Pcapng
from rearguard.sources.probe import open_container
from rearguard.sources.window import SIZE, Window

__all__ = ["Source", "Span", "Tally", "open_source"]

FAR = 1 << 62
FRAMES = 4_096
"""Frames that are found before they are decoded; few enough to stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a file: the records that begin at byte ``start`` or later and before byte ``end``."""

    start: int
    end: int


@dataclass(slots=True)
class Tally:
    """What was read so far; ``records`` is the sum of ``rows`` and of the values of ``skipped``."""

    records: int = 0
    rows: int = 0
    bytes: int = 0
    """Bytes of the (decompressed) stream, up to the present place."""
    skipped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    first: int | None = None
    """Earliest time of a row, ns; rows without a time (simple packet blocks of pcapng) do not count."""
    last: int | None = None
    damaged: str | None = None
    """Why reading ended before the end, in one sentence."""

    @property
    def complete(self) -> bool:
        """Whether all of the input could be read (what networks themselves garble does not count against
        it)."""
        return self.damaged is None and not any(self.skipped[reason] for reason in DAMAGE)


class Source:
    """One capture, read once. Use as a context manager; iterate over :meth:`chunks`."""

    def __init__(self, uri: str, number: int, inflow: Input, window: Window, state: Pcap | Pcapng) -> None:
        self.uri = uri
        self.number = number
        self.format = state.name
        self.compression = inflow.compression
        self.tally = Tally()
        self._inflow = inflow
        self._window = window
        self._state = state
        self._start = 0
        self._limit = FAR
        self._skipped = np.zeros(len(REASONS), np.int64)
        self._frames = new_frames(FRAMES)
        self._chunk = Chunk()

    @property
    def container(self) -> Pcap | Pcapng:
        """The container's state."""
        return self._state

    @property
    def observers(self) -> list[str]:
        """Names of the observers that rows point to; in pcapng it may grow while the file is read."""
        return self._state.observers

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
            if chunk.n:
                self._span_of_time(chunk.rows.ts[: chunk.n])
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
            chunk.buffer, self._frames, n, tally.records + 1, chunk.rows, chunk.n, self._skipped
        )
        tally.records += n
        tally.rows += rows
        chunk.n += rows
        self._count()

    def _span_of_time(self, times: npt.NDArray[np.int64]) -> None:
        tally = self.tally
        if not times.all():
            # 0 is what a simple packet block without a time got.
            times = times[times != 0]
        if times.size:
            first, last = int(times.min()), int(times.max())
            tally.first = first if tally.first is None else min(tally.first, first)
            tally.last = last if tally.last is None else max(tally.last, last)

    def _count(self) -> None:
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

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(uri: str, *, number: int = 0, span: Span | None = None, window: int = SIZE) -> Source:
    """Open a capture ("-" is standard input) and look at its header.

    ``window`` is the size of the buffer in bytes. With ``span``, only the records that begin in it are read,
    and their numbers count from 1; the file must be a plain, uncompressed one. Raises
    :class:`~rearguard.model.errors.InputError` for what is no capture.
    """
    inflow = open_input(uri)
    try:
        view = Window(inflow, size=window)
        source = Source(uri, number, inflow, view, open_container(view, uri))
        if span is not None:
            source.seek(span)
    except BaseException:
        inflow.close()
        raise
    return source
