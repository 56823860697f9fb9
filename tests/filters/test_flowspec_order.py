"""Which rule comes first (RFC 8955 section 5.1, RFC 8956 section 4)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from tests.filters.build import DUE, compiled
from tests.filters.flow_rules import rules
from tests.filters.test_flowspec_rules import planned
from tests.filters.test_flowspec_wire import TCP, by, terms, to

from rearguard.filters.flowspec.components import FlowRule, Kind
from rearguard.filters.flowspec.meaning import prove_routes
from rearguard.filters.flowspec.order import PRECEDENCE, precedence
from rearguard.filters.flowspec.residuals import NAMES, reduced


def test_rules_are_looked_at_in_the_order_of_the_standard() -> None:
    """RFC 8955 section 5.1: prefix, then the lower type, then the lower bytes, then the longer."""
    near, far = to("192.0.2.0/24"), to("198.51.100.0/24")
    wanted = [
        FlowRule(4, (to("192.0.2.128/25"), TCP)),
        FlowRule(4, (near, by("10.0.0.0/8"))),
        FlowRule(4, (near, by("10.0.0.0/7"))),
        FlowRule(4, (near, TCP, terms(Kind.DPORT, (1, 22), (1, 23)))),
        FlowRule(4, (near, TCP, terms(Kind.DPORT, (1, 23)), terms(Kind.TCP_FLAGS, (1, 2)))),
        FlowRule(4, (near, TCP, terms(Kind.DPORT, (1, 23)))),
        FlowRule(4, (near, TCP)),
        FlowRule(4, (near, terms(Kind.PROTOCOL, (1, 17)))),
        FlowRule(4, (near,)),
        FlowRule(4, (far, TCP)),
        FlowRule(4, (by("10.0.0.0/8"),)),
        FlowRule(4, (TCP,)),
    ]
    mixed = wanted[::2] + wanted[::-1][::2]
    assert sorted(mixed, key=PRECEDENCE) == wanted


def test_of_two_offsets_the_lower_comes_first() -> None:
    """RFC 8956 section 4."""
    one = FlowRule(6, (to("2001:db8::/32"),))
    other = FlowRule(6, (to("0:0:0:1::/64", 32),))
    assert precedence(one, other) < 0 < precedence(other, one)


@given(rules(4), rules(4), rules(4))
@settings(max_examples=100, deadline=None)
def test_precedence_is_an_order(one: FlowRule, two: FlowRule, three: FlowRule) -> None:
    assert (precedence(one, two) > 0) == (precedence(two, one) < 0)
    assert (precedence(one, two) == 0) == (one == two)
    if precedence(one, two) < 0 and precedence(two, three) < 0:
        assert precedence(one, three) < 0


@pytest.mark.parametrize("seed", range(12))
def test_whatever_prefixes_a_policy_has_the_order_of_precedence_is_right(seed: int) -> None:
    """Neighbouring, nested and equal prefixes: ``planned`` proves the rules, or raises."""
    chance = random.Random(seed)
    free = [f"198.51.{100 + at}.{part}/{size}" for at in range(4) for part, size in ((0, 25), (128, 25))]
    free += [f'"2001:db8:{at:x}::/48"' for at in range(8)]
    chance.shuffle(free)
    nets = {name: ", ".join(free[at::3]) for at, name in enumerate(("one", "two", "three"))}
    near = [
        "198.51.100.0/22",
        "198.51.100.0/24",
        "198.51.101.128/26",
        '"2001:db8::/46"',
        '"2001:db8:3::7/128"',
    ]
    near += ["192.0.2.0/24", '"2001:db8:ffff::/48"']
    lines = ["networks:"]
    lines += [f"  {name}: {{prefixes: [{text}], managed: operator}}" for name, text in nets.items()]
    lines += ["controllers:"]
    for name in ("a", "b"):
        bits = chance.randint(24, 32)
        where = f"198.18.{chance.choice('12')}.0/{bits}"
        what = chance.choice(("cwmp", "cwmp, telnet"))
        lines.append(f"  {name}: {{requests_from: [{where}], manages: [{what}], enters_at: border}}")
    lines += ["edges:", "  border: {outside: [wan0]}", "drop:"]
    for what in ("cwmp-cr, telnet", "snmp, cwmp-cr", "tr064"):
        toward = ", ".join(sorted(chance.sample(sorted(nets), chance.randint(1, 3))))
        lines.append(f"  - {{interfaces: [{what}], toward: [{toward}], {DUE}}}")
    lines.append(f"never_block: [{', '.join(chance.sample(near, chance.randint(1, 4)))}]")
    text = "\n".join(lines) + "\n"
    prove_routes(reduced(compiled(text), NAMES)[0], planned(text).routes)
