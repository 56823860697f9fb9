"""Touches that are copied beside the connection conclude the same as those in memory, and leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detect.build import contact, detect, policy, view
from detect.talk import exchange
from rearguard.catalogue.catalogue import load
from rearguard.detect import (
    firsts,
    keeping,
    loads,
    looking,
    portrait,
    pouring,
    run,
    run_windows,
    sources,
    touch_rows,
)
from rearguard.detect.touches import view_sql

ALL = 1 << 40
"""A share of the memory so small that nothing fits into it."""


def rows() -> list[dict[str, Any]]:
    """Scans, probes, answers, a flood's worth of tries, a home network, IPv6."""
    made = [
        contact(server=f"198.51.100.{k}", at=k, outcome="answered" if k < 3 else "unanswered")
        for k in range(40)
    ]
    made += [contact("203.0.113.8", f"198.51.100.{k}", 23, at=k) for k in range(3)]
    made += [contact("198.51.100.9", f"192.0.{k}.1", 23, at=k / 2) for k in range(60)]
    made += [contact(f"192.0.2.{k}", port=30005, at=k, tries=900) for k in range(20)]
    made += [contact("10.1.1.2", "10.1.1.3", 22, at=k, outcome="conversed") for k in range(2)]
    made += [contact(f"2001:db8:1::{k}", f"2001:db8:c:{k}::1", at=k) for k in range(30)]
    return made


def test_a_file_and_memory_conclude_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    exchanges = [exchange()]
    expected = detect(*rows(), exchanges=exchanges)
    assert len({finding.kind for finding in expected.findings}) > 3
    monkeypatch.setattr(keeping, "COPY_SHARE", ALL)
    assert detect(*rows(), exchanges=exchanges) == expected


LITTLE: tuple[tuple[Any, str, int], ...] = (
    (firsts, "HELD", 1),
    (loads, "CELLS", 2),
    (looking, "BATCH", 3),
    (portrait, "HELD", 0),
    (pouring, "AT_ONCE", 1),
    (sources, "CELLS", 2),
    (touch_rows, "HELD", 0),
)


@pytest.mark.parametrize("chosen", [LITTLE, *([one] for one in LITTLE)])
def test_however_little_is_held_the_same_is_concluded(
    monkeypatch: pytest.MonkeyPatch, chosen: Sequence[tuple[Any, str, int]]
) -> None:
    many = [
        *rows(),
        *(
            contact(f"2001:db8:1::{client}", f"2001:db8:c:{k}::1", at=k)
            for client in (3, 1)
            for k in range(30)
        ),
    ]
    expected = detect(*many)
    for module, name, value in chosen:
        monkeypatch.setattr(module, name, value)
    assert detect(*many) == expected


def test_nothing_is_left_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keeping, "COPY_SHARE", ALL)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = view(rows())
    for _ in range(2):
        assert run_windows([made], policy(), load()).findings
    assert not list(tmp_path.iterdir())
    assert databases(made.con) == databases(duckdb.connect())


def test_nothing_is_left_of_the_file_when_it_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keeping, "COPY_SHARE", ALL)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = view(rows())
    made.con.execute("DROP TABLE census")
    with pytest.raises(duckdb.Error):
        run(made, policy(), load())
    assert not list(tmp_path.iterdir())
    assert databases(made.con) == databases(duckdb.connect())


def databases(con: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    return con.execute("SELECT database_name FROM duckdb_databases() ORDER BY ALL").fetchall()


def test_marks_mean_what_the_catalogue_says() -> None:
    """Each interface on each port that the catalogue knows, with both protocols, and outside of it."""
    catalogue = load()
    ports = sorted({port.port for entry in catalogue.interfaces for port in entry.ports} | {4})
    con = duckdb.connect()
    con.execute("CREATE TABLE names (interface VARCHAR); CREATE TABLE ports (port USMALLINT)")
    con.executemany(
        "INSERT INTO names VALUES (?)", [(entry.id,) for entry in catalogue.interfaces] + [(None,)]
    )
    con.executemany("INSERT INTO ports VALUES (?)", [(port,) for port in ports])
    con.execute(
        "CREATE VIEW fact_touches AS SELECT interface, port, proto::UTINYINT AS proto, way::UTINYINT AS way,"
        " 0::UBIGINT AS client_hi, 281470849745170::UBIGINT AS client_lo, 0::UBIGINT AS server_hi,"
        " 281470849745171::UBIGINT AS server_lo, 1::UINTEGER AS sampling, false AS verified, 3::UTINYINT AS result,"
        " 0 AS fp_mirai FROM names, ports, (VALUES (6), (17)) AS a(proto), (VALUES (0), (2)) AS b(way)"
    )
    con.execute(view_sql(policy(), catalogue))
    entries = {entry.id: entry for entry in catalogue.interfaces}
    found = con.execute(
        "SELECT interface, port, proto, way, forgeable, lan, unproven, guest FROM touches"
    ).fetchall()
    assert len(found) == 4 * len(ports) * (len(entries) + 1)
    for name, port, proto, way, forgeable, lan, unproven, guest in found:
        entry = entries.get(name)
        shared = entry is not None and any(
            one.shared and one.port == port and {"tcp": 6, "udp": 17}[one.transport] == proto
            for one in entry.ports
        )
        owned = entry is not None and any(str(one).startswith("owner") for one in entry.initiators)
        assert (unproven, guest) == (shared, shared)
        assert forgeable == (entry is not None and bool(entry.amplifies) and proto == 17)
        assert lan == (way == 2 and owned), name
