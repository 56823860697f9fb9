"""What is read back from an emitted text means what was compiled, for random policies and every platform."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.filters.build import DUE, EVERYTHING
from tests.filters.platforms import EVERY_RESIDUAL, SMALL, made_for
from tests.filters.test_compile import policies

from rearguard.filters.judge import judge
from rearguard.filters.lines import decide
from rearguard.filters.model import Attachment, Packet, Piece
from rearguard.filters.platforms import PLATFORMS
from rearguard.filters.render import nokia_srl
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import UsageError
from rearguard.policy import Policy

ADDRESSES = {
    4: ("198.51.100.7", "198.51.100.201", "203.0.113.9", "192.0.2.9", "198.18.0.9", "8.8.8.8"),
    6: ("2001:db8:c::7", "2001:db8:d::7", "2001:db8:a::10", "2001:db8:f:7::1", "2001:db8:ffff::1"),
}


@pytest.mark.parametrize("name", PLATFORMS)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(policies(), st.sampled_from(("west", "east")))
def test_parse_of_emit_is_what_was_compiled(name: str, rules: Policy, edge: str) -> None:
    """``compile_for`` refuses a text whose reading is not equal; here the packets are asked one by one too."""
    made = made_for(name, rules, edge)
    assert made.proof.holds
    lists = PLATFORMS[name].read(made.written.files)
    for family, addresses in ADDRESSES.items():
        for attachment in Attachment:
            here = [each for each in lists if (each.attachment, each.family) == (attachment, family)]
            for number in range(40):
                packet = Packet(
                    attachment,
                    ip_address(addresses[number % len(addresses)]),
                    ip_address(addresses[number * 7 % len(addresses) - 1]),
                    (TCP, UDP)[number % 2],
                    tuple(Piece)[number // 2 % 4],
                )
                if packet.piece is Piece.READABLE:
                    port = (23, 161, 7547, 51005, 1900)[number % 5]
                    packet = Packet(
                        attachment, packet.source, packet.destination, packet.protocol, sport=port, dport=port
                    )
                for each in here:
                    assert decide(each, packet)[0] is judge(made.filter, packet).verdict


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_same_policy_gives_the_same_text(name: str) -> None:
    assert made_for(name, EVERYTHING).written.files == made_for(name, EVERYTHING).written.files


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(
    "basis",
    [
        'worm"; accept; #', "worm */ term x { then accept; } /*", "worm\n permit ip any any",
        "$(reboot) `id` [find]",
        "\u202ena\u00efve\x1b[31m ? !", "x" * 500, "\\", "%n%s", "' or \" -j ACCEPT", "\u2028permit ip any any",
    ],
)  # fmt: skip
def test_a_hostile_basis_changes_nothing_but_remarks(name: str, basis: str) -> None:
    """Nothing in it ends a line, a string or a comment; the number of lines and what they mean stay."""
    plain, hostile = (
        made_for(name, text) for text in (SMALL, SMALL.replace("basis: worm", f"basis: {json.dumps(basis)}"))
    )
    for file, text in hostile.written.files.items():
        assert text.isascii()
        assert len(text.splitlines()) == len(plain.written.files[file].splitlines())
    mine, theirs = (PLATFORMS[name].read(each.written.files) for each in (plain, hostile))
    assert [[(line.matches, line.verdict) for line in each.lines] for each in mine] == [
        [(line.matches, line.verdict) for line in each.lines] for each in theirs
    ]


@pytest.mark.parametrize("name", [name for name in PLATFORMS if name != "nftables"])
def test_what_cannot_be_matched_is_refused_until_it_is_accepted_by_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot say all of this filter") as refused:
        made_for(name, accepted=())
    names = re.findall(r"--accept-residual (\S+)", refused.value.remedy)
    assert names
    for missing in names:
        with pytest.raises(UsageError, match=missing):
            made_for(name, accepted=[each for each in names if each != missing])
    made = made_for(name, accepted=names)
    assert {each.name for each in made.residuals} == set(names)
    head = "\n".join(made.written.files.values())
    assert all(f"residual {each}" in head for each in names), "the text names them"


def test_nftables_can_say_all_of_it() -> None:
    assert made_for("nftables", EVERYTHING, accepted=()).residuals == ()


def test_a_name_that_is_no_residual_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no residual 'everything'"):
        made_for("junos", accepted=("everything",))


@pytest.mark.parametrize("name", PLATFORMS)
def test_nothing_is_logged_or_answered(name: str) -> None:
    for text in made_for(name).written.files.values():
        assert not re.search(r"\b(log|reject|syslog|LOG|REJECT)\b", text)


@pytest.mark.parametrize("name", PLATFORMS)
def test_no_entry_of_a_section_is_without_effect(name: str) -> None:
    for each in made_for(name, EVERYTHING).proof.lists:
        assert each.unneeded == ()


@pytest.mark.parametrize("name", ["cisco-ios", "arista-eos", "cisco-xr"])
def test_more_than_any_router_takes_is_refused_and_told(name: str) -> None:
    prefixes = ", ".join(f"10.{at >> 7}.{(at & 127) * 2}.0/24" for at in range(600))
    text = f"networks: {{n: {{prefixes: [{prefixes}]}}}}\nedges: {{west: {{outside: [e]}}}}\n"
    text += f"drop:\n  - {{interfaces: [telnet], toward: [n], {DUE}}}\n"
    with pytest.raises(UsageError, match="own_source_v4 alone is 600 sources times 600 destinations"):
        made_for(name, text)
    made = made_for(name, text, accepted=(*EVERY_RESIDUAL, "own-sources"))
    assert "own-sources" in {each.name for each in made.residuals}


def test_vyos_leads_every_interface_into_its_chains_by_a_rule_of_its_own() -> None:
    links = ", ".join(f"eth{number}" for number in range(7))
    made = made_for("vyos", SMALL.replace("[wan0]", f"[{links}]"))
    rules = [line.rsplit(" action ")[0] for line in made.written.apply if line.endswith(" action jump")]
    assert len(rules) == len(set(rules)) == 7 * 2 * 2
    assert len([line for line in made.written.rollback if line.startswith("delete")]) == len(rules)


def test_sr_linux_numbers_entries_as_far_as_numbers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    file = "border-nokia-srl.srl"
    assert " entry 10 " in made_for("nokia-srl").written.files[file]
    monkeypatch.setattr(nokia_srl, "MOST_ENTRIES", 100)
    text = made_for("nokia-srl").written.files[file]
    assert " entry 1 " in text
    assert " entry 20 " not in text
    monkeypatch.setattr(nokia_srl, "MOST_ENTRIES", 5)
    with pytest.raises(UsageError, match="SR Linux numbers 5 at most"):
        made_for("nokia-srl")
