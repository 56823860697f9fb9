"""What the compiled filter does to which packet; each row of the tables is one sentence of rules C1, C2 or A7."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.filters.build import CONTROLLERS, DUE, EVERYTHING, NETWORKS, compiled, packet, policy, tcp, udp

from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter, edges
from rearguard.filters.guarded import PROTOCOL, guard
from rearguard.filters.judge import judge
from rearguard.filters.model import (
    UNKNOWN_PROTOCOL,
    Attachment,
    Box,
    Packet,
    Piece,
    PortSet,
    Reason,
    Rule,
    TcpClass,
    Verdict,
)
from rearguard.model.bits import SYN, TCP, UDP
from rearguard.policy import Policy

STRANGER, STRANGER6 = "8.8.8.8", "2001:db8:f::1"
DEVICE, DEVICE6 = "198.51.100.20", "2001:db8:c::20"
ACS, ACS6 = "192.0.2.9", "2001:db8:a::10"
LEAVING = Attachment.LEAVING

DROPPED = {
    "a SYN to a guarded port": tcp(STRANGER, DEVICE),
    "a SYN with ECN bits": tcp(STRANGER, DEVICE, flags="SEC"),
    "no flags at all": tcp(STRANGER, DEVICE, flags="-"),
    "a lone FIN": tcp(STRANGER, DEVICE, flags="F"),
    "a SYN over IPv6": tcp(STRANGER6, DEVICE6),
    "a SYN to the port that a network moved its interface to": tcp(STRANGER, "203.0.113.9", 51005),
    "a SYN to the usual port of that network": tcp(STRANGER, "203.0.113.9", 7547),
    "a SYN from a clever source port": tcp(STRANGER, DEVICE, sport=443),
    "anything to a TCP port below 1024": tcp(STRANGER, DEVICE, 23, "A"),
    "a datagram to a UDP port below 1024": udp(STRANGER, DEVICE, 161),
    "a datagram to a high UDP port, where that was accepted": udp(STRANGER, DEVICE, 1900),
    "the same from a port of ordinary replies": udp(STRANGER, DEVICE, 1900, sport=443),
    "the same from the other port of ordinary replies": udp(STRANGER, DEVICE, 1900, sport=53),
    "a first fragment that hides its port": tcp(STRANGER, DEVICE, piece=Piece.UNREADABLE),
    "the same over IPv6": tcp(STRANGER6, DEVICE6, piece=Piece.UNREADABLE),
    "a first fragment whose headers are cut off": packet(
        STRANGER6, DEVICE6, UNKNOWN_PROTOCOL, piece=Piece.UNREADABLE
    ),
    "a TCP fragment that overwrites the flags": tcp(STRANGER, DEVICE, 80, "A", piece=Piece.OFFSET_ONE),
    "a controller that enters elsewhere": tcp("192.0.2.40", DEVICE),
    "a controller at what it does not manage": tcp(ACS, DEVICE, 23),
    "a datagram with a controller's address": udp(ACS, DEVICE, 161),
    "an own address from outside": tcp("198.51.100.7", DEVICE, 80, "A"),
    "an own address of another network": udp("100.64.1.1", DEVICE, 53),
    "an own IPv6 address from outside": udp("2001:db8:e::1", DEVICE6, 53),
    "a shared network's IPv6": tcp(STRANGER6, "2001:db8:e::20"),
    "an answer to a stranger, with cut": tcp(
        "203.0.113.9", STRANGER, 40000, "SA", sport=49000, attachment=LEAVING
    ),
    "an answer with ECN bits, with cut": tcp(
        "203.0.113.9", STRANGER, 40000, "SAE", sport=49000, attachment=LEAVING
    ),
}
PASSED = {
    "a reply to an own client's SYN": tcp(STRANGER, DEVICE, flags="SA"),
    "data of an own client's connection": tcp(STRANGER, DEVICE, flags="AP"),
    "its refusal": tcp(STRANGER, DEVICE, flags="R"),
    "its other refusal": tcp(STRANGER, DEVICE, flags="RA"),
    "another port": tcp(STRANGER, DEVICE, 8888),
    "another address": tcp(STRANGER, "198.51.101.1"),
    "a moved port in a network that did not move it": tcp(STRANGER, DEVICE, 51005),
    "a high UDP port that was not accepted": udp(STRANGER, "203.0.113.9", 1900),
    "a shared network's IPv4": tcp(STRANGER, "100.64.1.1"),
    "a softwire's IPv4": tcp(STRANGER, "192.0.2.70"),
    "a later fragment": tcp(STRANGER, DEVICE, piece=Piece.LATER),
    "a later fragment of a datagram": udp(STRANGER, DEVICE, 161, piece=Piece.LATER),
    "a UDP fragment at offset one": udp(STRANGER, DEVICE, 161, piece=Piece.OFFSET_ONE),
    "ICMP": packet(STRANGER, DEVICE, 1),
    "ICMPv6, neighbour discovery with it": packet(STRANGER6, DEVICE6, 58),
    "ESP": packet(STRANGER, DEVICE, 50),
    "ICMP from an own address": packet("198.51.100.7", DEVICE, 1),
    "a controller where it enters": tcp(ACS, DEVICE),
    "the same over IPv6": tcp(ACS6, DEVICE6),
    "a controller at a moved port": tcp(ACS, "203.0.113.9", 51005),
    "a device that no drop may touch": tcp(STRANGER, "198.51.100.201"),
    "a source that no drop may touch": tcp("198.18.0.9", DEVICE),
    "an answer to a stranger, without cut": tcp(
        DEVICE, STRANGER, 40000, "SA", sport=7547, attachment=LEAVING
    ),
    "an own client's SYN from that port, with cut": tcp(
        "203.0.113.9", STRANGER, 443, "S", sport=49000, attachment=LEAVING
    ),
    "its data": tcp("203.0.113.9", STRANGER, 443, "A", sport=49000, attachment=LEAVING),
    "an answer to a controller, with cut": tcp(
        "203.0.113.9", ACS, 40000, "SA", sport=7547, attachment=LEAVING
    ),
    "an answer to who may not be touched, with cut": tcp(
        "203.0.113.9", "198.18.0.9", 40000, "SA", sport=49000, attachment=LEAVING
    ),
}


@pytest.mark.parametrize("case", DROPPED)
def test_dropped(case: str) -> None:
    assert judge(compiled(EVERYTHING, "west"), DROPPED[case]).verdict is Verdict.DROP


@pytest.mark.parametrize("case", PASSED)
def test_passed(case: str) -> None:
    judgement = judge(compiled(EVERYTHING, "west"), PASSED[case])
    assert judgement.verdict is Verdict.PASS, judgement.rule


def test_a_controller_has_no_permit_at_another_edge() -> None:
    assert judge(compiled(EVERYTHING, "east"), tcp(ACS, DEVICE)).verdict is Verdict.DROP
    assert not [rule for rule in compiled(EVERYTHING, "east").rules if rule.id.startswith("permit")]


def test_high_udp_ports_are_left_out_and_told() -> None:
    text = f"{NETWORKS}drop:\n  - {{interfaces: [ssdp, snmp], toward: [customers], {DUE}}}\n"
    made = compiled(text)
    assert judge(made, udp(STRANGER, DEVICE, 1900)).verdict is Verdict.PASS
    assert judge(made, udp(STRANGER, DEVICE, 161)).verdict is Verdict.DROP
    assert [(left.interface, left.ports, left.reason) for left in made.left] == [
        ("ssdp", ("udp/1900",), Reason.COLLATERAL)
    ]


def test_whatever_is_listed_and_not_dropped_is_told() -> None:
    told = {
        (left.interface, left.network, left.family, left.reason) for left in compiled(EVERYTHING, "west").left
    }
    assert ("cwmp-cr", "shared", 4, Reason.SHARED) in told
    assert ("telnet", "softwire", 4, Reason.SOFTWIRE) in told
    text = f"{NETWORKS}drop:\n  - {{interfaces: [cwmp], toward: [customers], {DUE}}}\n"
    reasons = {left.interface: left.reason for left in compiled(text).left}
    assert reasons["cwmp-acs"] == reasons["cwmp-xmpp"] == Reason.CONTROLLER
    assert reasons["cwmp-udp-cr"] == Reason.COLLATERAL


def test_a_drop_that_guards_nothing_makes_no_rules() -> None:
    text = f"{NETWORKS}drop:\n  - {{interfaces: [telnet], toward: [softwire], {DUE}}}\n"
    assert compiled(text).rules == ()
    assert compiled(NETWORKS).rules == ()


def test_every_drop_carries_its_basis_and_review() -> None:
    rules = [rule for rule in compiled(EVERYTHING, "west").rules if rule.drop is not None]
    assert rules
    assert {(rule.basis, rule.review_by) for rule in rules} == {("worm", date(2027, 6, 1))}


def test_networks_with_the_same_ports_share_a_rule_and_prefixes_are_merged_exactly() -> None:
    networks = "".join(f"  n{i}: {{prefixes: [198.51.{i}.0/24]}}\n" for i in range(4))
    names = ", ".join(f"n{i}" for i in range(4))
    text = f"networks:\n{networks}drop:\n  - {{interfaces: [telnet], toward: [{names}], {DUE}}}\n"
    drops = [rule for rule in compiled(text).rules if rule.drop is not None]
    assert [rule.id for rule in drops] == ["drop0_tcp_port_v4", "drop0_tcp_new_v4"]
    assert {rule.box.destinations.texts() for rule in drops if rule.box.destinations} == {("198.51.0.0/22",)}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", ("border",)),
        (CONTROLLERS, ("west",)),
        (CONTROLLERS + "edges:\n  north: {outside: [a]}\n  west: {outside: [b]}\n", ("north", "west")),
        (CONTROLLERS.replace("enters_at: west", "enters_at: inside"), ("border",)),
    ],
)
def test_edges(extra: str, expected: tuple[str, ...]) -> None:
    assert edges(policy(NETWORKS + extra)) == expected


def test_no_rule_can_let_a_source_port_in() -> None:
    box = Box(
        Attachment.ENTERING,
        4,
        protocols=frozenset({UDP}),
        pieces=frozenset({Piece.READABLE}),
        sports=PortSet.of([53]),
    )
    with pytest.raises(ValueError, match="right source port"):
        Rule("dns", box, Verdict.PASS, "replies")


def test_ports_can_be_asked_of_readable_packets_only() -> None:
    with pytest.raises(ValueError, match="readable TCP and UDP"):
        Box(Attachment.ENTERING, 4, protocols=frozenset({TCP}), dports=PortSet.of([23]))
    with pytest.raises(ValueError, match="TCP only"):
        Box(
            Attachment.ENTERING,
            4,
            protocols=frozenset({UDP}),
            pieces=frozenset({Piece.READABLE}),
            tcp=TcpClass.OPENING,
        )


def test_port_sets_are_the_fewest_ranges() -> None:
    assert str(PortSet.of([7, 5, 6, 9, 7])) == "5-7, 9"
    assert list(PortSet.of([7, 5, 6, 9])) == [5, 6, 7, 9]
    with pytest.raises(ValueError, match="70000 is no port"):
        PortSet.of([70000])


INTERFACES = ("cwmp-cr", "telnet", "tr064", "adb", "snmp", "ssdp", "upnp-soap", "http-admin", "cwmp")
NAMES = ("customers", "moved", "shared", "softwire")
some_interfaces = st.lists(st.sampled_from(INTERFACES), min_size=1, max_size=4, unique=True)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies of four networks, two controllers at two edges or inside, and up to three drops."""
    text = NETWORKS + "controllers:\n"
    for number in range(2):
        manages = ", ".join(draw(some_interfaces))
        edge = draw(st.sampled_from(("inside", "west", "east")))
        text += (
            f'  c{number}: {{requests_from: [192.0.2.{8 + number}/32, "2001:db8:a::{8 + number}/128"],'
            f" manages: [{manages}], enters_at: {edge}}}\n"
        )
    text += "edges: {west: {outside: [eth0]}, east: {outside: [eth1]}}\ndrop:\n"
    for _ in range(draw(st.integers(1, 3))):
        toward = ", ".join(draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)))
        mode = draw(st.sampled_from(("new-only", "cut")))
        accept = "true" if draw(st.booleans()) else "false"
        text += (
            f"  - {{interfaces: [{', '.join(draw(some_interfaces))}], toward: [{toward}], mode: {mode},"
            f" accept_collateral: {accept}, {DUE}}}\n"
        )
    return policy(text)


@settings(max_examples=60, deadline=None)
@given(policies(), st.sampled_from(("west", "east")), st.data())
def test_whoever_is_authorised_where_he_enters_is_never_dropped(
    rules: Policy, edge: str, data: st.DataObject
) -> None:
    """For every controller of the edge, each interface that it manages, and each port of it in each network."""
    made = compile_filter(rules, load(), edge)
    for controller in rules.controllers.values():
        if controller.enters_at != edge or controller.requests_from is None:
            continue
        network = rules.networks[data.draw(st.sampled_from(NAMES))]
        for interface in sorted(controller.manages):
            entry = load().get(interface)
            ports = [(port.transport, port.port) for port in entry.ports if not port.opt_in]
            ports += [(port.transport, port.number) for port in network.ports.get(interface, ())]
            for prefix in network.prefixes:
                source = next(each for each in controller.requests_from if each.version == prefix.version)[0]
                if not rules.authorised(source, prefix[5], interface, "device").allowed:
                    continue
                for transport, port in ports:
                    each = Packet(
                        Attachment.ENTERING, source, prefix[5], PROTOCOL[transport], dport=port, flags=SYN
                    )
                    if entry.listener == "device":
                        assert judge(made, each).verdict is Verdict.PASS, each


@settings(max_examples=60, deadline=None)
@given(
    policies(),
    st.sampled_from(("192.0.2.9", "198.51.99.1", "203.0.113.200", "8.8.4.4", "192.0.2.128")),
    st.integers(0, 65535),
    st.sampled_from((TCP, UDP)),
    st.sampled_from(tuple(Piece)),
    st.integers(0, 255),
)
def test_nothing_outside_the_guarded_networks_is_touched(
    rules: Policy, target: str, port: int, protocol: int, piece: Piece, flags: int
) -> None:
    made = compile_filter(rules, load(), "west")
    each = Packet(
        Attachment.ENTERING, ip_address("8.8.8.8"), ip_address(target), protocol, piece, 1, port, flags
    )
    assert judge(made, each).rule is None


@settings(max_examples=60, deadline=None)
@given(policies(), st.data())
def test_every_guarded_cell_is_closed_to_strangers_and_open_to_replies(
    rules: Policy, data: st.DataObject
) -> None:
    made = compile_filter(rules, load(), "west")
    cells = guard(rules, load()).cells
    if not cells:
        return
    cell = data.draw(st.sampled_from(cells))
    prefix = next(each for each in rules.networks[cell.network].prefixes if each.version == cell.family)
    source = ip_address(STRANGER if cell.family == 4 else STRANGER6)
    protocol = PROTOCOL[cell.port.transport]
    opens = Packet(
        Attachment.ENTERING, source, prefix[9], protocol, dport=cell.port.number, sport=443, flags=SYN
    )
    assert judge(made, opens).verdict is Verdict.DROP
    if not cell.by_port:
        for flags in (0x12, 0x10, 0x04, 0x14, 0x11):
            reply = Packet(
                Attachment.ENTERING,
                source,
                prefix[9],
                protocol,
                dport=cell.port.number,
                sport=443,
                flags=flags,
            )
            assert judge(made, reply).verdict is Verdict.PASS
