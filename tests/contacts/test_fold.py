"""Merging in the kernels is merging by the ``merge`` attribute of the tables, in any order and any grouping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts import reference

from rearguard.contacts.fold import fold_census, fold_contacts, largest_census, merge_observers
from rearguard.model.fields import CENSUS, CONTACT, Field, dtype, key_names

Values = dict[str, Any]
SMALL = st.integers(0, 3)
EXTREMES = {"min": [2**63 - 1, 0, 5], "max": [-(2**63), 0, 5]}


@st.composite
def partials(draw: st.DrawFn, table: tuple[Field, ...], keys: int = 2) -> list[Values]:
    """Partials of few keys. A pointer's port follows from its record, as it does in traffic."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        row: Values = {}
        for field in table:
            if field.merge == "key":
                row[field.name] = draw(st.integers(0, keys - 1)) if field.name in VARIED else 1
            elif field.merge == "hll":
                row[field.name] = (
                    draw(st.lists(SMALL, min_size=4, max_size=4).map(lambda few: few * 16))
                    if table is CENSUS
                    else []
                )
            elif field.merge in EXTREMES:
                row[field.name] = draw(st.sampled_from(EXTREMES[field.merge]))
            else:
                row[field.name] = draw(SMALL)
        for name in [name for name in row if "_port_" in name]:
            row[name] = row[name.replace("port", "rec")] * 7
        found.append(row)
    return found


VARIED = {"server_lo", "observer", "addr_lo", "port"}


def packed(rows: list[Values], table: tuple[Field, ...]) -> np.ndarray[Any, Any]:
    out = np.zeros(len(rows), dtype=dtype(table))
    for field in table:
        for at, row in enumerate(rows):
            out[field.name][at] = row[field.name]
    return out


def plain(rows: np.ndarray[Any, Any], table: tuple[Field, ...]) -> list[Values]:
    listed = [{field.name: row[field.name].tolist() for field in table} for row in rows]
    return sorted(listed, key=lambda row: [row[name] for name in key_names(table)])


def expected(rows: list[Values], table: tuple[Field, ...]) -> list[Values]:
    folded: dict[tuple[int, ...], Values] = {}
    for row in rows:
        key = tuple(row[name] for name in key_names(table))
        folded[key] = reference.merge(folded[key], row, table) if key in folded else row
    return [folded[key] for key in sorted(folded)]


FOLDS: dict[str, tuple[tuple[Field, ...], Any]] = {
    "contacts": (CONTACT, fold_contacts),
    "census": (CENSUS, fold_census),
}


@pytest.mark.parametrize("kind", FOLDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_fold_merges_as_the_table_says(kind: str, data: st.DataObject) -> None:
    table, fold = FOLDS[kind]
    rows = data.draw(partials(table))
    assert plain(fold(packed(rows, table)), table) == expected(rows, table)


@pytest.mark.parametrize("kind", FOLDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_fold_commutes_and_associates(kind: str, data: st.DataObject) -> None:
    table, fold = FOLDS[kind]
    rows = data.draw(partials(table))
    whole = plain(fold(packed(rows, table)), table)
    other = data.draw(st.permutations(rows))
    assert plain(fold(packed(other, table)), table) == whole
    cut = data.draw(st.integers(0, len(rows)))
    halves = [fold(packed(part, table)) for part in (other[:cut], other[cut:])]
    assert plain(fold(np.concatenate(halves)), table) == whole


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_rows_that_are_spent_fold_to_the_same(data: st.DataObject) -> None:
    rows = data.draw(partials(CONTACT, keys=3))
    folded = fold_contacts(packed(rows, CONTACT))
    assert (fold_contacts(packed(rows, CONTACT), spent=True) == folded).all()
    merged, seen_at = merge_observers(folded)
    again, as_often = merge_observers(folded.copy(), spent=True)
    assert (again == merged).all()
    assert (as_often == seen_at).all()


@pytest.mark.parametrize("field", [field for field in CONTACT if field.merge != "key"], ids=lambda f: f.name)
def test_each_field_of_a_contact_merges_by_its_own_rule(field: Field) -> None:
    """One field at a time, so that a rule that is left out cannot hide behind another."""
    for a, b in ((5, 6), (6, 5), (4, 3)):
        rows = [contact(0, **{field.name: value}) for value in (a, b)]
        if "_port_" in field.name:  # it belongs to its record and decides nothing
            for row in rows:
                row[field.name.replace("port", "rec")] = row[field.name]
        assert plain(fold_contacts(packed(rows, CONTACT)), CONTACT) == expected(rows, CONTACT)


def contact(observer: int, **values: int) -> Values:
    return dict.fromkeys((field.name for field in CONTACT), 0) | {"observer": observer} | values


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_observers_merge_to_the_largest_and_never_to_the_sum(data: st.DataObject) -> None:
    """Rule A5: each count is the largest of any place; bits, times and pointers are from everywhere."""
    rows = expected(data.draw(partials(CONTACT, keys=3)), CONTACT)  # one row a key, as a fold leaves them
    order = data.draw(st.permutations(rows))
    merged, seen_at = merge_observers(packed(order, CONTACT))
    places: dict[tuple[int, ...], list[Values]] = {}
    keys = [name for name in key_names(CONTACT) if name not in ("observer", "sampling")]
    for row in rows:
        places.setdefault(tuple(row[name] for name in keys), []).append(row)
    by_key = {
        tuple(int(row[name]) for name in keys): (row, n) for row, n in zip(merged, seen_at, strict=True)
    }
    assert by_key.keys() == places.keys()
    for key, group in places.items():
        row, n = by_key[key]
        best = max(group, key=lambda item: (item["packets_c"] + item["packets_s"], -item["observer"]))
        assert n == len(group)
        together = expected([item | {"observer": 0} for item in group], CONTACT)[0]
        for field in CONTACT:
            if field.merge == "key":
                assert row[field.name] == best[field.name], field.name
            elif field.merge == "+":
                assert row[field.name] == max(item[field.name] for item in group), field.name
            else:
                assert row[field.name] == together[field.name], field.name


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_census_cells_of_several_observers_become_the_largest(data: st.DataObject) -> None:
    """Rule A5, each figure for itself; sketches of several observers unite."""
    rows = expected(data.draw(partials(CENSUS, keys=3)), CENSUS)
    largest = largest_census(packed(data.draw(st.permutations(rows)), CENSUS))
    places: dict[tuple[int, ...], list[Values]] = {}
    for row in rows:
        places.setdefault(tuple(row[name] for name in CELL), []).append(row)
    assert len(largest) == len(places)
    for cell in largest:
        group = places[tuple(int(cell[name]) for name in CELL)]
        for name in ("packets", "bytes", "tries", "sampling"):
            assert cell[name] == max(row[name] for row in group)
        for name in ("sources", "targets"):
            assert cell[name].tolist() == [
                max(column) for column in zip(*(row[name] for row in group), strict=True)
            ]


CELL = ("minute", "port", "proto", "direction")


@pytest.mark.parametrize("turn", [1, -1])
def test_rows_of_one_observer_at_two_sampling_rates_merge_alike_in_any_order(turn: int) -> None:
    rows = [contact(0, packets_c=1, sampling=rate, bytes_c=rate + 60) for rate in (1, 1000)]
    merged, _ = merge_observers(packed(rows[::turn], CONTACT))
    assert [(int(row["sampling"]), int(row["bytes_c"])) for row in merged] == [(1, 1060)]
