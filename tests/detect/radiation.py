"""False alarms and time to warn of ``port-surge`` on simulated background radiation.

``cd tests && python -m detect.radiation [DAYS] [SEED]`` prints both. The background: ports whose levels span
four decades, a common day and night, a level of each port's own that wanders from hour to hour (gamma, 30 %),
and surveys that search a port for minutes from one to five networks (two a day and port). The outbreak doubles
every 75 minutes.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa

from detect.build import START, mix
from rearguard.detect.surge_series import build
from rearguard.detect.surge_statistics import Alarm, Budget, Diurnal, alarms
from rearguard.policy.thresholds import Thresholds

DAY = 1440
MINUTE0 = START // 60_000_000_000


def background(days: int, ports: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(cell, source) of every try; a cell is port * minutes + minute."""
    rng = np.random.default_rng(seed)
    minutes = days * DAY
    levels = np.exp(rng.normal(-2.0, 2.0, ports)).clip(0.001, 150)
    levels[:12] = np.linspace(20, 150, 12)
    day = 1 + 0.4 * np.sin(2 * np.pi * np.arange(minutes) / DAY)
    cells, sources = [], []
    for port, level in enumerate(levels):
        wander = np.repeat(rng.gamma(11.0, 1 / 11.0, minutes // 60), 60)
        counts = rng.poisson(level * day * wander)
        for begin in rng.integers(0, minutes - 30, rng.poisson(2 * days)):
            survey = np.arange(begin, begin + rng.integers(3, 30)).repeat(rng.integers(5, 50))
            cells.append(port * minutes + survey)
            sources.append(rng.integers(0, rng.integers(1, 6), len(survey)) + begin + port * 1_000_003)
        cells.append(np.repeat(port * minutes + np.arange(minutes), counts))
        pool = max(50, int(level * 200))
        sources.append(rng.integers(0, pool, counts.sum()) + port * 1_000_003)
    return np.concatenate(cells), np.concatenate(sources)


def outbreak(days: int, ports: int, port: int, begin: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tries of an outbreak on ``port``: one source network a minute at first, doubling every 75 minutes."""
    rng = np.random.default_rng(seed)
    minutes = days * DAY
    counts = np.zeros(minutes, dtype=np.int64)
    age = np.arange(minutes - begin)
    counts[begin:] = rng.poisson(np.minimum(2 ** (age / 75), 5000))
    return np.repeat(port * minutes + np.arange(minutes), counts), rng.integers(10**9, 10**10, counts.sum())


def census_table(cells: np.ndarray, sources: np.ndarray, minutes: int) -> pa.Table:
    """The tries as the census holds them, sorted as the detector wants it."""
    present, place, tries = np.unique(cells, return_inverse=True, return_counts=True)
    registers = np.zeros((len(present), 64), np.uint8)
    hashes = mix(sources.astype(np.uint64))
    rest = (hashes >> np.uint64(6)).astype(np.float64)
    rank = (58 - np.floor(np.log2(np.maximum(rest, 1)))).astype(np.uint8)
    np.maximum.at(registers, (place, (hashes & np.uint64(63)).astype(np.int64)), rank)
    count = len(present)
    blobs = pa.BinaryArray.from_buffers(
        pa.binary(),
        count,
        [None, pa.py_buffer(np.arange(0, 64 * (count + 1), 64, dtype=np.int32)), pa.py_buffer(registers)],
    )
    return pa.table(
        {
            "minute": MINUTE0 + present % minutes,
            "port": (present // minutes).astype(np.uint16),
            "proto": np.full(count, 6, np.uint8),
            "direction": np.zeros(count, np.uint8),
            "tries": tries,
            "sources": blobs,
        }
    )


def judge(table: pa.Table, false_alarms: float = 1.0) -> list[Alarm]:
    """All alarms of a census."""
    thresholds = Thresholds(surge_false_alarms=false_alarms)
    minutes = table["minute"].to_numpy()
    series = build(table, (int(minutes.min()), int(minutes.max())))
    budget = Budget.of(len(np.unique(series[-1].keys)), thresholds.surge_false_alarms)
    day = Diurnal(series[-1].first, series[-1].last)
    day.learn(series[-1])
    return [alarm for one in series for alarm in alarms(one, day.shape(), thresholds, budget)]


def measure(days: int, ports: int, seed: int) -> tuple[int, int | None]:
    """Ports with a false alarm, and after how many minutes the outbreak was seen (None: never)."""
    minutes = days * DAY
    cells, sources = background(days, ports, seed)
    wrong = {alarm.key for alarm in judge(census_table(cells, sources, minutes))}
    port, begin = ports - 1, minutes - 12 * 60
    more_cells, more_sources = outbreak(days, ports, port, begin, seed + 1)
    together = census_table(np.r_[cells, more_cells], np.r_[sources, more_sources], minutes)
    seen = [
        (alarm.window + 1) * alarm.minutes - MINUTE0 - begin
        for alarm in judge(together)
        if alarm.key >> 16 == port and (alarm.window + 1) * alarm.minutes - MINUTE0 > begin
    ]
    return len(wrong), min(seen, default=None)


def main() -> None:
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for given in (1, days):
        wrong, seen = measure(given, 300, seed)
        print(
            f"{given} day(s), 300 ports: {wrong} ports with false alarms ({wrong / given:.2f} a day);"
            f" an outbreak that doubles every 75 minutes was seen after {seen} minutes"
        )


if __name__ == "__main__":
    main()
