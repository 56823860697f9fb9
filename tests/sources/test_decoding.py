"""One TCP SYN in every wrapping, and the rules for what is not a whole TCP or UDP packet."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from rearguard.model.bits import (
    FRAG_FIRST,
    FRAG_LATER,
    KNOWN_FLAGS,
    KNOWN_OPTIONS,
    KNOWN_PACKET,
    KNOWN_PAYLOAD,
    KNOWN_SEQ,
    SYN,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_QUOTED,
)

from . import build as b
from .rows import read_file

Row = dict[str, int | str | bytes]


def decode(tmp_path: Path, link: int, frame: bytes, wire: int = 0) -> tuple[Row | None, dict[str, int]]:
    """The row of a one-packet capture, if it gives one, and what was skipped."""
    path = tmp_path / "one.pcap"
    path.write_bytes(b.pcap(frame, link=link, wire=wire))
    rows, source = read_file(path)
    skipped = {reason: count for reason, count in source.tally.skipped.items() if count}
    assert source.tally.records == 1 == len(rows) + sum(skipped.values())
    return (rows[0] if rows else None), skipped


def ends(row: Row) -> tuple[str, str]:
    """Source and destination as text."""

    def one(side: str) -> str:
        address = IPv6Address(int(row[f"{side}_hi"]) << 64 | int(row[f"{side}_lo"]))
        return str(address.ipv4_mapped or address)

    return one("src"), one("dst")


@pytest.mark.parametrize("name", b.FRAMES)
def test_a_syn_is_found_in_every_wrapping(tmp_path: Path, name: str) -> None:
    row, _ = decode(tmp_path, *b.FRAMES[name])
    assert row is not None
    assert ends(row) in ((b.A4, b.B4), (b.A6, b.B6))
    got = [row[key] for key in ("sport", "dport", "proto", "flags", "seq", "ack", "win", "doff", "frag")]
    assert got == [40001, 7547, 6, SYN, 7, 99, 5840, 5, 0]
    assert (row["known"], row["why"]) == (KNOWN_PACKET, WHY_PACKET)
    assert row["bytes"] == (40 if ip_address(ends(row)[0]).version == 4 else 60)
    assert (row["pay_len"], row["pay_wire"], row["packets"], row["sampling"]) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("udp", {"sport": 5000, "dport": 161, "proto": 17, "payload": b"hello", "known": KNOWN_PACKET}),
        ("tcp payload", {"payload": b"GET / HTTP/1.1", "doff": 8, "pay_wire": 14, "flags": 0x18}),
        ("options", {"dport": 7547, "bytes": 44}),
        ("chain", {"dport": 7547, "proto": 6, "bytes": 40 + 8 + 16 + 8 + 12 + 20}),
        ("first fragment", {"frag": FRAG_FIRST, "dport": 7547, "why": WHY_PACKET, "pay_len": 100}),
        ("later fragment", {"frag": FRAG_LATER, "dport": 0, "sport": 0, "why": WHY_NO_PORTS, "pay_len": 40}),
        ("first fragment v6", {"frag": FRAG_FIRST, "dport": 161, "ipid": 77}),
        ("later fragment v6", {"frag": FRAG_LATER, "dport": 0, "proto": 17, "why": WHY_NO_PORTS}),
        ("atomic fragment v6", {"frag": 0, "dport": 7547, "ipid": 77}),
        ("icmp", {"proto": 1, "sport": 0, "dport": 0, "why": WHY_PACKET}),
        ("offload", {"dport": 7547, "bytes": 90, "payload": b"y" * 50}),
        ("jumbo", {"dport": 7547, "bytes": 110, "payload": b"z" * 50}),
        ("sctp", {"proto": 132, "sport": 0, "dport": 0, "pay_len": 40}),
        ("gre to nothing", {"proto": 47, "sport": 0, "why": WHY_PACKET}),
        ("no ports", {"proto": 6, "dport": 0, "why": WHY_NO_PORTS}),
    ],
)
def test_other_packets(tmp_path: Path, name: str, expected: Row) -> None:
    row, _ = decode(tmp_path, *b.OTHERS[name])
    assert row is not None
    assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("arp", "not-ip"),
        ("short ethernet", "truncated-link-header"),
        ("short ip", "truncated-ip-header"),
        ("bad version", "bad-ip-header"),
        ("bad length", "bad-ip-header"),
        ("wifi", "unknown-linktype"),
    ],
)
def test_no_row_has_a_reason(tmp_path: Path, name: str, reason: str) -> None:
    assert decode(tmp_path, *b.OTHERS[name]) == (None, {reason: 1})


@pytest.mark.parametrize("quoted", [8, 20])
def test_unreachable_is_a_row_of_the_quoted_packet(tmp_path: Path, quoted: int) -> None:
    error = b.ip4(b.unreachable4(b.ip4(b.tcp(), src=b.B4, dst=b.A4)[: 20 + quoted]), 1, b.O4, b.P4)
    row, _ = decode(tmp_path, 101, error)
    assert row is not None
    assert ends(row) == (b.B4, b.A4)
    assert (row["sport"], row["dport"], row["proto"], row["seq"]) == (40001, 7547, 6, 7)
    assert row["why"] == WHY_QUOTED
    assert row["bytes"] == len(error)
    assert bool(int(row["known"]) & KNOWN_FLAGS) == (quoted == 20)
    assert int(row["known"]) & KNOWN_SEQ
    assert not int(row["known"]) & KNOWN_PAYLOAD


def test_unreachable_of_ipv6(tmp_path: Path) -> None:
    row, _ = decode(tmp_path, *b.OTHERS["icmp v6 unreachable"])
    assert row is not None
    assert (ends(row), row["dport"], row["why"]) == ((b.B6, b.A6), 7547, WHY_QUOTED)


@pytest.mark.parametrize("kind", [0, 4, 5, 11, 12])
def test_other_icmp_errors_are_themselves(tmp_path: Path, kind: int) -> None:
    row, _ = decode(tmp_path, 101, b.ip4(b.unreachable4(b.SYN, kind), 1, b.O4, b.P4))
    assert row is not None
    assert (ends(row), row["proto"], row["dport"]) == ((b.O4, b.P4), 1, 0)


@pytest.mark.parametrize("kept", range(20, 41))
def test_a_cut_tcp_header_gives_what_is_certain(tmp_path: Path, kept: int) -> None:
    row, _ = decode(tmp_path, 101, b.SYN[:kept], 40 - kept)
    assert row is not None
    known = int(row["known"])
    assert row["dport"] == (7547 if kept >= 24 else 0)
    assert row["why"] == (WHY_PACKET if kept >= 24 else WHY_NO_PORTS)
    assert bool(known & KNOWN_SEQ) == (kept >= 28)
    assert bool(known & KNOWN_FLAGS) == bool(known & KNOWN_OPTIONS) == (kept == 40)
    assert row["bytes"] == 40


def test_payload_of_a_cut_packet_is_told_with_its_length_on_the_wire(tmp_path: Path) -> None:
    row, _ = decode(tmp_path, 101, b.ip4(b.tcp(body=b"abcdefgh"))[:44], 4)
    assert row is not None
    assert (row["payload"], row["pay_len"], row["pay_wire"]) == (b"abcd", 4, 8)


def test_ethernet_padding_is_no_payload(tmp_path: Path) -> None:
    row, _ = decode(tmp_path, *b.FRAMES["padding"])
    assert row is not None
    assert (row["pay_len"], row["pay_wire"], row["bytes"]) == (0, 0, 40)


def test_a_second_tunnel_is_not_opened(tmp_path: Path) -> None:
    twice = b.ip4(b.ip4(b.SYN, 4, b.A4, b.B4), 4, b.O4, b.P4)
    row, _ = decode(tmp_path, 101, twice)
    assert row is not None
    assert (ends(row), row["proto"], row["dport"]) == ((b.A4, b.B4), 4, 0)


@pytest.mark.parametrize(
    "inner", [b"", b"\x45", b.SYN[:19], b"\x60" + b"\0" * 30, b"\x45\0\0\x05" + b"\0" * 40, b"\x41" * 40]
)
def test_a_damaged_inside_leaves_the_outside(tmp_path: Path, inner: bytes) -> None:
    row, _ = decode(tmp_path, 101, b.ip4(inner, 4, b.O4, b.P4))
    assert row is not None
    assert (ends(row), row["proto"]) == ((b.O4, b.P4), 4)


@pytest.mark.parametrize(("port", "flags"), [(4788, 8), (4789, 0), (4789, 0xF7)])
def test_vxlan_needs_its_port_and_its_flag(tmp_path: Path, port: int, flags: int) -> None:
    body = b.vxlan(b.ether(b.SYN), flags)
    frame = b.ip4(body[:2] + port.to_bytes(2, "big") + body[4:], 17, b.O4, b.P4)
    row, _ = decode(tmp_path, 101, frame)
    assert row is not None
    assert (ends(row), row["dport"]) == ((b.O4, b.P4), port)


def test_endless_tags_end(tmp_path: Path) -> None:
    frame = b.SYN
    for _ in range(22):
        frame = b.vlan(frame, 0x0800 if frame is b.SYN else 0x8100)
    assert decode(tmp_path, 1, b.ether(frame, 0x8100))[0] is not None
    assert decode(tmp_path, 1, b.ether(b.vlan(frame, 0x8100), 0x8100)) == (None, {"not-ip": 1})
    assert decode(tmp_path, 1, b.ether(b"\0\0\0\0" * 5000, 0x8847)) == (None, {"truncated-link-header": 1})
    assert decode(tmp_path, 101, b.ip6(b.extension(60) * 400, 60))[0] is not None
