"""The text of ``border.nft``: what it says, and what it refuses to be."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import pytest
from tests.filters.build import DUE, EVERYTHING, NETWORKS, compiled

from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter
from rearguard.filters.model import Piece
from rearguard.filters.render.nftables import render
from rearguard.policy import Policy

MADE = date(2026, 11, 22)


def text_of(policy: str, edge: str = "west") -> str:
    return render(compiled(policy, edge), made=MADE)


def test_it_says_whence_it_comes_and_how_it_is_used() -> None:
    made = compiled(EVERYTHING, "west")
    head = render(made, made=MADE, file="border-west.nft").split("\ntable ")[0]
    for wanted in (
        'edge "west"',
        made.policy_digest,
        "written 2026-11-22",
        "nft -c -f border-west.nft",
        "nft delete table inet rearguard",
        "# drop[0]: worm; review by 2027-06-01",
        "drop[0] telnet toward shared (IPv4), tcp/23, tcp/2323, tcp/2223: shared-addresses",
        'define outside = { "wan0" }',
    ):
        assert wanted in head


def test_the_same_policy_gives_the_same_text() -> None:
    assert text_of(EVERYTHING) == text_of(EVERYTHING)
    shuffled = EVERYTHING.replace("[cwmp-cr, telnet, snmp]", "[snmp, telnet, cwmp-cr]").replace(
        '[198.51.100.0/24, "2001:db8:c::/48"]', '["2001:db8:c::/48", 198.51.100.128/25, 198.51.100.0/25]'
    )
    assert text_of(shuffled) == text_of(EVERYTHING)


def test_every_rule_has_a_counter_and_nothing_is_logged_or_answered() -> None:
    made = compiled(EVERYTHING, "west")
    lines = [line for line in text_of(EVERYTHING).splitlines() if line.startswith("add rule")]
    for rule in made.rules:
        assert sum(f"counter name {rule.id} " in line for line in lines) == 1, rule.id
    assert not [line for line in lines if " log " in line or "reject" in line]


def test_replacing_never_takes_the_chain_off_its_hook() -> None:
    commands = [line for line in text_of(EVERYTHING).splitlines() if line and not line.startswith("#")]
    assert not [
        line for line in commands if line.startswith(("delete", "destroy", "flush table", "flush rule"))
    ]
    assert [line for line in commands if line.startswith("flush chain inet rearguard forward")]


def test_interfaces_that_linux_does_not_know_must_be_named_when_loading() -> None:
    text = text_of(EVERYTHING.replace("outside: [wan0]", "outside: [GigabitEthernet0/0/0/1]"))
    assert "define outside" not in text
    assert "nft -D outside=eth0 -f border.nft" in text
    assert "names interfaces that Linux does not know: GigabitEthernet0/0/0/1" in text


@pytest.mark.parametrize("basis", ['a" drop; #', "two\nlines", "tab\tbell\x07", "caf\u00e9 \u202e", "\\"])
def test_a_basis_never_leaves_its_line(basis: str) -> None:
    plain, hostile = (
        text_of(EVERYTHING),
        text_of(EVERYTHING.replace("basis: worm", f"basis: {json.dumps(basis)}")),
    )
    assert hostile.isascii()
    assert len(hostile.splitlines()) == len(plain.splitlines())
    for line in hostile.splitlines():
        if line.startswith("add rule") and "comment" in line:
            assert line.count('"') == 2
            assert line.endswith('"')
            assert len(line.split('comment "')[1]) < 128


def test_rules_in_another_order_are_refused() -> None:
    """It could not be said in nftables: fragments would be read as if they had ports."""
    made = compiled(EVERYTHING, "west")
    late = [rule for rule in made.rules if rule.box.pieces != frozenset({Piece.OFFSET_ONE, Piece.LATER})]
    with pytest.raises(ValueError, match="later fragments must be decided"):
        render(dataclasses.replace(made, rules=tuple(late)), made=MADE)
    with pytest.raises(ValueError, match="must come last"):
        render(dataclasses.replace(made, rules=tuple(reversed(made.rules))), made=MADE)


def test_two_rules_never_share_a_counter() -> None:
    made = compiled(EVERYTHING, "west")
    with pytest.raises(ValueError, match="share a counter"):
        dataclasses.replace(made, rules=(*made.rules, made.rules[0]))


def test_ten_thousand_prefixes_are_two_sets_and_not_more_rules() -> None:
    prefixes = [f"10.{i >> 7}.{(i & 127) * 2}.0/24" for i in range(10_000)]
    policy = Policy.model_validate(
        {
            "networks": {"n": {"prefixes": prefixes}},
            "drop": [
                {"interfaces": ["telnet"], "toward": ["n"], "basis": "b", "review_by": "2027-06-01"},
            ],
        },
        context={"known": load()},
    )
    made = compile_filter(policy, load(), "border")
    assert len(made.rules) == 6
    assert [len(prefixes) for _, prefixes in made.sets] == [10_000]
    lines = render(made, made=MADE).splitlines()
    assert sum(line.startswith("add rule") for line in lines) < 12


def test_an_edge_without_a_family_has_no_rules_for_it() -> None:
    four = NETWORKS.replace(', "2001:db8:c::/48"', "")
    text = text_of(f"{four}drop:\n  - {{interfaces: [telnet], toward: [customers], {DUE}}}\n", "border")
    assert "entering_v4" in text
    assert "entering_v6" not in text
