"""Different clients and servers are counted exactly, in memory or with the database's help."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

from rearguard.contacts import different as counting
from rearguard.contacts.arrow import to_arrow
from rearguard.contacts.different import Different, different

NAMES = ("number", "client_hi", "client_lo", "server_hi", "server_lo")


def contacts(seed: int, count: int, groups: int) -> dict[str, npt.NDArray[np.uint64]]:
    """Crowded and far apart, IPv4 and IPv6, in no order; often the same again."""
    rng = np.random.default_rng(seed)
    four = rng.random(count) < 0.7
    near = (0xFFFF << 32) | 0x0A400000 + rng.integers(0, count // 2 + 1, count)
    far = rng.integers(0, 1 << 63, count)
    made = {
        "number": rng.integers(0, groups, count),
        "client_hi": np.where(rng.random(count) < 0.5, 0, rng.integers(0, 9, count)),
        "client_lo": rng.integers(0, 1 << 12, count),
        "server_hi": np.where(four, 0, 0x20010DB8 << 32),
        "server_lo": np.where(four, near, far),
    }
    again = rng.integers(0, count, count)
    return {name: np.concatenate([values, values[again]]).astype(np.uint64) for name, values in made.items()}


def obvious(rows: dict[str, npt.NDArray[np.uint64]], groups: int) -> list[tuple[int, int]]:
    clients: list[set[tuple[int, int]]] = [set() for _ in range(groups)]
    servers: list[set[tuple[int, int]]] = [set() for _ in range(groups)]
    for group, *ends in zip(*(rows[name].tolist() for name in NAMES), strict=True):
        clients[group].add((ends[0], ends[1]))
        servers[group].add((ends[2], ends[3]))
    return [(len(some), len(others)) for some, others in zip(clients, servers, strict=True)]


@pytest.mark.parametrize(("count", "groups"), [(1, 1), (700, 3), (4_096, 2), (5_000, 300), (40_000, 4)])
def test_every_address_counts_once_in_each_group(count: int, groups: int) -> None:
    rows = contacts(count, count, groups)
    con = duckdb.connect()
    con.register("given_rows", to_arrow(dict(rows)))
    assert different(con, groups, "number", "given_rows") == obvious(rows, groups)


@pytest.mark.parametrize("groups", [1, 5])
def test_what_is_too_much_for_the_memory_is_put_together_by_the_database(
    groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LEAST", 1 << 10)
    monkeypatch.setattr(counting, "MOST", 1 << 11)
    rows = contacts(7, 20_000, groups)
    con = duckdb.connect()
    con.register("given_rows", to_arrow(dict(rows)))
    before = con.execute("SHOW TABLES").fetchall()
    assert different(con, groups, "number", "given_rows WHERE true") == obvious(rows, groups)
    assert con.execute("SHOW TABLES").fetchall() == before


def test_nothing_is_nothing() -> None:
    assert Different(2, duckdb.connect()).counts() == [(0, 0), (0, 0)]
