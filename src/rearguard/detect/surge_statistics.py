"""The test behind ``port-surge``: is this number of source networks more than the port's own past explains?

**Baseline.** A window is compared with the windows of the same port before it, at most a week, without those
that alarmed and without the last two hours (at most half of what there is): nothing is learned from an attack,
slow growth is not learned as it grows, and a live run and a file conclude the same. Level and spread are the
median and the quartiles; of quiet ports, whose median is 0, mean and variance of the lower nine tenths.

**Day and night.** All ports breathe together. With two days of history, one shape over 24 hours is taken as the
median over busy ports of (hour / level) and then over days, and each port keeps only its level. With less, the
baseline is called short and the bar is raised: half of the level is added as unexplained standard deviation.

**Bar.** Four conditions, all necessary: ``surge_min_sources``; ``surge_min_factor`` times the level; more than the
past ever showed (the *background ceiling*); and a tail probability below the budget. The tail is that of a
negative binomial (Poisson noise and a level that itself wanders, with the sketches' own error), by Chernoff's
bound, which is never too small:

    P(X >= x) <= exp(-(x ln(x / m) - (x + r) ln((x + r) / (m + r)))),    r = 1 / (relative variance)

The budget is ``surge_false_alarms`` a day divided by the tests of a day, over all ports and merges together
(Bonferroni), so opening more ports never buys more false alarms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rearguard.contacts import hll
from rearguard.detect.surge_series import MERGES, Floats, Ints, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rearguard.policy.thresholds import Thresholds

__all__ = ["Alarm", "Budget", "Diurnal", "Past", "alarms", "smallest", "surprise"]

DAY = 1440
WEEK = 7 * DAY
LONG = 2 * DAY
"""Minutes of history from which the shape of a day is known."""

UNLEARNED = 120
"""Minutes before a window that are too recent to be its baseline."""

SHORT_SPREAD = 0.25
"""Relative variance that is added while it is not (half of the level as standard deviation)."""

LEAST_SERIES = 1000
"""Ports that always count in the budget: a port that has not appeared yet is tested too."""

_BUSY = 5.0
_ENOUGH_PORTS = 8
_PORTS_AT_MOST = 1024


@dataclass(frozen=True, slots=True)
class Budget:
    """Probability that one test may be wrong, and how many tests a day share the budget."""

    each: float
    tests_a_day: int

    @classmethod
    def of(cls, series: int, false_alarms: float) -> Budget:
        """The budget over so many series (port, protocol, direction) at all merges."""
        tests = max(LEAST_SERIES, series) * sum(DAY // merge for merge in MERGES)
        return cls(false_alarms / tests, tests)


@dataclass(frozen=True, slots=True)
class Past:
    """What a port's earlier windows say: level, relative variance, ceiling (the most they showed)."""

    windows: int
    level: float
    spread: float
    ceiling: float
    short: bool

    @classmethod
    def of(cls, values: Floats, minutes: int) -> Past:
        """Of at least one window, each already divided by the shape of the day."""
        count = len(values)
        ordered = np.sort(values)
        median, low, high = (float(ordered[int(count * share)]) for share in (0.5, 0.25, 0.75))
        lower = ordered[: max(1, int(count * 0.9))]
        level = max(median or float(lower.mean()), 0.5 / count)
        variance = ((high - low) / 1.349) ** 2 if median else float(lower.var())
        short = count * minutes < LONG
        spread = max(hll.ERROR**2, (variance - level) / level**2) + (SHORT_SPREAD if short else 0.0)
        level += 2 * math.sqrt((level + spread * level**2) / count)
        return cls(count, level, spread, float(ordered[-1]), short)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One window of one port that its past does not explain."""

    key: int
    minutes: int
    window: int
    sources: float
    tries: int
    expected: float
    ceiling: float
    smallest: int  # the smallest number that would have alarmed in this window
    log_p: float
    past: Past


def surprise(seen: float, mean: float, spread: float) -> float:
    """Chernoff's bound on -ln P(X >= seen) of a negative binomial; 0 up to the mean."""
    if seen <= mean:
        return 0.0
    r = 1 / spread
    return seen * math.log(seen / mean) - (seen + r) * math.log((seen + r) / (mean + r))


def smallest(past: Past, shape: float, thresholds: Thresholds, budget: Budget) -> int:
    """The smallest number of source networks that alarms."""
    mean = past.level * shape
    low = max(
        thresholds.surge_min_sources,
        math.ceil(thresholds.surge_min_factor * mean),
        math.floor(past.ceiling * shape) + 1,
    )
    wanted = -math.log(budget.each)
    high = low
    while surprise(high, mean, past.spread) < wanted:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if surprise(middle, mean, past.spread) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


class Diurnal:
    """Learns how busy each of the 24 hours (UTC) is from the hourly series of all ports, piece by piece."""

    def __init__(self, first: int, last: int) -> None:
        """``first`` and ``last`` hour of the whole input."""
        self._first, self._hours = first, last - first + 1
        self._busiest: list[tuple[float, int, Floats]] = []

    @property
    def worthwhile(self) -> bool:
        """Whether there are two days to learn from."""
        return self._hours * 60 >= LONG

    def learn(self, hourly: Series) -> None:
        """Take in some ports."""
        for key, begin, end in zip(*hourly.ranges(), strict=True):
            dense = np.zeros(self._hours)
            dense[hourly.windows[begin:end] - self._first] = hourly.sources[begin:end]
            level = float(np.median(dense))
            if level >= _BUSY:
                self._busiest.append((-level, int(key), dense / level))
        self._busiest.sort(key=lambda item: item[:2])
        del self._busiest[_PORTS_AT_MOST:]

    def shape(self) -> Floats | None:
        """The 24 hours, mean 1; None while two days or enough busy ports are missing."""
        if not self.worthwhile or len(self._busiest) < _ENOUGH_PORTS:
            return None
        common = np.median(np.array([relative for _, _, relative in self._busiest]), axis=0)
        of_day = (np.arange(self._hours) + self._first) % 24
        shape = np.array([np.median(common[of_day == hour]) for hour in range(24)])
        bounded: Floats = np.clip(shape / shape.mean(), 0.25, 4.0)
        return bounded


def alarms(series: Series, shape: Floats | None, thresholds: Thresholds, budget: Budget) -> Iterator[Alarm]:
    """The windows of one merge that alarm, port by port in order of time."""
    count = series.last - series.first + 1
    learned = math.ceil(thresholds.surge_baseline_minutes / series.minutes)
    if count <= learned:
        return
    factor = np.ones(count)
    if shape is not None:
        factor = shape[(np.arange(count) + series.first) * series.minutes // 60 % 24]
    for key, begin, end in zip(*series.ranges(), strict=True):
        sources = series.sources[begin:end]
        if sources.max() < thresholds.surge_min_sources:
            continue
        places = series.windows[begin:end] - series.first
        yield from _of_port(
            series, int(key), places, sources, series.tries[begin:end], factor, learned, thresholds, budget
        )


def _of_port(
    series: Series,
    key: int,
    places: Ints,
    sources: Floats,
    tries: Ints,
    factor: Floats,
    learned: int,
    thresholds: Thresholds,
    budget: Budget,
) -> Iterator[Alarm]:
    flat = np.zeros(len(factor))
    flat[places] = sources / factor[places]
    # Half of a port's windows cannot all be surges: what is not far above its lower quartile needs no test.
    least = thresholds.surge_min_factor * float(np.sort(flat)[len(flat) // 4])
    calm = np.ones(len(flat), dtype=bool)
    for row in np.flatnonzero((sources >= thresholds.surge_min_sources) & (flat[places] >= least)):
        place = int(places[row])
        begin = max(0, place - WEEK // series.minutes)
        end = place - min(UNLEARNED // series.minutes, (place - begin) // 2)
        history = flat[begin:end][calm[begin:end]]
        if len(history) < learned:
            continue
        past = Past.of(history, series.minutes)
        bar = smallest(past, float(factor[place]), thresholds, budget)
        if sources[row] < bar:
            continue
        calm[place] = False
        mean = past.level * float(factor[place])
        yield Alarm(
            key=key,
            minutes=series.minutes,
            window=place + series.first,
            sources=float(sources[row]),
            tries=int(tries[row]),
            expected=mean,
            ceiling=past.ceiling * float(factor[place]),
            smallest=bar,
            log_p=-surprise(float(sources[row]), mean, past.spread),
            past=past,
        )
