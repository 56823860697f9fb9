"""Lanes of rows: what the compiled pass and the sorting give is what a dictionary gives, row by row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts.rows import chunk_of, packet

from rearguard.contacts.lanes import PATIENCE, Lanes, RowLanes

Pairs = list[tuple[int, int]]


def assigned(chunks: Sequence[Pairs], observers: Sequence[int]) -> list[tuple[int, int]]:
    """The (observer, rate) that the lanes of all rows of the chunks stand for."""
    lanes, rows, numbers = Lanes(), RowLanes(1024), np.array(observers, dtype=np.uint32)
    found = []
    for pairs in chunks:
        chunk = chunk_of([packet() | {"observer": one, "sampling": rate} for one, rate in pairs])
        of_row, same = rows.assign(chunk, (numbers, numbers), lanes)
        assert len(of_row) == len(pairs)
        assert (of_row == same).all()
        found += [(int(lanes.observer[lane]), int(lanes.sampling[lane])) for lane in of_row]
    return found


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 10, 2**32 - 1])), min_size=1, max_size=200
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_row_has_the_lane_of_its_observer_and_rate(chunks: list[Pairs]) -> None:
    observers = [7, 0, 7, 2**26 - 1]
    assert assigned(chunks, observers) == [(observers[one], rate) for pairs in chunks for one, rate in pairs]


@pytest.mark.parametrize("changes", [1, PATIENCE - 1, PATIENCE, PATIENCE + 1, 5 * PATIENCE])
def test_a_rate_that_changes_all_the_time_is_right_however_often(changes: int) -> None:
    pairs = [(0, 1 + turn % 2) for turn in range(changes)]
    assert assigned([pairs, pairs], [5]) == [(5, rate) for _, rate in pairs * 2]


def test_another_map_of_observers_forgets_what_was_remembered() -> None:
    lanes, rows = Lanes(), RowLanes(8)
    chunk = chunk_of([packet() | {"observer": 0, "sampling": 1}])
    first = int(rows.assign(chunk, (np.array([3], dtype=np.uint32),), lanes)[0, 0])
    second = int(rows.assign(chunk, (np.array([4], dtype=np.uint32),), lanes)[0, 0])
    assert [int(lanes.observer[lane]) for lane in (first, second)] == [3, 4]


@given(st.integers(1, 300), st.integers(0, 2), st.sampled_from([0, 1, 1000]))
def test_a_chunk_that_is_said_to_be_even_has_one_lane(count: int, one: int, rate: int) -> None:
    lanes, rows, numbers = Lanes(), RowLanes(512), np.array([5, 6, 7], dtype=np.uint32)
    chunk = chunk_of([packet() | {"observer": one, "sampling": rate}] * count)
    followed = [
        (int(lanes.observer[k]), int(lanes.sampling[k])) for k in rows.assign(chunk, (numbers,), lanes)[0]
    ]
    chunk.even = True
    (of_row,) = rows.assign(chunk, (numbers,), lanes)
    assert [(int(lanes.observer[k]), int(lanes.sampling[k])) for k in of_row] == followed
