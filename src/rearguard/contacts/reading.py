"""Reading: sources into partials, on as many cores as help.

Kernels and reads let go of the interpreter, so workers are threads: each takes a job (a file, or a span of a
large one), has caches of its own and adds its partials to what all share. Because partials merge, nothing
else has to be agreed on. Where a span begins is a guess; if the guesses do not fit, all is read again whole.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rearguard.contacts.reducer import Circles, Listener, Partials, Reducer, Sizes
from rearguard.contacts.view import SourceInfo
from rearguard.model.guard import Guard
from rearguard.sources import Exporter, Observer, Options, PacketSource, Span, fits, open_source, order, split

__all__ = ["Advance", "Reading", "read"]

Advance = Callable[[int, int], None]
"""Told from the calling thread: bytes of the stored files and records since the last call."""

WATCH = 0.05  # seconds between looks at the workers


@dataclass(slots=True)
class _Job:
    uri: str
    file: int  # index of the file in time order
    span: Span | None
    records: int = 0
    bytes: int = 0
    done_bytes: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    damaged: str | None = None
    format: str = ""
    complete: bool = True
    ended_at: int = 0
    digests: tuple[str, str] = ("", "")
    exporters: tuple[Exporter, ...] = ()
    first_bad: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. ``spans`` resolves record pointers: (index of the source, records before the span)."""

    partials: Partials
    sources: tuple[SourceInfo, ...]
    spans: tuple[tuple[int, int], ...]
    observers: tuple[tuple[int, Observer], ...]  # (source that had it first, itself), by observer number
    complete: bool


class _Observers:
    """Numbers for observers, shared by the workers. A capture's belong to their file (its spans share them); an
    exporter is the same one whichever file its records lie in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[tuple[int, Observer], int] = {}
        self.known: list[tuple[int, Observer]] = []

    def circles(self, file: int, observers: Sequence[Observer]) -> Circles:
        """The observers for all interfaces of each one's exporter, with its way and without."""
        ways = [Observer(one.name, one.exporter, way=one.way) for one in observers]
        speakers = [Observer(one.name, one.exporter) for one in observers]
        return Circles(self.numbers(file, ways), self.numbers(file, speakers))

    def numbers(self, file: int, observers: Sequence[Observer]) -> npt.NDArray[np.uint32]:
        return np.array([self.number(file, one) for one in observers], dtype=np.uint32)

    def number(self, file: int, observer: Observer) -> int:
        key = (-1 if observer.exporter else file, observer)
        with self._lock:
            if key not in self._numbers:
                self._numbers[key] = len(self.known)
                self.known.append((file, observer))
            return self._numbers[key]


class _MisfitError(Exception):
    """The spans of a file do not make up the file."""


def read(
    uris: Sequence[str],
    guard: Guard,
    folder: Path,
    *,
    sizes: Sizes | None = None,
    workers: int | None = None,
    advance: Advance = lambda octets, records: None,
    listen: Callable[[], Callable[[], Listener]] | None = None,
    options: Options | None = None,
) -> Reading:
    """Read inputs and reduce them. ``folder`` takes what does not fit into memory.

    ``listen`` begins a collection of dialogues (again, if all must be read again) and gives what makes a
    listener for each worker.

    Raises InputError for what cannot be read at all; damage inside is counted in the sources. The caller
    closes ``partials``.
    """
    sizes = sizes or Sizes()
    options = options or Options()
    files = order(uris, options)
    count = workers or max(1, min(2, len(os.sched_getaffinity(0))))
    told = [0, 0]

    def note(octets: int, records: int) -> None:
        told[0] += octets
        told[1] += records
        advance(octets, records)

    try:
        return _read(
            files, guard, Partials.new(folder, sizes), sizes, count, note, listen, options, may_split=True
        )
    except _MisfitError:
        advance(-told[0], -told[1])  # it all comes again
        return _read(
            files, guard, Partials.new(folder, sizes), sizes, count, advance, listen, options, may_split=False
        )


def _read(
    files: Sequence[str],
    guard: Guard,
    partials: Partials,
    sizes: Sizes,
    count: int,
    advance: Advance,
    listen: Callable[[], Callable[[], Listener]] | None,
    options: Options,
    *,
    may_split: bool,
) -> Reading:
    jobs: list[_Job] = []
    for number, uri in enumerate(files):
        parts = (
            split(uri, count, options=options)
            if may_split and count > 1 and len(files) < 2 * count
            else [None]
        )
        jobs.extend(_Job(uri, number, span if len(parts) > 1 else None) for span in parts)
    observers = _Observers()
    try:
        listener = listen() if listen is not None else None
        _work(jobs, guard, partials, sizes, min(count, len(jobs)), observers, advance, listener, options)
        _check_spans(jobs)
    except BaseException:
        partials.close()
        raise
    return Reading(
        partials,
        tuple(_info([job for job in jobs if job.file == number]) for number in range(len(files))),
        _spans(jobs),
        tuple(observers.known),
        all(job.complete for job in jobs),
    )


def _work(
    jobs: list[_Job],
    guard: Guard,
    partials: Partials,
    sizes: Sizes,
    count: int,
    observers: _Observers,
    advance: Advance,
    listener: Callable[[], Listener] | None,
    options: Options,
) -> None:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    stop = threading.Event()
    problems: list[BaseException] = []

    def run() -> None:
        try:
            reducer = Reducer(guard, partials, sizes, listener() if listener is not None else None)
            while not stop.is_set():
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    break
                _do(jobs[number], number, reducer, observers, stop, options)
            reducer.finish()
        except BaseException as problem:
            problems.append(problem)
            stop.set()

    threads = [threading.Thread(target=run, name=f"reader-{k}", daemon=True) for k in range(count)]
    for thread in threads:
        thread.start()
    told = (0, 0)
    try:
        while any(thread.is_alive() for thread in threads):
            threads[0].join(WATCH) if threads[0].is_alive() else time.sleep(WATCH)
            now = sum(job.done_bytes for job in jobs), sum(job.records for job in jobs)
            advance(now[0] - told[0], now[1] - told[1])
            told = now
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if problems:
        raise problems[0]


def _do(
    job: _Job,
    number: int,
    reducer: Reducer,
    observers: _Observers,
    stop: threading.Event,
    options: Options,
) -> None:
    with open_source(job.uri, number=number, span=job.span, options=options) as source:
        job.format = source.format if not source.compression else f"{source.format} ({source.compression})"
        packets = source if isinstance(source, PacketSource) else None
        start = "" if packets is None else packets.interfaces_digest
        numbers: npt.NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)
        circles: Circles | None = None
        for chunk in source.chunks():
            if stop.is_set():
                return
            if len(numbers) < len(source.observers):
                numbers = observers.numbers(job.file, source.observers)
                circles = observers.circles(job.file, source.observers) if source.exporters else None
            reducer.feed(chunk, number, numbers, circles)
            job.records = source.tally.records
            job.done_bytes = source.progress.done - (job.span.start if job.span else 0)
        tally = source.tally
        job.records, job.bytes = tally.records, tally.bytes
        job.skipped = {reason: n for reason, n in tally.skipped.items() if n}
        job.first, job.last, job.damaged = tally.first, tally.last, tally.damaged
        job.complete = tally.complete
        job.exporters = tuple(source.exporters)
        job.first_bad = tally.first_bad
        if packets is not None:
            job.ended_at = packets.ended_at
            job.digests = (start, packets.interfaces_digest)


def _check_spans(jobs: list[_Job]) -> None:
    for number in {job.file for job in jobs if job.span}:
        parts = [job for job in jobs if job.file == number]
        spans = [job.span for job in parts if job.span]
        if not fits(spans, [job.ended_at for job in parts], [job.digests for job in parts]):
            raise _MisfitError


def _spans(jobs: list[_Job]) -> tuple[tuple[int, int], ...]:
    before: dict[int, int] = {}
    spans = []
    for job in jobs:
        spans.append((job.file, before.get(job.file, 0)))
        before[job.file] = before.get(job.file, 0) + job.records
    return tuple(spans)


def _info(parts: list[_Job]) -> SourceInfo:
    skipped: dict[str, int] = {}
    for job in parts:
        for reason, n in job.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + n
    firsts = [job.first for job in parts if job.first is not None]
    lasts = [job.last for job in parts if job.last is not None]
    return SourceInfo(
        parts[0].uri,
        parts[0].format,
        sum(job.records for job in parts),
        sum(job.bytes for job in parts),
        skipped,
        min(firsts, default=None),
        max(lasts, default=None),
        next((job.damaged for job in parts if job.damaged), None),
        all(job.complete for job in parts),
        tuple(exporter for job in parts for exporter in job.exporters),
        next((job.first_bad for job in parts if job.first_bad), ""),
    )
