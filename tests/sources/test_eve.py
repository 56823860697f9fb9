"""Suricata's eve.json: every flow counts once, whichever events tell it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.sources.log_rows import Row, read_log, some

from rearguard.model.bits import KNOWN_BIFLOW, KNOWN_FLAGS
from rearguard.model.errors import InputError
from rearguard.sources import open_source
from rearguard.sources.logs import eve

Event = dict[str, Any]
START, END = "2026-01-02T03:04:05.500000+0100", "2026-01-02T03:04:07.250000+0100"
START_NS = 1_767_319_445_500_000_000


def event(kind: str, number: int = 1, **more: Any) -> Event:
    return {
        "timestamp": "2026-01-02T03:10:00.000000+0100", "flow_id": number, "in_iface": "eth0", "event_type": kind,
        "src_ip": "203.0.113.7", "src_port": 40001, "dest_ip": "198.51.100.20", "dest_port": 7547, "proto": "TCP",
    } | more  # fmt: skip


def flow(number: int = 1, flags: str = "1b", **more: Any) -> Event:
    counts = {"pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 500, "bytes_toclient": 400}
    tcp = {"tcp_flags": flags, "tcp_flags_ts": flags, "tcp_flags_tc": flags, "state": "closed"}
    return event("flow", number, flow=counts | {"start": START, "end": END, "age": 2}, tcp=tcp) | more


def netflow(number: int = 1, **more: Any) -> Event:
    told = {"pkts": 5, "bytes": 500, "start": START, "end": END, "age": 2}
    return event("netflow", number, netflow=told, tcp={"tcp_flags": "1b"}) | more


def alert(number: int = 1, **more: Any) -> Event:
    counts = {
        "pkts_toserver": 3,
        "pkts_toclient": 1,
        "bytes_toserver": 300,
        "bytes_toclient": 54,
        "start": START,
    }
    return event("alert", number, alert={"signature_id": 1}, flow=counts, direction="to_server") | more


def read(tmp_path: Path, events: Iterable[Event | str]) -> tuple[list[Row], Any]:
    file = tmp_path / "eve.json"
    lines = (one if isinstance(one, str) else json.dumps(one) for one in events)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_log(file)


def test_a_flow_event_gives_a_row_for_each_direction(tmp_path: Path) -> None:
    (there, back), source = read(tmp_path, [flow()])
    assert source.format == "suricata eve"
    names = ("src", "sport", "dst", "dport", "packets", "bytes", "flags", "said", "ts", "end", "sampling")
    length = 1_750_000_000
    # The Ethernet header of each packet is no part of the IP length.
    assert some(there, *names) == (
        "203.0.113.7", 40001, "198.51.100.20", 7547, 5, 430, 0x1B, "opened", START_NS, START_NS + length, 1,
    )  # fmt: skip
    assert some(back, "src", "packets", "bytes", "said") == ("198.51.100.20", 4, 344, "answered")
    assert there["known"] == KNOWN_FLAGS | KNOWN_BIFLOW


@pytest.mark.parametrize(
    ("changes", "said", "flags"),
    [
        ({"tcp": {"tcp_flags_ts": "02", "tcp_flags_tc": "14"}}, "opened", 0x02),
        ({"tcp": {"tcp_flags_ts": "18", "tcp_flags_tc": "18"}}, "", 0x18),  # from the middle
        ({"tcp": {"tcp_flags_ts": "c2", "tcp_flags_tc": "52"}}, "opened", 0xC2),
        ({"tcp": {"tcp_flags_ts": "00", "tcp_flags_tc": "00"}}, "", 0),
        ({"tcp": None}, "", 0),
        ({"proto": "UDP", "tcp": None}, "opened", 0),
    ],
)
def test_who_opened_is_taken_only_where_the_handshake_was_seen(
    tmp_path: Path, changes: Event, said: str, flags: int
) -> None:
    (there, _), _ = read(tmp_path, [flow(**changes)])
    assert (there["said"], there["flags"]) == (said, flags)


def test_icmp_and_ipv6_without_ports(tmp_path: Path) -> None:
    one = flow(proto="IPv6-ICMP", src_ip="2001:db8::1", dest_ip="2001:db8:c::1", tcp=None)
    del one["src_port"], one["dest_port"]
    (there, _), source = read(tmp_path, [one])
    assert some(there, "src", "dst", "proto", "sport", "dport") == ("2001:db8::1", "2001:db8:c::1", 58, 0, 0)
    assert source.tally.complete


OTHER = [
    event("dns", dns={"rrname": "x"}),
    event("http", http={"url": "/"}),
    {"timestamp": "x", "event_type": "stats"},
]
BACK = {"src_ip": "198.51.100.20", "src_port": 7547, "dest_ip": "203.0.113.7", "dest_port": 40001}


@pytest.mark.parametrize(
    ("events", "records", "skipped"),
    [
        ([flow(1), netflow(1), alert(1), *OTHER], [1, 1], {"same-flow": 2, "not-a-flow": 3}),
        ([alert(1), netflow(1), flow(1), flow(2)], [3, 3, 4, 4], {"same-flow": 2}),
        ([netflow(1), netflow(1, **BACK), alert(1), netflow(2)], [1, 2, 4], {"same-flow": 1}),
        ([alert(1), alert(1), alert(2), *OTHER], [1, 1, 3, 3], {"same-flow": 1, "not-a-flow": 3}),
        ([*OTHER], [], {"not-a-flow": 3}),
        ([flow(1), "{broken", "[]", flow(2)], [1, 1, 4, 4], {"bad-line": 2}),
    ],
    ids=["flow", "alert before flow", "netflow", "alerts alone", "neither", "bad lines"],
)
def test_no_flow_is_counted_twice(
    tmp_path: Path, events: list[Event | str], records: list[int], skipped: dict[str, int]
) -> None:
    rows, source = read(tmp_path, events)
    assert [row["record"] for row in rows] == records
    assert source.tally.skipped == skipped


def test_flow_events_that_come_late_do_not_count_the_flows_of_alerts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eve, "SNIFFED", 600)  # so that the beginning shows an alert and nothing else
    rows, source = read(tmp_path, [alert(1), alert(2), flow(1), flow(3), alert(3), flow(2)])
    assert sorted({row["record"] for row in rows}) == [1, 2, 4]
    assert source.tally.skipped == {"same-flow": 3}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [("203.0.113.7", 3, 258), ("198.51.100.20", 1, 40)]),
        # The packet came from the server; the counts are still of client and server.
        ({"direction": "to_client", **BACK}, [("203.0.113.7", 3, 258), ("198.51.100.20", 1, 40)]),
        # Nobody says whose counts they are: one packet from src to dst.
        ({"direction": None}, [("203.0.113.7", 1, 0)]),
        ({"flow": None}, [("203.0.113.7", 1, 0)]),
    ],
)
def test_an_alert_counts_as_far_as_it_is_certain_whose_packets_they_were(
    tmp_path: Path, changes: Event, expected: list[Any]
) -> None:
    rows, _ = read(tmp_path, [alert(**changes)])
    assert [some(row, "src", "packets", "bytes") for row in rows] == expected
    assert {row["said"] for row in rows} == {""}
    assert {row["flags"] for row in rows} == {0}


def test_alerts_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eve, "ALERTED", 3)
    rows, _ = read(tmp_path, [alert(number) for number in (1, 2, 3, 4, 1)])
    assert [row["record"] for row in rows if row["dport"] == 7547] == [1, 2, 3, 4, 5]


def test_lines_that_the_fast_reader_refuses_give_the_same_rows(tmp_path: Path) -> None:
    events = [flow(1), flow(2, src_port=50000), flow(3, proto="UDP", tcp=None)]
    fast, _ = read(tmp_path, events)
    slow, source = read(tmp_path, [*events, "{"])
    assert slow == fast
    assert source.tally.skipped == {"bad-line": 1}


def test_hostile_values_are_bad_lines_and_nothing_else(tmp_path: Path) -> None:
    wrong = [
        flow(1, src_ip="999.1.1.1"),
        flow(2, dest_port=70000),
        flow(3, dest_port=-1),
        flow(4, flow={"pkts_toserver": 10**30, "start": START}),
        flow(5, flow={"pkts_toserver": 1, "start": "yesterday"}),
        '{"event_type": "flow", "x": ' + "[" * 100_000,
        flow(6, src_ip=["203.0.113.7"]),
        flow(7, src_ip="\u0000"),
    ]
    rows, source = read(tmp_path, [flow(8), *wrong])
    assert {row["record"] for row in rows} == {1}
    assert source.tally.skipped == {"bad-line": 7, "no-addresses": 1}


def test_an_array_is_refused_with_the_way_to_make_lines_of_it(tmp_path: Path) -> None:
    file = tmp_path / "eve.json"
    file.write_text("[" + ",\n".join(json.dumps(one) for one in (flow(1), flow(2))) + "]")
    with pytest.raises(InputError) as caught:
        open_source(str(file)).close()
    assert "array" in caught.value.problem
    assert "jq -c" in caught.value.remedy


def test_the_first_bad_line_is_named(tmp_path: Path) -> None:
    _, source = read(tmp_path, [flow(1), flow(2, dest_port=70000), "{"])
    assert source.tally.first_bad == "record 2: dport (column dest_port) cannot be read"
