"""Zeek's conn.log: what a history proves, the forms in which logs are written, and what is no connection."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.sources.log_rows import Row, read_log, some

from rearguard.model.bits import (
    ACK,
    FIN,
    KNOWN_BIFLOW,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    RST,
    SYN,
    WHY_PACKET,
)
from rearguard.model.errors import InputError

FIELDS = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "local_orig",
    "local_resp",
    "missed_bytes",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
]
TOP = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"

REFUSED: Row = {
    "ts": "1500000000.250000",
    "uid": "CHhAvVGS1DHFjwGM9",
    "id.orig_h": "203.0.113.7",
    "id.orig_p": 40001,
    "id.resp_h": "198.51.100.20",
    "id.resp_p": 7547,
    "proto": "tcp",
    "duration": "0.500000",
    "conn_state": "REJ",
    "history": "Sr",
    "orig_pkts": 1,
    "orig_ip_bytes": 40,
    "resp_pkts": 1,
    "resp_ip_bytes": 40,
    "local_orig": "T",
}


def conn(**changes: Any) -> Row:
    """A refused connection, changed."""
    return REFUSED | {name.replace("__", "."): value for name, value in changes.items()}


def tsv(*records: Row, fields: list[str] = FIELDS, top: str = TOP) -> bytes:
    lines = ["\t".join(str(record.get(name, "-")) for name in fields) for record in records]
    return (top + "#fields\t" + "\t".join(fields) + "\n" + "\n".join(lines) + "\n").encode()


def read(tmp_path: Path, content: bytes, name: str = "conn.log") -> tuple[list[Row], Any]:
    file = tmp_path / name
    file.write_bytes(content)
    return read_log(file)


def test_a_refused_connection_gives_a_row_for_each_side(tmp_path: Path) -> None:
    (there, back), source = read(tmp_path, tsv(conn()))
    assert source.format == "zeek"
    names = ("src", "sport", "dst", "dport", "packets", "bytes", "flags", "said", "record", "sampling")
    assert some(there, *names) == ("203.0.113.7", 40001, "198.51.100.20", 7547, 1, 40, SYN, "opened", 1, 1)
    assert some(back, *names) == ("198.51.100.20", 7547, "203.0.113.7", 40001, 1, 40, RST, "answered", 1, 1)
    assert there["known"] == back["known"] == KNOWN_FLAGS | KNOWN_BIFLOW | KNOWN_ONE_PACKET
    # One packet each way: the first stands at the start, the answer at the end.
    assert some(there, "ts", "end") == (1_500_000_000_250_000_000,) * 2
    assert some(back, "ts", "end") == (1_500_000_000_750_000_000,) * 2


@pytest.mark.parametrize(
    ("history", "there", "back", "said"),
    [
        ("S", SYN, 0, "opened"),
        ("Sr", SYN, RST, "opened"),
        ("ShADadFf", SYN | ACK | FIN, SYN | ACK | FIN, "opened"),
        ("ShAdDaFf", SYN | ACK | FIN, SYN | ACK | FIN, "opened"),
        ("ShR", SYN | RST, SYN | ACK, "opened"),
        ("SD", SYN, 0, "opened"),  # payload in a SYN: no ACK is proven
        ("^hA", ACK, SYN | ACK, "opened"),  # swapped, for the answer came first: the answer proves it
        ("^hCADd", ACK, SYN | ACK, "opened"),
        ("Dd", ACK, ACK, ""),  # from the middle: payload has an ACK, and nobody knows who opened
        ("^dD", ACK, ACK, ""),
        ("Ss", SYN, SYN, ""),  # both opened
        ("HA", SYN | ACK, 0, ""),
        ("I", FIN | RST, 0, ""),
        ("Q", SYN, 0, ""),
        ("Cg^", 0, 0, ""),
        ("A" * 5000, ACK, 0, ""),
    ],
)
def test_a_history_says_which_flags_were_seen_and_who_opened(
    tmp_path: Path, history: str, there: int, back: int, said: str
) -> None:
    (first, second), _ = read(tmp_path, tsv(conn(history=history, orig_pkts=3, resp_pkts=3)))
    assert (first["flags"], second["flags"]) == (there, back)
    assert first["said"] == said
    assert bool(first["known"] & KNOWN_BIFLOW) is bool(said)
    assert bool(first["known"] & KNOWN_FLAGS) is bool(there)


@pytest.mark.parametrize(
    ("state", "there", "back", "said"),
    [
        ("S0", SYN, 0, "opened"),
        ("SF", SYN | ACK | FIN, SYN | ACK | FIN, "opened"),
        ("REJ", SYN, RST, "opened"),
        ("RSTOS0", SYN | RST, 0, "opened"),
        ("SHR", 0, SYN | ACK | FIN, "opened"),
        ("OTH", 0, 0, ""),
        ("?", 0, 0, ""),
    ],
)
def test_a_log_without_history_is_read_by_the_state(
    tmp_path: Path, state: str, there: int, back: int, said: str
) -> None:
    (first, second), _ = read(tmp_path, tsv(conn(history="-", conn_state=state)))
    assert (first["flags"], second["flags"], first["said"]) == (there, back, said)


@pytest.mark.parametrize(
    ("changes", "there", "back"),
    [
        ({"history": "ShADd", "orig_bytes": 120, "resp_bytes": 310}, 120, 310),
        (
            {"history": "ShA", "orig_bytes": 120, "resp_bytes": 0},
            0,
            0,
        ),  # counted by sequence numbers, none seen
        ({"history": "ShAD", "orig_bytes": 4_000_000_000, "resp_bytes": 0}, 540, 0),  # more than was sent
        ({"history": "ShAD", "orig_bytes": "-"}, 1, 0),
        ({"proto": "udp", "history": "Dd", "orig_bytes": 100, "resp_bytes": 200}, 100, 200),
        ({"proto": "udp", "history": "Dd", "orig_bytes": "-"}, 540 - 5 * 28, 540 - 5 * 28),
    ],
)
def test_payload_is_what_was_seen_and_no_more_than_the_packets_hold(
    tmp_path: Path, changes: Row, there: int, back: int
) -> None:
    sizes = {"orig_pkts": 5, "orig_ip_bytes": 540, "resp_pkts": 5, "resp_ip_bytes": 540}
    rows, _ = read(tmp_path, tsv(conn(**sizes | changes)))
    assert [row["pay_wire"] for row in rows] == [there, back]


def test_udp_whose_sides_were_swapped_by_their_ports_does_not_say_who_opened(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, tsv(conn(proto="udp", history="Dd"), conn(proto="udp", history="^dD")))
    assert [row["said"] for row in rows] == ["opened", "answered", "", ""]


def test_a_log_without_sizes_counts_what_its_history_proves(tmp_path: Path) -> None:
    lean = [name for name in FIELDS if "pkts" not in name and "ip_bytes" not in name]
    rows, _ = read(
        tmp_path, tsv(conn(history="S", resp_bytes="-"), conn(orig_bytes=7, history="ShD"), fields=lean)
    )
    assert [some(row, "record", "said", "packets", "bytes", "pay_wire") for row in rows] == [
        (1, "opened", 1, 0, 0),
        (2, "opened", 1, 7, 7),
        (2, "answered", 1, 0, 0),
    ]


def test_icmp_has_no_ports_and_unknown_transports_are_no_flows(tmp_path: Path) -> None:
    icmp = conn(proto="icmp", id__orig_p=8, id__resp_p=0, history="-", conn_state="OTH")
    rows, source = read(tmp_path, tsv(icmp, conn(proto="unknown_transport")))
    assert [some(row, "proto", "sport", "dport", "why") for row in rows[:1]] == [(1, 0, 0, WHY_PACKET | 8)]
    assert source.tally.skipped == {"not-a-flow": 1}


def test_ipv6_is_read_as_well(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, tsv(conn(id__orig_h="2001:db8::1", id__resp_h="2001:db8:c::1")))
    assert some(rows[0], "src", "dst") == ("2001:db8::1", "2001:db8:c::1")


def as_json(record: Row, ts: Any) -> bytes:
    out = {name: value for name, value in record.items() if value != "-"}
    return json.dumps(out | {"ts": ts, "duration": float(record["duration"])}).encode() + b"\n"


@pytest.mark.parametrize(
    "ts",
    [
        1500000000.25,
        "2017-07-14T02:40:00.250000Z",
        "2017-07-14T04:40:00.25+0200",
        1500000000250,
        1500000000250.0,
    ],
)
def test_json_gives_the_same_rows_however_it_writes_the_time(tmp_path: Path, ts: Any) -> None:
    records = [conn(), conn(history="ShADd", orig_bytes=120, resp_bytes=10, orig_pkts=4)]
    expected, _ = read(tmp_path, tsv(*records))
    found, source = read(tmp_path, b"".join(as_json(record, ts) for record in records), "conn.json")
    assert source.format == "zeek json"
    assert found == expected


def test_lines_of_other_logs_in_one_stream_of_json_are_no_connections(tmp_path: Path) -> None:
    lines = [as_json(conn(_path="conn"), 1500000000.25), as_json(conn(_path="dns"), 1500000000.25)]
    rows, source = read(tmp_path, b"".join(lines), "stream.json")
    assert {row["record"] for row in rows} == {1}
    assert source.tally.skipped == {"not-a-flow": 1}


def test_files_that_were_put_together_are_read_by_the_header_of_each(tmp_path: Path) -> None:
    other = list(reversed(FIELDS))
    again = tsv(conn(id__orig_h="203.0.113.8"), fields=other, top="#close\t2026\n" + TOP)
    rows, source = read(tmp_path, tsv(conn(), conn()) + b"no connection\n" + again)
    assert [some(row, "record", "src") for row in rows if row["said"] == "opened"] == [
        (1, "203.0.113.7"),
        (2, "203.0.113.7"),
        (4, "203.0.113.8"),
    ]
    assert source.tally.skipped == {"bad-line": 1}
    assert not source.tally.complete
    assert source.tally.records == 4


def test_a_rotated_log_is_unpacked(tmp_path: Path) -> None:
    rows, source = read(tmp_path, gzip.compress(tsv(conn())), "conn.00:00:00-01:00:00.log.gz")
    assert (len(rows), source.compression, source.tally.complete) == (2, "gzip", True)


def test_a_log_that_is_cut_off_is_read_to_its_end(tmp_path: Path) -> None:
    content = tsv(conn(), conn())
    rows, source = read(tmp_path, content[: len(content) - 40])
    assert {row["record"] for row in rows} == {1}
    assert source.tally.skipped == {"bad-line": 1}


@pytest.mark.parametrize(
    "content",
    [tsv(conn(), top=TOP.replace("conn", "dns")), (TOP + "#fields\tts\tuid\n1\t2\n").encode(), TOP.encode()],
)
def test_other_logs_of_zeek_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert "Zeek" in caught.value.problem
    assert caught.value.remedy


def test_the_sensor_may_have_a_name_in_json_or_by_a_rule(tmp_path: Path) -> None:
    from rearguard.policy.columns import ColumnRule

    file = tmp_path / "conn.log"
    file.write_bytes(tsv(conn()))
    rows, source = read_log(file, north=ColumnRule(match="conn.log"))
    assert rows[0]["observer"].exporter == "north"
    assert [some_exporter.records for some_exporter in source.exporters] == [1]
    file.write_bytes(as_json(conn(_system_name="tap-1"), 1500000000.25))
    assert read_log(file)[0][0]["observer"].exporter == "tap-1"


def test_a_log_of_connections_without_what_a_flow_needs_is_no_silence(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, (TOP + "#fields\tts\tuid\tid.orig_h\n1\tC\t192.0.2.1\n").encode())
    assert "id.resp_h and proto" in caught.value.problem
    assert "id.orig_h" not in caught.value.problem
