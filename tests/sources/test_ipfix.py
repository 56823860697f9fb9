"""Times and sampling as NetFlow v9 and IPFIX tell them, and files of IPFIX messages."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from rearguard.sources.ipfix_file import IpfixFile
from rearguard.sources.opening import open_source
from rearguard.sources.reader import Exporter

from . import exports_build as b

FLOW = (*b.PAIR, *b.COUNTS)
DATA = b.pair() + b.counts()
MS = 1_000_000
NTP = 2_208_988_800
EXPORT = b.NOW * b.SECOND
STARTED = (b.NOW - 60) * 1000


def u32(*values: int) -> bytes:
    """Numbers of 4 bytes."""
    return struct.pack(f">{len(values)}I", *values)


def u64(*values: int) -> bytes:
    """Numbers of 8 bytes."""
    return struct.pack(f">{len(values)}Q", *values)


def ntp(seconds: int, fraction: int = 0) -> int:
    """An NTP timestamp of a time since 1970."""
    return (seconds + NTP) % (1 << 32) << 32 | fraction


def a_flow(fields: tuple[b.Field, ...], values: bytes, version: int = 10, *before: bytes) -> dict[str, int]:
    """The last row of a flow with these fields."""
    sets = (*before, b.template(version, 256, (*FLOW, *fields)), b.a_set(256, DATA + values))
    return b.feed(b.message(version, *sets)).rows[-1]


@pytest.mark.parametrize(
    ("fields", "values", "start", "end"),
    [
        (((0, 150, 4), (0, 151, 4)), u32(b.NOW - 9, b.NOW - 7), -9 * b.SECOND, -7 * b.SECOND),
        (((0, 152, 8), (0, 153, 8)), u64(b.NOW * 1000 - 9, b.NOW * 1000 - 7), -9 * MS, -7 * MS),
        (((0, 154, 8), (0, 155, 8)), u64(ntp(b.NOW - 2, 1 << 31), ntp(b.NOW, 0x7FF)), -1_500 * MS, 0),
        (((0, 156, 8), (0, 157, 8)), u64(ntp(b.NOW - 2, 1 << 30), ntp(b.NOW, 43)), -1_750 * MS, 10),
        (((0, 158, 4), (0, 159, 4)), u32(3_000_000, 5), -3 * b.SECOND, -5_000),
        (((0, 152, 8), (0, 161, 4)), u64(b.NOW * 1000 - 9) + u32(4), -9 * MS, -5 * MS),
        (((0, 153, 8), (0, 162, 4)), u64(b.NOW * 1000 - 9) + u32(4_000), -13 * MS, -9 * MS),
        (((0, 150, 4), (0, 153, 8)), u32(b.NOW - 3) + u64(b.NOW * 1000), -3 * b.SECOND, 0),
        (((0, 323, 8),), u64(b.NOW * 1000 - 77), -77 * MS, -77 * MS),
        (((0, 322, 4),), u32(b.NOW - 1), -b.SECOND, -b.SECOND),
        ((), b"", 0, 0),
        (((0, 152, 8), (0, 153, 8)), u64(0, b.NOW * 1000 - 7), -7 * MS, -7 * MS),
        (((0, 152, 8), (0, 153, 8)), u64(b.NOW * 1000, b.NOW * 1000 - 7), 0, 0),
        (((0, 152, 8), (0, 153, 8)), b"\xff" * 16, 0, 0),
        (((0, 22, 4), (0, 21, 4), (0, 160, 8)), u32(5_000, 7_000) + u64(STARTED), -55_000 * MS, -53_000 * MS),
        (((0, 22, 4), (0, 21, 4)), u32(5_000, 7_000), -2_000 * MS, 0),
        (((0, 22, 4), (0, 21, 4), (0, 152, 8)), u32(5, 6) + u64(b.NOW * 1000 - 60_000), -60_000 * MS, -60_000 * MS),
    ],
    ids=lambda value: "+".join(str(field[1]) for field in value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_times_of_every_kind(fields: tuple[b.Field, ...], values: bytes, start: int, end: int) -> None:
    row = a_flow(fields, values)
    assert (row["ts"] - EXPORT, row["end"] - EXPORT) == (start, end)


def test_ntp_times_after_its_first_era() -> None:
    seconds = (1 << 32) - NTP + 100
    row = a_flow(((0, 156, 8), (0, 157, 8)), u64(ntp(seconds), ntp(seconds + 1)))
    assert (row["ts"], row["end"]) == (seconds * b.SECOND, (seconds + 1) * b.SECOND)


def test_the_uptime_of_v9_is_that_of_its_header() -> None:
    row = a_flow(((0, 22, 4), (0, 21, 4)), u32(49_000, 50_001), 9)
    assert (row["ts"] - EXPORT, row["end"] - EXPORT) == (-1_000 * MS, MS)


def test_options_may_tell_when_the_exporter_was_started() -> None:
    options = b.options(10, 300, ((0, 149, 4),), ((0, 160, 8),))
    told = b.a_set(300, u32(0) + u64((b.NOW - 60) * 1000))
    row = a_flow(((0, 22, 4), (0, 21, 4)), u32(5_000, 7_000), 10, options, told)
    assert (row["ts"] - EXPORT, row["end"] - EXPORT) == (-55_000 * MS, -53_000 * MS)


DOUBLE = struct.pack(">d", 1 / 512)
SYSTEM = (0, 1, 4)  # of v9: a scope, not an element


@pytest.mark.parametrize(
    ("version", "scope", "fields", "values", "rate"),
    [
        (9, SYSTEM, ((0, 34, 4),), u32(0, 100), 100),
        (9, SYSTEM, ((0, 34, 4), (0, 35, 1)), u32(0, 2_000) + b"\x02", 2_000),
        (9, SYSTEM, ((0, 48, 1), (0, 49, 1), (0, 50, 4)), u32(0) + b"\x01\x02" + u32(1_000), 1_000),
        (10, (0, 149, 4), ((0, 305, 4), (0, 306, 4)), u32(0, 1, 127), 128),
        (10, (0, 149, 4), ((0, 305, 4), (0, 306, 4)), u32(0, 10, 9_990), 1_000),
        (10, (0, 302, 8), ((0, 304, 2), (0, 305, 4), (0, 306, 4)), u64(1) + b"\0\1" + u32(1, 1_023), 1_024),
        (10, (0, 149, 4), ((0, 309, 4), (0, 310, 4)), u32(0, 10, 5_000), 500),
        (10, (0, 149, 4), ((0, 311, 8),), u32(0) + DOUBLE, 512),
        (10, (0, 144, 4), ((0, 34, 4), (0, 160, 8)), u32(7, 50) + u64(1), 50),
        (10, (0, 149, 4), ((0, 34, 4),), u32(0, 0), 0),
        (10, (0, 149, 4), ((0, 305, 4), (0, 306, 4)), u32(0, 0, 9), 0),
        (10, (0, 149, 4), ((0, 311, 8),), u32(0) + struct.pack(">d", float("nan")), 0),
        (10, (0, 149, 4), ((0, 311, 8),), u32(0) + struct.pack(">d", -1.0), 0),
    ],
)
def test_rates_that_options_tell(
    version: int, scope: b.Field, fields: tuple[b.Field, ...], values: bytes, rate: int
) -> None:
    options, told = b.options(version, 300, (scope,), fields), b.a_set(300, values)
    fed = b.feed(b.message(version, b.template(version, 256, FLOW), options, told, b.a_set(256, DATA)))
    assert fed.rows[0]["sampling"] == fed.exporter.rate == rate
    assert fed.exporter.rate_from == ("options" if rate else "")


@pytest.mark.parametrize(
    ("fields", "values", "rate"),
    [
        (((0, 34, 4),), u32(64), 64),
        (((0, 50, 2),), b"\x00\x40", 64),
        (((0, 305, 4), (0, 306, 4)), u32(1, 63), 64),
        (((0, 310, 4), (0, 309, 4)), u32(640, 10), 64),
        (((0, 311, 8),), struct.pack(">d", 1 / 64), 64),
        (((0, 311, 8),), struct.pack(">d", 0.3), 3),
        (((0, 311, 8),), struct.pack(">d", 1.0), 1),
        (((0, 311, 8),), struct.pack(">d", 1.5), 0),
        (((0, 311, 8),), struct.pack(">d", float("inf")), 0),
        (((0, 34, 4),), u32(0), 0),
        (((0, 305, 4),), u32(9), 0),
    ],
)
def test_rates_that_the_record_tells(fields: tuple[b.Field, ...], values: bytes, rate: int) -> None:
    assert a_flow(fields, values)["sampling"] == rate


def sampled(*told: tuple[int, int], fields: tuple[b.Field, ...] = (), values: bytes = b"") -> int:
    """The rate of a row after options told rates of samplers."""
    options = b.options(9, 300, (SYSTEM,), ((0, 48, 1), (0, 50, 4)))
    rates = b.a_set(300, b"".join(u32(0) + struct.pack(">BI", *one) for one in told))
    return a_flow(fields, values, 9, options, rates)["sampling"]


def test_a_sampler_has_its_own_rate() -> None:
    two = ((1, 100), (2, 2_000))
    assert sampled(*two, fields=((0, 48, 1),), values=b"\x02") == 2_000
    assert sampled(*two, fields=((0, 48, 1),), values=b"\x07") == 0
    assert sampled(*two) == 0
    assert sampled((1, 100), (2, 100)) == 100
    assert sampled(*two, fields=((0, 48, 1), (0, 34, 4)), values=b"\x07" + u32(5)) == 5


def test_options_come_before_the_record() -> None:
    assert sampled((1, 100), fields=((0, 34, 4),), values=u32(7)) == 100


def test_an_interface_has_its_own_rate() -> None:
    options = b.options(10, 300, ((0, 10, 4),), ((0, 34, 4),))
    told = b.a_set(300, u32(7, 700, 8, 800))
    rates = [a_flow(((0, 10, 2),), struct.pack(">H", n), 10, options, told)["sampling"] for n in (7, 8, 9)]
    assert rates == [700, 800, 0]


def test_a_rate_may_change_and_come_back() -> None:
    options = b.options(9, 300, (SYSTEM,), ((0, 34, 4),))
    datagrams = [b.v9(b.template(9, 256, FLOW), options)]
    for i, rate in enumerate((10, 20, 10, 10)):
        datagrams.append(b.v9(b.a_set(300, u32(0, rate)), b.a_set(256, DATA), sequence=i + 1))
    assert [row["sampling"] for row in b.feed(*datagrams).rows] == [10, 20, 10, 10]


def _told_rates(*told: tuple[int, int]) -> Exporter:
    """What is known of an exporter after options told these rates of these samplers, one second after the other."""
    datagrams = [b.v9(b.options(9, 300, ((0, 1, 4),), ((0, 48, 1), (0, 50, 4))))]
    for i, one in enumerate(told):
        datagrams.append(b.v9(b.a_set(300, u32(0) + struct.pack(">BI", *one)), sequence=i + 1))
    return b.feed(*datagrams).exporter


@pytest.mark.parametrize(
    ("told", "spread", "since"),
    [
        ([(1, 100), (1, 100)], (100, 100, 100), None),
        ([(1, 100), (1, 1000), (1, 1000)], (1000, 100, 1000), b.NOW + 2),
        ([(1, 1000), (1, 10), (1, 100)], (100, 10, 1000), None),  # changed twice
        ([(1, 100), (2, 1000)], (1000, 100, 1000), None),  # two samplers, nothing changed
    ],
)
def test_the_rates_that_there_were_are_remembered(
    told: list[tuple[int, int]], spread: tuple[int, int, int], since: int | None
) -> None:
    one = _told_rates(*told)
    assert (one.rate, one.rate_least, one.rate_most) == spread
    assert one.rate_since == (None if since is None else since * b.SECOND)


@pytest.mark.parametrize(
    ("rates", "spread", "since"),
    [
        ([100, 100], (100, 100, 100), None),
        ([100, 0, 1000], (1000, 100, 1000), b.NOW + 2),
        ([100, 1000, 100], (100, 100, 1000), None),
        ([0, 0], (0, 0, 0), None),
    ],
)
def test_so_are_those_of_headers(rates: list[int], spread: tuple[int, int, int], since: int | None) -> None:
    datagrams = [
        b.v5(b.v5_record(), sequence=i, seconds=b.NOW + i, sampling=1 << 14 | rate if rate else 0)
        for i, rate in enumerate(rates)
    ]
    one = b.feed(*datagrams).exporter
    assert (one.rate, one.rate_least, one.rate_most) == spread
    assert one.rate_since == (None if since is None else since * b.SECOND)


def test_rates_belong_to_one_domain() -> None:
    options, told = b.options(10, 300, ((0, 149, 4),), ((0, 34, 4),)), b.a_set(300, u32(0, 9))
    learned = b.template(10, 256, FLOW)
    fed = b.feed(b.ipfix(options, told), b.ipfix(learned, b.a_set(256, DATA), domain=1))
    assert [row["sampling"] for row in fed.rows] == [0]


class TestFile:
    """Files after RFC 5655."""

    def messages(self, count: int = 300) -> list[bytes]:
        made = [b.ipfix(b.template(10, 256, FLOW), seconds=b.NOW - 5)]
        for i in range(count):
            records = b"".join(b.pair(src=i * 8 + k) + b.counts() for k in range(8))
            made.append(b.ipfix(b.a_set(256, records), sequence=8 * i))
        return made

    def read(self, path: Path, window: int = 1 << 16) -> tuple[list[int], IpfixFile]:
        with open_source(str(path), window=window) as source:
            assert isinstance(source, IpfixFile)
            assert source.first_time() == (b.NOW - 5) * b.SECOND
            found: list[int] = []
            for chunk in source.chunks():
                found += (chunk.column("src_lo") & 0xFFFF_FFFF).tolist()
            return found, source

    @pytest.mark.parametrize("window", [64, 1_000, 1 << 16])
    def test_all_flows_of_a_file(self, tmp_path: Path, window: int) -> None:
        path = tmp_path / "flows"
        path.write_bytes(b"".join(self.messages()))
        found, source = self.read(path, window)
        assert found == list(range(2_400))
        tally = source.tally
        assert (tally.records, tally.rows, tally.bytes) == (2_400, 2_400, path.stat().st_size)
        assert tally.complete
        assert (source.exporters[0].address, source.exporters[0].lost) == ("", 0)
        assert source.observers[0].exporter == source.exporters[0].name

    def test_more_flows_than_a_chunk_has_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "flows.gz"
        path.write_bytes(gzip.compress(b"".join(self.messages(6_000))))
        found, source = self.read(path)
        assert found == list(range(48_000))
        assert source.compression == "gzip"

    def test_a_file_that_ends_too_early(self, tmp_path: Path) -> None:
        path = tmp_path / "flows"
        path.write_bytes(b"".join(self.messages(3))[:-5])
        found, source = self.read(path)
        assert found == list(range(16))
        assert source.tally.damaged == "the file ends in the middle of message 4"
        assert not source.tally.complete

    def test_what_is_no_message_ends_it(self, tmp_path: Path) -> None:
        path = tmp_path / "flows"
        path.write_bytes(b"".join(self.messages(2)) + b"\x00\x09" + bytes(100))
        found, source = self.read(path)
        assert found == list(range(16))
        assert "at byte 428: what is there is no IPFIX message" in str(source.tally.damaged)
