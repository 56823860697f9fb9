"""Rows of nfcapd files: both layouts and byte orders say the same, and as all sources of flows say it."""

from __future__ import annotations

import ipaddress
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.model.bits import (
    KNOWN_BIFLOW,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    WHY_INITIATOR,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_RESPONDER,
)
from rearguard.model.errors import InputError
from rearguard.sources import open_source
from rearguard.sources.flow import least_payload
from rearguard.sources.observers import MAX_EXPORTERS
from rearguard.sources.reader import Observer
from sources.nfcapd_build import (
    Block,
    Flow,
    exporter,
    extension_map,
    file_v1,
    file_v2,
    flow_v1,
    flow_v2,
    sampler,
    sampler_v0,
)
from sources.nfcapd_truth import read

MAPPED = 0xFFFF << 32
ALL = [5, 8, 15, 17, 23]
EXPORTERS = ((1, "192.0.2.1", 3), (2, "2001:db8::fe", 77))
Row = dict[str, int]


def file_of(
    flows: Sequence[Flow], layout: str, *, more: Sequence[bytes] = (), compression: str = ""
) -> bytes:
    """The same flows in one of the layouts: "1", "1 old", "2", each also with ">" for big-endian."""
    order = ">" if layout.endswith(">") else "<"
    known = [exporter(number, address, domain, 9, order) for number, address, domain in EXPORTERS]
    if layout.startswith("2"):
        return file_v2([Block([*known, *more, *(flow_v2(one, order) for one in flows)])], compression, order)
    old = "old" in layout
    records = [*known, *more, extension_map(1, ALL, order)]
    records += [flow_v1(one, ALL, 1, order, old=old) for one in flows]
    return file_v1([Block(records)], compression, order)


def rows_of(tmp_path: Path, data: bytes) -> tuple[list[Row], list[Observer]]:
    path = tmp_path / "file"
    path.write_bytes(data)
    rows, source = read(path)
    assert source.tally.rows == len(rows)
    times = [row["ts"] for row in rows]
    assert (source.tally.first, source.tally.last) == (min(times, default=None), max(times, default=None))
    return rows, list(source.observers)


def number(address: str) -> int:
    ip = ipaddress.ip_address(address)
    return int(ip) | MAPPED if ip.version == 4 else int(ip)


def expected(flow: Flow, record: int, rate: int = 0) -> list[Row]:
    """The rows of a flow, written down as the contract says it."""
    icmp = flow.proto in (1, 58)
    sport, dport = (0, 0) if icmp else (flow.sport, flow.dport)
    src, dst = number(flow.src), number(flow.dst)
    packets, octets = flow.packets, flow.bytes
    if packets == octets == 0 and not flow.opener:
        packets, octets = flow.packets_back, flow.bytes_back
    sides = [(src, dst, sport, dport, packets, octets, flow.flags)]
    if flow.opener:
        sides.append((dst, src, dport, sport, flow.packets_back, flow.bytes_back, flow.flags_back))
    rows = []
    for side, (a, b, ap, bp, packets, octets, flags) in enumerate(sides):
        if packets == octets == 0:
            continue
        if flow.sampled and rate > 1:
            packets = max((packets + rate // 2) // rate, 1) if packets else 0
            octets = max((octets + rate // 2) // rate, 1) if octets else 0
        why = WHY_NO_PORTS if flow.proto in (6, 17) and ap == bp == 0 else WHY_PACKET
        if flow.opener in (1, 2):
            why |= WHY_INITIATOR if (flow.opener == 1) == (side == 0) else WHY_RESPONDER
        known = KNOWN_FLAGS if flow.proto == 6 and flags else 0
        known |= KNOWN_ONE_PACKET if packets == 1 else 0
        known |= KNOWN_BIFLOW if flow.opener in (1, 2) else 0
        low = (1 << 64) - 1
        rows.append({
            "ts": flow.first * 1_000_000, "end": max(flow.first, flow.last) * 1_000_000,
            "src_hi": a >> 64, "src_lo": a & low, "dst_hi": b >> 64, "dst_lo": b & low,
            "sport": ap, "dport": bp, "proto": flow.proto, "flags": flags, "packets": packets, "bytes": octets,
            "sampling": rate if flow.sampled else 0, "record": record, "known": known, "why": why,
            "pay_wire": least_payload(flow.proto, ":" in flow.src, packets, octets, flags),
        })  # fmt: skip
    return rows


def without_observer(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "observer"} for row in rows]


counter = st.one_of(st.integers(0, 3), st.integers(0, 1 << 40))
addresses = st.sampled_from([("203.0.113.7", "198.51.100.20"), ("2001:db8:5::1", "2001:db8:c::2")])


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    src, dst = draw(addresses)
    return Flow(
        src, dst, draw(st.integers(0, 65_535)), draw(st.sampled_from([0, 23, 7547])),
        draw(st.sampled_from([1, 6, 17, 47, 58])), draw(st.integers(0, 255)), draw(counter), draw(counter),
        draw(st.integers(1_000_000_000_000, 2_000_000_000_000)), draw(st.integers(1_000_000_000_000,
        2_000_000_000_000)), draw(st.integers(0, 70_000)), draw(st.integers(0, 9)), draw(st.integers(0, 1)), 0,
        draw(counter), draw(counter), 0, draw(st.integers(1, 2)),
    )  # fmt: skip


@pytest.mark.parametrize("layout", ["2", "2>", "1", "1>", "1 old", "1 old>"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(flows(), min_size=1, max_size=5))
def test_all_layouts_give_the_rows_of_the_contract(tmp_path: Path, layout: str, made: list[Flow]) -> None:
    rows, observers = rows_of(tmp_path, file_of(made, layout))
    assert without_observer(rows) == [
        row for record, one in enumerate(made, 1) for row in expected(one, record)
    ]
    for row in rows:
        flow = made[row["record"] - 1]
        observer = observers[row["observer"]]
        assert observer.exporter == {1: "192.0.2.1", 2: "2001:db8::fe"}[flow.exporter]
        assert (observer.ingress, observer.egress) == (flow.ingress, flow.egress)
        assert observer.way == ("out" if flow.direction else "")


@pytest.mark.parametrize("layout", ["2", "2>", "1", "1>"])
@pytest.mark.parametrize("opener", [1, 2, 3])
def test_a_biflow_has_a_row_for_each_direction(tmp_path: Path, layout: str, opener: int) -> None:
    flow = Flow(exporter=1, opener=opener, packets_back=3, bytes_back=400, flags=0x02, flags_back=0x12)
    flow = replace(flow, flags_back=0) if layout.startswith("1") else flow
    rows, _ = rows_of(tmp_path, file_of([flow, Flow(exporter=1)], layout))
    assert without_observer(rows) == expected(flow, 1) + expected(Flow(exporter=1), 2)
    assert rows[0]["observer"] == rows[1]["observer"]


def test_counters_of_packets_that_left_the_router_are_no_answer(tmp_path: Path) -> None:
    """postPacketDeltaCount stands where the counters of a biflow's other direction stand."""
    both, only = (
        Flow(exporter=1, packets_back=1, bytes_back=44),
        Flow(exporter=1, packets=0, bytes=0, packets_back=2, bytes_back=99),
    )
    rows, _ = rows_of(tmp_path, file_of([both, only], "2"))
    assert [(row["packets"], row["bytes"], row["sport"]) for row in rows] == [
        (1, 44, 40_001),
        (2, 99, 40_001),
    ]


@pytest.mark.parametrize("layout", ["2", "1"])
def test_what_is_no_flow_of_packets_is_counted_by_its_reason(tmp_path: Path, layout: str) -> None:
    made = [
        Flow(exporter=1),
        Flow(exporter=1, event=1),
        Flow(exporter=1, nat_event=4),
        Flow(exporter=1, packets=0, bytes=0),
    ]
    path = tmp_path / "file"
    if layout == "2":
        path.write_bytes(file_of(made, "2"))
    else:
        kinds = ([], [37], [46], [])
        records = [exporter(1, "192.0.2.1", 3), *(extension_map(k, kind) for k, kind in enumerate(kinds))]
        path.write_bytes(
            file_v1([Block(records + [flow_v1(one, kinds[k], k) for k, one in enumerate(made)])])
        )
    rows, source = read(path)
    assert [row["record"] for row in rows] == [1]
    assert source.tally.records == 4
    assert source.tally.skipped == {"event": 1, "nat-event": 1, "empty-flow": 1}
    assert source.tally.complete


SAMPLERS = (
    ([sampler(1, -1, 1, 99)], 100),
    ([sampler(1, -1, 1, 99), sampler(1, -3, 1, 499)], 500),
    ([sampler(1, -2, 1, 99), sampler(1, -1, 1, 9)], 10),
    ([sampler(1, 7, 2, 18)], 10),
    ([sampler(1, 7, 1, 9), sampler(1, 8, 1, 19)], 0),
    ([sampler_v0(1, 5, 1000)], 1000),
    ([sampler(9, -1, 1, 99)], 0),
    ([sampler(1, -1, 0, 99)], 0),
    ([sampler(1, -1, 1, 99), sampler(1, -1, 1, 1999)], 2000),
)


@pytest.mark.parametrize(("records", "rate"), SAMPLERS)
def test_which_of_an_exporters_samplers_holds(tmp_path: Path, records: list[bytes], rate: int) -> None:
    made = [Flow(exporter=1, sampled=True, packets=4000, bytes=176_000), Flow(exporter=2), Flow(exporter=1)]
    rows, _ = rows_of(tmp_path, file_of(made, "2", more=records))
    assert without_observer(rows) == expected(made[0], 1, rate) + expected(made[1], 2) + expected(made[2], 3)


def test_a_flow_may_name_its_sampler(tmp_path: Path) -> None:
    made = [Flow(exporter=1, sampled=True, packets=4000, bytes=176_000, selector=k) for k in (7, 8, 9)]
    rows, _ = rows_of(tmp_path, file_of(made, "2", more=[sampler(1, 7, 1, 9), sampler(1, 8, 1, 19)]))
    assert [(row["sampling"], row["packets"]) for row in rows] == [(10, 400), (20, 200), (0, 4000)]
    imposed = [sampler(1, 7, 1, 9), sampler(1, -3, 1, 39), sampler(1, 8, 1, 19)]
    rows, _ = rows_of(tmp_path, file_of(made, "2", more=imposed))
    assert [row["sampling"] for row in rows] == [40, 40, 40]


def test_a_rate_of_one_is_known_without_a_mark_on_the_flows(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, file_of([Flow(exporter=1)], "2", more=[sampler(1, -1, 1, 0)]))
    assert [row["sampling"] for row in rows] == [1]


def test_exporters_that_no_record_announced_are_told_apart_by_the_address_in_their_flows(
    tmp_path: Path,
) -> None:
    routers = ["192.0.2.5", "2001:db8::5", "", "192.0.2.5"]
    rows, observers = rows_of(tmp_path, file_v2([Block([flow_v2(Flow(router=one)) for one in routers])]))
    assert [observers[row["observer"]].exporter for row in rows] == [
        "192.0.2.5",
        "2001:db8::5",
        "",
        "192.0.2.5",
    ]


def test_an_exporter_as_later_versions_write_it(tmp_path: Path) -> None:
    records = [exporter(1, "192.0.2.9", 3, family=False), exporter(2, "2001:db8::9", 3, family=False)]
    rows, observers = rows_of(
        tmp_path, file_v2([Block([*records, flow_v2(Flow(exporter=1)), flow_v2(Flow(exporter=2))])])
    )
    assert [observers[row["observer"]].exporter for row in rows] == ["192.0.2.9", "2001:db8::9"]


def test_very_many_exporters_lose_their_names_and_nothing_else(tmp_path: Path) -> None:
    records = []
    for k in range(2 * MAX_EXPORTERS):
        records += [exporter(k, f"10.0.{k >> 8}.{k & 255}", k), flow_v2(Flow(exporter=k))]
    path = tmp_path / "file"
    path.write_bytes(file_v2([Block(records)]))
    rows, source = read(path)
    assert len(rows) == 2 * MAX_EXPORTERS
    assert len(source.exporters) == MAX_EXPORTERS
    assert sum(one.records for one in source.exporters) == len(rows)


def test_when_a_file_begins_is_asked_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(
        file_of(
            [Flow(exporter=1, last=1_500_000_000_500), Flow(exporter=1)], "2", more=[sampler(1, -1, 1, 9)]
        )
    )
    with open_source(str(path)) as source:
        assert source.first_time() == 1_500_000_000_500_000_000
        assert sum(chunk.n for chunk in source.chunks()) == source.tally.records == 2
        assert [(one.address, one.records) for one in source.exporters] == [
            ("192.0.2.1", 2),
            ("2001:db8::fe", 0),
        ][: len(source.exporters)]
    path.write_bytes(file_v2([]))
    with open_source(str(path)) as source:
        assert source.first_time() is None
        assert list(source.chunks()) == []
        assert source.tally.complete


REFUSED = (
    (file_v2([Block([flow_v2(Flow())])], version=3), "layout 3"),
    (file_v2([Block([flow_v2(Flow())])], encryption=1), "encrypted"),
    (file_v2([Block([flow_v2(Flow())])], "brotli"), "compressed in a way"),
    (file_v2([Block([flow_v2(Flow())])])[:30], "cut short"),
    (file_v1([])[:100], "cut short"),
    (file_v1([])[:200], "cut short"),
    (struct.pack("<HH", 0xA50C, 2), "cut short"),
    (struct.pack(">HH", 0xA50C, 0x0102)[:3], "only 3 bytes"),
)


@pytest.mark.parametrize(("data", "words"), REFUSED)
def test_what_cannot_be_read_is_refused_with_a_remedy(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        open_source(str(path))
    assert caught.value.remedy


def test_the_kernels_say_the_same_uncompiled(tmp_path: Path) -> None:
    made = [
        Flow(exporter=1),
        Flow(exporter=2, src="2001:db8::1", dst="2001:db8::2", opener=1, packets_back=2, bytes_back=99),
    ]
    for layout in ("2", "2>", "1", "1>"):
        for compression in ("", "lzo"):
            path = tmp_path / f"{layout}{compression}"
            path.write_bytes(file_of(made, layout, compression=compression))
    program = "import sys; from pathlib import Path; from sources.nfcapd_truth import read\n"
    program += "for name in sys.argv[1:]: print(read(Path(name))[0])"
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "ignore::RuntimeWarning", "-c", program, *names],
            capture_output=True, text=True, check=True, env={**env, **extra},
        ).stdout
        for extra in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert outputs[0].count("'record': 2") == 16
