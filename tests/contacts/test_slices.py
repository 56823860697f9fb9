"""Contacts in pieces: their order is that of the whole, no key is torn apart, and nothing concludes otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts.rows import numbered
from tests.contacts.run import SMALL, concluded
from tests.contacts.test_law import incident

from rearguard.contacts import slices
from rearguard.contacts.mix import mix2
from rearguard.contacts.single import SINGLE
from rearguard.model.fields import CONTACT, dtype

ENDS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(7, 8)), max_size=30)


def rows_of(ends: list[tuple[int, int, int]], kind: Any) -> np.ndarray:
    rows = np.zeros(len(ends), dtype=kind)
    rows["client_lo"], rows["server_lo"], rows["port"] = np.array(ends, dtype=np.int64).reshape(-1, 3).T
    return rows


def key(row: Any) -> tuple[int, ...]:
    with np.errstate(over="ignore"):
        partition = int(mix2(row["client_hi"], row["client_lo"])) >> 56
    names = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")
    return (partition, *(int(row[name]) for name in names))


@settings(max_examples=40, deadline=None)
@given(ENDS, ENDS, st.integers(1, 9))
def test_pieces_follow_each_other_and_tear_no_key_apart(
    left: list[tuple[int, int, int]], right: list[tuple[int, int, int]], most: int
) -> None:
    singles, rows = rows_of(left, SINGLE), rows_of(right, dtype(CONTACT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "MOST", most)
        pieces = list(slices.slices(singles, rows))
    if len(left) + len(right) > 2 * most:
        keys = [{key(row) for each in piece for row in each} for piece in pieces]
        found = [one for piece in keys for one in sorted(piece)]
        assert found == sorted({key(row) for each in (singles, rows) for row in each})
    for at, whole in enumerate((singles, rows)):
        together = sorted(key(row) for piece in pieces for row in piece[at])
        assert together == sorted(key(row) for row in whole)


def test_pieces_conclude_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = numbered(incident())
    expected = concluded([[rows]], [SMALL])
    monkeypatch.setattr(slices, "MOST", 3)
    assert concluded([[rows]], [SMALL]) == expected
