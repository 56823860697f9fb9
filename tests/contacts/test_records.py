"""Copies byte by byte are the copies that numpy makes, and nobody's memory is shared."""

from __future__ import annotations

import numpy as np

from rearguard.contacts.records import copied, joined
from rearguard.model.fields import CONTACT, dtype


def made(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, dtype=dtype(CONTACT))
    for name in rows.dtype.names or ():
        rows[name] = rng.integers(0, 200, count)
    return rows


def test_a_copy_is_equal_and_its_own() -> None:
    rows = made(50, 1)
    for given in (rows, rows[::3], rows[:0]):
        twin = copied(given)
        assert twin.dtype == rows.dtype
        assert twin.tolist() == given.tolist()
        assert not np.shares_memory(twin, rows)


def test_joined_rows_are_those_of_all_parts() -> None:
    parts = [made(3, 1), made(0, 2), made(40, 3)[::2]]
    whole = joined(parts)
    assert whole.tolist() == [row for part in parts for row in part.tolist()]
    alone = joined(parts[:1])
    assert alone.tolist() == parts[0].tolist()
    assert not np.shares_memory(alone, parts[0])
