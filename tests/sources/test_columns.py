"""Tables of flows: presets by their columns, mappings of the policy, and what every kind of cell becomes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.log_rows import Row, read_log, some

from rearguard.catalogue import load
from rearguard.model.address import format_address
from rearguard.model.bits import KNOWN_FLAGS, KNOWN_ONE_PACKET, WHY_NO_PORTS
from rearguard.model.errors import InputError, PolicyError
from rearguard.policy import parse_policy
from rearguard.policy.columns import ColumnRule
from rearguard.sources import Options, open_source
from rearguard.sources.flow import least_payload
from rearguard.sources.logs.addresses import addresses
from rearguard.sources.logs.convert import ABSENT, BAD, GOOD, flags_of, integers
from rearguard.sources.logs.moments import times
from rearguard.sources.logs.records import _least_payload
from rearguard.sources.logs.tables import Delimited, JsonLines
from rearguard.sources.observers import EGRESS, INGRESS, UNTOLD, WAYS

SECOND = 1_000_000_000
MOMENT = 1_700_000_000 * SECOND


def written(tmp_path: Path, text: str | bytes, name: str = "flows.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


GOFLOW2: Row = {
    "type": "NETFLOW_V9", "time_received_ns": MOMENT + 9, "sequence_num": 7, "sampling_rate": 1000,
    "sampler_address": "192.0.2.1", "time_flow_start_ns": MOMENT, "time_flow_end_ns": MOMENT + SECOND, "bytes": 80,
    "packets": 2, "src_addr": "203.0.113.7", "dst_addr": "198.51.100.20", "etype": "IPv4", "proto": "TCP",
    "src_port": 40001, "dst_port": 7547, "in_if": 10, "out_if": 20, "tcp_flags": 2, "flow_direction": 1,
}  # fmt: skip
SAMPLE: Row = {
    "type": "SFLOW_5", "time_received_ns": "2023-11-14T22:13:20.000000009Z", "sampling_rate": 1000,
    "sampler_address": "192.0.2.1", "bytes": 60, "packets": 1, "src_addr": "203.0.113.7",
    "dst_addr": "198.51.100.20", "etype": "IPv4", "proto": "TCP", "src_port": 40001, "dst_port": 7547,
}  # fmt: skip
PMACCT: Row = {
    "event_type": "purge", "ip_src": "203.0.113.7", "ip_dst": "198.51.100.20", "port_src": 40001, "port_dst": 7547,
    "tcp_flags": "24", "ip_proto": "tcp", "timestamp_start": "2023-11-14 22:13:20.000000",
    "timestamp_end": "0000-00-00 00:00:00.000000", "packets": 2, "bytes": 80, "peer_ip_src": "192.0.2.1",
    "iface_in": 10, "sampling_rate": 100,
}  # fmt: skip
AKVORADO: Row = {
    "TimeReceived": "2023-11-14 22:13:20", "SamplingRate": "1024", "ExporterAddress": "::ffff:192.0.2.1",
    "ExporterName": "edge-1", "SrcAddr": "::ffff:203.0.113.7", "DstAddr": "::ffff:198.51.100.20", "EType": 2048,
    "Proto": 6, "SrcPort": 40001, "DstPort": 7547, "Bytes": "80", "Packets": "2", "FlowDirection": "ingress",
}  # fmt: skip
TS = "2023-11-14 22:13:20"
NFDUMP = (
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,nh,nhb,svln,dvln,ra\n"
    f"{TS},2023-11-14 22:13:21,1.000,203.0.113.7,198.51.100.20,40001,7547,TCP,...A..S.,0,0,2,80,0,0,10,20,0,0,0,0,"
    "0,0,0.0.0.0,0.0.0.0,0,0,192.0.2.1\nSummary\nflows,bytes\n1,80\n"
)
NFDUMP_16 = NFDUMP.replace("...A..S.", ".A..S.").replace(",192.0.2.1\n", ",0.0.0.0\n")
NFDUMP_FAST = (
    "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,"
    "bytes\n"
    f"1,2,{MOMENT // 10**6},{MOMENT // 10**6 + 1000},6,203.0.113.7,40001,198.51.100.20,7547,0,0,10,20,"
    "...A..S.,0,2,80\n"
)
ARGUS = (
    "StartTime,LastTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State\n"
    "1700000000.000000,1700000001.000000,tcp,203.0.113.7,40001,   ->,198.51.100.20,7547,2,0,108,0,SA_\n"
)


def lines(*records: Row) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table(record: Row, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows((list(record), list(record.values())))
    return out.getvalue()


PRESETS = {
    "goflow2 json": (lines(GOFLOW2), "goflow2 json", 2, 80, SECOND, 2, 1000, "192.0.2.1", 10, 20, "out"),
    "goflow2 csv": (table(GOFLOW2, "\t"), "goflow2 csv", 2, 80, SECOND, 2, 1000, "192.0.2.1", 10, 20, "out"),
    "goflow2 with its sample mapping": (
        lines(SAMPLE),
        "goflow2 json",
        1,
        60,
        9,
        0,
        1000,
        "192.0.2.1",
        0,
        0,
        "",
    ),
    "pmacct json": (lines(PMACCT), "pmacct json", 2, 80, 0, 24, 100, "192.0.2.1", 10, 0, ""),
    "akvorado rows": (lines(AKVORADO), "akvorado json", 2, 80, 0, 0, 1024, "192.0.2.1", 0, 0, "in"),
    "akvorado csv": (table(AKVORADO), "akvorado csv", 2, 80, 0, 0, 1024, "192.0.2.1", 0, 0, "in"),
    "nfdump 1.7": (NFDUMP, "nfdump csv", 2, 80, SECOND, 18, 0, "192.0.2.1", 10, 20, ""),
    "nfdump 1.6": (NFDUMP_16, "nfdump csv", 2, 80, SECOND, 18, 0, "", 10, 20, ""),
    "nfdump, later": (NFDUMP_FAST, "nfdump csv", 2, 80, SECOND, 18, 0, "", 10, 20, ""),
    "argus": (ARGUS, "argus csv", 2, 80, SECOND, 18, 1, "", 0, 0, ""),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_columns_of_a_tool_are_known_by_their_names(tmp_path: Path, name: str) -> None:
    text, form, packets, octets, length, flags, sampling, *place = PRESETS[name]
    (row,), source = read_log(written(tmp_path, text, "x"))
    assert source.format == form
    ends = ("203.0.113.7", 40001, "198.51.100.20", 7547, 6)
    assert some(row, "src", "sport", "dst", "dport", "proto") == ends
    assert some(row, "packets", "bytes", "flags", "sampling") == (packets, octets, flags, sampling)
    start = MOMENT + (9 if name.endswith("mapping") else 0)
    assert some(row, "ts", "end") == (start, start if length < SECOND else start + length)
    assert bool(row["known"] & KNOWN_FLAGS) is bool(flags)
    seen = row["observer"]
    assert [seen.exporter, seen.ingress, seen.egress, seen.way] == place
    assert source.tally.complete


def test_what_comes_after_the_flows_of_nfdump_is_no_flow(tmp_path: Path) -> None:
    _, source = read_log(written(tmp_path, NFDUMP))
    assert source.tally.skipped == {"not-a-flow": 3}


def test_records_of_other_layers_are_told_apart_from_wrong_ones(tmp_path: Path) -> None:
    arp = GOFLOW2 | {"etype": "ARP", "proto": "unknown", "src_addr": "", "dst_addr": ""}
    rows, source = read_log(
        written(
            tmp_path,
            lines(
                arp,
                GOFLOW2 | {"src_addr": ""},
                GOFLOW2 | {"src_addr": "x"},
                GOFLOW2 | {"packets": 0, "bytes": 0},
            ),
            "flows.json",
        )
    )
    assert rows == []
    assert source.tally.skipped == {"not-a-flow": 1, "no-addresses": 1, "bad-line": 1, "empty-flow": 1}


# Mappings of the policy.

OWN = "when;from;to;port a;port b;kind;n;size;opened\n"


def rule(**given: Any) -> ColumnRule:
    return ColumnRule.model_validate({"match": "*"} | given)


FIELDS = {
    "src": "from", "dst": "to", "proto": "kind", "start": "when", "sport": "port a", "dport": "port b",
    "packets": "n", "bytes": "size", "initiator": "opened",
}  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "when"),
    [
        (None, "1700000000"),
        (None, "1700000000.000000000"),
        (None, "1700000000000"),
        (None, "1700000000000000"),
        (None, "1700000000000000000"),
        (None, "2023-11-14T22:13:20Z"),
        ("iso8601", "2023-11-14 22:13"),
        ("s", "1700000000"),
        ("ms", "1700000000000"),
        ("us", "1700000000000000.0"),
        ("ns", "1700000000000000000"),
    ],
)
def test_a_mapping_of_the_policy_reads_any_table(tmp_path: Path, unit: str | None, when: str) -> None:
    minute = MOMENT - 20 * SECOND if when.endswith(":13") else MOMENT
    file = written(tmp_path, OWN + f"{when};203.0.113.7;198.51.100.20;40001;7547;6;1;40;1\n")
    (row,), source = read_log(file, border=rule(fields=FIELDS, time_unit=unit, sampling=512))
    assert some(row, "ts", "packets", "bytes", "said", "sampling") == (minute, 1, 40, "opened", 512)
    assert row["observer"].exporter == "border"
    assert (source.exporters[0].rate, source.exporters[0].rate_from) == (512, "policy")


def test_the_first_column_that_has_a_value_counts(tmp_path: Path) -> None:
    text = "v4;v6;to;kind\n203.0.113.7;;198.51.100.20;tcp\n;2001:db8::1;2001:db8::2;17\n"
    rows, _ = read_log(
        written(tmp_path, text), all=rule(fields={"src": ["v4", "v6"], "dst": "to", "proto": "kind"})
    )
    assert [some(row, "src", "proto", "ts", "why", "packets", "known") for row in rows] == [
        ("203.0.113.7", 6, 0, WHY_NO_PORTS, 1, KNOWN_ONE_PACKET),
        ("2001:db8::1", 17, 0, WHY_NO_PORTS, 1, KNOWN_ONE_PACKET),
    ]


@pytest.mark.parametrize(
    ("given", "key", "problem"),
    [
        ({"fields": FIELDS | {"src": "source"}}, "columns.border.fields.src", "no column 'source' for src"),
        ({"preset": "goflow2"}, "columns.border.preset", "no column 'src_addr' for src"),
    ],
)
def test_a_rule_that_names_columns_which_are_not_there_says_so(
    tmp_path: Path, given: Row, key: str, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_log(written(tmp_path, OWN), border=rule(**given))
    assert caught.value.place.key == key
    assert caught.value.place.line == 1
    assert problem in caught.value.problem
    assert "when" in caught.value.remedy


def test_columns_that_nobody_knows_are_shown_with_a_mapping_to_paste(tmp_path: Path) -> None:
    text = "Start Time,Source IP,Dest IP,Dest Port,Protocol,Pkts\n"
    text += "2023-11-14 22:13:20,203.0.113.7,198.51.100.20,7547,6,3\n"
    with pytest.raises(InputError) as caught:
        read_log(written(tmp_path, text))
    error = caught.value
    assert "Start Time, Source IP, Dest IP" in error.problem
    pasted = error.remedy.partition("\n")[2]
    policy = parse_policy(pasted, load())
    (row,), _ = read_log(tmp_path / "flows.csv", **policy.columns)
    assert some(row, "src", "dst", "dport", "packets", "ts") == (
        "203.0.113.7",
        "198.51.100.20",
        7547,
        3,
        MOMENT,
    )


def test_names_of_columns_cannot_break_out_of_the_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_log(written(tmp_path, '{"a\\u001b[31m\\n": 1, "src\\"x": 2, "c": 3}\n'))
    assert all(char.isprintable() for char in caught.value.problem)


@pytest.mark.parametrize(
    ("text", "line", "key", "remedy"),
    [
        ("columns: {b: {match: x, preset: goflow}}", 1, "columns.b.preset", "goflow2"),
        ("columns:\n  b:\n    match: x\n    fields: {src: a, dst: b}", 4, "columns.b.fields.proto", "add proto"),
        ("columns:\n  b:\n    match: x\n    fields: {src: a, dst: b, pro: c}", 4, "columns.b.fields.pro", "proto"),
        ("columns:\n  b:\n    match: x\n    fields: {src: 1, dst: b, proto: c}", 4, "columns.b.fields.src", "name"),
        ("columns:\n  b:\n    match: x\n    time_unit: h", 4, "columns.b.time_unit", "iso8601"),
        ("columns:\n  b:\n    match: x\n    sampling: 0", 4, "columns.b.sampling", "policy.md"),
        ("columns:\n  b: {preset: pmacct}", 2, "columns.b.match", "add match"),
        (
            "columns:\n  b:\n    match: x\n    preset: pmacct\n    fields: {src: a, dst: b, proto: c}",
            2, "columns.b", "keep fields",
        ),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_told_with_its_place(text: str, line: int, key: str, remedy: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, load(), file="p.yaml")
    messages = [(each.place.line, each.place.key, each.remedy) for each in caught.value.problems]
    assert any((at, name) == (line, key) and remedy in what for at, name, what in messages), messages


def test_a_report_of_shadowserver_is_no_traffic(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Shadowserver") as caught:
        read_log(written(tmp_path, "timestamp,ip,protocol,port,hostname,tag,asn,geo\n"))
    assert "--shadowserver" in caught.value.remedy


@pytest.mark.parametrize(
    "content",
    [
        b"[\n{\n}]",
        b"a,b\n1,2\n",
        b"no table at all\n",
        b"a,b,c\x00\n",
        b'"a\n',
        b"",
        b"1,2,3\n4,5,6\n",
        b"a,a,b\n1,2,3\n",
    ],
)
def test_what_is_no_table_is_an_error_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_log(written(tmp_path, content))
    assert caught.value.remedy


# Cells.


@given(st.lists(st.one_of(st.ip_addresses(), st.text(max_size=20), st.none()), max_size=40))
@settings(max_examples=60, deadline=None)
def test_addresses_are_read_as_the_standard_library_reads_them(values: list[Any]) -> None:
    texts = [None if value is None else str(value) for value in values]
    high, low, state = addresses(
        pa.array([None if t is None else t.encode("utf-8", "replace") for t in texts], pa.binary())
    )
    for text, *halves, what in zip(texts, high.tolist(), low.tolist(), state.tolist(), strict=True):
        try:
            expected: IPv4Address | IPv6Address | None = ip_address((text or "").strip())
        except ValueError:
            expected = None
        if expected is not None and "%" not in str(text):
            mapped = expected.ipv4_mapped if isinstance(expected, IPv6Address) else None
            assert (what, format_address(*halves)) == (GOOD, str(mapped or expected))
        else:
            assert what in (ABSENT, BAD)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ["1", " 22 ", "", "-", "x", "-1", "1.5", "1e3", "9" * 30],
            [1, 22, ABSENT, ABSENT, BAD, BAD, BAD, BAD, BAD],
        ),
        ([1, None, -1], [1, ABSENT, BAD]),
        ([1.0, 2.5, None, float("nan"), -1.0, 1e300], [1, BAD, ABSENT, BAD, BAD, BAD]),
    ],
)
def test_whole_numbers(values: list[Any], expected: list[int]) -> None:
    numbers, state = integers(pa.array(values))
    good = [
        number if what == GOOD else what
        for number, what in zip(numbers.tolist(), state.tolist(), strict=True)
    ]
    assert good == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1700000000.123456789"], MOMENT + 123_456_789),
        ([1700000000.123456], MOMENT + 123_456_000),
        (["2023-11-14T22:13:20.123456789Z"], MOMENT + 123_456_789),
        (["2023-11-14T23:13:20.5+01:00"], MOMENT + SECOND // 2),
        (["2023-11-14 22:13:20"], MOMENT),
        ([""], None),
        (["0000-00-00 00:00:00"], None),
        (["0"], None),
        ([None], None),
        (["2023-02-30 00:00:00"], "bad"),
        (["13:45:02.141757"], "bad"),
        (["1" * 18], 111_111_111_111_111_111),
        (["yesterday"], "bad"),
        ([True], "bad"),
    ],
)
def test_times(values: list[Any], expected: int | str | None) -> None:
    (moment,), (state,) = (each.tolist() for each in times(pa.array(values)))
    assert state == {None: ABSENT, "bad": BAD}.get(expected, GOOD)  # type: ignore[call-overload]
    assert state != GOOD or moment == expected


def test_one_wrong_time_spoils_no_other() -> None:
    good = ["2023-11-14 22:13:20", "1700000000", "2023-11-14T22:13:20Z"]
    mixed = [good[0], "2023-13-45 00:00:00", good[1], "?", good[2], ""]
    moments, state = times(pa.array(mixed))
    assert state.tolist() == [GOOD, BAD, GOOD, BAD, GOOD, ABSENT]
    assert {moments[at] for at in (0, 2, 4)} == {MOMENT}


@pytest.mark.parametrize(
    ("text", "hexadecimal", "expected"),
    [
        ("...AP.SF", False, 0x1B),
        (".AP.SF", False, 0x1B),
        ("......S.", False, 0x02),
        ("........", False, 0),
        ("CEUAPRSF", False, 0xFF),
        ("27", False, 27),
        ("0x1b", False, 27),
        ("1b", True, 27),
        ("c2", True, 0xC2),
        ("S", False, 2),
        ("XYZ", False, None),
        ("1b", False, None),
    ],
)
def test_tcp_flags(text: str, hexadecimal: bool, expected: int | None) -> None:
    (flags,), (state,) = (each.tolist() for each in flags_of(pa.array([text]), hexadecimal=hexadecimal))
    assert (flags if state == GOOD else None) == expected


def test_the_ways_have_the_numbers_that_presets_use() -> None:
    assert [WAYS[way] for way in (UNTOLD, INGRESS, EGRESS)] == ["", "in", "out"]


_COUNTS = st.tuples(
    st.sampled_from([1, 6, 17, 132]),
    st.booleans(),
    st.integers(0, 2**40),
    st.integers(0, 2**62),
    st.integers(0, 255),
)


@given(st.lists(_COUNTS, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_least_payload_is_that_of_the_kernels(given_: list[tuple[int, bool, int, int, int]]) -> None:
    proto, v6, packets, octets, flags = (np.array(column) for column in zip(*given_, strict=True))
    packets, octets = packets.astype(np.uint64), octets.astype(np.uint64)
    found = _least_payload(proto, ~v6, packets, octets, flags.astype(np.uint8))
    scalar = getattr(least_payload, "py_func", least_payload)
    expected = [scalar(*one) for one in given_]
    assert found.tolist() == expected


# Lines.

_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)


@given(st.lists(st.lists(_CELL, min_size=1, max_size=4), max_size=12))
@settings(max_examples=80, deadline=None)
def test_the_fast_and_the_slow_way_through_delimited_text_agree(cells: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).writerows(cells)
    block = out.getvalue().encode()
    quoted = b'"' in block
    one, other = (Delimited(["a", "b", "c"], ["a", "c"], ",", quoted) for _ in range(2))
    fast, slow = one.table(block), other._slowly(block)
    assert fast.lines.tolist() == slow.lines.tolist()
    assert {name: column.to_pylist() for name, column in fast.columns.items()} == {
        name: column.to_pylist() for name, column in slow.columns.items()
    }
    assert (fast.bad, one.read) == (slow.bad, other.read)
    assert len(fast.lines) + fast.bad == one.read


@given(
    st.lists(
        st.one_of(st.dictionaries(st.sampled_from("ab"), st.integers(0, 9)), st.text(max_size=5)), max_size=9
    )
)
@settings(max_examples=60, deadline=None)
def test_json_lines_are_numbered_whatever_stands_between_them(values: list[Any]) -> None:
    block = "".join(json.dumps(value) + "\n" for value in values).encode()
    table = JsonLines(pa.schema([("a", pa.int64())])).table(block) if block else None
    good = [at for at, value in enumerate(values, 1) if isinstance(value, dict)]
    assert table is None or table.lines.tolist() == good
    assert table is None or table.bad == len(values) - len(good)


def test_a_line_without_end_is_passed_over_and_costs_bounded_memory(tmp_path: Path) -> None:
    head = ARGUS.partition("\n")[0] + "\n"
    line = ARGUS.partition("\n")[2]
    file = written(tmp_path, head + line + "x" * (3 << 20) + "\n" + line + "y" * (2 << 20))
    rows, source = read_log(file)
    assert len(rows) == 2
    assert source.tally.skipped == {"bad-line": 2}


def test_many_blocks_give_every_line_once(tmp_path: Path) -> None:
    head, _, line = ARGUS.partition("\n")
    count = 30_000
    file = written(tmp_path, head + "\n" + line * count)
    rows, source = read_log(file)
    assert [row["record"] for row in rows] == list(range(1, count + 1))
    assert source.tally.bytes == file.stat().st_size
    assert source.progress.done == file.stat().st_size


@given(st.integers(0, 2**32), st.sampled_from(sorted(PRESETS)))
@settings(max_examples=60, deadline=None)
def test_damaged_files_never_do_more_than_lose_their_lines(
    tmp_path_factory: Any, seed: int, name: str
) -> None:
    noise = np.random.default_rng(seed)
    content = bytearray(str(PRESETS[name][0]).encode() * 3)
    for at in noise.integers(0, len(content), 6).tolist():
        content[at] = int(noise.integers(0, 256))
    file = tmp_path_factory.mktemp("damaged") / "x"
    file.write_bytes(bytes(content))
    with contextlib.suppress(InputError):
        read_log(file)


# Other people's truth.


@pytest.mark.corpus
def test_what_nfdump_prints_is_what_nfdump_counts(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    file = corpus / "derived" / "lbl-scan-summary.nfcapd.201803290000"
    nfdump = tool("nfdump")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [nfdump, "-r", str(file), *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={"TZ": "UTC"},
        )
        return done.stdout

    rows, source = read_log(written(tmp_path, run("-o", "csv")))
    packets = {"tcp": 0, "udp": 0, "icmp": 0, "other": 0}
    octets = dict(packets)
    for row in rows:
        kind = {6: "tcp", 17: "udp", 1: "icmp"}.get(row["proto"], "other")
        packets[kind] += row["packets"]
        octets[kind] += row["bytes"]
    stated = dict(line.split(": ", 1) for line in run("-I").splitlines() if ": " in line)
    assert {kind: int(stated[f"Packets_{kind}"]) for kind in packets} == packets
    assert {kind: int(stated[f"Bytes_{kind}"]) for kind in octets} == octets
    assert source.tally.records == int(stated["Flows"])
    assert min(row["ts"] for row in rows) // SECOND == int(stated["First"])


@pytest.mark.corpus
def test_the_flow_tables_of_a_corpus_are_read_by_a_mapping(corpus: Path) -> None:
    fields = {
        "src": "srcIp", "dst": "dstIp", "proto": "ipProto", "sport": "srcPort", "dport": "dstPort",
        "packets": "packetCount", "bytes": "volumeTransmitted",
    }  # fmt: skip
    files = sorted(corpus.glob("barmey__IoT_mud_files_locations/*/*_ipflows.csv"))
    assert len(files) > 10
    for file in files:
        rows, source = read_log(file, mud=rule(match="*_ipflows.csv", fields=fields))
        with file.open(newline="") as stream:
            expected = [
                (line["srcIp"], line["dstIp"], int(line["packetCount"]), int(line["volumeTransmitted"]))
                for line in csv.DictReader(stream)
                if "*" not in (line["srcIp"], line["dstIp"], line["ipProto"]) and line["packetCount"] != "0"
            ]
        assert [some(row, "src", "dst", "packets", "bytes") for row in rows] == expected
        assert source.tally.complete


def test_a_folder_is_searched_for_tables_that_are_known(tmp_path: Path) -> None:
    from rearguard.sources import expand

    written(tmp_path, ARGUS, "a.txt")
    written(tmp_path, "x,y,z\n1,2,3\n", "b.csv")
    written(tmp_path, lines(GOFLOW2), "c")
    assert [Path(uri).name for uri in expand([str(tmp_path)])] == ["a.txt", "c"]
    options = Options(columns=(("all", rule(fields={"src": "x", "dst": "y", "proto": "z"})),))
    with open_source(str(tmp_path / "b.csv"), options=options) as source:
        assert source.format == "all csv"


def test_a_rate_that_no_record_tells_is_the_rules(tmp_path: Path) -> None:
    text = json.dumps(GOFLOW2 | {"sampling_rate": 0}) + "\n"
    file = written(tmp_path, text, "flows.json")
    _, source = read_log(file, edge=ColumnRule(match="*.json", sampling=500))
    assert [(one.rate, one.rate_from) for one in source.exporters] == [(500, "policy")]
    file.write_text(text + json.dumps(GOFLOW2) + "\n")
    _, source = read_log(file, edge=ColumnRule(match="*.json", sampling=500))
    assert source.exporters[0].rate_from == "record"


def test_a_presets_table_without_times_is_refused_at_once(tmp_path: Path) -> None:
    head = "SRC_IP,DST_IP,SRC_PORT,DST_PORT,PROTOCOL,PACKETS,BYTES\n"
    file = written(tmp_path, head + "203.0.113.7,198.51.100.20,1,7547,tcp,1,40\n")
    with pytest.raises(InputError) as caught:
        open_source(str(file)).close()
    assert "without a time" in caught.value.problem
    assert "timestamp_start" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("203.0.113.7,198.51.100.20,6,soon,1", "record 2: start (column when) cannot be read"),
        ("203.0.113.999,198.51.100.20,6,1700000000,1", "record 2: src (column a) cannot be read"),
        ("203.0.113.7,198.51.100.20,6,1700000000,-4", "record 2: packets (column n) cannot be read"),
        ("203.0.113.7,198.51.100.20", "record 2: not as many cells as the header has"),
    ],
)
def test_the_first_bad_record_is_named_with_its_field(tmp_path: Path, line: str, said: str) -> None:
    good = "203.0.113.7,198.51.100.20,6,1700000000,1"
    file = written(tmp_path, f"a,b,c,when,n\n{good}\n{line}\n{good}\n{line}\n")
    fields = {"src": "a", "dst": "b", "proto": "c", "start": "when", "packets": "n"}
    rule = ColumnRule.model_validate({"match": "*", "fields": fields})
    rows, source = read_log(file, edge=rule)
    assert [row["record"] for row in rows] == [1, 3]
    assert source.tally.first_bad == said


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        ("when,who\n".encode("utf-16"), "UTF-16", "iconv"),
        (
            b"Date first seen  Duration Proto  Src IP Addr:Port\n",
            "without a header of columns",
            "nfdump -o csv",
        ),
    ],
)
def test_text_that_is_no_table_is_told_from_captures(
    tmp_path: Path, content: bytes, said: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        open_source(str(written(tmp_path, content))).close()
    assert said in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_line_without_an_end_is_named_and_bounded(tmp_path: Path) -> None:
    good = "a,b,c,when,n\n203.0.113.7,198.51.100.20,6,1700000000,1\n"
    file = written(tmp_path, good + "x," * (1 << 20) + "\n")
    fields = {"src": "a", "dst": "b", "proto": "c", "start": "when", "packets": "n"}
    rows, source = read_log(file, edge=ColumnRule.model_validate({"match": "*", "fields": fields}))
    assert len(rows) == 1
    assert source.tally.skipped == {"bad-line": 1}
    assert source.tally.first_bad == "a line is longer than 1 MiB"
