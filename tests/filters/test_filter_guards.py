"""Filters that are refused before they are written, and lists that are too large."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.filters.build import DUE, EVERYTHING, NETWORKS, compiled, policy
from tests.filters.platforms import made_for

from rearguard.catalogue import load
from rearguard.filters.budget import hardware_cost, range_cost
from rearguard.filters.compile import compile_filter
from rearguard.filters.guards import check
from rearguard.filters.lines import lists_of
from rearguard.filters.model import Filter, PortSet, Verdict
from rearguard.filters.platforms import Room
from rearguard.model.errors import PolicyError, UsageError
from rearguard.model.prefixes import PrefixSet

DROP = f"drop:\n  - {{interfaces: [telnet], toward: [customers], {DUE}}}\n"


def checked(text: str, edge: str = "west") -> None:
    given = policy(text)
    check(given, load(), compile_filter(given, load(), edge))


def test_an_ordinary_policy_is_written() -> None:
    checked(EVERYTHING)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (NETWORKS, "the policy guards nothing"),
        (NETWORKS + DROP.replace("customers", "softwire"), "the policy guards nothing"),
        (
            NETWORKS
            + "controllers:\n  a: {requests_from: [192.0.2.8/30], manages: [cwmp], enters_at: west}\n"
            "  b: {requests_from: [192.0.2.9/32], manages: [cwmp], enters_at: east}\n" + DROP,
            "controllers 'a' and 'b' share 192.0.2.8/30 and enter at west and east",
        ),
        (
            NETWORKS + "edges: {west: {outside: [e], addresses: [198.51.100.1/32]}}\n" + DROP,
            "198.51.100.1/32 of the router at edge 'west' lies in a guarded network",
        ),
        (
            NETWORKS.replace("managed: operator", "ports: {cwmp-cr: [tcp/179]}")
            + DROP.replace("telnet", "cwmp-cr"),
            "BGP sessions",
        ),
    ],
    ids=["no drop", "nothing left", "conflicting controllers", "own address", "BGP"],
)
def test_what_would_hurt_its_owner_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        checked(text)


def test_a_routers_own_address_may_lie_there_when_it_is_never_blocked() -> None:
    text = NETWORKS + "edges: {west: {outside: [e], addresses: [198.51.100.1/32]}}\n" + DROP
    checked(text + "never_block: [198.51.100.1/32]\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"{NETWORKS}controllers:\n"
            f"  a: {{requests_from: [198.51.100.9/32], manages: [cwmp], enters_at: west}}\n{DROP}",
            "can only be forged",
        ),
        (NETWORKS.replace("[198.51.100.0/24, ", "[0.0.0.0/0, ") + DROP, "is every address there is"),
        (NETWORKS.replace('[198.51.100.0/24, "2001:db8:c::/48"]', "[]") + DROP, "is an empty list"),
    ],
    ids=["a controller among the guarded", "any", "an empty set"],
)  # fmt: skip
def test_policies_that_mean_nothing_good_are_refused(text: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        checked(text)


def widened(given: Filter, **change: object) -> Filter:
    rule = next(rule for rule in given.rules if rule.id == "drop0_tcp_port_v4")
    wide = replace(rule, box=replace(rule.box, **change))  # type: ignore[arg-type]
    return replace(given, rules=tuple(wide if each is rule else each for each in given.rules))


def test_a_rule_beyond_the_policy_is_refused_whoever_made_it() -> None:
    given, made = policy(EVERYTHING), compiled(EVERYTHING, "west")
    for change in (
        {"destinations": None},
        {"destinations": PrefixSet.parse("198.51.100.0/23")},
        {"dports": PortSet.of([22, 23])},
    ):
        with pytest.raises(UsageError, match="drops more than the policy lists"):
            check(given, load(), widened(made, **change))


def test_a_filter_that_drops_what_is_never_blocked_is_refused() -> None:
    made = compiled(EVERYTHING, "west")
    bare = replace(made, rules=tuple(rule for rule in made.rules if rule.id != "never_block_to_v4"))
    with pytest.raises(UsageError, match="drops what never_block lists"):
        check(policy(EVERYTHING), load(), bare)
    assert any(rule.verdict is Verdict.DROP for rule in bare.rules)


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [(7547, 7550, 3), (1024, 65535, 6), (1, 65534, 30), (0, 65535, 1), (7547, 7547, 1)],
)
def test_a_range_costs_its_cover(first: int, last: int, count: int) -> None:
    assert range_cost(first, last) == count


def test_a_list_with_no_room_is_refused_with_the_figures() -> None:
    made = made_for("junos", EVERYTHING)
    cost = max(hardware_cost(each) for each in lists_of(made.filter))
    with pytest.raises(UsageError, match=r"entries, [\d,]+ more than half of the 40 of QFX") as refused:
        made_for("junos", EVERYTHING, room=Room(40, "QFX"))
    assert "aggregate" in refused.value.remedy
    made_for("junos", EVERYTHING, room=Room(3 * cost, "QFX"))
