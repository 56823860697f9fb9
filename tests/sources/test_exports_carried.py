"""Captures of exports that were cut into files: what one says of its templates holds in the next."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from rearguard import cli
from rearguard.sources import Options, open_source
from rearguard.sources.exports.carried import GAP, Carried, Known
from rearguard.sources.exports.sampling import Told
from rearguard.sources.exports.templates import Template

from . import exports_build as b
from . import sflow_build as s
from .log_rows import Row, rows_of

FLOW = (*b.PAIR, *b.COUNTS)
DATA = b.a_set(256, b.pair(src=0xCB007107, dst=0xC6336401, sport=40_000) + b.counts(1, 40))
RATE = b.options(9, 300, ((0, 1, 4),), ((0, 34, 4),)), b.a_set(300, struct.pack(">II", 0, 100))
SECOND = b.SECOND
START = b.NOW * SECOND


def write(path: Path, *datagrams: tuple[int, bytes], router: str = "192.0.2.1") -> str:
    """A capture of datagrams with the seconds after START at which they came."""
    path.write_bytes(
        s.capture(
            (START + second * SECOND, s.export(one, src=router, dport=2055)) for second, one in datagrams
        )
    )
    return str(path)


def first(source: int = 0) -> bytes:
    return b.v9(b.template(9, 256, FLOW), *RATE, DATA, source=source)


def later(number: int, source: int = 0) -> bytes:
    return b.v9(DATA, sequence=number, source=source)


def read(*uris: str, carried: Carried | None) -> tuple[list[list[Row]], list[dict[str, int]]]:
    """Rows and skipped counts, file by file."""
    rows, skipped = [], []
    for uri in uris:
        with open_source(uri, options=Options(exports=True, carried=carried)) as source:
            rows.append(rows_of(source))
            skipped.append({reason: count for reason, count in source.tally.skipped.items() if count})
    return rows, skipped


def test_a_later_file_is_read_with_the_templates_and_rates_of_the_one_before(tmp_path: Path) -> None:
    one = write(tmp_path / "1.pcap", (0, first()), (1, later(1)))
    two = write(tmp_path / "2.pcap", (2, later(2)))
    three = write(tmp_path / "3.pcap", (1_700, later(3)))
    rows, skipped = read(one, two, three, carried=Carried())
    assert [len(each) for each in rows] == [2, 1, 1]
    assert {row["sampling"] for each in rows for row in each} == {100}
    assert all("no-template" not in each for each in skipped)
    _, skipped = read(one, two, three, carried=None)
    assert [each.get("no-template") for each in skipped] == [None, 1, 1]


@pytest.mark.parametrize(
    ("name", "second", "router", "domain"),
    [
        ("another domain", 2, "192.0.2.1", 7),
        ("another exporter", 2, "192.0.2.2", 0),
        ("the other tap of the same time", 0, "192.0.2.1", 0),
        ("much later", GAP // SECOND + 2, "192.0.2.1", 0),
    ],
)
def test_templates_are_not_those_of(tmp_path: Path, name: str, second: int, router: str, domain: int) -> None:
    one = write(tmp_path / "1.pcap", (0, first()), (1, later(1)))
    two = write(tmp_path / "2.pcap", (second, later(2, domain)), router=router)
    rows, skipped = read(one, two, carried=Carried())
    assert (rows[1], skipped[1].get("no-template")) == ([], 1), name


def test_a_new_template_of_the_later_file_replaces_the_old_one(tmp_path: Path) -> None:
    one = write(tmp_path / "1.pcap", (0, first()))
    swapped = (*b.PAIR, *reversed(b.COUNTS))
    two = write(tmp_path / "2.pcap", (2, later(1)), (3, b.v9(b.template(9, 256, swapped), DATA, sequence=2)))
    rows, _ = read(one, two, carried=Carried())
    assert [(row["packets"], row["bytes"]) for row in rows[1]] == [(1, 40), (40, 1)]


def test_what_is_remembered_is_bounded_and_old_templates_are_forgotten() -> None:
    carried, template = Carried(), Template(256, ((0, 8, 4),))
    for number in range(3_000):
        carried.put((0, number, 0, 9), Known(((template, 0),), (Told(rate=10),)))
    assert carried.get((0, 0, 0, 9), 1) == Known((), ())
    assert carried.get((0, 2_999, 0, 9), 1) == Known(((template, 0),), (Told(rate=10),))
    assert carried.get((0, 2_999, 0, 9), GAP + 1) == Known((), ())


def test_the_whole_run_reads_the_files_in_the_order_of_their_time(tmp_path: Path, capsys: Any) -> None:
    """Named the other way round, with several workers, and read twice to find the networks."""
    uris = [
        write(tmp_path / "z.pcap", (0, first()), (1, later(1))),
        *(write(tmp_path / f"{k}.pcap", (2 + k, later(2 + k))) for k in range(6, -1, -1)),
    ]
    for more in (["--network", "198.51.100.0/24", "--workers", "2"], []):
        assert cli.run(["analyze", *reversed(uris), "--exports", "--json", "--quiet", *more]) == 0
        found = json.loads(capsys.readouterr().out)
        assert sum(source["records"] for source in found["sources"]) == 9
        assert not any("no-template" in source["skipped"] for source in found["sources"])
