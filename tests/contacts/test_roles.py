"""Who listens, in which direction, with which right and outcome: rules A1 to A6, B4 to B6, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.contacts.rows import DEVICE, STRANGER, Row, numbered, packet
from tests.contacts.run import concluded, policy_with

from rearguard.model import bits
from rearguard.model.address import from_halves

CONTROLLER = "192.0.2.9"
SESSIONS = "192.0.2.20"
OTHER = "203.0.113.8"
NEIGHBOUR = "198.51.100.99"

CLIENT, SERVER = f"{STRANGER}:40001", f"{DEVICE}:7547"
PACKETS: dict[str, dict[str, Any]] = {
    "SYN": {"flags": "S"},
    "SYN+ACK": {"src": SERVER, "dst": CLIENT, "flags": "SA", "at": 0.1},
    "ACK": {"flags": "A", "at": 0.2},
    "request": {"flags": "PA", "at": 0.3, "payload": 300},
    "answer": {"src": SERVER, "dst": CLIENT, "flags": "PA", "at": 0.4, "payload": 900},
    "FIN": {"src": SERVER, "dst": CLIENT, "flags": "FA", "at": 0.5},
    "RST": {"src": SERVER, "dst": CLIENT, "flags": "RA", "at": 0.1, "seq": 0},
    "unreachable": {"quoted": True, "at": 0.1},
}


def of(*names: str) -> list[Row]:
    """Packets of the conversation between the stranger and the device, by name."""
    return [packet(**PACKETS[name]) for name in names]


OUTGOING = packet(f"{DEVICE}:50000", f"{OTHER}:443", at=-1)
"""Something else that the network sends, so that silence means something (rule A6)."""

CERTAIN = {"target": True, "certainty": "certain", "direction": "inbound", "interface": "cwmp-cr"}
CASES: dict[str, tuple[Sequence[Row], dict[str, Any]]] = {
    "a SYN and nothing": (
        of("SYN"),
        CERTAIN
        | {"outcome": "unanswered", "verified": False, "dark": False, "tries": 1, "authorised": False},
    ),
    "a SYN, sent three times": (
        of("SYN") * 3,
        CERTAIN | {"outcome": "unanswered", "tries": 3, "packets_c": 3},
    ),
    "a SYN, refused": (of("SYN", "RST"), CERTAIN | {"outcome": "refused", "verified": False}),
    "a SYN, told unreachable": (
        of("SYN", "unreachable"),
        CERTAIN | {"outcome": "refused", "packets_s": 0, "bytes_s": 0, "verified": False},
    ),
    "half open": (of("SYN", "SYN+ACK"), CERTAIN | {"outcome": "answered", "verified": False}),
    "half open, then reset by the client": (
        [*of("SYN", "SYN+ACK"), packet(flags="R", at=0.2)],
        CERTAIN | {"outcome": "answered", "verified": False},
    ),
    "a whole handshake": (of("SYN", "SYN+ACK", "ACK"), CERTAIN | {"outcome": "answered", "verified": True}),
    "a session": (
        of("SYN", "SYN+ACK", "ACK", "request", "answer", "FIN"),
        CERTAIN | {"outcome": "conversed", "verified": True, "payload_c": 300, "payload_s": 900},
    ),
    "only SYN+ACK was seen": (of("SYN+ACK"), CERTAIN | {"outcome": "answered", "tries": 0}),
    "begins mid-session": (
        of("request", "answer"),
        CERTAIN | {"certainty": "likely", "outcome": "conversed", "verified": False, "tries": 0},
    ),
    "begins mid-session, one side": (
        of("request"),
        CERTAIN | {"certainty": "likely", "outcome": "unknown", "verified": False},
    ),
    "ECN does not hide a SYN": (
        [packet() | {"flags": bits.SYN | 0xC0}],
        CERTAIN | {"outcome": "unanswered", "tries": 1},
    ),
    "an answer with OR-ed flags is no SYN+ACK by itself": (
        [packet(SERVER, CLIENT, "SAPF", at=0.1, packets=4, known=bits.KNOWN_FLAGS)],
        {"target": True, "certainty": "likely", "outcome": "unknown", "verified": False},
    ),
    "to a bare SYN it is": (
        [
            packet(known=bits.KNOWN_FLAGS),
            packet(SERVER, CLIENT, "SAPF", at=0.1, packets=4, known=bits.KNOWN_FLAGS),
        ],
        CERTAIN | {"outcome": "answered", "verified": False},
    ),
    "dark: it never sent": (
        [packet(dst=f"{NEIGHBOUR}:7547")],
        CERTAIN | {"outcome": "unanswered", "dark": True},
    ),
    "dark is not said of IPv6": (
        [
            packet("[2001:db8:c::5]:50000", "[2001:db8:ffff::1]:443", at=-1),
            packet("[2001:db8:ffff::1]:40000", "[2001:db8:c::99]:7547"),
        ],
        CERTAIN | {"outcome": "unanswered", "dark": False},
    ),
    "sampled: silence means nothing": (
        [packet(sampling=1000)],
        CERTAIN | {"outcome": "unknown", "dark": False},
    ),
    "our controller calls": (
        [packet(f"{CONTROLLER}:40001")],
        CERTAIN | {"authorised": True, "authorised_by": "acs", "outcome": "unanswered"},
    ),
    "our controller tries telnet": (
        [packet(f"{CONTROLLER}:40001", f"{DEVICE}:23")],
        CERTAIN | {"interface": "telnet", "authorised": False, "authorised_by": None},
    ),
    "a device calls its controller": (
        [packet(f"{DEVICE}:50001", f"{SESSIONS}:7547")],
        {"target": True, "interface": "cwmp-acs", "listener": "controller", "authorised": True}
        | {"direction": "outbound", "authorised_by": "acs"},
    ),
    "a stranger calls our controller": (
        [packet(CLIENT, f"{SESSIONS}:7547"), packet(f"{DEVICE}:50001", f"{SESSIONS}:7547", at=1)],
        {"interface": "cwmp-acs", "authorised": True, "direction": "outbound"},
    ),
    "one device calls another": (
        [packet(f"{NEIGHBOUR}:50001", SERVER)],
        {"target": True, "direction": "internal", "interface": "cwmp-cr", "authorised": False},
    ),
    "a device calls outward": (
        [packet(f"{DEVICE}:50001", f"{OTHER}:23")],
        {"target": True, "direction": "outbound", "interface": "telnet", "client_network": "customers"},
    ),
    "a client of ours whose own port is 7547": (
        [
            packet(SERVER, f"{OTHER}:443"),
            packet(f"{OTHER}:443", SERVER, "SA", at=0.1),
            packet(SERVER, f"{OTHER}:443", "A", at=0.2),
            packet(SERVER, f"{OTHER}:443", "PA", at=0.3, payload=100),
            packet(f"{OTHER}:443", SERVER, "PA", at=0.4, payload=100),
        ],
        {"target": False, "direction": "inbound", "interface": "cwmp-cr", "server": DEVICE},
    ),
    "the same, and only what comes after the handshake": (
        [
            packet(SERVER, f"{OTHER}:443", "PA", at=0.3, payload=100),
            packet(f"{OTHER}:443", SERVER, "PA", at=0.4, payload=100),
        ],
        {"target": False, "certainty": "unsure", "server": DEVICE},
    ),
    "the same toward a port that nobody knows: the first packet says it": (
        [packet(SERVER, f"{OTHER}:40444"), packet(f"{OTHER}:40444", SERVER, "SA", at=0.1)],
        {"target": False, "interface": "cwmp-cr", "server": DEVICE},
    ),
    "that port is a client's once and a listener's once": (
        [packet(SERVER, f"{STRANGER}:40001"), packet(CLIENT, SERVER, at=5), *of("SYN+ACK")],
        CERTAIN | {"outcome": "answered"},
    ),
    "a simultaneous open": (
        [packet(f"{OTHER}:7547", SERVER), packet(SERVER, f"{OTHER}:7547", at=0.01)],
        CERTAIN | {"outcome": "unknown", "client": OTHER},
    ),
    "a datagram to a listed port": (
        [packet(CLIENT, f"{DEVICE}:161", proto="udp", payload=40)],
        CERTAIN | {"interface": "snmp", "certainty": "likely", "outcome": "unanswered", "tries": 1},
    ),
    "a datagram, answered": (
        [
            packet(CLIENT, f"{DEVICE}:161", proto="udp", payload=40),
            packet(f"{DEVICE}:161", CLIENT, proto="udp", at=0.1, payload=400),
        ],
        CERTAIN | {"interface": "snmp", "certainty": "likely", "outcome": "answered", "verified": False},
    ),
    "datagrams that go on after the answer": (
        [
            packet(CLIENT, f"{DEVICE}:161", proto="udp", payload=40),
            packet(f"{DEVICE}:161", CLIENT, proto="udp", at=0.1, payload=400),
            packet(CLIENT, f"{DEVICE}:161", proto="udp", at=0.2, payload=40),
        ],
        CERTAIN | {"interface": "snmp", "certainty": "likely", "outcome": "conversed"},
    ),
    "an answer alone is nobody's question": (
        [packet(f"{DEVICE}:161", CLIENT, proto="udp", payload=400)],
        {"interface": "snmp", "target": False, "direction": "inbound", "tries": 0},
    ),
    "the listed port spoke first": (
        [
            packet(f"{DEVICE}:161", f"{OTHER}:50123", proto="udp", payload=40),
            packet(f"{OTHER}:50123", f"{DEVICE}:161", proto="udp", at=0.1, payload=40),
        ],
        {"interface": "snmp", "target": False},
    ),
    "both UDP ports listed, the stranger spoke first": (
        [
            packet(f"{OTHER}:1900", f"{DEVICE}:161", proto="udp", payload=40),
            packet(f"{DEVICE}:161", f"{OTHER}:1900", proto="udp", at=0.1, payload=400),
        ],
        CERTAIN | {"interface": "snmp", "certainty": "likely", "client": OTHER, "outcome": "answered"},
    ),
    "both UDP ports listed, ours spoke first": (
        [
            packet(f"{DEVICE}:161", f"{OTHER}:1900", proto="udp", payload=40),
            packet(f"{OTHER}:1900", f"{DEVICE}:161", proto="udp", at=0.1, payload=400),
        ],
        {"interface": "snmp", "certainty": "unsure", "target": False, "server": DEVICE},
    ),
    "a question from a DNS port is doubted until it comes first": (
        [packet(f"{OTHER}:53", f"{DEVICE}:161", proto="udp", payload=40)],
        {"interface": "snmp", "certainty": "unsure", "target": False},
    ),
    "backscatter: SYN+ACK to a port that never called": (
        [packet(f"{OTHER}:443", SERVER, "SA")],
        {"target": False, "tries": 0, "verified": False},
    ),
    "backscatter: RST": ([packet(f"{OTHER}:40444", SERVER, "RA")], {"tries": 0, "outcome": "unknown"}),
    "backscatter: unreachable for what we never sent": (
        [packet(SERVER, f"{OTHER}:23", quoted=True)],
        {"interface": "telnet", "target": False, "direction": "outbound", "tries": 0, "packets_c": 0},
    ),
    "an unlisted port of ours refuses": (
        [packet(CLIENT, f"{DEVICE}:50505"), packet(f"{DEVICE}:50505", CLIENT, "RA", at=0.1, seq=0)],
        {"target": True, "interface": None, "listener": None, "outcome": "refused", "port": 50505},
    ),
    "a device's own web page is an interface": (
        [packet(CLIENT, f"{DEVICE}:80")],
        {"target": True, "direction": "inbound", "listener": "device"},
    ),
}


def judged(rows: Sequence[Row], **options: Any) -> list[dict[str, Any]]:
    found = concluded([[numbered(rows)]], detecting=False, **options).judged
    for row in found:
        for side in ("client", "server"):
            row[side] = str(from_halves(row[f"{side}_hi"], row[f"{side}_lo"]))
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_contact_is_judged(case: str) -> None:
    rows, expected = CASES[case]
    asked = {str(from_halves(row[f"{end}_hi"], row[f"{end}_lo"])) for row in rows for end in ("src", "dst")}
    found = [
        row
        for row in judged([OUTGOING, *rows])
        if {row["client"], row["server"]} <= asked
        and all(row[name] == expected[name] for name in ("client", "server", "interface") if name in expected)
    ]
    assert len(found) == 1, found
    assert {name: found[0][name] for name in expected} == expected


@pytest.mark.parametrize(
    "rows",
    [
        [packet(f"{DEVICE}:50001", f"{OTHER}:443")],
        [packet(f"{DEVICE}:50001", f"{OTHER}:80", "PA", payload=9)],
        [packet(f"{STRANGER}:40001", f"{OTHER}:7547")],
        [packet(f"{OTHER}:50505", f"{DEVICE}:50506", "A")],
        [packet(f"{OTHER}:443", f"{DEVICE}:50001", "SA")],
        [packet(f"{DEVICE}:50001", f"{OTHER}:443", "RA")],
        [packet(f"{OTHER}:53", f"{DEVICE}:50001", proto="udp", payload=99)],
        [packet(why=bits.WHY_NO_PORTS, frag=bits.FRAG_LATER) | {"sport": 0, "dport": 0}],
    ],
    ids=["browsing", "web data", "transit", "unlisted", "its answer", "its reset", "DNS", "later fragment"],
)
def test_what_touches_no_interface_of_ours_leaves_no_contact(rows: list[Row]) -> None:
    assert judged(rows) == []


def test_silence_of_a_network_that_was_never_heard_is_unknown() -> None:
    """Rule A6: a one-way view cannot tell unanswered from unseen, nor dark from unheard."""
    row = judged([packet()])[0]
    assert (row["outcome"], row["dark"]) == ("unknown", False)


def test_silence_is_judged_by_what_the_same_observer_heard() -> None:
    heard_elsewhere = [OUTGOING | {"observer": 1}, packet(dst=f"{NEIGHBOUR}:7547")]
    apart = judged(heard_elsewhere, groups=[0, 1])[0]
    together = judged(heard_elsewhere, groups=[0, 0])[0]
    assert (apart["outcome"], apart["dark"]) == ("unknown", False)
    assert (together["outcome"], together["dark"]) == ("unanswered", True)


def test_both_sides_of_a_border_count_once() -> None:
    """Rule A5: what one side missed does not add to what the other saw, yet is known."""
    outside = [row | {"observer": 0} for row in of("SYN", "SYN", "SYN+ACK")]
    inside = [row | {"observer": 1} for row in of("SYN", "SYN+ACK")] + [packet(flags="A", at=0.2, observer=1)]
    apart = judged([*outside, *inside], groups=[0, 1])
    assert [(row["packets_c"], row["packets_s"], row["tries"], row["observers"]) for row in apart] == [
        (2, 1, 2, 2)
    ]
    assert apart[0]["verified"]
    together = judged([*outside, *inside], groups=[0, 0])
    assert [(row["packets_c"], row["packets_s"], row["observers"]) for row in together] == [(4, 2, 1)]


def test_ports_that_the_policy_moves_are_interfaces_there_and_only_there() -> None:
    """Rule A9."""
    networks = {
        "moved": {"prefixes": ["198.51.100.0/25"], "ports": {"cwmp-cr": ["tcp/12345"]}},
        "plain": {"prefixes": ["198.51.100.128/25"]},
    }
    policy = policy_with(networks=networks, controllers={})
    rows = [packet(dst=f"198.51.100.{last}:{port}") for last in (20, 200) for port in (7547, 12345)]
    found = {(row["server"], row["port"]): row["interface"] for row in judged(rows, policy=policy)}
    assert found["198.51.100.20", 12345] == "cwmp-cr"
    assert found["198.51.100.200", 12345] is None
    assert found["198.51.100.200", 7547] == "cwmp-cr"


def test_exceptions_and_surveyors_are_named_and_expire() -> None:
    """Rule B3; an exception past its day does not hold."""
    day = {"interfaces": ["cwmp-cr"], "reason": "a test line"}
    policy = policy_with(
        surveyors={"survey": {"prefixes": ["203.0.113.0/29"]}},
        exceptions=[
            {"subject": f"{DEVICE}/32", "expires": "2026-11-22"} | day,
            {"subject": f"{NEIGHBOUR}/32", "expires": "2026-11-21"} | day,
        ],
    )
    rows = [packet(dst=f"{host}:7547") for host in (DEVICE, NEIGHBOUR)]
    rows.append(packet(f"{OTHER}:4000", SERVER))
    found = {(row["client"], row["server"]): row for row in judged(rows, policy=policy)}
    assert found[STRANGER, DEVICE]["exception"] == "a test line"
    assert found[STRANGER, NEIGHBOUR]["exception"] is None
    assert found[STRANGER, DEVICE]["surveyor"] == "survey"
    assert found[OTHER, DEVICE]["surveyor"] is None
