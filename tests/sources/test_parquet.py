"""Parquet: our own names, addresses in bytes, folders of partitions, files that are damaged or no flows."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.sources.log_rows import read_log, some

from rearguard.model.chunk import ROWS
from rearguard.model.errors import InputError
from rearguard.policy.columns import ColumnRule
from rearguard.sources import expand

MOMENT = 1_700_000_000_000_000_000


def packed(text: str) -> bytes:
    """16 bytes, IPv4 as ::ffff:0:0/96."""
    address = ip_address(text)
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


OWN: dict[str, Any] = {
    "ts_ns": pa.array([MOMENT, MOMENT + 5], pa.int64()),
    "end_ns": pa.array([MOMENT + 7, MOMENT + 5], pa.int64()),
    "src": pa.array(["203.0.113.7", "2001:db8::1"]),
    "dst": pa.array(["198.51.100.20", "2001:db8:c::1"]),
    "sport": pa.array([40001, 40002], pa.uint16()),
    "dport": pa.array([7547, 23], pa.uint16()),
    "proto": pa.array([6, 6], pa.uint8()),
    "flags": pa.array([2, None], pa.uint8()),
    "packets": pa.array([1, 3], pa.uint64()),
    "bytes": pa.array([40, 180], pa.uint64()),
    "sampling": pa.array([1000, 0], pa.uint32()),
    "exporter": pa.array(["192.0.2.1", "192.0.2.2"]).dictionary_encode(),
    "ingress": pa.array([1, 2], pa.uint32()),
    "egress": pa.array([3, 4], pa.uint32()),
    "initiator": pa.array([1, 0], pa.uint8()),
}
EXPECTED = [
    (
        "203.0.113.7",
        40001,
        "198.51.100.20",
        7547,
        6,
        2,
        1,
        40,
        MOMENT,
        MOMENT + 7,
        1000,
        "opened",
        "192.0.2.1",
    ),
    ("2001:db8::1", 40002, "2001:db8:c::1", 23, 6, 0, 3, 180, MOMENT + 5, MOMENT + 5, 0, "", "192.0.2.2"),
]
SHOWN = (
    "src",
    "sport",
    "dst",
    "dport",
    "proto",
    "flags",
    "packets",
    "bytes",
    "ts",
    "end",
    "sampling",
    "said",
)


def save(file: Path, columns: dict[str, Any], **how: Any) -> Path:
    pq.write_table(pa.table(columns), file, **how)
    return file


def both(values: Any) -> Any:
    return pa.array([packed(one) for one in values.to_pylist()], pa.binary(16))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"src": both(OWN["src"]), "dst": both(OWN["dst"])},
        {"src": both(OWN["src"]).cast(pa.binary()), "dst": both(OWN["dst"]).cast(pa.large_binary())},
        {
            "ts_ns": OWN["ts_ns"].cast(pa.timestamp("ns", "UTC")),
            "end_ns": OWN["end_ns"].cast(pa.timestamp("ns")),
        },
        {"src": pa.array([b"\xcb\x00\x71\x07", packed("2001:db8::1")], pa.binary())},
        {
            "src": OWN["src"].dictionary_encode(),
            "proto": pa.array(["TCP", "tcp"]),
            "flags": pa.array(["0x2", None]),
        },
    ],
    ids=["text", "16 bytes", "bytes", "timestamps", "4 bytes", "words"],
)
def test_our_own_columns_in_every_type(tmp_path: Path, changes: dict[str, Any]) -> None:
    rows, source = read_log(save(tmp_path / "day.parquet", OWN | changes))
    assert source.format == "rearguard parquet"
    # The single packet of the side that opened stands at the record's start.
    expected = [(*EXPECTED[0][:9], MOMENT, *EXPECTED[0][10:]), EXPECTED[1]]
    assert [(*some(row, *SHOWN), row["observer"].exporter) for row in rows] == expected
    assert [row["record"] for row in rows] == [1, 2]
    assert source.tally.complete


NUMBER = 0xCB007107
"""203.0.113.7."""


@pytest.mark.parametrize(
    ("column", "sources"),
    [
        (pa.array([NUMBER, 1], pa.uint32()), ["203.0.113.7", "0.0.0.1"]),
        (pa.array([NUMBER, 1], pa.int64()), ["203.0.113.7", "0.0.0.1"]),
        (pa.array([NUMBER - 2**32, 1], pa.int32()), ["203.0.113.7", "0.0.0.1"]),
        (
            pa.array([float(NUMBER), None], pa.float64()),
            ["203.0.113.7"],
        ),  # as pandas writes numbers with gaps
        (pa.array([b"\xcb\x00\x71\x07", b"1.2."], pa.binary(4)), ["203.0.113.7", "49.46.50.46"]),
    ],
    ids=["uint32", "int64", "int32", "float64", "4 bytes"],
)
def test_addresses_of_ipv4_may_be_numbers_or_four_bytes(
    tmp_path: Path, column: Any, sources: list[str]
) -> None:
    rows, source = read_log(save(tmp_path / "day.parquet", OWN | {"src": column}))
    assert [row["src"] for row in rows] == sources
    assert source.tally.skipped.get("bad-line", 0) == 0


def test_numbers_that_are_no_address_and_columns_for_both_families(tmp_path: Path) -> None:
    wrong = {"src": pa.array([2**32, -1], pa.int64())}
    rows, source = read_log(save(tmp_path / "wrong.parquet", OWN | wrong))
    assert rows == []
    assert source.tally.skipped == {"bad-line": 2}
    assert source.tally.first_bad == "record 1: src (column src) cannot be read"
    rule = ColumnRule.model_validate(
        {"match": "*", "fields": {"src": ["v4", "v6"], "dst": "to", "proto": "p", "start": "t"}}
    )
    table = {
        "v4": pa.array([NUMBER, 0, 0, None], pa.uint32()),
        "v6": pa.array([bytes(16), packed("2001:db8::1"), None, packed("2001:db8::2")], pa.binary(16)),
        "to": pa.array([1, 2, 3, 4], pa.uint32()),
        "p": pa.array([6] * 4),
        "t": pa.array([MOMENT] * 4),
    }
    rows, source = read_log(save(tmp_path / "both.parquet", table), lake=rule)
    assert [row["src"] for row in rows] == ["203.0.113.7", "2001:db8::1", "2001:db8::2"]
    assert source.tally.skipped == {"no-addresses": 1}


def test_akvorado_exports_its_table(tmp_path: Path) -> None:
    columns = {
        "TimeReceived": pa.array([datetime.fromtimestamp(MOMENT / 1e9, UTC)], pa.timestamp("s", "UTC")),
        "SamplingRate": pa.array([1024], pa.uint64()),
        "ExporterAddress": pa.array([packed("192.0.2.1")], pa.binary(16)),
        "SrcAddr": pa.array([packed("203.0.113.7")], pa.binary(16)),
        "DstAddr": pa.array([packed("2001:db8:c::1")], pa.binary(16)),
        "Proto": pa.array([6], pa.uint32()),
        "SrcPort": pa.array([1], pa.uint16()),
        "DstPort": pa.array([7547], pa.uint16()),
        "TCPFlags": pa.array([18], pa.uint16()),
        "Packets": pa.array([2], pa.uint64()),
        "Bytes": pa.array([80], pa.uint64()),
        "FlowDirection": pa.array([2], pa.int8()),
        "DstASPath": pa.array([[1, 2]]),
    }
    (row,), source = read_log(save(tmp_path / "flows", columns))
    assert source.format == "akvorado parquet"
    assert some(row, "src", "dst", "flags", "sampling", "ts") == (
        "203.0.113.7",
        "2001:db8:c::1",
        18,
        1024,
        MOMENT,
    )
    assert (row["observer"].exporter, row["observer"].way) == ("192.0.2.1", "out")


def test_a_folder_of_partitions_is_read_without_its_summaries(tmp_path: Path) -> None:
    day = tmp_path / "day=1"
    day.mkdir()
    save(day / "0.parquet", OWN)
    save(day / "1.parquet", OWN)
    pq.write_metadata(pa.table(OWN).schema, tmp_path / "_common_metadata")
    (tmp_path / "_SUCCESS").touch()
    assert [Path(uri).name for uri in expand([str(tmp_path)])] == ["0.parquet", "1.parquet"]
    with pytest.raises(InputError, match="summary"):
        read_log(tmp_path / "_common_metadata")


def test_batches_are_no_larger_than_chunks_and_numbers_go_on(tmp_path: Path) -> None:
    many = ROWS + 10
    columns = {name: pa.concat_arrays([pa.array(column.to_pylist(), column.type) for _ in range(many // 2)])
               for name, column in OWN.items() if name in ("ts_ns", "src", "dst", "proto")}  # fmt: skip
    rows, source = read_log(save(tmp_path / "day.parquet", columns, row_group_size=many))
    assert [row["record"] for row in rows] == list(range(1, many + 1))
    assert source.progress.done == source.progress.total == source.tally.bytes


def test_wrong_values_cost_their_rows_only(tmp_path: Path) -> None:
    columns = OWN | {"src": pa.array(["203.0.113.7", "nowhere"]), "dport": pa.array([70_000, 1], pa.uint32())}
    rows, source = read_log(save(tmp_path / "day.parquet", columns))
    assert rows == []
    assert source.tally.skipped == {"bad-line": 2}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    columns = {
        name: pa.array(column.to_pylist() * 5000, column.type)
        for name, column in OWN.items()
        if name != "exporter"
    }
    file = save(
        tmp_path / "day.parquet", columns, compression="none", use_dictionary=False, row_group_size=2500
    )
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = b"\xff" * 20_000
    file.write_bytes(content)
    rows, source = read_log(file)
    assert source.tally.damaged or len(rows) == 10_000
    file.write_bytes(content[:-1000])
    with pytest.raises(InputError, match="cannot be read"):
        read_log(file)


def test_a_stream_of_parquet_and_unknown_columns_are_errors_with_a_remedy(tmp_path: Path) -> None:
    file = save(tmp_path / "day.parquet", OWN)
    packed_file = tmp_path / "day.parquet.gz"
    packed_file.write_bytes(gzip.compress(file.read_bytes()))
    with pytest.raises(InputError, match="stream") as caught:
        read_log(packed_file)
    assert "unpack" in caught.value.remedy
    with pytest.raises(InputError, match="nobody knows") as caught:
        read_log(save(tmp_path / "other.parquet", {"a": pa.array([1]), "b": pa.array([2])}))
    assert 'match: "*.parquet"' in caught.value.remedy


def test_a_mapping_of_the_policy_reads_it(tmp_path: Path) -> None:
    rule = ColumnRule.model_validate(
        {"match": "*", "fields": {"src": "a", "dst": "b", "proto": "c", "start": "d"}}
    )
    columns = {"a": pa.array(["203.0.113.7"]), "b": pa.array(["198.51.100.1"]), "c": pa.array([1]),
               "d": pa.array([MOMENT // 10**6])}  # fmt: skip
    (row,), _ = read_log(save(tmp_path / "x", columns), lake=rule)
    assert some(row, "src", "proto", "ts") == ("203.0.113.7", 1, MOMENT)
    assert row["observer"].exporter == "lake"


def test_views_of_text_are_text(tmp_path: Path) -> None:
    table = pa.table(OWN)
    for name in ("src", "dst"):
        table = table.set_column(
            table.column_names.index(name), name, pa.array(table.column(name).to_pylist(), pa.string_view())
        )
    pq.write_table(table, tmp_path / "x.parquet")
    rows, source = read_log(tmp_path / "x.parquet")
    assert len(rows) == 2
    assert not source.tally.skipped
