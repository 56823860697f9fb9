"""Whose networks a capture shows: the cases of the theory, and that nothing depends on order or memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.contacts_suggest.capture import Packet, networks, tcp_talk, texts

from rearguard.contacts.reducer import Sizes

SCANNER = "203.0.113.7"


def sweep(client: str, servers: list[str], port: int = 7547) -> list[Packet]:
    return [Packet(client, 50000, server, port) for server in servers]


def browsing(client: str, count: int = 12) -> list[Packet]:
    return [packet for n in range(count) for packet in tcp_talk(client, f"{20 + n}.{n}.7.80", 443, 40000 + n)]


def flood(count: int, victim: str) -> list[Packet]:
    draw = random.Random(7)
    sources = [
        f"{draw.randint(1, 223)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.9" for _ in range(count)
    ]
    return [Packet(source, 1024, victim, 80) for source in sources if not source.startswith("127.")]


CASES: list[tuple[str, list[Packet], list[str]]] = [
    ("home browsing", browsing("192.168.1.20"), ["192.168.1.0/24"]),
    ("public client browsing", browsing("198.51.100.20"), ["198.51.100.0/24"]),
    ("v6 client browsing",
     [p for n in range(4) for p in tcp_talk("2001:db8:c::5", f"2620:{n + 1:x}::1", 443)], ["2001:db8:c::/48"]),
    ("sweep of a management port", sweep(SCANNER, [f"198.51.100.{n}" for n in range(1, 60)]),
     ["198.51.100.0/24"]),
    ("sweep of any other port, unanswered", sweep(SCANNER, [f"198.51.100.{n}" for n in range(1, 60)], 1433),
     ["198.51.100.0/24"]),
    ("one address on many ports", [p for n in range(20, 40) for p in sweep(SCANNER, ["198.51.100.9"], n)],
     ["198.51.100.0/24"]),
    ("outward scan over the Internet",
     sweep("198.51.100.5", [f"{n}.{n}.1.1" for n in range(11, 90)], 23), ["198.51.100.0/24"]),
    ("many worm sources, few of our addresses",
     [p for n in range(11, 60) for p in sweep(f"{n}.{n}.1.1", [f"198.51.100.{n}"], 23)], ["198.51.100.0/24"]),
    ("one try on a management port", sweep(SCANNER, ["198.51.100.9"]), ["198.51.100.0/24"]),
    ("one visit of a web site", tcp_talk("198.51.100.9", "203.0.113.80", 80), ["198.51.100.0/24"]),
    ("a busy own web server", [p for n in range(11, 40) for p in tcp_talk(f"{n}.9.9.9", "198.51.100.80", 443)],
     ["198.51.100.0/24"]),
    ("both sides of a border: scans in, browsing out",
     sweep(SCANNER, [f"198.51.100.{n}" for n in range(1, 60)]) + browsing("198.51.100.20"), ["198.51.100.0/24"]),
    ("private addresses on both sides", sweep("10.9.9.9", [f"192.168.7.{n}" for n in range(1, 30)], 23),
     ["10.9.9.0/24", "192.168.7.0/24"]),
    ("multicast is nobody's", [Packet("198.51.100.3", 50000, "239.255.255.250", 1900, None, b"M-SEARCH")],
     ["198.51.100.0/24"]),
    ("flood with spoofed sources, some of them private", flood(3000, "198.51.100.80"), ["198.51.100.0/24"]),
    ("a server that all our networks use",
     [p for n in range(6) for p in browsing(f"20.50.{n * 40}.5", 6)] +
     [p for n in range(6) for p in tcp_talk(f"20.50.{n * 40}.5", "8.8.8.8", 443)],
     [f"20.50.{n * 40}.0/24" for n in range(6)]),
    ("nothing but names", [Packet("198.51.100.3", 50000, "203.0.113.53", 53, None, b"query")], []),
    ("a private host that only asks for names", [Packet("192.168.3.3", 50000, "203.0.113.53", 53, None, b"q")],
     ["192.168.3.0/24"]),
    ("nothing", [], []),
]  # fmt: skip


@pytest.mark.parametrize(("packets", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_networks_are_those_of_the_side_where_the_capture_was_taken(
    tmp_path: Path, packets: list[Packet], expected: list[str]
) -> None:
    assert texts(networks(tmp_path, packets)) == expected


def test_order_and_memory_change_nothing(tmp_path: Path) -> None:
    packets = (
        flood(2000, "198.51.100.80")
        + sweep(SCANNER, [f"198.51.101.{n}" for n in range(1, 60)])
        + browsing("198.51.100.20")
    )
    expected = networks(tmp_path, packets)
    assert texts(expected) == ["198.51.100.0/23"]
    shuffled = list(packets)
    random.Random(3).shuffle(shuffled)
    tiny = Sizes(contacts=64, hosts=64, emitted=32_768 * 2, spill=4096)
    assert networks(tmp_path, shuffled) == expected
    assert networks(tmp_path, shuffled, tiny) == expected


def test_a_suggestion_is_bounded(tmp_path: Path) -> None:
    packets = [p for n in range(100) for p in sweep(f"10.{n}.{n}.1", [f"172.{16 + n % 16}.{n}.1"])]
    found = networks(tmp_path, packets)
    assert 0 < len(found.prefixes) <= 64
