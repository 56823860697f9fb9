"""The compiled reduction is the plain reference: same contacts, census and hosts for the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts import reference
from tests.contacts.reference import World
from tests.contacts.rows import Row, rows_of
from tests.contacts.run import ONE, Facts, facts, world_of
from tests.contacts.strategies import SIZES, awkward, row_lists

from rearguard.catalogue import load
from rearguard.contacts import hll
from rearguard.contacts.guarding import build_guard
from rearguard.contacts.reducer import Sizes
from rearguard.model.fields import CENSUS, key_names
from rearguard.policy import Policy
from rearguard.sources import open_source

MIXED = (
    "0.0.0.0/1",
    "128.3.0.0/16",
    "131.243.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "2001::/17",
    "fe80::/10",
)
"""Prefixes that hold one end of most captures' packets, both ends of some and none of others."""


def agree(found: Facts, rows: list[Row], world: World) -> None:
    assert found.contacts == reference.contacts(rows, world)
    assert found.census == reference.census(rows, world)
    assert found.hosts == reference.hosts(rows, world)


@settings(max_examples=60, deadline=None)
@given(row_lists(), st.sampled_from(SIZES[1:]))
def test_random_rows_reduce_as_the_reference_says(rows: list[Row], sizes: Sizes) -> None:
    agree(facts([[rows]], sizes=[sizes]), rows, ONE)


@pytest.mark.parametrize("sizes", SIZES)
def test_awkward_rows_reduce_as_the_reference_says(sizes: Sizes) -> None:
    agree(facts([[awkward()]], sizes=[sizes]), awkward(), ONE)


@pytest.mark.corpus
def test_captures_reduce_as_the_reference_says(corpus: Path) -> None:
    policy = Policy.model_validate({"networks": {"ours": {"prefixes": list(MIXED)}}})
    guard = build_guard(policy, load())
    world = world_of(guard, MIXED)
    captures = [rows_in(path, number) for number, path in enumerate(sorted(corpus.rglob("*.pcap*")))]
    rows = [row for capture in captures for row in capture]
    found = facts([captures], guard, [SIZES[2]])
    agree(found, rows, world)
    assert len(rows) > 10_000
    assert len(found.contacts) > 1000


def rows_in(path: Path, number: int) -> list[Row]:
    with open_source(str(path)) as source:
        return [row for chunk in source.chunks() for row in rows_of(chunk, number)]


@settings(max_examples=25, deadline=None)
@given(row_lists(most=200))
def test_sketches_estimate_the_exact_sets(rows: list[Row]) -> None:
    width = len(key_names(CENSUS))
    exact = reference.distinct(rows, ONE)
    for cell in facts([[rows]]).census:
        for registers, members in zip(cell[-2:], exact[cell[:width]], strict=True):
            estimate = float(hll.estimate(np.array(registers, dtype=np.uint8))[0])
            assert abs(estimate - len(members)) <= max(2, 4 * hll.ERROR * len(members))
