"""Packets to dialogues: roles, reused ports, late captures, limits."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.dialogue.run import SMALL, SMALL_HEAD, Packet, guard, handshake, interleaved, numbered, whole

from rearguard.dialogue.collector import Collector, Limits
from rearguard.dialogue.fold import Dialogue, Omitted
from rearguard.dialogue.layout import Ports
from rearguard.dialogue.sink import Sink
from rearguard.model.address import halves
from rearguard.model.bits import TCP, UDP, WHY_NO_PORTS, WHY_QUOTED

GET = Packet(ts=10, seq=1000, ack=5000, payload=b"GET / HTTP/1.1\r\n\r\n")
MINUTE = 60 * 10**9


def texts(found: list[Dialogue]) -> list[tuple[bytes, bytes]]:
    return [(dialogue.client.data, dialogue.server.data) for dialogue in found]


def test_a_request_and_its_answer() -> None:
    answer = GET.back(ts=20, seq=5000, ack=1018, payload=b"HTTP/1.1 401 Unauthorized\r\n")
    (found,) = whole(numbered([*handshake(), GET, answer]))
    assert texts([found]) == [(GET.payload, answer.payload)]
    assert (found.client_port, found.port, found.first, found.last) == (40001, 7547, 10, 20)
    assert (found.roles, found.complete, found.incidental) == ("handshake", True, False)
    assert found.client.origins[0].rec == 4


def test_a_sequence_number_that_wraps_round() -> None:
    begin = 2**32 - 3
    sent = [
        replace(GET, seq=(begin + at) % 2**32, payload=GET.payload[at : at + 4], ts=10 + at)
        for at in range(0, 18, 4)
    ]
    (found,) = whole(numbered([*handshake(client=begin), *reversed(sent)]))
    assert found.client.data == GET.payload


def test_payload_in_the_syn_is_part_of_the_stream() -> None:
    syn = Packet(flags=0x02, seq=999, payload=b"GET ")
    answer = syn.back(ts=1, flags=0x12, seq=4999, ack=1000)
    (found,) = whole(numbered([syn, answer, replace(GET, seq=1004, payload=b"/")]))
    assert found.client.data == b"GET /"


def test_a_syn_with_payload_tells_the_client_without_an_answer() -> None:
    (found,) = whole(numbered([Packet(flags=0x02, seq=9, sport=7547, dport=23, payload=b"x")]))
    assert (found.client_port, found.port, found.complete) == (7547, 23, False)
    (found,) = whole(numbered([Packet(flags=0x02, seq=9, sport=23, dport=7547, payload=b"x")]))
    assert (found.client_port, found.port, found.complete) == (23, 7547, False)


def test_a_port_used_again_is_another_dialogue() -> None:
    again = replace(GET, ts=1010, seq=70_000, ack=90_000, payload=b"POST / HTTP/1.1\r\n\r\n")
    found = whole(numbered([*handshake(), GET, *handshake(1000, 70_000, 90_000), again]))
    assert texts(found) == [(GET.payload, b""), (again.payload, b"")]


def test_a_port_used_again_is_seen_without_handshakes_too() -> None:
    again = replace(GET, ts=1010, seq=700_000_000, ack=2_000_000_000, payload=b"POST / HTTP/1.1\r\n\r\n")
    answer = again.back(ts=1020, seq=2_000_000_000, ack=700_000_019, payload=b"HTTP/1.1 200 OK\r\n")
    found = whole(numbered([GET, again, answer]))
    assert texts(found) == [(GET.payload, b""), (again.payload, answer.payload)]
    assert not any(dialogue.complete for dialogue in found)


def test_payload_that_the_capture_shows_before_its_handshake_joins_it() -> None:
    early = replace(GET, ts=0)
    (found,) = whole(numbered([early, *handshake(5)]))
    assert found.complete
    assert found.client.data == GET.payload


def test_a_forged_syn_inside_a_connection_changes_nothing() -> None:
    forged = Packet(ts=15, flags=0x02, seq=3_000_000_000)
    rest = replace(GET, ts=20, seq=1018, payload=b"more")
    (found,) = whole(numbered([*handshake(), GET, forged, rest]))
    assert found.client.data == GET.payload + b"more"


def test_a_late_capture_begins_at_the_lowest_number() -> None:
    (found,) = whole(
        numbered([replace(GET, ts=11, seq=1004), replace(GET, ts=12, seq=1000, payload=b"abcd")])
    )
    assert found.client.data == b"abcd" + GET.payload
    assert not found.complete


def test_the_handshake_corrects_the_roles_and_tells_the_incidental_client() -> None:
    """A client of ours whose own port is 5555 calls port 25 outside (rule A3)."""
    syn = Packet(src="198.51.100.20", sport=5555, dst="203.0.113.7", dport=25, flags=2, seq=999)
    answer = syn.back(ts=1, flags=0x12, seq=4999, ack=1000)
    data = replace(syn, ts=2, flags=0x18, seq=1000, ack=5000, payload=b"EHLO x\r\n")
    (found,) = whole(numbered([syn, answer, data]))
    assert (found.client_port, found.port, found.incidental) == (5555, 25, True)
    assert found.client.data == data.payload


@pytest.mark.parametrize("ports", [(23, 7547), (7547, 23), (7547, 7547)])
def test_two_listed_ports_are_decided_by_the_handshake(ports: tuple[int, int]) -> None:
    sport, dport = ports
    data = replace(GET, sport=sport, dport=dport)
    answer = data.back(ts=20, seq=5000, ack=1018, payload=b"no")
    (found,) = whole(numbered([*handshake(sport=sport, dport=dport), data, answer]))
    assert (found.client_port, found.port, found.incidental) == (sport, dport, False)
    assert texts([found]) == [(GET.payload, b"no")]
    (blind,) = whole(numbered([data, answer]))
    assert blind.roles == "ports"


@pytest.mark.parametrize(
    "packet",
    [
        replace(GET, flags=0x14),
        replace(GET, why=WHY_QUOTED),
        replace(GET, why=WHY_NO_PORTS),
        replace(GET, dport=8081),
        replace(GET, dst="192.0.2.1"),
        replace(GET, payload=b""),
        replace(GET, proto=UDP),
        replace(GET, proto=1),
    ],
    ids=["RST", "quoted", "no ports", "not listed", "transit", "no payload", "not listed for UDP", "ICMP"],
)
def test_what_is_no_part_of_a_dialogue(packet: Packet) -> None:
    assert whole(numbered([packet])) == []


def test_ports_that_are_wanted_only_toward_us() -> None:
    ports = Ports.of(guard(), [(TCP, 80)])
    assert (ports.tcp[80], ports.tcp[7547], ports.tcp[8081]) == (1, 3, 0)


def test_udp_is_datagrams_and_a_silence_begins_anew() -> None:
    ask = Packet(ts=0, proto=UDP, dport=161, payload=b"get", flags=0)
    answer = ask.back(ts=5, payload=b"value")
    packets = [ask, answer, replace(ask, ts=MINUTE), replace(ask, ts=4 * MINUTE)]
    assert texts(whole(numbered(packets))) == [(b"getget", b"value"), (b"get", b"")]


def test_a_client_that_repeats_itself_spends_its_own_budget_only() -> None:
    again = [replace(GET, ts=10 + i) for i in range(100)]
    answer = GET.back(ts=5000, seq=5000, ack=1018, payload=b"HTTP/1.1 200 OK\r\n")
    (found,) = whole(numbered([*handshake(), *again, answer]), head=SMALL_HEAD)
    assert found.client.truncated
    assert texts([found]) == [(GET.payload, answer.payload)]


def test_memory_ends_at_the_head_whatever_is_sent() -> None:
    sent = [replace(GET, ts=10 + i, seq=1000 + 100 * i, payload=b"x" * 100) for i in range(200)]
    (found,) = whole(numbered([*handshake(), *sent]), head=SMALL_HEAD, limits=SMALL)
    assert found.client.data == b"x" * SMALL_HEAD
    assert found.client.truncated


def test_random_sequence_numbers_do_not_multiply_dialogues() -> None:
    sent = [replace(GET, ts=10 + i, seq=(i * 2**24 + 5) % 2**32, payload=b"x") for i in range(200)]
    omitted = Omitted()
    found = whole(numbered(sent), omitted=omitted)
    assert len(found) == 64
    assert omitted.pieces == 136
    assert omitted.sentences() == ["136 packets of conversations that began anew too often were not read"]


def test_a_flood_of_datagrams_pushes_no_tcp_conversation_out() -> None:
    flood = [Packet(ts=i, proto=UDP, sport=10_000 + i, dport=1900, payload=b"M-SEARCH") for i in range(3000)]
    omitted = Omitted()
    found = whole(numbered(interleaved([flood, [*handshake(), GET]])), conversations=100, omitted=omitted)
    assert sum(dialogue.proto == UDP for dialogue in found) == 100
    assert [dialogue.client.data for dialogue in found if dialogue.proto == TCP] == [GET.payload]
    assert omitted.tcp == 0
    assert 2000 < omitted.udp < 4000
    assert "UDP conversations" in omitted.sentences()[0]


def test_observers_are_kept_apart() -> None:
    found = whole(numbered([*handshake(), GET, replace(GET, ts=11, lane=1)]))
    assert [(dialogue.observer, dialogue.complete) for dialogue in found] == [(0, True), (1, False)]


def test_an_arena_that_holds_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="arena"):
        Collector(Ports.of(guard()), Sink(tmp_path), 1024, Limits(arena=1000))
    with pytest.raises(ValueError, match="power of two"):
        Collector(Ports.of(guard()), Sink(tmp_path), 1024, Limits(table=12))


def test_the_sessions_of_controllers_push_no_attack_out() -> None:
    acs = [
        replace(GET, ts=i, src="192.0.2.9", sport=10_000 + i, rec=0, payload=b"GET /cr HTTP/1.1\r\n\r\n")
        for i in range(3000)
    ]
    omitted = Omitted()
    found = whole(
        numbered(interleaved([acs, [*handshake(), GET]])), controllers=("192.0.2.8/30",), omitted=omitted
    )
    assert sum(halves(ip_address("192.0.2.9")) == (one.client_hi, one.client_lo) for one in found) == 1000
    assert [one.client.data for one in found if one.complete] == [GET.payload]
    assert omitted.tcp == 0
    assert 1400 < omitted.controllers < 2700
    assert omitted.sentences() == [
        f"about {omitted.controllers:,} conversations with your own controllers were not read (a sample was)"
    ]


INFORM = (
    b"POST / HTTP/1.1\r\nHost: acs.example:8081\r\n\r\n<soap:Envelope xmlns:c='urn:dslforum-org:cwmp-1-0'>"
)
ENVELOPE = INFORM[INFORM.index(b"<") :]


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"dport": 443}, 1),
        ({"payload": ENVELOPE}, 1),
        ({"payload": INFORM.replace(b"cwmp", b"CWMP")}, 1),
        ({"payload": INFORM.replace(b"cwmp", b"cwm ")}, 0),
        ({"payload": b"GET " + INFORM[5:]}, 0),
        ({"payload": b"POST /" + b" " * 1024 + ENVELOPE}, 0),
        ({"payload": b"PO"}, 0),
        ({"src": "203.0.113.9"}, 0),
        ({"proto": UDP}, 0),
    ],
)
def test_a_session_with_a_controller_is_known_at_any_port(changes: dict[str, object], count: int) -> None:
    sent = Packet(ts=10, src="198.51.100.20", sport=50_001, dst="203.0.113.120", dport=60_081, payload=INFORM)
    found = whole(numbered([replace(sent, **changes)]))  # type: ignore[arg-type]
    assert len(found) == count
    for one in found:
        assert (one.client_lo & 0xFFFF, one.port) == (0x6414, changes.get("dport", 60_081))
        assert not one.incidental
