"""From the policy to FlowSpec rules: they do what the policy says, no more, and what they cannot do is named."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.filters.build import DUE, EVERYTHING, NETWORKS, compiled, packet, policy, tcp, udp
from tests.filters.flow_rules import judged

from rearguard.catalogue import load
from rearguard.filters.flowspec.actions import DISCARD, PERMIT
from rearguard.filters.flowspec.compiled import VALUES, FlowRoute, routes_of
from rearguard.filters.flowspec.components import FlowError, FlowRule, Kind, Prefix
from rearguard.filters.flowspec.meaning import meaning, prove_routes
from rearguard.filters.flowspec.plan import Plan, plan_for
from rearguard.filters.flowspec.received import compared, from_bird, from_gobgp
from rearguard.filters.flowspec.residuals import INSIDE_PERMITS, NAMES, reduced
from rearguard.filters.flowspec.wire import encode
from rearguard.filters.flowspec.written import EMITTED, exabgp, gobgp
from rearguard.filters.lines import decide, lists_of
from rearguard.filters.model import Filter, Packet, Piece, Verdict
from rearguard.model.errors import UsageError

ALL = tuple(name for name in NAMES if name != INSIDE_PERMITS)
SMALL = (
    """\
networks:
  customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], managed: operator}
controllers:
  acs: {requests_from: [192.0.2.8/30, "2001:db8:a::10/128"], manages: [cwmp], enters_at: border}
edges:
  border: {outside: [wan0]}
drop:
"""
    f"  - {{interfaces: [cwmp-cr, telnet], toward: [customers], {DUE}}}\n"
)


def said(text: str, edge: str) -> Filter:
    return reduced(compiled(text, edge), NAMES)[0]


def planned(text: str, edge: str | None = None, accepted: tuple[str, ...] = ALL, **more: int) -> Plan:
    return plan_for(policy(text), load(), edge, accepted, **more)


@pytest.mark.parametrize(
    ("given", "drops"),
    [
        (tcp("203.0.113.7", "198.51.100.20"), True),
        (tcp("203.0.113.7", "198.51.100.20", flags="SE"), True),
        (tcp("203.0.113.7", "198.51.100.20", flags="-"), True),
        (tcp("203.0.113.7", "198.51.100.20", flags="A"), False),
        (tcp("203.0.113.7", "198.51.100.20", flags="SA"), False),
        (tcp("203.0.113.7", "198.51.100.20", flags="R"), False),
        (tcp("192.0.2.9", "198.51.100.20"), False),
        (tcp("192.0.2.12", "198.51.100.20"), True),
        (tcp("192.0.2.9", "198.51.100.20", 23), True),
        (tcp("203.0.113.7", "198.51.100.20", 23, flags="A"), True),
        (tcp("203.0.113.7", "198.51.101.20"), False),
        (udp("203.0.113.7", "198.51.100.20", 7547), False),
        (tcp("203.0.113.7", "198.51.100.20", 443), False),
        (tcp("203.0.113.7", "198.51.100.20", piece=Piece.LATER), False),
        (packet("203.0.113.7", "198.51.100.20", 1), False),
        (tcp("2001:db8:ffff::7", "2001:db8:c::1"), True),
        (tcp("2001:db8:a::10", "2001:db8:c::1"), False),
    ],
)
def test_initiations_are_guarded_and_not_port_numbers(given: Packet, drops: bool) -> None:
    routes = list(planned(SMALL).routes)
    assert (judged(routes, given) is Verdict.DROP) == drops


@pytest.mark.parametrize("edge", ["west", "east"])
def test_the_rules_do_what_the_filter_says_packet_by_packet(edge: str) -> None:
    given = said(EVERYTHING, edge)
    routes = routes_of(given)
    lists = {each.family: each for each in lists_of(given)}
    chance = random.Random(7)
    ends = {
        4: ["198.51.100.20", "198.51.100.201", "203.0.113.9", "203.0.113.200", "192.0.2.9", "192.0.2.70"],
        6: ["2001:db8:c::1", "2001:db8:c:ffff::1", "2001:db8:d::1", "2001:db8:e::1", "2001:db8:a::10"],
    }
    ends[4] += ["198.18.0.9", "8.8.8.8", "100.64.1.1", "198.51.100.199"]
    ends[6] += ["2001:db8:f:7::1", "2001:db8:ffff::1", "2001:db8:a::11"]
    ports = [22, 23, 161, 1900, 2223, 5555, 7547, 7548, 30005, 37215, 51005, 49000]
    verdicts = set()
    for _ in range(4000):
        family = chance.choice((4, 6))
        one = packet(
            chance.choice(ends[family]),
            chance.choice(ends[family]),
            chance.choice((6, 6, 6, 17, 1)),
            chance.choice(ports),
            flags=chance.randrange(256),
            piece=chance.choice((Piece.READABLE, Piece.READABLE, Piece.READABLE, Piece.LATER)),
        )
        wanted = decide(lists[family], one)[0]
        assert judged(list(routes), one) is wanted, one
        verdicts.add(wanted)
    assert verdicts == set(Verdict)


def test_what_is_read_from_the_bytes_is_proven() -> None:
    """And each rule is needed for it."""
    given = said(EVERYTHING, "west")
    routes = planned(EVERYTHING, "west").routes
    prove_routes(given, routes)
    for at in range(len(routes)):
        gone = routes[:at] + routes[at + 1 :]
        with pytest.raises(FlowError, match="judged differently"):
            prove_routes(given, gone)


def test_a_changed_rule_is_caught() -> None:
    given = said(SMALL, "border")
    routes = routes_of(given)
    for at, route in enumerate(routes):
        turned = replace(route, action=PERMIT if route.action.drops else DISCARD)
        with pytest.raises(FlowError, match="judged differently"):
            prove_routes(given, (*routes[:at], turned, *routes[at + 1 :]))


NESTED = [
    ("never_block: [198.51.100.0/24]", 0),
    ("never_block: [198.51.100.0/25]", 1),
    ("never_block: [198.51.0.0/16]", 0),
    ("never_block: [198.51.100.7/32, 8.8.8.0/24]", 1),
]


@pytest.mark.parametrize(("listed", "drops4"), NESTED)
def test_what_is_never_blocked_passes_wherever_its_prefix_ends(listed: str, drops4: int) -> None:
    plan = planned(f"{SMALL}{listed}\n")
    assert any(route.family == 4 for route in plan.drops) == bool(drops4)


def test_permits_are_no_wider_than_the_drop_they_come_before() -> None:
    """A permit for a shorter prefix would be looked at after the drop."""
    text = SMALL.replace("[198.51.100.0/24,", "[198.51.100.0/24, 198.51.103.0/24,").replace(
        "drop:", "drop:\n  - {interfaces: [cwmp-cr], toward: [more], " + DUE + "}"
    )
    text = text.replace(
        "controllers:",
        "  more: {prefixes: [198.51.101.0/24, 198.51.102.0/23], managed: operator}\ncontrollers:",
    )
    text = text.replace("198.51.103.0/24, ", "")
    plan = planned(text)
    for drop in plan.drops:
        near = drop.rule.parts[0]
        assert isinstance(near, Prefix)
        for permit in plan.permits:
            far = permit.rule.parts[0]
            assert isinstance(far, Prefix)
            if far.network.version == near.network.version and far.network.overlaps(near.network):
                assert far.network.prefixlen >= near.network.prefixlen


def test_no_rule_has_more_values_than_the_smallest_router_takes() -> None:
    for route in planned(EVERYTHING, "west").routes:
        for part in route.rule.parts:
            assert isinstance(part, Prefix) or len(part.terms) <= 2 * VALUES


def test_every_residual_must_be_accepted_by_name() -> None:
    with pytest.raises(UsageError) as error:
        planned(EVERYTHING, "west", ())
    for name in ALL:
        assert f"--accept-residual {name}" in error.value.remedy
    for name in ALL:
        with pytest.raises(UsageError, match=name):
            planned(EVERYTHING, "west", tuple(each for each in ALL if each != name))
    with pytest.raises(UsageError, match="no residual 'typo'"):
        planned(EVERYTHING, "west", (*ALL, "typo"))


def test_controllers_that_enter_elsewhere_get_a_permit_only_when_it_is_asked_for() -> None:
    request = tcp("192.0.2.40", "198.51.100.20", 23)
    plan = planned(EVERYTHING, "west")
    assert plan.unpermitted == ("desk",)
    assert judged(list(plan.routes), request) is Verdict.DROP
    plan = planned(EVERYTHING, "west", (*ALL, INSIDE_PERMITS))
    assert judged(list(plan.routes), request) is Verdict.PASS
    assert plan.unpermitted == ("desk",) or plan.unpermitted == ()


def test_too_many_rules_for_a_peer_are_refused_with_what_to_aggregate() -> None:
    count = len(planned(EVERYTHING, "west").routes)
    assert len(planned(EVERYTHING, "west", cap=count).routes) == count
    with pytest.raises(UsageError, match=f"{count} FlowSpec rules, 1 more") as error:
        planned(EVERYTHING, "west", cap=count - 1)
    assert "destinations" in error.value.remedy


def test_more_entries_than_half_of_the_table_are_refused() -> None:
    cost = planned(SMALL).cost
    assert planned(SMALL, entries=2 * cost).cost == cost
    with pytest.raises(UsageError, match=f"{cost} entries, 1 more than half"):
        planned(SMALL, entries=2 * cost - 2)


@pytest.mark.parametrize(
    ("text", "edge", "told"),
    [
        (NETWORKS, None, "guards nothing"),
        (EVERYTHING, None, "edges west, east"),
        (EVERYTHING, "north", "no 'north'"),
    ],
)
def test_a_policy_that_has_nothing_to_announce_is_refused(text: str, edge: str | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        planned(text, edge)


def test_a_component_that_the_model_does_not_know_is_not_proven() -> None:
    from tests.filters.test_flowspec_wire import terms

    rule = FlowRule(4, (terms(Kind.FRAGMENT, (0, 2)),))
    with pytest.raises(FlowError, match="FRAGMENT"):
        meaning([FlowRoute(rule, DISCARD, "x")], 4)
    offset = FlowRule(6, (Prefix(Kind.DESTINATION, ip_network("0:0:0:1::/64"), 32),))
    with pytest.raises(FlowError, match="offset"):
        meaning([FlowRoute(offset, DISCARD, "x")], 6)


def test_texts_have_values_in_brackets_and_permits_first() -> None:
    plan = planned(SMALL)
    commands = EMITTED["exabgp"](plan.routes, []).splitlines()
    assert all(line.startswith("announce flow route { match { destination ") for line in commands)
    ways = ["discard" in line for line in commands]
    assert ways == sorted(ways)
    drop = next(route for route in plan.drops if route.family == 4 and route.rule.terms(Kind.TCP_FLAGS))
    assert exabgp(drop) == (
        "flow route { match { destination 198.51.100.0/24; protocol [ =6 ]; destination-port [ =2223 =2323 =4567 "
        "=5555 =7547 ]; tcp-flags [ !0x14 ]; } then { discard; } }"
    )
    assert gobgp(drop, "del") == (
        "gobgp global rib del -a ipv4-flowspec match destination '198.51.100.0/24' protocol '==6' destination-port "
        "'==2223 ==2323 ==4567 ==5555 ==7547' tcp-flags '!RA' then discard"
    )
    assert (
        "  route flow4 { dst 198.51.100.0/24; proto 6; dport 2223, 2323, 4567, 5555, 7547; tcp flags 0x0/0x14; } "
        "{ bgp_ext_community.add((generic, 0x80060000, 0x0)); };"
        in EMITTED["bird"](plan.routes, []).splitlines()
    )


BIRD = """\
BIRD 2.0.12 ready.
Table flow:
flow4 { dst 198.51.100.0/24; proto 6; dport 23; }  [s4 15:08:38.981] * (200)
	Type: static univ
                     [exa 15:08:44.414 from 10.9.0.1] (100) [i]
	Type: BGP univ
	BGP.ext_community: (generic, 0x80060000, 0x0)
flow4 { dst 198.51.100.0/25; proto 6; dport 23; }  [other 15:08:44 from 10.9.0.9] * (100) [i]
	BGP.ext_community: (generic, 0x80060000, 0x0)
"""


def test_only_what_came_from_us_is_read_back_and_what_cannot_be_read_differs() -> None:
    from tests.filters.test_flowspec_wire import TCP, terms, to

    meant = FlowRoute(
        FlowRule(4, (to("198.51.100.0/24"), TCP, terms(Kind.DPORT, (1, 23)))), DISCARD, "telnet"
    )
    assert compared([meant], from_bird(BIRD, "10.9.0.1")) == ()
    permit = replace(meant, action=PERMIT)
    assert compared([permit], from_bird(BIRD, "10.9.0.1")) == (
        "not there: telnet",
        f"not meant: {encode(meant.rule).hex()}",
    )
    strange = BIRD.replace("dport 23; }  [s4", "dport 23; label !4; }  [s4")
    assert "cannot be read" in compared([meant], from_bird(strange, "10.9.0.1"))[-1]
    redirected = BIRD.replace("(generic, 0x80060000, 0x0)", "(generic, 0x80080000, 0x1)")
    assert "cannot be read" in compared([meant], from_bird(redirected, "10.9.0.1"))[-1]
    with pytest.raises(FlowError, match="table"):
        from_gobgp("Network not in table", 4, "10.9.0.1")
