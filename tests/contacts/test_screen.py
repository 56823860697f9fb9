"""The screen: both ends placed, and no list lacks a row that its kernel would take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from tests.contacts import reference
from tests.contacts.rows import Row, chunk_of, packet
from tests.contacts.run import ONE, guard_of
from tests.contacts.strategies import row_lists

from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.contacts.screen import CONTACTS, INITIATIONS, SENDERS, TRIES, new_picked, screen
from rearguard.model.bits import ACK, SYN, TCP, UDP, WHY_INITIATOR, WHY_QUOTED
from rearguard.model.chunk import LINE, new_rows


def screened(rows: list[Row]) -> tuple[list[int], dict[int, set[int]]]:
    """The place of each row, and the rows of each list."""
    place, picked = np.zeros(len(rows), dtype=np.uint8), new_picked(len(rows))
    screen(chunk_of(rows).rows, len(rows), guard_of(ONE), place, picked)
    lists = {}
    for which in (CONTACTS, TRIES, SENDERS, INITIATIONS):
        listed = picked.row[which, : picked.counts[which]].tolist()
        assert listed == sorted(set(listed))
        lists[which] = set(listed)
    return place.tolist(), lists


@settings(max_examples=100, deadline=None)
@given(row_lists(most=60))
def test_no_list_lacks_a_row_that_matters(rows: list[Row]) -> None:
    place, lists = screened(rows)
    for number, row in enumerate(rows):
        src, dst = (ONE.is_own(row[f"{end}_hi"], row[f"{end}_lo"]) for end in ("src", "dst"))
        assert place[number] == (SRC_OURS if src else 0) | (DST_OURS if dst else 0)
        assert (number in lists[SENDERS]) == (src and not row["why"] & WHY_QUOTED)
        if reference.contacts([row], ONE):
            assert number in lists[CONTACTS]
        assert (number in lists[TRIES]) == bool(reference.census([row], ONE))
        opens = row["proto"] == TCP and (row["flags"] & (SYN | ACK) == SYN or row["why"] & WHY_INITIATOR)
        fetches = row["proto"] == UDP and row["dport"] == 69
        if number in lists[SENDERS] and (opens or fetches):
            assert number in lists[INITIATIONS]


@pytest.mark.parametrize(
    ("row", "lists"),
    [
        (packet(dst="198.51.100.20:40002", flags="A"), set()),
        (packet("198.51.100.20:40001", "203.0.113.7:443", "PA", payload=9), {SENDERS}),
        (packet("198.51.100.20:40001", "203.0.113.7:443", "S"), {SENDERS, TRIES, INITIATIONS}),
        (packet("203.0.113.7:443", "198.51.100.20:40001", "SA"), set()),
        (packet("203.0.113.7:40001", "198.51.100.20:7547", "A"), {CONTACTS}),
        (packet("198.51.100.20:7547", "203.0.113.7:40001", "RA"), {CONTACTS, SENDERS}),
        (packet("203.0.113.7:1", "192.0.2.9:7547", "S"), {TRIES}),
    ],
    ids=["middle", "web out", "web opened", "web answer", "listed", "refused", "transit"],
)
def test_what_is_nobodys_question_is_on_no_list(row: Row, lists: set[int]) -> None:
    assert {which for which, numbers in screened([row])[1].items() if numbers} == lists


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_row_is_two_whole_cache_lines(size: int) -> None:
    rows = new_rows(size)
    assert rows.dtype.itemsize == 2 * LINE
    assert rows.ctypes.data % LINE == 0
    assert len(rows) == size
    first = {name for name in rows.dtype.names if rows.dtype.fields[name][1] < LINE}
    assert {"src_lo", "dst_lo", "sport", "dport", "proto", "flags", "why", "known", "ts"} <= first
