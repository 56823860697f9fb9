"""What a proof lists as lines that change nothing can be taken out, what it does not cannot; ours list none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.filters.build import DUE
from tests.filters.platforms import EVERY_RESIDUAL, SMALL, made_for
from tests.filters.test_compile import policies

from rearguard.filters.platforms import PLATFORMS, Compiled
from rearguard.filters.prove.proof import prove
from rearguard.filters.readings import WARY
from rearguard.model.errors import RearguardError
from rearguard.policy import Policy

SPARE = f"""\
networks:
  homes: {{prefixes: [198.51.100.0/25, 198.51.100.192/26, "2001:db8:c::/48"]}}
  shops: {{prefixes: [203.0.113.0/25, "2001:db8:d::/48"], ports: {{telnet: [tcp/2600]}}}}
controllers:
  acs: {{requests_from: [192.0.2.8/31, "2001:db8:a::10/128"], manages: [cwmp, telnet], enters_at: west}}
  noc: {{requests_from: [192.0.2.64/26, "2001:db8:f:7::8/128"], manages: [telnet, snmp], enters_at: west}}
edges: {{west: {{outside: [wan0]}}}}
drop:
  - {{interfaces: [telnet, tr064], toward: [homes], mode: cut, {DUE}}}
  - {{interfaces: [snmp, cwmp-cr], toward: [homes, shops], {DUE}}}
never_block: [192.0.2.64/27, 198.51.100.200/29, 8.8.8.8/32, "2001:db8:f:7::/64", "2001:db8:c:5::/64"]
"""
"""never_block lists what an earlier rule refuses, and part of a controller."""


def units(name: str, made: Compiled) -> list[tuple[str, int, frozenset[int]]]:
    """(file, number, the lines of the text that make it up) of each line of the lists."""
    found = []
    for file, text in made.written.files.items():
        lines = text.split("\n")
        files = {file: text}
        if name == "iptables":
            sets = {each: it for each, it in made.written.files.items() if each.endswith(".ipset")}
            files = {**sets, file: text}
        lists = PLATFORMS[name].read(files)
        for number in sorted({line.number for each in lists for line in each.lines if line.number}):
            found.append((file, number, whole(name, lines, number)))
    return found


def whole(name: str, lines: list[str], number: int) -> frozenset[int]:
    """All lines of the entry that begins here, from 0."""
    first = lines[number - 1]
    if name == "junos":
        depth = len(first) - len(first.lstrip())
        end = next(at for at in range(number, len(lines)) if lines[at] == " " * depth + "}")
        return frozenset(range(number - 1, end + 1))
    begin = (
        re.match(r".* (?:entry|rule) [0-9]+ ", first) if name in ("nokia-srl", "nokia-sros", "vyos") else None
    )
    if begin is not None:
        return frozenset(at for at, line in enumerate(lines) if line.startswith(begin[0]))
    return frozenset({number - 1})


@pytest.mark.parametrize("text", [SMALL, SPARE], ids=["small", "spare"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_no_line_of_ours_can_go(name: str, text: str) -> None:
    made = made_for(name, text)
    assert not any(each.unneeded for each in made.proof.lists)
    platform = PLATFORMS[name]
    checked = 0
    for file, number, gone in units(name, made):
        lines = made.written.files[file].split("\n")
        files = dict(made.written.files)
        files[file] = "\n".join("" if at in gone else line for at, line in enumerate(lines))
        try:
            proof = prove(made.filter, platform.read(files), None, made.residuals, wary=platform.ability.wary)
        except RearguardError:
            continue
        assert not proof.holds, f"{file}:{number}: {lines[number - 1]}"
        checked += 1
    assert checked > 5


@pytest.mark.parametrize("name", PLATFORMS)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(policies(), st.sampled_from(("west", "east")))
def test_no_line_of_random_policies_can_go(name: str, rules: Policy, edge: str) -> None:
    for each in made_for(name, rules, edge).proof.lists:
        assert not each.unneeded, f"{each.name}: {each.unneeded}"


@pytest.mark.parametrize("name", ["cisco-ios", "arista-eos", "routeros"])
def test_lines_that_an_operator_adds_without_effect_are_listed(name: str) -> None:
    """Exactly those: each is a second one of what stands there."""
    made = made_for(name)
    ((file, text),) = made.written.files.items()
    lines = text.split("\n")
    again = [at for at, line in enumerate(lines) if "198.51.100.0" in line and "snmp" not in line][-1]
    copy = lines[again]
    if name != "routeros":
        number = int(copy.split()[0])
        copy = copy.replace(str(number), str(number + 1), 1)
    twice = "\n".join([*lines[: again + 1], copy, *lines[again + 1 :]])
    platform = PLATFORMS[name]
    proof = prove(made.filter, platform.read({file: twice}), wary=platform.ability.wary)
    assert proof.holds
    assert {number for each in proof.lists for number in each.unneeded} == {again + 1, again + 2}


@pytest.mark.parametrize("name", [name for name, each in PLATFORMS.items() if each.ability.wary])
def test_where_ports_may_be_read_in_fragments_these_are_let_through_before(name: str) -> None:
    """The line that does it changes nothing in the one reading, and what it prevents is told in the other."""
    made = made_for(name)
    platform = PLATFORMS[name]
    views = {each.name for each in made.proof.lists if each.name.endswith(WARY)}
    assert views, "the text was read in both ways"
    file, number, gone = next(
        (file, number, gone)
        for file, number, gone in units(name, made)
        if "later_fragment" in made.written.files[file].split("\n")[number - 1]
        or "fragment" in made.written.files[file].split("\n")[number - 1].partition("_v")[0]
    )
    lines = made.written.files[file].split("\n")
    files = {
        **made.written.files,
        file: "\n".join("" if at in gone else line for at, line in enumerate(lines)),
    }
    proof = prove(made.filter, platform.read(files), wary=platform.ability.wary)
    assert proof.witnesses
    assert all("fragment" in witness.text for witness in proof.witnesses), lines[number - 1]


def test_a_controller_that_never_block_lists_needs_no_permit() -> None:
    text = SMALL.replace("never_block: [", "never_block: [192.0.2.8/31, ")
    ids = {rule.id for rule in made_for("nftables", text).filter.rules}
    assert "permit_acs_tcp_v4" not in ids
    assert "permit_acs_tcp_v6" in ids


def test_own_addresses_stay_under_never_block_where_forged_ones_are_not_refused_here() -> None:
    made = made_for("cisco-ios", accepted=(*EVERY_RESIDUAL, "own-sources"))
    (inside,) = [rule for rule in made.filter.rules if rule.id == "never_block_from_v4"]
    assert inside.box.sources is not None
    assert "198.51.100.200/29" in inside.box.sources.texts()


IN_FORCE = """\
ip access-list INTERNET-IN
   10 deny tcp any any eq 445
   20 deny udp any any eq 19
   30 permit tcp any any established
   40 permit ip any any
"""


@pytest.mark.parametrize("name", ["arista-eos", "cisco-nxos"])
def test_what_the_list_in_force_does_to_fragments_does_not_keep_ours_out(name: str) -> None:
    """Its own lines are read in the usual way, and are not ours to remove."""
    made = made_for(name, existing={"running": IN_FORCE})
    assert made.proof.holds
    (merged,) = [each for each in PLATFORMS[name].read(made.written.files) if each.family == 4]
    spare = {number for each in made.proof.lists if each.family == 4 for number in each.unneeded}
    said = [line.text.partition(" ")[2] for line in merged.lines if line.number in spare]
    assert said == ["permit tcp any any established"]
    assert sum("fragments" in line.text for line in merged.lines) == 1


SETS = {
    "routeros": r"add list=",
    "iptables": r"add rg",
    "vyos": r"set firewall group",
    "nokia-sros": r"/configure filter match-list",
    "huawei-vrp": r" ip(v6)? address ",
}
"""How the lines begin that are addresses or ports of a set."""


@pytest.mark.parametrize("name", SETS)
def test_no_line_of_a_set_can_go(name: str) -> None:
    made, platform, checked = made_for(name, SPARE), PLATFORMS[name], 0
    for file, text in made.written.files.items():
        lines = text.split("\n")
        for at in (at for at, line in enumerate(lines) if re.match(SETS[name], line)):
            files = {**made.written.files, file: "\n".join([*lines[:at], "", *lines[at + 1 :]])}
            try:
                proof = prove(made.filter, platform.read(files), wary=platform.ability.wary)
            except RearguardError:
                continue
            assert not proof.holds, lines[at]
            checked += 1
    assert checked > 5
