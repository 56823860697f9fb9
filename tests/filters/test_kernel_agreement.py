"""Real packets through the rendered filter in the kernel: verdict and counter are those of the reference."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from ipaddress import ip_address

import pytest
from tests.filters.build import CONTROLLERS, DUE, EVERYTHING, NETWORKS, compiled
from tests.filters.net import INSIDE_PREFIXES, Border, Wire
from tests.filters.wire import frame, number_of

from rearguard.filters.judge import judge
from rearguard.filters.model import (
    UNKNOWN_PROTOCOL,
    Attachment,
    Box,
    Filter,
    Packet,
    Piece,
    PortSet,
    Verdict,
)
from rearguard.filters.render.nftables import render
from rearguard.model.address import Address
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

pytestmark = pytest.mark.netns

PACKETS = 2000
EACH = 40
EDGES = "edges: {west: {outside: [wan0]}}\n"
FILTERS = {
    "everything, where the controller enters": (EVERYTHING, "west"),
    "everything, where it does not": (EVERYTHING, "east"),
    "cut": (
        f"{NETWORKS}{CONTROLLERS}{EDGES}drop:\n"
        f"  - {{interfaces: [cwmp-cr, telnet], toward: [customers], mode: cut, {DUE}}}\n",
        "west",
    ),
    "UDP alone": (
        f"{NETWORKS}edges: {{west: {{outside: [wan0]}}}}\ndrop:\n"
        f"  - {{interfaces: [snmp, ssdp], toward: [customers], accept_collateral: true, {DUE}}}\n",
        "west",
    ),
}
INSIDE = {
    4: (
        *("198.51.100.0", "198.51.100.20", "198.51.100.199", "198.51.100.200", "198.51.100.255"),
        *("203.0.113.0", "203.0.113.127", "100.64.7.7", "192.0.2.70"),
    ),
    6: ("2001:db8:c::1", "2001:db8:c:ffff::1", "2001:db8:c:fffe:ffff::1", "2001:db8:d::7", "2001:db8:e::1"),
}
OUTSIDE = {
    4: (
        *("192.0.2.7", "192.0.2.8", "192.0.2.11", "192.0.2.12", "192.0.2.40", "198.18.0.1", "198.18.1.1"),
        *("198.51.99.255", "198.51.101.0", "203.0.113.128", "8.8.8.8"),
    ),
    6: (
        *("2001:db8:a::10", "2001:db8:a::11", "2001:db8:a::40", "2001:db8:b:ffff::1", "2001:db8:f::1"),
        "2001:db8:f:7::1",
    ),
}
PORTS = (
    *(0, 22, 23, 24, 53, 69, 161, 162, 443, 1023, 1024, 1900, 2323, 5555, 7546, 7547, 7548, 30005),
    *(37215, 49000, 51005, 52869, 65535),
)
FLAGS = (
    *(0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x18, 0x29),
    *(0x42, 0x52, 0xC2, 0xD2, 0xFF),
)
OTHERS = {4: (1, 47, 50, 132), 6: (58, 47, 50, 59)}
PIECES = (Piece.READABLE, Piece.READABLE, Piece.READABLE, Piece.UNREADABLE, Piece.OFFSET_ONE, Piece.LATER)


def packets(chance: random.Random, attachment: Attachment, given: Filter) -> Iterator[Packet]:
    """Packets at and beside every border of what a filter may tell apart; some from each rule's own box."""
    for rule in given.rules:
        if rule.box.attachment is attachment:
            for _ in range(EACH):
                yield _inside(rule.box, chance)
    for _ in range(PACKETS):
        family = chance.choice((4, 6))
        here, far = _address(chance, INSIDE[family]), _address(chance, OUTSIDE[family])
        if chance.random() < 0.1:
            far = _address(chance, INSIDE[family])
        protocol = chance.choice((TCP, TCP, TCP, UDP, UDP, chance.choice(OTHERS[family])))
        piece = chance.choice(PIECES)
        if family == 6 and piece is not Piece.READABLE and chance.random() < 0.2:
            protocol = UNKNOWN_PROTOCOL
        entering = attachment is Attachment.ENTERING
        yield Packet(
            attachment,
            far if entering else here,
            here if entering else far,
            protocol,
            piece,
            chance.choice(PORTS),
            chance.choice(PORTS),
            chance.choice(FLAGS),
        )


def _address(chance: random.Random, texts: tuple[str, ...]) -> Address:
    return ip_address(chance.choice(texts))


def _inside(box: Box, chance: random.Random) -> Packet:
    """A packet that the box holds."""
    near, far = INSIDE[box.family], OUTSIDE[box.family]
    entering = box.attachment is Attachment.ENTERING

    def address(prefixes: PrefixSet | None, otherwise: tuple[str, ...]) -> Address:
        if prefixes is None:
            return _address(chance, otherwise)
        prefix = chance.choice(prefixes.networks)
        return prefix[chance.choice((0, prefix.num_addresses // 3, prefix.num_addresses - 1))]

    def port(ports: PortSet | None) -> int:
        return chance.choice(PORTS if ports is None else tuple(ports))

    piece = chance.choice(sorted(box.pieces or PIECES))
    protocols = box.protocols or {TCP, UDP, *OTHERS[box.family]}
    unknown = box.family == 6 and piece is not Piece.READABLE
    flags = [each for each in FLAGS if box.tcp is None or box.tcp.holds(each)]
    return Packet(
        box.attachment,
        address(box.sources, far if entering else near),
        address(box.destinations, near if entering else far),
        chance.choice(sorted(each for each in protocols if unknown or each != UNKNOWN_PROTOCOL)),
        piece,
        port(box.sports),
        port(box.dports),
        chance.choice(flags),
    )


def sent(net: Border, given: list[Packet], chance: random.Random, sender: str) -> set[tuple[int, int]]:
    """The numbers of those that arrived."""
    with Wire(net, sender) as wire:
        for number, packet in enumerate(given, 1):
            wire.send(frame(packet, number, chance))
        return {number_of(data) for data in wire.receive() if data[0] >> 4 in (4, 6)}


OWN = PrefixSet.parse(*INSIDE_PREFIXES)


def expected(given: Filter, packet: Packet) -> str | None:
    rule = judge(given, packet).rule
    return rule.id if rule is not None else None


@pytest.mark.parametrize("case", FILTERS)
def test_the_kernel_and_the_reference_agree_on_every_packet(net: Border, case: str) -> None:
    text, edge = FILTERS[case]
    given = compiled(text, edge)
    chance = random.Random(case)
    net.clear()
    net.load(render(given, made=date(2026, 11, 22)))
    hits: Counter[str] = Counter()
    for attachment, sender in ((Attachment.ENTERING, "outside"), (Attachment.LEAVING, "inside")):
        made = list(packets(chance, attachment, given))
        arrived = sent(net, made, chance, sender)
        for number, packet in enumerate(made, 1):
            # What both ends have inside turns around at the far end; it never leaves.
            verdict = judge(given, packet).verdict
            turned = attachment is Attachment.LEAVING and OWN.contains(packet.destination)
            if not turned:
                assert ((packet.family, number) in arrived) == (verdict is Verdict.PASS), (number, packet)
                hits.update(filter(None, [expected(given, packet)]))
    assert net.counters() == {rule.id: hits[rule.id] for rule in given.rules}
    assert [rule.id for rule in given.rules if not hits[rule.id]] == []  # every rule was asked


def test_every_packet_passes_without_a_filter(net: Border) -> None:
    """What does not arrive in the other tests was stopped by the filter, and not by the kernel."""
    given = compiled(EVERYTHING, "west")
    chance = random.Random(1)
    net.clear()
    made = list(packets(chance, Attachment.ENTERING, given))
    arrived = sent(net, made, chance, "outside")
    missing = [packet for number, packet in enumerate(made, 1) if (packet.family, number) not in arrived]
    assert missing == []
