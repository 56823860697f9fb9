"""The filter in the kernel, with real clients and servers on both sides of the border."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

import pytest
from tests.filters import flood as flooding
from tests.filters.build import DUE, compiled, packet, tcp, udp
from tests.filters.net import Border, Wire
from tests.filters.wire import Plain, frame, number_of

from rearguard.filters.render.nftables import render

pytestmark = pytest.mark.netns

MADE = date(2026, 11, 22)
PATIENCE = 0.6  # seconds for what must not arrive
POLICY = f"""\
networks:
  customers: {{prefixes: [198.51.100.0/24, "2001:db8:c::/48"], managed: operator}}
controllers:
  acs:
    requests_from: [192.0.2.8/30, "2001:db8:a::10/128"]
    manages: [cwmp]
    enters_at: west
edges:
  west: {{outside: [wan0]}}
  east: {{outside: [wan0]}}
drop:
  - {{interfaces: [cwmp-cr, telnet, tr064, upnp-soap, ssdp, snmp], toward: [customers], {DUE}}}
"""
DEVICE = {4: "198.51.100.20", 6: "2001:db8:c::20"}
CONTROLLER = {4: "192.0.2.9", 6: "2001:db8:a::10"}
STRANGER = {4: "192.0.2.130", 6: "2001:db8:a::66"}
FAMILIES = (4, 6)


@pytest.fixture(scope="module")
def hosts(net: Border) -> Border:
    """A device inside; outside a controller, a stranger and a server."""
    net.addresses("inside", [*DEVICE.values()])
    net.addresses("outside", [*CONTROLLER.values(), *STRANGER.values()])
    return net


@contextmanager
def filtered(net: Border, edge: str, text: str = POLICY) -> Iterator[None]:
    """The filter of that edge in force."""
    net.clear()
    net.load(render(compiled(text, edge), made=MADE))
    try:
        yield
    finally:
        net.clear()


def made(net: Border, place: str, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    with net.inside(place):
        made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.settimeout(PATIENCE)
    return made


def listening(net: Border, stack: ExitStack, place: str, address: str, port: int) -> socket.socket:
    server = stack.enter_context(made(net, place, 6 if ":" in address else 4))
    server.bind((address, port))
    server.listen()
    return server


def reaches(net: Border, source: str, target: str, port: int, place: str = "outside", sport: int = 0) -> bool:
    """Whether a connection from there is accepted and a word comes through; the server must listen."""
    with made(net, place, 6 if ":" in source else 4) as client:
        client.bind((source, sport))
        try:
            client.connect((target, port))
        except TimeoutError:
            return False
        return True


@pytest.mark.parametrize("family", FAMILIES)
def test_controllers_get_through_where_they_enter_and_strangers_do_not(hosts: Border, family: int) -> None:
    with ExitStack() as stack:
        listening(hosts, stack, "inside", DEVICE[family], 7547)
        listening(hosts, stack, "inside", DEVICE[family], 8888)
        assert reaches(hosts, STRANGER[family], DEVICE[family], 7547)
        with filtered(hosts, "west"):
            assert reaches(hosts, CONTROLLER[family], DEVICE[family], 7547)
            assert not reaches(hosts, STRANGER[family], DEVICE[family], 7547)
            assert reaches(hosts, STRANGER[family], DEVICE[family], 8888), "other traffic flows"
        with filtered(hosts, "east"):
            assert not reaches(hosts, CONTROLLER[family], DEVICE[family], 7547), "it does not enter here"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_controller_may_use_what_it_manages_and_nothing_else(hosts: Border, family: int) -> None:
    with ExitStack() as stack:
        for port in (23, 37215):
            listening(hosts, stack, "inside", DEVICE[family], port)
            assert reaches(hosts, CONTROLLER[family], DEVICE[family], port)
        with filtered(hosts, "west"):
            assert not reaches(hosts, CONTROLLER[family], DEVICE[family], 23)
            assert not reaches(hosts, CONTROLLER[family], DEVICE[family], 37215)


@pytest.mark.parametrize("port", [7547, 37215, 52869])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_customers_own_client_keeps_its_connection(hosts: Border, family: int, port: int) -> None:
    """The client's source port is a guarded one, so everything that it gets comes into the guarded box."""
    with ExitStack() as stack:
        server = listening(hosts, stack, "outside", STRANGER[family], 443)
        with filtered(hosts, "west"):
            client = stack.enter_context(made(hosts, "inside", family))
            client.bind((DEVICE[family], port))
            client.connect((STRANGER[family], 443))
            far, _ = server.accept()
            with far:
                far.settimeout(PATIENCE)
                client.sendall(b"a question")
                assert far.recv(100) == b"a question"
                far.sendall(b"an answer")
                assert client.recv(100) == b"an answer"
            assert client.recv(100) == b"", "the end of the connection came through"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_open_connection_lives_on_when_the_filter_is_loaded(hosts: Border, family: int) -> None:
    with ExitStack() as stack:
        server = listening(hosts, stack, "inside", DEVICE[family], 7547)
        client = stack.enter_context(made(hosts, "outside", family))
        client.bind((STRANGER[family], 0))
        client.connect((DEVICE[family], 7547))
        far = stack.enter_context(server.accept()[0])
        far.settimeout(PATIENCE)
        with filtered(hosts, "west"):
            client.sendall(b"new-only stops what is new")
            assert far.recv(100) == b"new-only stops what is new"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("text", "arrives"),
    [(POLICY, True), (POLICY.replace("basis: worm", "accept_collateral: true, basis: worm"), False)],
    ids=["by default", "with accept_collateral"],
)
def test_replies_to_a_high_udp_port_come_unless_that_was_accepted(
    hosts: Border, family: int, text: str, arrives: bool
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(made(hosts, "outside", family, socket.SOCK_DGRAM))
        server.bind((STRANGER[family], 443))
        with filtered(hosts, "west", text):
            client = stack.enter_context(made(hosts, "inside", family, socket.SOCK_DGRAM))
            client.bind((DEVICE[family], 1900))
            client.sendto(b"question", (STRANGER[family], 443))
            question, sender = server.recvfrom(100)
            server.sendto(b"answer", sender)
            assert question == b"question"
            if arrives:
                assert client.recv(100) == b"answer"
            else:
                with pytest.raises(TimeoutError):
                    client.recv(100)


def test_forged_own_sources_do_not_come_in(hosts: Border) -> None:
    """Whatever the port, and for UDP above all, where one packet is enough (rule C2)."""
    forged = [
        tcp("198.51.100.7", "198.51.100.20", 8888),
        tcp("2001:db8:c::7", "2001:db8:c::20", 8888, "A"),
        udp("198.51.100.7", "198.51.100.20", 53),
        udp("2001:db8:c::7", "2001:db8:c::20", 53),
    ]
    honest = [packet("198.51.100.7", "198.51.100.20", 1), packet("192.0.2.130", "198.51.100.20", 17, 53)]
    with filtered(hosts, "west"), Wire(hosts, "outside") as wire:
        for number, each in enumerate([*forged, *honest], 1):
            wire.send(frame(each, number, Plain()))
        arrived = {number for _, number in map(number_of, wire.receive())}
    assert arrived & {1, 2, 3, 4, 5, 6} == {5, 6}, "ICMP is untouched, and so are strangers elsewhere"


def test_the_file_cannot_be_loaded_before_the_outside_is_named(hosts: Border) -> None:
    text = render(
        compiled(
            POLICY.replace("edges:\n  west: {outside: [wan0]}\n  east: {outside: [wan0]}\n", ""), "west"
        ),
        made=MADE,
    )
    hosts.clear()
    assert "unknown identifier 'outside'" in hosts.nft("-c", "-f", "-", text=text, check=False).stderr
    hosts.nft("-D", 'outside={ "wan0", "wan1" }', "-f", "-", text=text)
    assert 'iifname { "wan0", "wan1" }' in hosts.nft("list", "table", "inet", "rearguard").stdout
    hosts.clear()


def test_loading_twice_changes_nothing_and_keeps_the_counters(hosts: Border) -> None:
    text = render(compiled(POLICY, "west"), made=MADE)
    with filtered(hosts, "west"):
        once = hosts.nft("-s", "list", "table", "inet", "rearguard").stdout
        with Wire(hosts, "outside") as wire:
            wire.send(frame(tcp("192.0.2.130", "198.51.100.20"), 1, Plain()))
            list(wire.receive(0.1))
        assert hosts.counters()["drop0_tcp_new_v4"] == 1
        hosts.load(text)
        assert hosts.nft("-s", "list", "table", "inet", "rearguard").stdout == once
        assert hosts.counters()["drop0_tcp_new_v4"] == 1


def test_what_a_changed_policy_no_longer_guards_is_open_again(hosts: Border) -> None:
    with filtered(hosts, "west"):
        hosts.load(render(compiled(POLICY.replace("cwmp-cr, telnet", "telnet"), "west"), made=MADE))
        with ExitStack() as stack:
            listening(hosts, stack, "inside", DEVICE[4], 30005)
            assert reaches(hosts, STRANGER[4], DEVICE[4], 30005)


def test_what_passes_is_still_seen_by_other_tables(hosts: Border) -> None:
    other = (
        "table inet other {\n  chain forward {\n    type filter hook forward priority 0;\n"
        "    tcp dport 7547 ip saddr 192.0.2.9 drop\n  }\n}\n"
    )
    with filtered(hosts, "west"), ExitStack() as stack:
        listening(hosts, stack, "inside", DEVICE[4], 7547)
        assert reaches(hosts, CONTROLLER[4], DEVICE[4], 7547)
        hosts.load(other)
        assert not reaches(hosts, CONTROLLER[4], DEVICE[4], 7547)


def test_removing_the_table_leaves_nothing(hosts: Border) -> None:
    with filtered(hosts, "west"):
        hosts.nft("delete", "table", "inet", "rearguard")
        assert hosts.nft("list", "ruleset").stdout == ""


def test_no_packet_leaks_while_the_filter_is_replaced(hosts: Border) -> None:
    """Strangers' SYNs in a flood; the ruleset is loaded anew again and again."""
    with filtered(hosts, "border", flooding.POLICY):
        found = flooding.flood(hosts, render(compiled(flooding.POLICY, "border"), made=MADE), seconds=4)
    assert found.leaked == 0
    assert found.counted == found.sent, "counters go on"
    assert found.reloads >= 10
    assert found.sent > 10_000


@pytest.mark.parametrize(
    "basis",
    [
        'worm"; accept; #',
        "worm\\",
        "worm\n}\ndelete table inet rearguard",
        "$outside { } ;",
        "\u202ena\u00efve\x1b[31m",
        "x" * 500,
    ],
)
def test_a_hostile_basis_stays_a_comment(hosts: Border, basis: str) -> None:
    text = POLICY.replace("basis: worm", f"basis: {json.dumps(basis)}")
    plain = _rules(hosts, POLICY)
    assert _rules(hosts, text) == plain


def _rules(net: Border, text: str) -> list[str]:
    """The rules in force, without their comments."""
    with filtered(net, "west", text):
        listed = net.nft("-s", "list", "table", "inet", "rearguard").stdout
    return [line.split(" comment ")[0] for line in listed.splitlines()]
