"""What is measured, in sections that can be run one by one; each gives rows of the table.

Slopes are seconds per further gigabyte between a small and a large file: start-up and report cancel out, so
that they compare the work per byte, which is what decides on the long captures that hurt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.generate import SHAPES, START
from benchmarks.library import Capture, Library, size_name
from benchmarks.measure import Cost, MeasureError, best, note
from benchmarks.mix import SECONDS_PER_GB
from benchmarks.peers import PEERS, Peer, Result, floor_command
from benchmarks.peers import measure as measure_peer
from benchmarks.rows import Row, at_least, at_most, fact, failed
from benchmarks.subject import LIMIT, Subject

__all__ = ["SECTIONS", "Bench"]

TINY = 200_000
SEVERAL = 4
SLOPE_TARGETS = {"mix": 1.2, "syn-flood": 3.0, "random-ports": 3.0}
PEER_TARGET, CORES_TARGET = 5.0, 1.6
FIXED_TARGET, FIXED_JSON_TARGET, HELP_TARGET = 3.5, 2.2, 0.15
MEMORY_TARGET, FLAT_TARGET = 512.0, 1.1
SLOW_PEERS = frozenset({"argus + radark", "tshark + sort"})
"""Measured on the small file only."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every section works with."""

    library: Library
    subject: Subject
    small: int
    large: int
    streamed: int

    def pair(self, shape: str) -> tuple[Capture, Capture]:
        """The small and the large capture of a shape."""
        return self.library.capture(shape, self.small), self.library.capture(shape, self.large)


def _peers(bench: Bench) -> Iterator[Row]:
    for size in (bench.small, bench.large):
        capture = bench.library.capture("mix", size)
        results = []
        for peer in PEERS:
            if size == bench.small or peer.name not in SLOW_PEERS:
                try:
                    results.append(measure_peer(peer, capture.path, capture.truth))
                except MeasureError as failure:
                    yield failed(_of(peer, size), str(failure))
        for result in results:
            yield fact(_of(result, size), _peer_text(result))
        cost = bench.subject.everything([capture])
        name = f"mix {size_name(size)}"
        yield fact(f"rearguard analyze --output, {name}", _cost_text(cost))
        complete = [result for result in results if result.same_answer]
        if complete:
            fastest = min(complete, key=lambda result: result.cost.wall)
            ratio = fastest.cost.wall / cost.wall
            yield at_least(
                f"times faster than the fastest peer, {name}", ratio, PEER_TARGET, detail=fastest.peer
            )


def _of(peer: Peer | Result, size: int) -> str:
    name = peer.name if isinstance(peer, Peer) else peer.peer
    return f"{name}, mix {size_name(size)}"


def _peer_text(result: Result) -> str:
    answered = "not said" if result.wrong_answered is None else f"{result.wrong_answered} wrong"
    return (
        f"{_cost_text(result.cost)}; tried: {result.wrong_tried} wrong, answered: {answered}, "
        f"controllers accused: {result.accused_controllers}"
    )


def _cost_text(cost: Cost) -> str:
    return f"{cost.wall:.2f} s, CPU {cost.cpu:.2f} s, {cost.largest_rss / 1e6:.0f} MB"


def _answer(bench: Bench) -> Iterator[Row]:
    for capture in bench.pair("mix"):
        answer = bench.subject.answer(capture)
        name = f"of {answer.scanners}, mix {size_name(round(capture.size, -5))}"
        yield at_most(
            f"scanning sources with a wrong count of tried addresses, {name}", answer.wrong_tried, 0
        )
        yield at_most(f"scanning sources with a wrong count of answers, {name}", answer.wrong_answered, 0)
        yield at_most(f"sources accused that do not scan, {name}", answer.accused, 0)


def _slopes(bench: Bench) -> Iterator[Row]:
    for shape in SHAPES:
        pair = bench.pair(shape)
        floor = _slope(
            pair, lambda capture: best(["taskset", "-c", "0", *floor_command(capture.path)], limit=LIMIT)
        )
        ours = _slope(pair, lambda capture: bench.subject.json([capture], workers=1, pinned=True))
        detail = (
            f"{ours.wall:.2f} against {floor.wall:.2f} s a GB; CPU {ours.cpu:.2f} against {floor.cpu:.2f}"
        )
        yield at_most(
            f"slope on one core against tcpdump, {shape}",
            ours.wall / floor.wall,
            SLOPE_TARGETS[shape],
            detail=detail,
        )


@dataclass(frozen=True, slots=True)
class _Slope:
    wall: float
    cpu: float


def _slope(pair: tuple[Capture, Capture], cost_of: Callable[[Capture], Cost]) -> _Slope:
    small, large = pair
    return _between(cost_of(small), cost_of(large), large.gigabytes - small.gigabytes)


def _between(less: Cost, more: Cost, gigabytes: float) -> _Slope:
    note(f"{less.wall:.2f} s, then {more.wall:.2f} s with {gigabytes:.1f} GB more")
    return _Slope((more.wall - less.wall) / gigabytes, (more.cpu - less.cpu) / gigabytes)


def _fixed(bench: Bench) -> Iterator[Row]:
    tiny = bench.library.capture("mix", TINY)
    everything = bench.subject.tiny(tiny, everything=True)
    yield at_most(
        "fixed cost, everything written", everything.wall, FIXED_TARGET, " s", f"CPU {everything.cpu:.2f} s"
    )
    json = bench.subject.tiny(tiny, everything=False)
    yield at_most("fixed cost, --json alone", json.wall, FIXED_JSON_TARGET, " s", f"CPU {json.cpu:.2f} s")
    told = best([str(bench.subject.program), "--help"], limit=LIMIT, runs=7)
    yield at_most("rearguard --help", told.wall, HELP_TARGET, " s", f"CPU {told.cpu:.2f} s")


def _memory(bench: Bench) -> Iterator[Row]:
    peaks = []
    for capture in bench.pair("mix"):
        cost = bench.subject.everything([capture], runs=1)
        peaks.append(cost.main_rss)
        yield _memory_row(f"mix {size_name(round(capture.size, -5))}", cost)
    cost = bench.subject.streamed("mix", bench.streamed)
    peaks.append(cost.main_rss)
    yield _memory_row(f"mix {size_name(bench.streamed)} through a pipe", cost)
    yield at_most("largest peak against the smallest", max(peaks) / max(min(peaks), 1), FLAT_TARGET)
    for shape in ("syn-flood", "random-ports"):
        large = bench.library.capture(shape, bench.large)
        yield _memory_row(f"{shape} {size_name(bench.large)}", bench.subject.everything([large], runs=1))


def _memory_row(name: str, cost: Cost) -> Row:
    detail = f"all processes {cost.total_rss / 1e6:.0f} MB; {cost.wall:.1f} s"
    return at_most(
        f"peak memory of the main process, {name}", cost.main_rss / 1e6, MEMORY_TARGET, " MB", detail
    )


def _cores(bench: Bench) -> Iterator[Row]:
    pair = bench.pair("mix")
    slopes = [_slope(pair, partial(_with_workers, bench, workers)) for workers in (1, 2)]
    yield _cores_row("one large file", *slopes)
    seconds = SECONDS_PER_GB * bench.small // 10**9 + 1
    files = [
        bench.library.capture("mix", bench.small, seed=11 + number, start=START + number * seconds)
        for number in range(SEVERAL)
    ]
    further = sum(file.gigabytes for file in files[1:])
    slopes = [
        _between(
            bench.subject.json(files[:1], workers=workers),
            bench.subject.json(files, workers=workers),
            further,
        )
        for workers in (1, 2)
    ]
    yield _cores_row(f"{SEVERAL} files", *slopes)


def _with_workers(bench: Bench, workers: int, capture: Capture) -> Cost:
    return bench.subject.json([capture], workers=workers)


def _cores_row(name: str, one: _Slope, two: _Slope) -> Row:
    detail = f"{one.wall:.2f} s a GB with one worker, {two.wall:.2f} with two"
    return at_least(f"two cores, {name}", one.wall / two.wall, CORES_TARGET, detail=detail)


SECTIONS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "fixed": _fixed,
    "answer": _answer,
    "slopes": _slopes,
    "cores": _cores,
    "memory": _memory,
    "peers": _peers,
}
"""The sections in the order in which they run, the slowest last."""
