"""The sweep over times says what counting each window by hand says, however the rows come in batches."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.detect.pace import peaks

GROUPS = 4
ROWS = st.lists(st.tuples(st.integers(0, GROUPS), st.integers(-30, 30)), max_size=40)


def by_hand(rows: list[tuple[int, int]], window: int) -> tuple[list[int], list[int]]:
    total, most = [0] * (GROUPS + 1), [0] * (GROUPS + 1)
    for group, end in rows:
        total[group] += 1
        within = sum(one == group and end - window <= time <= end for one, time in rows)
        most[group] = max(most[group], within)
    return total, most


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 40), st.lists(st.integers(0, 40), max_size=5))
def test_the_most_within_a_window_is_what_counting_by_hand_finds(
    rows: list[tuple[int, int]], window: int, cuts: list[int]
) -> None:
    rows.sort()
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    parts = np.split(table, sorted(cut for cut in cuts if cut < len(rows)))
    batches = [(part[:, 0].copy(), part[:, 1].copy()) for part in parts]
    total, most = peaks(batches, GROUPS, window)
    assert (total.tolist(), most.tolist()) == by_hand(rows, window)


def test_without_rows_there_is_nothing_to_count() -> None:
    total, most = peaks([], 2, 60)
    assert total.tolist() == most.tolist() == [0, 0, 0]
