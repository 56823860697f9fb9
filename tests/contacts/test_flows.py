"""Flow records: who opened, what came back and which tries they stand for (rules A3, A5, A6, B7, B14)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contacts.rows import DEVICE, SECOND, START, STRANGER, Row, chunk_of, numbered, packet
from tests.contacts.run import POLICY_GUARD, SMALL, concluded, policy_with

from rearguard.contacts.observing import Rate, places_of
from rearguard.contacts.reducer import Circles, Partials, Reducer, Sizes
from rearguard.contacts.view import SourceInfo
from rearguard.model import bits
from rearguard.sources.reader import Exporter, Observer

SERVER, CLIENT = f"{DEVICE}:7547", f"{STRANGER}:40001"
OPENED, CALLED = bits.WHY_PACKET | bits.WHY_INITIATOR, bits.WHY_PACKET | bits.WHY_RESPONDER


def flow(
    src: str, dst: str, flags: str, at: float = 0.0, *, packets: int = 5, payload: int = 0, **more: int
) -> Row:
    """A flow record of several packets: its flags are OR-ed."""
    known = bits.KNOWN_FLAGS if flags else 0
    known |= bits.KNOWN_ONE_PACKET if packets == 1 else 0
    row = packet(src, dst, flags, at=at, packets=packets, bytes=60 * packets + payload, known=known)
    return row | {"end": row["ts"] + SECOND, "pay_wire": payload} | more


ELSE = flow(f"{DEVICE}:50000", "203.0.113.8:443", "SAPF", at=-1)
"""Something else that the network sends, so that silence means something (rule A6)."""
SESSION = (flow(CLIENT, SERVER, "SAPF", payload=300), flow(SERVER, CLIENT, "SAPF", 0.02, payload=900))

CASES: dict[str, tuple[Sequence[Row], dict[str, Any]]] = {
    "a bare SYN": (
        [flow(CLIENT, SERVER, "S", packets=1)],
        {"target": True, "certainty": "certain", "outcome": "unanswered", "tries": 1},
    ),
    "a SYN sent three times": (
        [flow(CLIENT, SERVER, "S", packets=3)],
        {"target": True, "outcome": "unanswered", "tries": 3, "unacked": 3},
    ),
    "half open, the answer sent again": (
        [flow(CLIENT, SERVER, "S", packets=1), flow(SERVER, CLIENT, "SA", 0.02, packets=3)],
        {"target": True, "outcome": "answered", "tries": 1, "verified": False},
    ),
    "refused": (
        [flow(CLIENT, SERVER, "S", packets=1), flow(SERVER, CLIENT, "RA", 0.02, packets=1)],
        {"target": True, "outcome": "refused"},
    ),
    "a whole session, the client's flow first": (
        SESSION,
        {
            "target": True,
            "certainty": "likely",
            "outcome": "conversed",
            "tries": 1,
            "verified": True,
            "unacked": 1,
        },
    ),
    "a session that was reset": (
        [flow(CLIENT, SERVER, "SAR"), flow(SERVER, CLIENT, "SA", 0.02, packets=2)],
        {"target": True, "outcome": "answered", "tries": 1},
    ),
    "two sessions": (
        [
            *SESSION,
            flow(f"{STRANGER}:40002", SERVER, "SAPF", 9),
            flow(SERVER, f"{STRANGER}:40002", "SAPF", 9.02),
        ],
        {"tries": 2, "unacked": 2},
    ),
    "a session whose two flows begin in the same millisecond": (
        [flow(CLIENT, SERVER, "SAPF"), flow(SERVER, CLIENT, "SAPF", 0.001)],
        {"target": True, "certainty": "likely", "outcome": "unknown", "tries": 1, "verified": False},
    ),
    "our own client that happens to use the port": (
        [
            flow(SERVER, f"{STRANGER}:51413", "SAPF", payload=9),
            flow(f"{STRANGER}:51413", SERVER, "SAPF", 0.02),
        ],
        {"target": False, "tries": 0},
    ),
    "our own client toward a service, one way only": (
        [flow(f"{STRANGER}:443", SERVER, "SAPF", payload=90)],
        {"target": False},
    ),
    "SYN+ACKs for SYNs that nobody sent (rule B5)": (
        [flow(CLIENT, SERVER, "SA", packets=4)],
        {"target": True, "certainty": "likely", "tries": 0, "outcome": "unknown"},
    ),
    "one direction only": (
        [flow(CLIENT, SERVER, "SAPF", payload=300)],
        {"target": True, "outcome": "unknown", "tries": 1, "verified": False},
    ),
    "an exporter without flags": (
        [flow(CLIENT, SERVER, ""), flow(SERVER, CLIENT, "", 0.02)],
        {"target": True, "certainty": "likely", "tries": 0, "outcome": "unknown", "unacked": None},
    ),
    "an exporter that says who opened": (
        [flow(CLIENT, SERVER, "SAPF", why=OPENED), flow(SERVER, CLIENT, "SAPF", why=CALLED)],
        {
            "target": True,
            "certainty": "certain",
            "outcome": "answered",
            "tries": 1,
            "verified": True,
            "unacked": 1,
        },
    ),
    "who opened, without flags": (
        [flow(CLIENT, SERVER, "", why=OPENED)],
        {"target": True, "certainty": "certain", "tries": 1},
    ),
    "who opened: our own client": (
        [
            flow(SERVER, f"{STRANGER}:51413", "SAPF", why=OPENED),
            flow(f"{STRANGER}:51413", SERVER, "SAPF", why=CALLED),
        ],
        {"target": False},
    ),
    "a datagram and its reply": (
        [
            packet("203.0.113.7:4000", f"{DEVICE}:161", proto="udp", payload=40, why=OPENED),
            packet(f"{DEVICE}:161", "203.0.113.7:4000", proto="udp", payload=90, at=0, why=CALLED),
        ],
        {"target": True, "certainty": "certain", "outcome": "answered", "tries": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_flows_prove(case: str) -> None:
    rows, expected = CASES[case]
    judged = concluded([[numbered([ELSE, *rows])]], detecting=False).judged
    mine = [row for row in judged if row["port"] in (7547, 161)]
    assert mine, case
    for row in mine:
        assert {name: row[name] for name in expected} == expected


def test_flows_are_counted_by_minute_in_whatever_order_they_end() -> None:
    rows = numbered(
        [flow(CLIENT, SERVER, "S", at=60 * minute, packets=1) for minute in (3, 1, 2, 3, 1, 70, 0, 1)]
    )
    numbers = np.arange(4, dtype=np.uint32)
    with tempfile.TemporaryDirectory() as folder:
        partials = Partials.new(Path(folder), SMALL)
        reducer = Reducer(POLICY_GUARD, partials, Sizes(census_cells=8))
        reducer.feed(chunk_of(rows), 0, numbers, Circles(numbers, numbers))
        reducer.finish()
        cells = np.concatenate([partials.census.partition(k) for k in range(partials.census.partitions)])
        partials.close()
    start = START // SECOND // 60
    counted = sorted((int(cell["minute"]) - start, int(cell["tries"])) for cell in cells)
    assert {minute: sum(n for m, n in counted if m == minute) for minute, _ in counted} == {
        0: 1, 1: 3, 2: 1, 3: 2, 70: 1
    }  # fmt: skip
    assert len(counted) < 7  # not one for each change of the minute


def test_a_session_told_in_any_order_is_judged_alike() -> None:
    rows = numbered([ELSE, *SESSION, *CASES["two sessions"][0]])
    expected = concluded([[rows]], detecting=False).judged
    assert concluded([[rows[::-1]]], detecting=False).judged == expected
    assert concluded([[rows[:2]], [rows[2:]]], detecting=False).judged == expected


def test_one_place_with_two_rates_is_one_contact() -> None:
    rows = [flow(CLIENT, SERVER, "S", packets=1, sampling=100)] * 3 + [
        flow(CLIENT, SERVER, "S", packets=1, sampling=1000)
    ]
    row = concluded([[numbered(rows)]], detecting=False).judged
    assert [(each["packets_c"], each["tries"], each["sampling"]) for each in row] == [(4, 4, 325)]


def test_where_a_rate_is_unknown_so_is_that_of_the_whole() -> None:
    rows = [flow(CLIENT, SERVER, "S", packets=1, sampling=n) for n in (0, 100)]
    row = concluded([[numbered(rows)]], detecting=False).judged
    assert [(each["packets_c"], each["sampling"], each["outcome"]) for each in row] == [(2, 0, "unknown")]


def test_a_scan_by_flows_without_flags_is_found_and_a_single_one_is_no_probe() -> None:
    scan = [flow(f"{STRANGER}:40001", f"198.51.100.{k}:7547", "", k) for k in range(1, 6)]
    found = concluded([[numbered([ELSE, *scan])]]).findings
    assert [one["kind"] for one in found] == ["scan"]
    assert concluded([[numbered([ELSE, scan[0]])]]).findings == []


EXPORTER = "192.0.2.1"


def source(uri: str, first: int = 0, last: int = 100, *exporters: Exporter) -> SourceInfo:
    """An input whose records are from ``first`` to ``last`` seconds."""
    return SourceInfo(
        uri, "made", 1, 1, {}, START + first * SECOND, START + last * SECOND, exporters=exporters
    )


def seen(ingress: int, egress: int, way: str = "", exporter: str = EXPORTER) -> Observer:
    return Observer(exporter=exporter, ingress=ingress, egress=egress, way=way)


def groups(places: Sequence[Observer], **policy: Any) -> list[int]:
    flows = source("a", 0, 100, Exporter(EXPORTER))
    found = places_of([(0, one) for one in places], [flows], policy_with(**policy)).groups
    return [int(group) for group in found]


def test_an_exporter_is_one_place_whichever_interface_but_not_what_it_saw_leaving() -> None:
    assert groups([seen(1, 7), seen(7, 1), seen(1, 7, "in"), seen(1, 7, "out")]) == [0, 0, 0, 1]
    assert groups([seen(1, 7), seen(1, 7, exporter="192.0.2.2")]) == [0, 1]


def test_what_enters_by_external_interfaces_is_one_place_across_exporters() -> None:
    policy = {
        "observers": {
            "north": {"match": EXPORTER, "external": ["1"]},
            "south": {"match": "192.0.2.2", "external": ["5"]},
        }
    }
    found = groups([seen(1, 7), seen(5, 2, exporter="192.0.2.2"), seen(7, 1), seen(7, 1, "out")], **policy)
    assert found[0] == found[1] == found[3]
    assert found[2] != found[0]


def test_silence_is_heard_by_all_groups_of_an_exporter() -> None:
    flows = source("a", 0, 100, Exporter(EXPORTER))
    places = places_of([(0, seen(1, 7, "in")), (0, seen(7, 1, "out"))], [flows], policy_with())
    assert len(set(places.groups.tolist())) == 2
    assert len(set(places.hearing.tolist())) == 1


def test_all_interfaces_of_a_file_that_names_no_exporter_are_one_place() -> None:
    infos = [source("a", 0, 300, Exporter(""))]
    observers = [
        (0, seen(1, 7, exporter="")),
        (0, seen(7, 1, exporter="")),
        (0, seen(1, 7, "out", exporter="")),
    ]
    assert places_of(observers, infos, policy_with()).groups.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("first", "last", "same"), [(100, 400, True), (260, 640, True), (10, 310, False), (0, 300, False)]
)
def test_files_of_flows_that_follow_each_other_are_one_place(first: int, last: int, same: bool) -> None:
    infos = [source("a", -60, 300, Exporter("")), source("b", first, last, Exporter(""))]
    places = places_of([(0, Observer()), (1, Observer())], infos, policy_with())
    assert bool(places.groups[0] == places.groups[1]) is same


RATES = [
    (Exporter(EXPORTER, rate=100, rate_from="options"), {}, Rate(EXPORTER, 100, "options")),
    (Exporter(EXPORTER, rate=100, rate_from="record"), {"default": 7}, Rate(EXPORTER, 100, "record")),
    (Exporter(EXPORTER), {"default": 7}, Rate(EXPORTER, 7, "policy")),
    (Exporter(EXPORTER), {}, Rate(EXPORTER, 0, "unknown")),
    (Exporter(EXPORTER), {"default": 7, "observers": {"north": 512}}, Rate(EXPORTER, 512, "policy")),
    (
        Exporter(EXPORTER, rate=100, rate_from="options"),
        {"observers": {"north": 512}},
        Rate(EXPORTER, 100, "options"),
    ),
]


@pytest.mark.parametrize(("exporter", "sampling", "expected"), RATES)
def test_the_rate_is_known_from_options_then_records_then_the_policy(
    exporter: Exporter, sampling: dict[str, Any], expected: Rate
) -> None:
    policy = policy_with(observers={"north": {"match": EXPORTER}}, sampling=sampling)
    places = places_of([(0, seen(1, 7))], [source("a", 0, 100, exporter)], policy)
    assert places.rates == (expected,)
    told = places.sampling(np.array([0, 0]), np.array([0, 1000], dtype=np.uint32))
    assert told.tolist() == [expected.rate, 1000]


def test_of_a_capture_the_policy_is_believed() -> None:
    policy = policy_with(observers={"mirror": {"match": "*.pcap"}}, sampling={"observers": {"mirror": 64}})
    places = places_of([(0, Observer())], [source("x.pcap")], policy)
    assert places.rates == (Rate("x.pcap", 64, "policy"),)
    assert places.sampling(np.array([0]), np.array([1], dtype=np.uint32)).tolist() == [64]


def test_of_sampled_datagrams_the_order_says_nothing() -> None:
    def asked(port: int, sampling: int) -> list[Row]:
        reply = packet(f"{DEVICE}:{port}", CLIENT, proto="udp", payload=90, sampling=sampling)
        return numbered(
            [reply, packet(CLIENT, f"{DEVICE}:{port}", proto="udp", payload=40, at=1, sampling=sampling)]
        )

    for sampling, target in ((1, False), (100, True), (0, True)):
        judged = concluded([[asked(1900, sampling)]], detecting=False).judged
        assert [row["target"] for row in judged] == [target]


@pytest.mark.parametrize(("port", "remotes", "kinds"), [(161, 1, 1), (53413, 1, 0), (53413, 3, 1)])
def test_a_sampled_reply_from_a_high_port_needs_several_remotes(port: int, remotes: int, kinds: int) -> None:
    rows = [ELSE]
    for k in range(remotes):
        remote = f"203.0.113.{10 + k}:40001"
        rows.append(packet(remote, f"{DEVICE}:{port}", proto="udp", payload=40, sampling=10))
        rows.append(packet(f"{DEVICE}:{port}", remote, proto="udp", payload=90, at=1, sampling=10))
    found = concluded([[numbered(rows)]]).findings
    assert [one["kind"] for one in found].count("exposed-device") == kinds


def test_a_peer_that_was_sampled_again_and_again_is_one_peer() -> None:
    rows = [flow(CLIENT, SERVER, "S", at=k, packets=1, sampling=1000) for k in range(20)]
    rows += [flow("203.0.113.9:40001", f"{DEVICE}:23", "S", packets=1, sampling=1000)]
    found = concluded([[numbered([ELSE, *rows])]]).findings
    peers = {one["subject"]["address"]: one["peers"] for one in found if one["kind"] == "probe"}
    assert (peers[STRANGER]["count"], peers[STRANGER]["interval"]) == (1, [1, 1])
    assert peers["203.0.113.9"]["count"] == 1000
