"""What the kernels over touches find is what plain Python finds with dictionaries and sets, whatever the order of
the rows, the batches and the size of the tables; and rows on disk are the rows that were added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.detect import touch_rows
from rearguard.detect.grouping import FIRST, GROUP, PROGRESS, first_rows, group_rows
from rearguard.detect.loads import LOAD, hot_rows, load_rows
from rearguard.detect.looking import COUNTS, look_rows
from rearguard.detect.lookup import Lookup, lookup
from rearguard.detect.members import rows_of_sources, rows_of_targets
from rearguard.detect.tally_rows import BARE, DARK, EXCEPTION, MEMBER, NO_RESULT, SURVEYOR
from rearguard.detect.touch_rows import (
    FLAGLESS,
    FORGEABLE,
    GUEST,
    LAN,
    NO_WORD,
    OPENED,
    RETURNED,
    SENT,
    TOUCH,
    Touches,
)

V4 = 0xFFFF << 32
SECOND = 1_000_000_000
LARGEST = (1 << 64) - 1
MASKS = np.array([0, 0xFFFF_FFFF_FFFF_FF00, 0], np.uint64)
"""Of network 0 none, of network 1 a /56, and of no network."""
Row = dict[str, int]
ENDS = st.sampled_from(
    [(0, V4 | 1), (0, V4 | 2), (0, V4 | 0x102), (0, 7), (1 << 61, 5), (1 << 61, 6), (3 << 60, 5)]
)


@st.composite
def touches(draw: st.DrawFn) -> list[Row]:
    """Rows of TOUCH in which much is alike."""
    made = []
    for _ in range(draw(st.integers(0, 40))):
        client, server = draw(ENDS), draw(ENDS)
        begun = draw(st.integers(0, 5)) * 40 * SECOND
        made.append(
            {
                "client_hi": client[0],
                "client_lo": client[1],
                "server_hi": server[0] + draw(st.integers(0, 1)) * (server[0] > 0),
                "server_lo": server[1],
                "begun": begun,
                "ended": begun + draw(st.integers(-1, 2)) * 50 * SECOND,
                "tries": draw(st.sampled_from([0, 1, 2, 900, LARGEST])),
                "mirai": draw(st.integers(0, 1)),
                "sampling": draw(st.sampled_from([0, 1, 1000])),
                "marks": draw(st.integers(0, (1 << 14) - 1)),
                "port": draw(st.integers(7546, 7549)),
                "interface": draw(st.sampled_from([0, 1, NO_WORD])),
                "network": draw(st.sampled_from([0, 1, NO_WORD])),
                "surveyor": NO_WORD,
                "exception": NO_WORD,
                "proto": draw(st.sampled_from([6, 17])),
                "result": draw(st.sampled_from([0, 3, 4, NO_RESULT])),
                "way": draw(st.integers(0, 2)),
                "rec": len(made) + 1,
            }
        )
    return made


def table(rows: list[Row]) -> npt.NDArray[Any]:
    made = np.zeros(len(rows), TOUCH)
    for at, row in enumerate(rows):
        for name, value in row.items():
            made[at][name] = value
    return made


def source(row: Row) -> tuple[int, int]:
    return row["client_hi"], row["client_lo"] if is_v4(row["client_hi"], row["client_lo"]) else 0


def is_v4(hi: int, lo: int) -> bool:
    return hi == 0 and lo >> 32 == 0xFFFF


def device(row: Row) -> tuple[int, int]:
    if row["network"] == 1 and not is_v4(row["server_hi"], row["server_lo"]):
        return row["server_hi"] & int(MASKS[1]), 0
    return row["server_hi"], row["server_lo"]


def group(row: Row) -> tuple[int, ...]:
    return *source(row), row["interface"], row["way"]


def reflected(row: Row) -> tuple[int, ...]:
    four = is_v4(row["client_hi"], row["client_lo"])
    net = row["client_lo"] >> 8 if four else row["client_hi"] >> 16
    return row["server_hi"], row["server_lo"], row["interface"], net


def victims_of(rows: list[Row], some: bool) -> tuple[set[tuple[int, ...]], Lookup]:
    """The reflection that the first row is of, or none."""
    keys = {reflected(row) for row in rows[:1]} if some else set()
    return keys, lookup(sorted(keys))


def tried(rows: list[Row], victims: set[tuple[int, ...]]) -> list[Row]:
    return [
        row
        for row in rows
        if row["marks"] & OPENED and not row["marks"] & GUEST and reflected(row) not in victims
    ]


def in_parts(
    count: Callable[[npt.NDArray[Any], int, npt.NDArray[Any], npt.NDArray[np.int64]], int],
    rows: list[Row],
    kind: np.dtype[Any],
    size: int,
) -> Iterator[npt.NDArray[Any]]:
    """The cells of a table each time that it is half full, and in the end."""
    made, start = table(rows), 0
    while True:
        cells, used = np.zeros(size, kind), np.zeros(1, np.int64)
        start = count(made, start, cells, used)
        yield cells
        if start == len(made):
            return


@settings(max_examples=60, deadline=None)
@given(touches(), st.booleans(), st.sampled_from([2, 4, 64]))
def test_groups_are_what_a_dictionary_holds(rows: list[Row], some: bool, size: int) -> None:
    victims, reflections = victims_of(rows, some)

    def count(made: Any, start: int, cells: Any, used: Any) -> int:
        return group_rows(made, start, reflections, cells, used)

    found: dict[tuple[int, ...], list[int]] = {}
    for cells in in_parts(count, rows, GROUP, size):
        for cell in cells[cells["touches"] > 0]:
            key = tuple(int(cell[name]) for name in ("source_hi", "source_lo", "interface", "way"))
            into = found.setdefault(key, [0, 0, 0, 1 << 32, 0, LARGEST, 0])
            for at, name in enumerate(("touches", "strange", "dark")):
                into[at] += int(cell[name])
            into[3] = min(into[3], int(cell["rate"]))
            into[4] = max(into[4], int(cell["result"]))
            into[5], into[6] = min(into[5], int(cell["low"])), max(into[6], int(cell["high"]))
    expected: dict[tuple[int, ...], list[int]] = {}
    for row in tried(rows, victims):
        into = expected.setdefault(group(row), [0, 0, 0, 1 << 32, 0, LARGEST, 0])
        into[0] += 1
        into[1] += not row["marks"] & (LAN | FLAGLESS)
        into[2] += bool(row["marks"] & DARK)
        into[3] = min(into[3], max(1, row["sampling"]))
        into[4] = max(into[4], row["result"] % NO_RESULT)
        into[5], into[6] = min(into[5], row["client_lo"]), max(into[6], row["client_lo"])
    assert found == expected


@settings(max_examples=80, deadline=None)
@given(touches(), st.booleans(), st.booleans(), st.integers(1, 40))
def test_each_device_is_first_tried_once(rows: list[Row], in_order: bool, some: bool, batch: int) -> None:
    if in_order:
        rows = sorted(rows, key=lambda row: (group(row), device(row)))
    victims, reflections = victims_of(rows, some)
    mine = tried(rows, victims)
    keys = sorted({group(row) for row in mine})[:4]
    sizes = np.array([sum(group(row) == key for row in mine) for key in keys], np.int64)
    expected: dict[tuple[int, ...], int] = {}
    for row in mine:
        if group(row) in keys:
            key = (keys.index(group(row)), *device(row))
            expected[key] = min(expected.get(key, 1 << 62), row["begun"])
    progress, out = np.zeros(len(keys), PROGRESS), np.empty(2 * len(rows) + 2, FIRST)
    found: dict[tuple[int, ...], int] = {}
    for unsorted in (False, True):
        told: Counter[tuple[int, ...]] = Counter()
        for start in range(0, len(rows), batch):
            part = table(rows[start : start + batch])
            count = first_rows(part, lookup(keys), reflections, MASKS, sizes, progress, unsorted, out)
            assert count <= 2 * len(part)
            for place, hi, lo, begun in out[:count].tolist():
                told[place, hi, lo] += 1
                found[place, hi, lo] = min(found.get((place, hi, lo), 1 << 62), begun)
        if not unsorted:
            sound = {place for place in range(len(keys)) if not progress["broken"][place]}
            assert all(count == 1 for key, count in told.items() if key[0] in sound)
            assert {key[0] for key in expected} - sound or found == expected
    assert found == expected
    assert not in_order or not progress["broken"].any()
    assert all(progress["touches"][place] == sizes[place] for place in sound)


@settings(max_examples=60, deadline=None)
@given(touches(), st.booleans(), st.sampled_from([0, LAN | GUEST | FLAGLESS]))
def test_members_of_a_source_are_its_touches(rows: list[Row], some: bool, refused: int) -> None:
    victims, reflections = victims_of(rows, some)
    keys = sorted({group(row) for row in rows})[:3]
    out, picked = np.empty(len(rows), MEMBER), np.empty(len(rows), np.int64)
    count = rows_of_sources(table(rows), lookup(keys), reflections, MASKS, OPENED, refused, out, picked)
    expected = [
        (keys.index(group(row)), *device(row), row["rec"], max(1, row["sampling"]), row["marks"] & 127)
        for row in rows
        if row["marks"] & OPENED
        and not row["marks"] & refused
        and group(row) in keys
        and reflected(row) not in victims
    ]
    names = ["place", "peer_hi", "peer_lo", "rec", "rate", "marks"]
    assert out[names][:count].tolist() == expected
    assert (picked[:count] + 1).tolist() == [row[3] for row in expected]


@settings(max_examples=60, deadline=None)
@given(touches())
def test_members_of_a_device_and_of_a_network_are_what_was_tried_there(rows: list[Row]) -> None:
    rows = [row for row in rows if row["interface"] != NO_WORD]
    keys = sorted({(*device(row), row["interface"], row["way"]) for row in rows})[:3]
    networks = np.full((2, 4, 2), -1, np.int64)
    networks[1, 0, 0] = 9
    out, picked = np.empty(2 * len(rows), MEMBER), np.empty(2 * len(rows), np.int64)
    places = np.arange(len(keys), dtype=np.int64) + 20
    count = rows_of_targets(table(rows), lookup(keys), places, networks, MASKS, out, picked)
    expected = []
    for row in rows:
        key = (*device(row), row["interface"], row["way"])
        if row["tries"] and key in keys:
            expected.append((20 + keys.index(key), row["client_hi"], row["client_lo"], row["rec"]))
        if row["tries"] and (row["interface"], row["way"], row["network"]) == (1, 0, 0):
            expected.append((9, row["client_hi"], row["client_lo"], row["rec"]))
    assert out[["place", "peer_hi", "peer_lo", "rec"]][:count].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(touches(), st.sampled_from([2, 4, 64]), st.sampled_from([1, 3, 1000]))
def test_loads_add_up_by_network_and_hot_heaps_hold_every_busy_device(
    rows: list[Row], size: int, heaps: int
) -> None:
    rows = [row for row in rows if row["interface"] != NO_WORD]
    heap = np.zeros(heaps, np.uint64)

    def count(made: Any, start: int, cells: Any, used: Any) -> int:
        return load_rows(made, start, MASKS, heap, cells, used)

    names = ("interface", "way", "network", "start", "seconds", "rate")
    found: Counter[tuple[int, ...]] = Counter()
    for cells in in_parts(count, rows, LOAD, size):
        for cell in cells[cells["seconds"] > 0]:
            key = tuple(int(cell[name]) for name in names)
            found[key] = min(LARGEST, found[key] + int(cell["tries"]))
    expected: Counter[tuple[int, ...]] = Counter()
    busy: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        rate = max(1, row["sampling"])
        tries = min(LARGEST, row["tries"] * rate)
        span = row["begun"] // SECOND, max(60, (row["ended"] - row["begun"]) // SECOND)
        if row["network"] != NO_WORD and tries:
            key = (row["interface"], row["way"], row["network"], *span, rate)
            expected[key] = min(LARGEST, expected[key] + tries)
        busy[*device(row), row["interface"], row["way"]] += tries
    assert found == expected
    out = np.empty(len(rows), LOAD)
    count_hot = hot_rows(table(rows), MASKS, heap >= 900, out)
    told: Counter[tuple[int, ...]] = Counter()
    for one in out[:count_hot]:
        told[tuple(int(one[name]) for name in ("device_hi", "device_lo", "interface", "way"))] += int(
            one["tries"]
        )
    assert all(told[key] == tries for key, tries in busy.items() if tries >= 900)


@settings(max_examples=60, deadline=None)
@given(touches(), st.integers(1, 40))
def test_a_look_counts_what_each_detector_needs(rows: list[Row], batch: int) -> None:
    counts, ports = np.zeros(len(COUNTS), np.uint64), np.zeros((256, 8192), np.uint8)
    kept: list[int] = []
    for start in range(0, len(rows), batch):
        some = table(rows[start : start + batch])
        kept += some["rec"][: look_rows(some, counts, ports)].tolist()
    inward = [row for row in rows if row["way"] != 1]
    listed = [row for row in inward if row["interface"] != NO_WORD]
    opened = [row for row in inward if row["marks"] & OPENED]
    knocked = [row for row in opened if row["proto"] == 6 or row["interface"] != NO_WORD]
    back = [row for row in rows if row["way"] == 0 and row["marks"] & RETURNED]
    foreign = [row for row in rows if row["way"] == 1 and row["interface"] != NO_WORD and row["proto"] == 6]

    def scaled(some: list[Row]) -> int:
        return min(LARGEST, sum(min(LARGEST, row["tries"] * max(1, row["sampling"])) for row in some))

    assert dict(zip(COUNTS, counts.tolist(), strict=True)) == {
        "touches": len(rows),
        "known": sum(bool(row["marks"] & (SURVEYOR | EXCEPTION)) for row in rows),
        "tried": sum(row["interface"] != NO_WORD for row in opened),
        "knocked": len(knocked),
        "loose": sum(
            row["interface"] == NO_WORD and row["proto"] == 6 and bool(row["marks"] & SENT) for row in inward
        ),
        "outward": sum(bool(row["marks"] & BARE) for row in foreign),
        "worm": sum(row["way"] != 0 and row["mirai"] > 0 for row in rows),
        "answers": sum(row["interface"] != NO_WORD for row in back),
        "replied": len(back),
        "own": sum(row["way"] != 0 for row in rows),
        "asked": scaled([row for row in back if row["marks"] & FORGEABLE]),
        "initiations": scaled(listed),
        "ports": len({(row["port"], row["proto"]) for row in knocked}),
    }
    assert kept == [row["rec"] for row in listed if row["marks"] & OPENED or row["tries"]]


@pytest.mark.parametrize("held", [0, 3, 1000])
def test_rows_come_back_as_often_as_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: int
) -> None:
    monkeypatch.setattr(touch_rows, "HELD", held)
    monkeypatch.setattr(touch_rows, "BATCH", 5)
    rows = Touches(tmp_path)
    reused = np.zeros(4, TOUCH)
    for start in range(0, 12, 4):
        reused["rec"] = np.arange(start, start + 4)
        rows.add(reused[:3])
    for _ in range(2):
        found = [number for batch in rows.batches() for number in batch["rec"].tolist()]
        assert found == [number for number in range(12) if number % 4 != 3]
    rows.close()
    assert not list(tmp_path.iterdir())


def test_a_table_of_keys_finds_what_is_in_it_alone() -> None:
    keys = [(a, b, c, d) for a in (0, LARGEST) for b in range(20) for c in range(3) for d in (0, 2)]
    rows = table([{"client_hi": a, "client_lo": V4 | b if a == 0 else b, "interface": c, "way": d, "marks": OPENED}
                  for a, b, c, d in keys])  # fmt: skip
    wanted = [(a, V4 | b if a == 0 else 0, c, d) for a, b, c, d in keys]
    for chosen in (sorted({*wanted}), sorted({*wanted})[::3], []):
        out, picked = np.empty(len(rows), MEMBER), np.empty(len(rows), np.int64)
        count = rows_of_sources(rows, lookup(chosen), lookup([]), MASKS, OPENED, 0, out, picked)
        assert out["place"][:count].tolist() == [chosen.index(key) for key in wanted if key in chosen]
