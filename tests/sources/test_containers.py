"""pcap and pcapng: every variant of the format, and what is damaged."""

from __future__ import annotations

import struct
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearguard.model.chunk import ROWS
from rearguard.model.errors import InputError
from rearguard.sources import Observer, open_source
from rearguard.sources.frames import new_frames
from rearguard.sources.pcap_walk import MAX_CAPLEN, walk_pcap
from rearguard.sources.pcapng_walk import MAX_BLOCK, to_nanoseconds

from . import build as b
from .containers import FAR, Interface
from .rows import read_file

MAGICS = {0xA1B2C3D4: 5_000, 0xA1B23C4D: 5, 0xA1B2CD34: 5_000}
SECOND = 10**9


def write(folder: Path, data: bytes) -> Path:
    path = folder / "capture"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("magic", MAGICS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("link", [101, 0x10000000 | 101, 0x50000000 | 101])
def test_pcap_variants(tmp_path: Path, magic: int, order: str, link: int) -> None:
    path = write(tmp_path, b.pcap(b.SYN, b.ip4(b.udp(), 17), order=order, magic=magic, link=link))
    rows, source = read_file(path)
    first = 1_700_000_000 * SECOND + MAGICS[magic]
    assert [(row["ts"], row["record"], row["dport"]) for row in rows] == [
        (first, 1, 7547),
        (first + SECOND, 2, 161),
    ]
    assert (source.format, source.compression, [*source.observers]) == ("pcap", "", [Observer("")])
    assert (source.tally.first, source.tally.last) == (first, first + SECOND)
    assert source.tally.complete
    assert source.tally.bytes == path.stat().st_size == source.ended_at
    assert source.progress == type(source.progress)(path.stat().st_size, path.stat().st_size)


def test_times_past_2038_are_times(tmp_path: Path) -> None:
    data = bytearray(b.pcap(b.SYN, link=101))
    data[24:28] = struct.pack("<I", 0xFFFF_FFFF)
    rows, _ = read_file(write(tmp_path, bytes(data)))
    assert rows[0]["ts"] == 0xFFFF_FFFF * SECOND + 5_000


def test_a_header_alone_is_a_capture_without_records(tmp_path: Path) -> None:
    for data in (b.pcap(), b.section(), b.section() + b.interface()):
        rows, source = read_file(write(tmp_path, data))
        assert (rows, source.tally.records, source.tally.complete) == ([], 0, True)


@pytest.mark.parametrize("cut", range(1, 16 + 40))
def test_a_cut_pcap_gives_all_whole_records(tmp_path: Path, cut: int) -> None:
    rows, source = read_file(write(tmp_path, b.pcap(b.SYN, b.SYN, b.SYN, link=101)[:-cut]))
    assert len(rows) == 2
    assert source.tally.records == 3
    assert source.tally.skipped["truncated-record"] == 1
    assert source.tally.damaged == "the file ends in the middle of record 3"
    assert not source.tally.complete


def test_an_impossible_length_ends_the_reading(tmp_path: Path) -> None:
    data = bytearray(b.pcap(b.SYN, b.SYN, b.SYN, link=101))
    data[24 + 56 + 8 : 24 + 56 + 12] = struct.pack("<I", MAX_CAPLEN + 1)
    rows, source = read_file(write(tmp_path, bytes(data)))
    assert len(rows) == source.tally.records == 1
    assert source.tally.damaged is not None
    assert "after record 1, at byte 80" in source.tally.damaged


def test_the_largest_record_is_read(tmp_path: Path) -> None:
    packet = b.SYN + b"\0" * (MAX_CAPLEN - len(b.SYN))
    rows, _ = read_file(write(tmp_path, b.pcap(packet, b.SYN, link=101)))
    assert len(rows) == 2


def test_more_records_than_a_chunk_holds(tmp_path: Path) -> None:
    path = write(tmp_path, b.pcap(*[b.SYN] * 70_000, link=101, step=0))
    with open_source(str(path)) as source:
        sizes = [(chunk.n, int(chunk.rows[0].record)) for chunk in source.chunks()]
    assert len(sizes) > 2
    assert all(0 < n <= ROWS for n, _ in sizes)
    assert [first for _, first in sizes] == list(accumulate((n for n, _ in sizes[:-1]), initial=1))
    assert sum(n for n, _ in sizes) == 70_000


@pytest.mark.parametrize("order", "<>")
def test_pcapng_blocks(tmp_path: Path, order: str) -> None:
    data = b.section(order)
    data += b.block(4, b"\0" * 4, order) + b.interface(order, 101, options=b.option(2, b"eth0", order))
    data += b.interface(
        order, 1, options=b.option(9, b"\x09", order) + b.option(14, struct.pack(order + "q", 60), order)
    )
    data += b.enhanced(b.SYN, 3_000_000, 0, order) + b.enhanced(b.ether(b.SYN), 7, 1, order)
    data += b.block(5, b"\0" * 12, order) + b.block(10, b"\0" * 8, order) + b.block(0x7777, b"", order)
    data += b.simple(b.SYN, order) + b.obsolete(b.SYN, 4_000_000, 0, order)
    data += b.section(order) + b.interface(order, 101) + b.enhanced(b.SYN, 9_000_000, 0, order)
    rows, source = read_file(write(tmp_path, data))
    assert [(row["ts"], row["observer"]) for row in rows] == [
        (3 * SECOND, "eth0"),
        (60 * SECOND + 7, "#1"),
        (0, "eth0"),
        (4 * SECOND, "eth0"),
        (9 * SECOND, "#0"),
    ]
    assert [row["dport"] for row in rows] == [7547] * 5
    assert source.tally.complete
    assert [one.name for one in source.observers] == ["eth0", "#1", "#0"]


def test_sections_of_both_byte_orders_in_one_file(tmp_path: Path) -> None:
    data = b"".join(
        b.section(order) + b.interface(order, 101) + b.enhanced(b.SYN, 10**6, 0, order) for order in "<><"
    )
    rows, source = read_file(write(tmp_path, data))
    assert [(row["ts"], row["record"]) for row in rows] == [(SECOND, 1), (SECOND, 2), (SECOND, 3)]
    assert [one.name for one in source.observers] == ["#0"]


def test_one_name_twice_in_a_section_is_two_observers(tmp_path: Path) -> None:
    named = b.interface("<", 101, options=b.option(2, b"eth0"))
    data = b.section() + named + named + b.enhanced(b.SYN, 1, 0) + b.enhanced(b.SYN, 1, 1)
    data += b.section() + named + b.enhanced(b.SYN, 1, 0)
    rows, source = read_file(write(tmp_path, data))
    assert [one.name for one in source.observers] == ["eth0", "eth0#1"]
    assert [row["observer"] for row in rows] == ["eth0", "eth0#1", "eth0"]


def test_records_without_a_packet_are_numbered_as_tshark_does(tmp_path: Path) -> None:
    data = (
        b.section()
        + b.interface("<", 101)
        + b.block(0xBAD, b"\0" * 8)
        + b.enhanced(b.SYN)
        + b.block(9, b"A=1\n")
    )
    rows, source = read_file(write(tmp_path, data))
    assert [row["record"] for row in rows] == [2]
    assert source.tally.skipped["not-a-packet"] == 2
    assert source.tally.first is source.tally.last is None
    assert source.tally.complete


DAMAGED = {
    "unknown interface": (b.enhanced(b.SYN, 0, 3) + b.enhanced(b.SYN), 1, {"unknown-interface": 1}, False),
    "captured more than the block": (
        b.block(6, struct.pack("<IIIII", 0, 0, 0, 999, 999) + b.SYN) + b.enhanced(b.SYN),
        1,
        {"bad-record": 1},
        False,
    ),
    "too short for its kind": (b.block(6, b"\0" * 16) + b.enhanced(b.SYN), 1, {"bad-record": 1}, False),
    "lengths differ": (b.enhanced(b.SYN)[:-4] + b"\0\0\0\x7c" + b.enhanced(b.SYN), 0, {}, True),
    "length of 8": (b"\x06\0\0\0\x08\0\0\0" + b.enhanced(b.SYN), 0, {}, True),
    "length too large": (struct.pack("<II", 6, MAX_BLOCK + 4) + b"\0" * 100, 0, {}, True),
    "odd length": (struct.pack("<II", 6, 73) + b"\0" * 100, 0, {}, True),
    "cut": (b.enhanced(b.SYN) + b.enhanced(b.SYN)[:-1], 1, {"truncated-record": 1}, True),
    "cut head": (b.enhanced(b.SYN) + b"\x06\0\0", 1, {"truncated-record": 1}, True),
    "later version": (b.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), 0, {}, True),
    "cut interface": (b.enhanced(b.SYN) + b.interface()[:-6], 1, {"truncated-record": 1}, True),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pcapng(tmp_path: Path, name: str) -> None:
    data, rows_left, skipped, damaged = DAMAGED[name]
    rows, source = read_file(write(tmp_path, b.section() + b.interface("<", 101) + data))
    assert len(rows) == rows_left
    assert {reason: count for reason, count in source.tally.skipped.items() if count} == skipped
    assert (source.tally.damaged is not None) == damaged
    assert not source.tally.complete


def test_a_flood_of_interfaces_ends_the_reading(tmp_path: Path) -> None:
    path = write(tmp_path, b.section() + b.interface("<", 101) * 65_537 + b.enhanced(b.SYN))
    rows, source = read_file(path)
    assert rows == []
    assert source.tally.damaged is not None
    assert "interfaces" in source.tally.damaged


resolutions = st.integers(0, 255)


@given(
    st.integers(0, 2**64 - 1),
    resolutions,
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-100, 100)),
)
def test_times_are_exact(ticks: int, resolution: int, offset: int) -> None:
    got = to_nanoseconds(ticks >> 32, ticks & 0xFFFFFFFF, resolution >= 128, resolution & 0x7F, offset)
    want = Interface(1, resolution, offset, 0, "").time(ticks >> 32, ticks & 0xFFFFFFFF)
    assert abs(got - want) <= (resolution > 128 + 34)
    assert abs(got) <= (FAR + 1) * SECOND


NOT_CAPTURES = {
    "empty": (b"", "empty"),
    "short": (b"\xd4\xc3\xb2\xa1\x02\0", "only 6 bytes"),
    "snoop": (b"snoop\0\0\0" + b"\0" * 40, "snoop"),
    "nfcapd": (b"\x0c\xa5\x09\0" + b"\0" * 40, "layout 9"),
    "text": (b"hello, this is nothing but some text\n", "text"),
    "json": (b'{"event_type": "flow", "src_ip": "192.0.2.1"}', "event_type, src_ip"),
    "tar": (b"a" * 257 + b"ustar" + b"\0" * 250, "tar"),
    "noise": (bytes(range(200, 250)), "c8 c9 ca"),
    "section": (b"\x0a\x0d\x0d\x0a" + b"\xff" * 60, "section header"),
}


@pytest.mark.parametrize("name", NOT_CAPTURES)
def test_what_is_no_capture_is_named(tmp_path: Path, name: str) -> None:
    data, word = NOT_CAPTURES[name]
    path = write(tmp_path, data)
    with pytest.raises(InputError, match=word) as caught:
        open_source(str(path))
    assert caught.value.place.file == str(path)
    assert caught.value.remedy


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        open_source(str(tmp_path / "none"))


def test_the_walker_stops_at_its_limit() -> None:
    import numpy as np

    data = np.frombuffer(b.pcap(b.SYN, b.SYN, link=101), np.uint8)
    frames = new_frames(10)
    assert walk_pcap(data, 24, data.size, 25, False, False, False, 101, frames)[1:3] == (80, 1)
    assert walk_pcap(data, 24, data.size, 81, False, False, False, 101, frames)[1:3] == (136, 2)


def test_a_chunk_is_even_while_there_is_one_interface(tmp_path: Path) -> None:
    one = b.enhanced(b.SYN)
    data = (
        b.section() + b.interface("<", 101) + one * 3 + b.interface("<", 101) + one + b.enhanced(b.SYN, 1, 1)
    )
    with open_source(str(write(tmp_path, data))) as source:
        seen = [(chunk.even, chunk.column("observer").tolist()) for chunk in source.chunks()]
    assert seen == [(True, [0, 0, 0]), (False, [0, 1])]
