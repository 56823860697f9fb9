"""The census: what waits in a word and what does not fit are counted alike, whenever the pool is handed out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.contacts import reference
from tests.contacts.rows import Row, numbered, packet
from tests.contacts.run import ONE, SMALL, facts

from rearguard.contacts.reducer import Sizes


def tries(size: int, seed: int) -> list[Row]:
    """SYNs and datagrams of one and of many packets, small and huge, at forty observers, over two minutes."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        row = packet(
            f"203.0.{rng.integers(0, 200)}.{rng.integers(1, 250)}:40001",
            f"198.51.100.{rng.integers(1, 250)}:{rng.choice([7547, 23, rng.integers(1, 65_536)])}",
            proto=str(rng.choice(["tcp", "udp"])),
            at=float(rng.integers(0, 120)),
        )
        row["observer"] = int(rng.choice([0, 1, 15, 16, 39]))
        row["packets"] = int(rng.choice([0, 1, 1, 1, 15, 16, 1 << 40]))
        row["bytes"] = int(rng.choice([40, 40, (1 << 14) - 1, 1 << 14, 1 << 50]))
        rows.append(row)
    return numbered(rows)


@pytest.mark.parametrize("cells", [1, 2, 32, 64, 4096], ids=lambda cells: f"{cells} cells")
def test_every_try_is_counted_once(cells: int) -> None:
    rows = tries(400, cells)
    sizes: Sizes = dataclasses.replace(SMALL, census_cells=cells)
    found = facts([[rows[:150], rows[150:]]], sizes=[sizes])
    assert found.census == reference.census(rows, ONE)


def test_a_full_bin_is_counted_while_the_others_wait() -> None:
    rows = numbered([packet(at=0.001 * k, dst=f"198.51.100.20:{7547 + k % 3}") for k in range(300)])
    sizes = dataclasses.replace(SMALL, census_cells=320)  # ten tries wait in a bin
    assert facts([[rows]], sizes=[sizes]).census == reference.census(rows, ONE)
