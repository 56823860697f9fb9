"""One file read in parts is the file read as one, or says that it is not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.model.errors import InputError
from rearguard.sources import Span, fits, open_packets, split

from . import build as b
from .rows import outcomes, read_file


def packets(n: int, seed: int = 1) -> list[bytes]:
    rng = random.Random(seed)
    return [b.ip4(b.tcp(seq=i, body=rng.randbytes(rng.randrange(900)))) for i in range(n)]


def pcap(frames: list[bytes]) -> bytes:
    return b.pcap(*frames, link=101)


def pcapng(frames: list[bytes]) -> bytes:
    return (
        b.section()
        + b.interface("<", 101)
        + b"".join(b.enhanced(frame, 1000 + i) for i, frame in enumerate(frames))
    )


def big_endian(frames: list[bytes]) -> bytes:
    return b.pcap(*frames, link=101, order=">", magic=0xA1B2CD34)


def read_parts(path: Path, spans: list[Span]) -> tuple[list[dict[str, int | str | bytes]], bool]:
    """The rows of all spans, numbered through, and whether the spans fit together."""
    rows, ended, digests, base = [], [], [], 0
    for span in spans:
        with open_packets(str(path), span=span) as source:
            before = source.interfaces_digest
            for row in outcomes(source):
                rows.append(row | {"record": int(row["record"]) + base})
            base += source.tally.records
            ended.append(source.ended_at)
            digests.append((before, source.interfaces_digest))
    return rows, fits(spans, ended, digests)


@pytest.mark.parametrize("make", [pcap, pcapng, big_endian])
@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_are_the_whole(tmp_path: Path, make: object, parts: int) -> None:
    path = tmp_path / "capture"
    path.write_bytes(make(packets(3000)))  # type: ignore[operator]
    spans = split(str(path), parts, smallest=1)
    assert len(spans) == parts
    rows, fitting = read_parts(path, spans)
    assert fitting
    assert rows == read_file(path)[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([pcap, pcapng]), st.integers(1, 1 << 30), st.integers(2, 9))
def test_any_random_capture_fits_or_says_so(tmp_path: Path, make: object, seed: int, parts: int) -> None:
    path = tmp_path / "capture"
    path.write_bytes(make(packets(300, seed)))  # type: ignore[operator]
    rows, fitting = read_parts(path, split(str(path), parts, smallest=1))
    assert fitting
    assert rows == read_file(path)[0]


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_forged_chain_is_noticed(tmp_path: Path, make: object) -> None:
    forged = make(packets(60, 5))[24:]  # type: ignore[operator]
    frames = [b.ip4(b.tcp(body=forged)) for _ in range(100)]
    path = tmp_path / "capture"
    path.write_bytes(make(frames))  # type: ignore[operator]
    spans = split(str(path), 2, smallest=1)
    rows, fitting = read_parts(path, spans)
    assert fitting == (rows == read_file(path)[0])
    middle = path.stat().st_size // 2
    inside = path.read_bytes().index(forged, middle)
    wrong = [Span(0, inside), Span(inside, 1 << 62)]
    assert not read_parts(path, wrong)[1]


def test_an_interface_that_appears_in_an_earlier_part_is_noticed(tmp_path: Path) -> None:
    half = b"".join(b.enhanced(frame) for frame in packets(100))
    path = tmp_path / "capture"
    path.write_bytes(b.section() + b.interface("<", 101) + half + b.interface("<", 101) + half * 3)
    spans = split(str(path), 2, smallest=1)
    assert len(spans) == 2
    assert not read_parts(path, spans)[1]


def test_an_interface_that_appears_in_the_last_part_does_no_harm(tmp_path: Path) -> None:
    half = b"".join(b.enhanced(frame) for frame in packets(100))
    path = tmp_path / "capture"
    path.write_bytes(
        b.section() + b.interface("<", 101) + half * 3 + b.interface("<", 101) + b.enhanced(b.SYN, 1, 1)
    )
    rows, fitting = read_parts(path, split(str(path), 2, smallest=1))
    assert fitting
    assert rows == read_file(path)[0]


def test_what_cannot_be_split_is_one_span(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "capture"
    whole = [Span(0, 1 << 62)]
    path.write_bytes(pcap(packets(100)))
    assert split(str(path), 2) == whole
    assert split(str(path), 1, smallest=1) == whole
    path.write_bytes(gzip.compress(pcap(packets(100))))
    assert split(str(path), 2, smallest=1) == whole
    with pytest.raises(InputError, match="uncompressed"):
        open_packets(str(path), span=Span(99, 200))
    path.write_bytes(pcap([b"\0" * 200_000] * 4))
    assert split(str(path), 2, smallest=1) == whole
    assert split("-", 2) == whole


def test_a_span_reads_the_records_that_begin_in_it(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b.pcap(b.SYN, b.SYN, b.SYN, link=101))
    with open_packets(str(path), span=Span(80, 81)) as source:
        assert [row["record"] for row in outcomes(source)] == [1]
        assert source.ended_at == 136
