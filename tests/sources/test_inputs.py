"""Compressed input, standard input, folders and globs, the order of time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from rearguard.model.errors import InputError, UsageError
from rearguard.sources import expand, open_source, order

from . import build as b
from .rows import read_file

MANY = b.pcap(*(b.ip4(b.tcp(seq=i, body=os.urandom(40))) for i in range(30_000)), link=101)

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "bzip2": lambda data: bz2.compress(data, 1),
}


@pytest.mark.parametrize("name", PACK)
def test_compression_is_told_by_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(PACK[name](MANY))
    rows, source = read_file(path)
    assert [row["seq"] for row in rows] == list(range(30_000))
    assert source.compression == name
    assert source.tally.complete
    assert source.tally.bytes == len(MANY)
    assert source.progress.done == source.progress.total == path.stat().st_size


@pytest.mark.parametrize("name", PACK)
def test_members_may_follow_each_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / "two"
    path.write_bytes(PACK[name](MANY[:500_000]) + PACK[name](MANY[500_000:]))
    rows, source = read_file(path)
    assert len(rows) == 30_000
    assert source.tally.complete


@pytest.mark.parametrize("name", PACK)
def test_a_cut_file_gives_what_is_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cut"
    path.write_bytes(PACK[name](MANY)[:-400_000])
    rows, source = read_file(path)
    assert 1_000 < len(rows) < 30_000
    assert source.tally.damaged is not None
    assert not source.tally.complete


@pytest.mark.parametrize("name", PACK)
def test_garbage_behind_the_data_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(PACK[name](MANY) + b"garbage" * 10)
    rows, source = read_file(path)
    assert len(rows) == 30_000
    assert source.tally.damaged is not None
    assert name in source.tally.damaged


@pytest.mark.parametrize("name", PACK)
def test_compressed_nonsense_is_an_input_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "nonsense"
    path.write_bytes(PACK[name](b"nothing of interest, but rather long " * 9))
    with pytest.raises(InputError):
        open_source(str(path))
    path.write_bytes(PACK[name](MANY)[:7])
    with pytest.raises(InputError):
        open_source(str(path))


def test_a_source_left_early_ends_its_thread(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(b.pcap(link=101) + b"\0" * 100_000_000, 1))
    before = threading.active_count()
    with open_source(str(path)) as source:
        next(source.chunks(), None)
    assert threading.active_count() == before


def test_standard_input() -> None:
    script = (
        "from rearguard.sources import open_source\n"
        "with open_source('-') as s:\n"
        "    rows = sum(chunk.n for chunk in s.chunks())\n"
        "print(rows, s.progress.total, s.compression)\n"
    )
    for data, name in ((MANY, ""), (gzip.compress(MANY), "gzip")):
        done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
        assert done.stdout.decode().split() == ["30000", "None", *name.split()]


def put(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def test_expand_finds_captures_by_content(tmp_path: Path) -> None:
    one = put(tmp_path / "a" / "one.log", b.pcap(b.SYN))
    two = put(tmp_path / "a" / "b" / "two.pcapng", b.section())
    three = put(tmp_path / "three.gz", gzip.compress(b.pcap()))
    put(tmp_path / "a" / "notes.pcap", b"these are only notes, whatever the name says")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    assert expand([str(tmp_path)]) == [two, one, three]
    assert expand([str(tmp_path / "a" / "*.log"), "-", one, str(tmp_path)]) == [one, "-", two, three]
    (tmp_path / "a" / "loop").unlink()
    assert expand([str(tmp_path / "**" / "*.pcap*")]) == [two, str(tmp_path / "a" / "notes.pcap")]


@pytest.mark.parametrize("argument", ["none.pcap", "*.none", "empty"])
def test_expand_refuses_what_is_not_there(tmp_path: Path, argument: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        expand([str(tmp_path / argument)])
    assert caught.value.remedy


def test_order_is_by_the_first_packet(tmp_path: Path) -> None:
    late = put(tmp_path / "a", b.section() + b.interface("<", 101) + b.enhanced(b.SYN, 1_800_000_000 * 10**6))
    early = put(tmp_path / "b", gzip.compress(b.pcap(b.SYN, link=101)))
    none = put(tmp_path / "c", b.pcap())
    bad = put(tmp_path / "d", b"?")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    uris = [late, none, bad, "-", str(pipe), early]
    assert order(uris) == [early, late, none, bad, "-", str(pipe)]


def test_what_a_folder_holds_and_nobody_can_read_is_told(tmp_path: Path) -> None:
    capture = put(tmp_path / "a.pcap", b.pcap())
    table = put(tmp_path / "b.csv", b"one,two,three\n1,2,3\n")
    told: list[tuple[str, str]] = []
    assert expand([str(tmp_path)], None, lambda uri, error: told.append((uri, error.problem))) == [capture]
    [(uri, problem)] = told
    assert uri == table
    assert "one, two, three" in problem
