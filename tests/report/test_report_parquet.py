"""contacts.parquet: every contact, exact addresses, pointers to the proof."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.report.build import SECOND, START, Row, analysis, source

from rearguard.report import contacts_parquet


def test_rows_carry_addresses_times_and_proof(tmp_path: Path) -> None:
    rows = [
        Row("203.0.113.7", "198.51.100.20", at=1, record=17, outcome="answered"),
        Row("2001:db8:bad::1", "2001:db8:c::9", at=2, record=5, source=1, interface=None),
        Row("203.0.113.9", "2001:db8:c::9", at=3, record=6, source=1, outcome="refused"),
    ]
    made = analysis(rows)
    made.view = replace(made.view, sources=(source("a.pcap"), source("b\udcff.pcap")))
    assert contacts_parquet.write(made, tmp_path / "c.parquet") == 3
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.schema.remove_metadata() == contacts_parquet.schema().remove_metadata()
    assert table.schema.field("client").metadata[b"doc"]
    plain = table.cast(
        pa.schema([f.with_type(pa.int64()) if pa.types.is_timestamp(f.type) else f for f in table.schema])
    )
    got = {row["client_address"]: row for row in plain.to_pylist()}
    for row in rows:
        found = got[row.client]
        assert found["server_address"] == row.server
        for side, text in (("client", row.client), ("server", row.server)):
            mapped = text if ":" in text else f"::ffff:{text}"
            assert found[side] == ip_address(mapped).packed
        assert found["outcome"] == row.outcome
        assert found["interface"] == row.interface
    first = got["203.0.113.7"]
    assert (first["first"], first["first_s"]) == (START + SECOND, START + SECOND + 5)
    assert (first["proof_c_source"], first["proof_c_record"]) == ("a.pcap", 17)
    assert (first["proof_s_source"], first["proof_s_record"]) == ("a.pcap", 18)
    silent = got["2001:db8:bad::1"]
    assert (silent["proof_c_source"], silent["proof_c_record"]) == (r"b\xff.pcap", 5)
    assert silent["proof_s_source"] is silent["proof_s_record"] is silent["first_s"] is None
    assert silent["load_c_record"] is None


def test_records_of_a_later_span_are_counted_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    rows = [
        Row("203.0.113.7", "198.51.100.20", at=1, record=17, source=1),
        Row("203.0.113.8", "198.51.100.20", at=2, record=3, source=2),
    ]
    made = analysis(rows)
    sources, spans = (source("large.pcap"), source("b.pcap")), ((0, 0), (0, 100), (1, 0))
    made.view = replace(made.view, sources=sources, spans=spans)
    contacts_parquet.write(made, tmp_path / "c.parquet")
    table = pq.read_table(
        tmp_path / "c.parquet", columns=["client_address", "proof_c_source", "proof_c_record"]
    )
    got = {row["client_address"]: (row["proof_c_source"], row["proof_c_record"]) for row in table.to_pylist()}
    assert got == {"203.0.113.7": ("large.pcap", 117), "203.0.113.8": ("b.pcap", 3)}


def test_rows_come_in_the_order_of_the_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts_parquet, "BATCH", 64)
    rows = [Row(f"203.0.113.{n * 7 % 256}", f"198.51.100.{n % 7}", at=n) for n in range(200)]
    contacts_parquet.write(analysis(rows), tmp_path / "c.parquet")
    got = pq.read_table(tmp_path / "c.parquet").column("client_address").to_pylist()
    assert got == [row.client for row in rows]


@pytest.mark.parametrize("count", [0, 1, 130])
def test_any_number_of_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(contacts_parquet, "BATCH", 64)
    rows = [Row(f"203.0.113.{n}", "198.51.100.1") for n in range(count)]
    assert contacts_parquet.write(analysis(rows), tmp_path / "c.parquet") == count
    file = pq.ParquetFile(tmp_path / "c.parquet")
    assert file.metadata.num_rows == count
    assert file.metadata.num_columns == len(contacts_parquet.schema())
