"""Packing: what is stored comes back bit for bit, and only what differs takes room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.contacts.packing import Layout, Layouts
from rearguard.contacts.single import SINGLE
from rearguard.contacts.spill import PARTITIONS, PartitionedSpill, by_cell, by_client
from rearguard.model.fields import CENSUS, CONTACT, dtype

Words = npt.NDArray[np.uint64]


@st.composite
def batches(draw: st.DrawFn) -> list[Words]:
    """Batches of rows of five words, of which some bits are the same in all rows of a batch."""
    out = []
    for _ in range(draw(st.integers(1, 4))):
        rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
        masks = draw(
            st.lists(
                st.sampled_from([0, 1, 1 << 63, 0xFFFF_0000, 0x8001, (1 << 64) - 1]), min_size=5, max_size=5
            )
        )
        rows = rng.integers(0, 1 << 64, (draw(st.integers(1, 30)), 5), dtype=np.uint64)
        out.append(rows & np.array(masks, dtype=np.uint64) | rows[0] & ~np.array(masks, dtype=np.uint64))
    return out


@settings(max_examples=60, deadline=None)
@given(batches())
def test_what_is_packed_comes_back(given_batches: list[Words]) -> None:
    layouts, stored = [], []
    for rows in given_batches:
        layout = Layout.of(rows.view("V40"))
        target = np.zeros((len(rows), layout.units), dtype=np.uint32)
        alone = np.zeros(len(rows), dtype=np.uint8)
        layout.pack(rows.view("V40"), alone, np.zeros(PARTITIONS, dtype=np.int64), target)
        layouts.append(layout)
        stored.append(target.reshape(-1))
    back = np.zeros((sum(map(len, given_batches)), 5), dtype=np.uint64)
    counts = np.array([len(rows) for rows in given_batches])
    Layouts(layouts).unpack(np.concatenate(stored), counts, back.view("V40"))
    assert np.array_equal(back, np.concatenate(given_batches))


def flood(size: int) -> npt.NDArray[np.void]:
    """Singles of one minute of a flood."""
    rng = np.random.default_rng(size)
    rows = np.zeros(size, dtype=SINGLE)
    rows["client_lo"] = 0xFFFF_0000_0000 | rng.integers(0, 1 << 32, size, dtype=np.uint64)
    rows["server_lo"] = 0xFFFF_0A40_0000 | rng.integers(0, 1 << 18, size, dtype=np.uint64)
    rows["time"] = 1_768_435_200_000_000_000 + np.arange(size) * 5_000
    rows["rec"] = np.arange(size)
    rows["client_port"] = rng.integers(1024, 65_536, size)
    rows["port"], rows["proto"], rows["bytes"] = 7547, 6, 40
    return rows


def test_a_single_of_a_flood_takes_a_quarter() -> None:
    assert Layout.of(flood(60_000)).units * 4 <= SINGLE.itemsize // 4


def test_rows_that_differ_everywhere_take_as_much_as_they_did() -> None:
    rows = np.random.default_rng(1).integers(0, 256, 64 * 50, dtype=np.uint8).view(SINGLE)
    assert Layout.of(rows).units * 4 == SINGLE.itemsize


@pytest.mark.parametrize("table", [CONTACT, CENSUS], ids=["contacts", "census"])
def test_random_rows_come_back_from_a_spill(table: tuple[object, ...], tmp_path: Path) -> None:
    kind = dtype(CONTACT if table is CONTACT else CENSUS)
    rng = np.random.default_rng(2)
    spill = PartitionedSpill(kind, by_client if table is CONTACT else by_cell, 0, tmp_path)
    given_rows = [rng.integers(0, 256, n * kind.itemsize, dtype=np.uint8).view(kind) for n in (1, 40, 700)]
    for rows in given_rows:
        spill.add(rows)
    back = [spill.partition(number, 64) for number in range(0, PARTITIONS, 64)]
    assert sorted(row.tobytes() for part in back for row in part) == sorted(
        row.tobytes() for part in given_rows for row in part
    )
    spill.close()


def test_a_client_is_in_one_partition_only(tmp_path: Path) -> None:
    spill = PartitionedSpill(SINGLE, by_client, 0, tmp_path)
    rows = flood(3_000)
    for part in (rows[:1_000], rows[1_000:], rows):
        spill.add(part)
    seen: set[int] = set()
    for number in range(PARTITIONS):
        clients = spill.partition(number)["client_lo"].tolist()
        assert all(clients.count(client) == 2 for client in clients)
        assert not seen & set(clients)
        seen |= set(clients)
    assert seen == set(rows["client_lo"].tolist())
    spill.close()
