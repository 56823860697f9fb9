"""Damaged and hostile nfcapd files: what is whole is read, the rest counted, and none costs more than a block."""

from __future__ import annotations

import bz2
import struct
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import lz4.block
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lzallright import InputNotConsumed, LZOCompressor, LZOError

from rearguard.model.errors import InputError
from rearguard.sources import open_source
from rearguard.sources.nfcapd.layout import BLOCK_LIMIT
from rearguard.sources.nfcapd.lzo import unpack_lzo
from rearguard.sources.nfcapd.reader import NfcapdSource
from rearguard.sources.nfcapd.unpack import Unpacker
from sources.nfcapd_build import (
    COMPRESSIONS,
    Block,
    Flow,
    exporter,
    extension_map,
    file_v1,
    file_v2,
    flow_v1,
    flow_v2,
    pack,
    sampler,
    statistics,
)
from sources.nfcapd_truth import read

GOOD = Block([flow_v2(Flow(dport=k)) for k in (1, 2, 3)])
LAST = Block([flow_v2(Flow(dport=k)) for k in (8, 9)])
PACKED = [name for name in COMPRESSIONS if name]


def read_bytes(tmp_path: Path, data: bytes) -> tuple[list[int], NfcapdSource]:
    """The destination ports of the rows."""
    path = tmp_path / "file"
    path.write_bytes(data)
    rows, source = read(path)
    return [row["dport"] for row in rows], source


def torn(record: bytes, size: int) -> bytes:
    """A record that says another size."""
    return record[:2] + struct.pack("<H", size) + record[4:]


DAMAGED = {
    "garbage": Block([b"\xff" * 80]),
    "record longer than its block": Block([flow_v2(Flow(dport=4)), torn(flow_v2(Flow()), 60_000)]),
    "record without a size": Block([flow_v2(Flow(dport=4)), torn(flow_v2(Flow()), 0)]),
    "more records than bytes": Block([flow_v2(Flow(dport=4))], count=20),
    "of nfdump 1.5": Block([flow_v2(Flow())], kind=1),
}


@pytest.mark.parametrize("compression", list(COMPRESSIONS))
@pytest.mark.parametrize("damage", list(DAMAGED))
def test_a_damaged_block_is_left_and_the_next_one_read(tmp_path: Path, damage: str, compression: str) -> None:
    ports, source = read_bytes(tmp_path, file_v2([GOOD, DAMAGED[damage], LAST], compression))
    assert [port for port in ports if port != 4] == [1, 2, 3, 8, 9]
    assert source.tally.skipped == {"bad-block": 1}
    assert not source.tally.complete


@pytest.mark.parametrize("compression", PACKED)
def test_a_block_that_cannot_be_unpacked_is_left(tmp_path: Path, compression: str) -> None:
    whole = pack(b"".join(GOOD.records), compression)
    for stored in (b"\0" * 50, whole[:-5], b"\xff\x33" * 40):
        ports, source = read_bytes(
            tmp_path, file_v2([GOOD, Block(count=3, stored=stored), LAST], compression)
        )
        assert ports == [1, 2, 3, 8, 9]
        assert source.tally.skipped == {"bad-block": 1}


@pytest.mark.parametrize("compression", PACKED)
def test_a_block_may_be_stored_as_it_is_among_packed_ones(tmp_path: Path, compression: str) -> None:
    ports, source = read_bytes(tmp_path, file_v2([GOOD, Block(LAST.records, flags=1), LAST], compression))
    assert ports == [1, 2, 3, 8, 9, 8, 9]
    assert source.tally.complete


BAD_RECORDS = (
    torn(flow_v2(Flow()), 8)[:8],
    flow_v2(Flow())[:12].replace(struct.pack("<H", len(flow_v2(Flow()))), struct.pack("<H", 12), 1),
    flow_v2(Flow(packets=1 << 60)),
    flow_v2(Flow(first=1 << 62)),
    flow_v2(Flow())[:14] + b"\0\0" + flow_v2(Flow())[16:],
    flow_v2(Flow())[:14] + b"\xff\xff" + flow_v2(Flow())[16:],
)


@pytest.mark.parametrize("record", BAD_RECORDS)
def test_a_record_that_cannot_be_right_is_left(tmp_path: Path, record: bytes) -> None:
    ports, source = read_bytes(
        tmp_path, file_v2([Block([flow_v2(Flow(dport=1)), record, flow_v2(Flow(dport=2))])])
    )
    assert ports == [1, 2]
    assert source.tally.skipped == {"bad-flow-record": 1}
    assert source.tally.records == 3


def test_a_flow_without_addresses_and_records_of_other_kinds_are_counted(tmp_path: Path) -> None:
    record = bytearray(flow_v2(Flow()))
    record[64:66] = struct.pack("<H", 28)
    other = struct.pack("<HHI", 12, 8, 0)
    ports, source = read_bytes(
        tmp_path, file_v2([Block([bytes(record), other, flow_v2(Flow(dport=2))]), Block([other], kind=4)])
    )
    assert ports == [2]
    assert source.tally.skipped == {"no-addresses": 1, "not-a-flow": 2}
    assert source.tally.complete


def test_flows_of_layout_1_need_their_map(tmp_path: Path) -> None:
    records = [flow_v1(Flow(dport=1), [], 3), extension_map(3, []), flow_v1(Flow(dport=2), [], 3)]
    records += [
        extension_map(4, [5]),
        flow_v1(Flow(dport=3), [], 4),
        extension_map(5, [5, 33, 8]),
        flow_v1(Flow(dport=4), [5], 5),
    ]
    ports, source = read_bytes(tmp_path, file_v1([Block(records)]))
    assert ports == [2, 4]
    assert source.tally.skipped == {"bad-flow-record": 2}


@pytest.mark.parametrize("compression", list(COMPRESSIONS))
def test_a_file_cut_anywhere_gives_the_blocks_that_are_whole(tmp_path: Path, compression: str) -> None:
    one = len(file_v2([GOOD], compression, appendix=False))
    data = file_v2([GOOD, LAST], compression, appendix=False)
    for size in range(40, len(data)):
        ports, source = read_bytes(tmp_path, data[:size])
        assert ports == ([1, 2, 3] if size >= one else [])
        assert not source.tally.complete
        assert source.tally.damaged is not None
    assert read_bytes(tmp_path, data)[1].tally.complete


def test_a_file_that_was_never_closed_is_read_to_its_end(tmp_path: Path) -> None:
    ports, source = read_bytes(tmp_path, file_v2([GOOD, LAST], "lz4", appendix=False, count=0))
    assert ports == [1, 2, 3, 8, 9]
    assert source.tally.complete


@pytest.mark.parametrize("header", [(1 << 31, 3), (BLOCK_LIMIT + 1, 3), (0, 3), (50, 77)])
def test_an_impossible_header_of_a_block_ends_the_reading(tmp_path: Path, header: tuple[int, int]) -> None:
    size, kind = header
    data = file_v2([GOOD, Block(count=1, stored=b"\0" * 50, size=size, kind=kind), LAST])
    ports, source = read_bytes(tmp_path, data)
    assert ports == [1, 2, 3]
    assert source.tally.skipped == {"bad-block": 1}
    assert "block 2" in str(source.tally.damaged)


def _bombs() -> dict[str, bytes]:
    much = 1 << 30
    lzo = bytes([18, 0, 32]) + bytes(much // 255) + b"\x01\x00\x00" + b"\x11\x00\x00"
    huge = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(1 << 26))
    stream = zstandard.ZstdCompressor().compressobj()
    return {
        "lzo": lzo[:BLOCK_LIMIT],
        "lz4": lz4.block.compress(bytes(1 << 28), store_size=False)[:BLOCK_LIMIT],
        "bzip2": bz2.compress(bytes(1 << 26)),
        "zstd": huge,
        "zstd without a size": stream.compress(bytes(1 << 26)) + stream.flush(),
        "zstd that claims a petabyte": b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 50) + b"\x01\0\0",
    }


BOMBS = _bombs()


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_costs_what_a_block_costs(tmp_path: Path, name: str) -> None:
    compression = name.split()[0]
    path = tmp_path / "bomb"
    path.write_bytes(file_v2([Block(count=1, stored=BOMBS[name]), GOOD], compression))
    read(path)
    tracemalloc.start()
    rows, source = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 3
    assert source.tally.skipped == {"bad-block": 1}
    assert peak < 50 << 20


def test_definitions_without_end_cost_no_memory(tmp_path: Path) -> None:
    records: list[bytes] = []
    for k in range(4_000):
        records += [extension_map(k, [4] * (k % 5)), exporter(k, "192.0.2.1", k), sampler(k, k, 1, k)]
    path = tmp_path / "file"
    path.write_bytes(file_v1([Block(records[k : k + 3_000]) for k in range(0, len(records), 3_000)]))
    tracemalloc.start()
    _, source = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(source.exporters) <= 1_024
    assert peak < 50 << 20


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=600),
        st.lists(st.sampled_from([b"abcd", b"\0" * 40, b"xyz" * 30]), max_size=40).map(b"".join),
    )
)
def test_lzo_is_unpacked_as_by_the_library(data: bytes) -> None:
    packed = np.frombuffer(LZOCompressor().compress(data), np.uint8)
    out = np.zeros(len(data) + 16, np.uint8)
    size = unpack_lzo(packed, out)
    assert size == len(data)
    assert out[:size].tobytes() == data
    if data:
        assert unpack_lzo(packed, out[: len(data) - 1]) == -1


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=200),
    at=st.integers(0, 300),
    value=st.integers(0, 255),
    cut=st.integers(0, 300),
)
@example(data=b"\0", at=4, value=18, cut=7)  # the mark at the end, with a length that it never has
def test_damaged_lzo_is_what_the_library_says_or_is_refused(
    data: bytes, at: int, value: int, cut: int
) -> None:
    packed = bytearray(LZOCompressor().compress(data * 3))
    packed[at % len(packed)] = value
    damaged = bytes(packed[: max(cut, 1)])
    out = np.zeros(1 << 16, np.uint8)
    size = unpack_lzo(np.frombuffer(damaged, np.uint8), out)
    try:
        theirs = LZOCompressor.decompress(damaged)
    except InputNotConsumed as error:
        theirs = error.args[1]  # bytes behind the end do no harm
    except LZOError:
        theirs = None
    assert (theirs is None) == (size < 0)
    if theirs is not None:
        assert out[:size].tobytes() == theirs


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(PACKED), data=st.binary(max_size=300))
def test_the_unpackers_never_raise(name: str, data: bytes) -> None:
    Unpacker(name).unpack(np.frombuffer(data, np.uint8))


def _seeds() -> list[bytes]:
    extensions = [5, 8, 14, 16, 23]
    two: Sequence[bytes] = [
        exporter(1, "192.0.2.1", 3), sampler(1, -1, 1, 99), flow_v2(Flow(exporter=1, sampled=True, ingress=3)),
        flow_v2(Flow(src="2001:db8::1", dst="2001:db8::2", opener=1, packets_back=2, bytes_back=9)),
        statistics([(1, 0, 1, 2)]),
    ]  # fmt: skip
    one: Sequence[bytes] = [
        exporter(1, "192.0.2.1", 3),
        extension_map(1, extensions),
        flow_v1(Flow(exporter=1), extensions, 1),
    ]
    return [
        file_v2([Block(two), GOOD]),
        file_v2([Block(two)], "lz4"),
        file_v2([Block(two)], "lzo"),
        file_v1([Block(one)]),
    ]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.sampled_from(_seeds()),
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 1 << 16),
    window=st.sampled_from([1 << 12, 1 << 22]),
)
def test_no_file_raises_past_the_door(
    tmp_path: Path, seed: bytes, changes: list[tuple[int, int]], cut: int, window: int
) -> None:
    data = bytearray(seed)
    for at, value in changes:
        data[4 + at % (len(data) - 4)] = value
    path = tmp_path / "file"
    path.write_bytes(data[: max(cut % (2 * len(data)), 4)])
    try:
        source = open_source(str(path), window=window)
    except InputError:
        return
    with source:
        source.first_time()
        rows = 0
        for chunk in source.chunks():
            rows += chunk.n
            assert int(chunk.column("observer").max()) < len(source.observers)
        assert rows == source.tally.rows <= 2 * source.tally.records
