"""sFlow samples: every kind of packet, interfaces and counts, as a plain reader reads them."""

from __future__ import annotations

import pytest

from rearguard.sources.reader import Observer

from . import build as b
from . import sflow_build as s
from .sflow_outcome import SENDER, agree

FRAMES = {
    "a SYN": s.header(b.ether(b.ip4(b.tcp(), options=b""))),
    "a SYN with options": s.header(b.ether(b.ip4(b.tcp(doff=10)))),
    "IPv6": s.header(b.ether(b.ip6(b.tcp()), 0x86DD)),
    "UDP": s.header(b.ether(b.ip4(b.udp(), 17))),
    "a long packet": s.header(b.ether(b.ip4(b.tcp(flags=24, body=b"GET / HTTP/1.1\r\n" * 40)))),
    "cut after the ports": s.header(b.ether(b.ip4(b.tcp(), length=400)), size=14 + 20 + 4),
    "cut in the Ethernet header": s.header(b.ether(b.ip4(b.tcp())), size=9),
    "two VLAN tags": s.header(b.ether(b.vlan(b.vlan(b.ip4(b.tcp())), 0x8100), 0x88A8)),
    "a label stack in Ethernet": s.header(b.ether(b.mpls(b.ip4(b.tcp()), 16, 17), 0x8847)),
    "PPPoE": s.header(b.ether(b.pppoe(b.ip4(b.tcp())), 0x8864)),
    "VXLAN": s.header(b.ether(b.ip4(b.vxlan(b.ether(b.ip4(b.tcp()))), 17))),
    "a later fragment": s.header(b.ether(b.ip4(b.tcp(), fragment=185))),
    "ARP": s.header(b.ether(bytes(28), 0x0806)),
    "PPP": s.header(b"\xff\x03\x00\x21" + b.ip4(b.tcp()), 7),
    "PPP in HDLC-like frames (POS)": s.header(b"\xff\x03\x00\x21" + b.ip4(b.tcp()), 14),
    "IPv4 itself": s.header(b.ip4(b.tcp()), 11, stripped=14),
    "IPv6 itself": s.header(b.ip6(b.udp(), 17), 12, stripped=18),
    "MPLS": s.header(b.mpls(b.ip6(b.tcp()), 16, 17, 18), 13),
    "MPLS without IP": s.header(b.mpls(b"\x10\0\0\0" + bytes(20), 16), 13),
    "802.11": s.header(bytes(60), 15),
    "frame relay": s.header(bytes(60), 5),
    "no header bytes": s.header(b""),
    "IPv4 told": s.plain4(),
    "IPv6 told": s.plain6(flags=0x18, length=1500),
    "UDP told": s.plain4(proto=17, dport=161, length=68, flags=0),
    "ICMP told": s.plain4(proto=1, sport=8, dport=0, flags=0),
    "TCP told without ports": s.plain4(sport=0, dport=0),
    "Ethernet told": s.ETHERNET_ONLY,
    "a vendor's own": s.OF_A_VENDOR,
}


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("record", FRAMES.values(), ids=FRAMES)
def test_every_kind_of_packet(record: bytes, expanded: bool) -> None:
    agree([s.datagram(s.flow(s.EXTENDED_SWITCH, record, s.EXTENDED_ROUTER, expanded=expanded))])


def test_the_header_proves_more_than_what_the_agent_read() -> None:
    for order in (1, -1):
        records = [s.header(b.ether(b.ip4(b.tcp(seq=99)))), s.plain4(dport=23)][::order]
        (row,) = agree([s.datagram(s.flow(*records))]).rows
        assert (row["dport"], row["seq"]) == (7547, 99)


def test_what_the_agent_read_is_better_than_a_header_of_an_unknown_kind() -> None:
    (row,) = agree([s.datagram(s.flow(s.header(bytes(60), 15), s.plain4(dport=23)))]).rows
    assert row["dport"] == 23


def test_a_row_is_one_packet_of_the_sample_s_rate() -> None:
    frame = b.ether(b.ip4(b.tcp(body=b"x" * 300)))
    (row,) = agree([s.datagram(s.flow(s.header(frame), rate=1000))]).rows
    assert (row["packets"], row["bytes"], row["sampling"]) == (1, 340, 1000)
    assert (row["pay_len"], row["pay_wire"]) == (128 - 54, 300)


def test_without_a_length_of_its_own_a_packet_has_the_frame_s_without_what_was_stripped() -> None:
    frame = b.ether(b.ip4(b.tcp(), length=0))
    (row,) = agree([s.datagram(s.flow(s.header(frame, wire=1514, stripped=18)))]).rows
    assert (row["bytes"], row["pay_wire"]) == (1500, 1460)


@pytest.mark.parametrize(
    ("came", "went", "source", "kind", "expected"),
    [
        (3, 7, 3, 0, "3 7 in"),
        (3, 7, 7, 0, "3 7 out"),
        (3, 7, 9, 0, "3 7 "),
        (3, 7, 3, 1, "3 7 "),
        (3, 3, 3, 0, "3 3 "),
        (0, 7, 7, 0, "0 7 out"),
        (3, 0x3FFFFFFF, 3, 0, "3 0 in"),
        (0x3FFFFFFF, 7, 7, 0, "0 7 out"),
        (3, 1 << 30 | 2, 3, 0, "3 0 in"),
        (3, 2 << 30 | 5, 3, 0, "3 0 in"),
    ],
)
def test_interfaces_and_the_way(came: int, went: int, source: int, kind: int, expected: str) -> None:
    sample = s.flow(s.plain4(), came=came, went=went, source=source, kind=kind)
    assert agree([s.datagram(sample)]).rows[0]["observer"] == f"{s.AGENT} {expected}"


def test_in_an_expanded_sample_all_ones_is_the_device_itself_and_indices_are_whole_words() -> None:
    head = s.words(1, 0, 0x80000001, 10, 0, 0, 0, 0x80000001, 0, 0xFFFFFFFF)
    outcome = agree([s.datagram(s.record(3, head + s.words(1) + s.plain4()))])
    assert outcome.decoder.observers == [Observer("", s.AGENT, 0x80000001, 0, "in")]


def test_discarded_packets_are_noted_and_the_contact_stays() -> None:
    sample = s.flow(s.plain4(), went=1 << 30 | 256)
    outcome = agree([s.datagram(sample)])
    assert len(outcome.rows) == 1
    assert outcome.agents[0].discarded == 1


def test_what_is_no_flow_sample_is_counted() -> None:
    other = s.record(77, b"something")
    outcome = agree(
        [s.datagram(s.counters(), s.counters(expanded=True), s.DISCARDED, other, s.flow(s.plain4()))]
    )
    assert outcome.tally.skipped == {"counter-sample": 2, "event": 1, "not-a-flow": 1}
    assert [row["record"] for row in outcome.rows] == [1]


def test_an_agent_without_an_address_is_known_by_the_sender_s() -> None:
    outcome = agree(
        [s.datagram(s.flow(s.plain4()), agent=None), s.datagram(s.flow(s.plain4()), agent="2001:db8::5")]
    )
    assert [one.address for one in outcome.agents] == [SENDER, "2001:db8::5"]
