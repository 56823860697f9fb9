"""A flow log as a source of chunks: one class for all of them, over an iterator of records."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from rearguard.model.chunk import Chunk
from rearguard.sources.inputs import Input, Progress
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.records import Records, emit
from rearguard.sources.reader import Exporter, Observer, Tally

__all__ = ["LogSource"]


class LogSource:
    """One log, read once (a :class:`~rearguard.sources.reader.Reader`).

    ``batches`` gives records and ends when the input does; ``offset`` says how many bytes of the stream it took,
    ``problem`` why it ended early (None: it did not). ``progress`` is asked instead of the input's where the file
    is not read through it.
    """

    def __init__(
        self,
        uri: str,
        number: int,
        form: str,
        inflow: Input,
        places: Places,
        batches: Iterator[Records],
        offset: Callable[[], int],
        problem: Callable[[], str | None],
        progress: Callable[[], Progress] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.uri = uri
        self.number = number
        self.format = form
        self.compression = inflow.compression
        self.tally = Tally()
        self._inflow = inflow
        self._places = places
        self._batches = batches
        self._offset = offset
        self._problem = problem
        self._progress = progress
        self._close = close
        self._chunk = Chunk()

    @property
    def observers(self) -> Sequence[Observer]:
        """Exporters with interfaces; one without a name where the log tells none."""
        return self._places.observers

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The exporters that the log names."""
        return self._places.exporters

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""
        return self._inflow.progress if self._progress is None else self._progress()

    def chunks(self) -> Iterator[Chunk]:
        """The rows. The chunk is reused: done with when the next is asked for."""
        tally, chunk = self.tally, self._chunk
        for records in self._batches:
            tally.records += records.n + records.skipped.get("bad-line", 0)
            for filled in emit(records, chunk):
                tally.rows += filled.n
                yield filled
            tally.first_bad = tally.first_bad or records.first_bad
            for reason, count in records.skipped.items():
                tally.skip(reason, count)
            timed = records.ts > 0
            if timed.any():
                tally.spans(int(records.ts[timed].min()), int(records.ts[timed].max()))
            tally.bytes = self._offset()
        tally.bytes = self._offset()
        tally.damaged = self._problem() or self._inflow.damaged

    def first_time(self) -> int | None:
        """The earliest time among the first records, ns."""
        for records in self._batches:
            self._batches = itertools.chain([records], self._batches)
            timed = records.ts[records.ts > 0]
            return int(timed.min()) if timed.size else None
        return None

    def close(self) -> None:
        """Close the file."""
        if self._close is not None:
            self._close()
        self._inflow.close()

    def __enter__(self) -> LogSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
