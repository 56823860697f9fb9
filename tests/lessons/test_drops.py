"""Every drop rule of every filter leads to its lesson, and what it names can be shown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from tests.filters.build import DUE, policy

from rearguard.catalogue import Listener
from rearguard.catalogue import load as load_catalogue
from rearguard.cli import run
from rearguard.filters.compile import compile_filter
from rearguard.filters.flowspec.files import files_of
from rearguard.filters.flowspec.plan import plan_for
from rearguard.filters.flowspec.residuals import NAMES
from rearguard.filters.model import Filter, Verdict
from rearguard.filters.platforms import PLATFORMS, compile_for
from rearguard.filters.render.plain import LONGEST, remark
from rearguard.filters.render.reading import read_on, reading_list
from rearguard.filters.residual import EFFECTS, adapted
from rearguard.filters.ticket import ticket
from rearguard.lessons import load
from rearguard.lessons.graph import load_graph
from rearguard.lessons.reading import readings, told

MADE = date(2026, 11, 22)
ACCEPTED = tuple(EFFECTS)
DROPPABLE = [each.id for each in load_catalogue().interfaces if each.listener is Listener.DEVICE]
NAMED = re.compile(r"lessons show ([a-z0-9-]+(?:, [a-z0-9-]+)*)")
ALL = """\
networks: {customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], ports: {cwmp-cr: [tcp/51005]}}}
drop:
"""


def _drop(names: list[str], more: str = "") -> str:
    return f"  - {{interfaces: [{', '.join(names)}], toward: [customers], accept_collateral: true, {more}{DUE}}}\n"


@cache
def _one(name: str) -> Filter:
    """A filter that drops one interface, also where only the network names its ports."""
    entry = load_catalogue().get(name)
    ports = ", ".join(f"{each.transport}/{each.port}" for each in entry.ports)
    network = f"prefixes: [198.51.100.0/24], ports: {{{name}: [{ports}]}}"
    text = f"networks: {{customers: {{{network}}}}}\ndrop:\n{_drop([name])}"
    return compile_filter(policy(text), load_catalogue(), "border")


@cache
def _everything() -> Filter:
    """One drop for each interface, with answers cut, in both families."""
    text = ALL + "".join(_drop([name], "mode: cut, ") for name in DROPPABLE)
    return compile_filter(policy(text), load_catalogue(), "border")


@pytest.mark.parametrize("name", DROPPABLE)
def test_the_drop_of_an_interface_names_it_and_its_way_to_incidents_exists(name: str) -> None:
    given = _one(name)
    drops = [rule for rule in given.rules if rule.drop is not None]
    assert drops
    for rule in drops:
        assert name in read_on(rule), rule.id
    found = readings(load_graph(), load(), reading_list(given))
    assert found[name].mechanisms
    assert found[name].incidents
    assert all(load().incident(each) for each in found[name].incidents)
    assert found[name].newest == load().incident(found[name].incidents[0]).date


def test_the_rules_that_every_filter_has_lead_to_their_shapes() -> None:
    names = {rule.id: read_on(rule) for rule in _one("telnet").rules if rule.drop is None}
    assert names["own_source_v4"] == ("anti-spoof",)
    assert names["tcp_offset_one_v4"] == names["unreadable_v4"] == ("fragments",)
    assert names["later_fragment_v4"] == ()
    graph = load_graph()
    assert {graph.resolve(name).kind for each in names.values() for name in each} == {"shape"}


def test_a_port_that_only_the_policy_knows_leads_to_the_interface_that_was_moved_there() -> None:
    text = (
        "networks: {customers: {prefixes: [198.51.100.0/24], ports: {cwmp-cr: [tcp/99, tcp/50000]}}}\ndrop:\n"
    )
    given = compile_filter(policy(text + _drop(["cwmp-cr"], "mode: cut, ")), load_catalogue(), "border")
    names = {rule.id: read_on(rule) for rule in given.rules if rule.drop is not None}
    assert names["drop0_tcp_port_v4"] == ("cwmp-cr",)
    assert names["drop0_tcp_new_v4"][0] == names["drop0_tcp_answer_v4"][0] == "cwmp-cr"


def test_only_the_interfaces_of_a_rule_are_named_and_those_with_most_ports_first() -> None:
    """Two networks with ports of their own, which get rules of their own."""
    text = (
        "networks:\n"
        "  first: {prefixes: [198.51.100.0/24], ports: {cwmp-cr: [tcp/99], telnet: [tcp/97]}}\n"
        "  second: {prefixes: [203.0.113.0/24], ports: {telnet: [tcp/99]}}\n"
        "drop:\n"
    )
    named = _drop(["telnet", "cwmp-cr"]).replace("[customers]", "[first, second]")
    given = compile_filter(policy(text + named), load_catalogue(), "border")
    low = [rule for rule in given.rules if rule.id.startswith("drop0_tcp_port")]
    assert [rule.interfaces for rule in low] == [("telnet", "cwmp-cr"), ("telnet",)]
    assert all(rule == replace(rule, interfaces=()) for rule in low)


@pytest.mark.parametrize("name", DROPPABLE)
def test_each_dialect_names_the_lesson_and_it_can_be_shown(name: str) -> None:
    graph = load_graph()
    for platform in PLATFORMS.values():
        made = compile_for(_one(name), platform, stem="border", made=MADE, accepted=ACCEPTED)
        text = "\n".join(made.written.files.values())
        told = {each for found in NAMED.findall(text) for each in found.split(", ")}
        assert name in told, platform.name
        for each in told:
            assert graph.resolve(each).kind in {"interface", "shape"}, platform.name


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda each: each.name)
def test_every_drop_that_is_written_carries_where_to_read_on(platform) -> None:
    """Of a filter with a drop for each interface, every rule that the platform can say is told with its pointer."""
    said, _ = adapted(_everything(), platform.ability, ACCEPTED, platform.title)
    drops = [rule for rule in said.rules if rule.verdict is Verdict.DROP]
    assert len(drops) > len(DROPPABLE)
    names = set()
    for rule in drops:
        text = remark(rule)
        assert len(text) <= LONGEST
        found = NAMED.search(text)
        assert found, text
        names |= set(found[1].split(", "))
    assert all(load_graph().resolve(name) for name in names)


def test_the_ticket_tells_the_way_from_the_interface_to_its_incidents() -> None:
    given = _one("cwmp-cr")
    made = compile_for(given, PLATFORMS["cisco-xr"], stem="border", made=MADE, accepted=ACCEPTED)
    text = ticket(given, made, MADE, told(load_graph(), load(), reading_list(given)))
    line = next(each for each in text.splitlines() if each.startswith("- `cwmp-cr`"))
    through = [each.id for each in load_graph().neighbours("interface:cwmp-cr", "incident")]
    newest = max(map(load().incident, through), key=lambda each: (each.date, each.id))
    assert f"{len(through)} recorded incidents came through it, the newest {newest.id}" in line
    assert "mgmt-open-to-world" in line
    assert line.endswith("`rearguard lessons show cwmp-cr`")


def test_flowspec_has_no_remarks_so_its_files_and_ticket_say_it() -> None:
    text = ALL + _drop(["cwmp-cr", "telnet"])
    plan = plan_for(policy(text), load_catalogue(), None, NAMES)
    files = files_of(plan, "border", told(load_graph(), load(), reading_list(plan.filter)))
    for form in ("bird", "gobgp", "md"):
        assert "rearguard lessons show cwmp-cr" in files[f"border-flowspec.{form}"]
        assert "rearguard lessons show telnet" in files[f"border-flowspec.{form}"]
    assert "recorded incidents came through it" in files["border-flowspec.md"]


def test_compile_says_the_lessons_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rearguard.yaml").write_text(ALL + _drop(["cwmp-cr", "telnet"]), encoding="utf-8")
    where = ["--policy", str(tmp_path / "rearguard.yaml"), "--output", str(tmp_path / "out"), "--json"]
    assert run(["filter", "compile", "--platform", "nftables", *where]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(said["files"])
    (one,) = said["filters"]
    assert one["proven"] is True
    found = {each["name"]: each for each in one["lessons"]}
    assert found["cwmp-cr"]["rules"] == ["drop0_tcp_new_v4", "drop0_tcp_new_v6"]
    assert found["cwmp-cr"]["incidents"]
    assert found["cwmp-cr"]["mechanisms"]
    for each in found.values():
        assert each["show"] == f"rearguard lessons show {each['name']}"
        assert run(each["show"].split()[1:]) == 0


HOSTILE = "a\"b'c*/d ; drop } { $(reboot) [find] ?\\n!x`y` " + "z" * 300


def test_a_hostile_reason_does_not_hide_the_pointer_or_leave_the_remark() -> None:
    text = ALL + _drop(["telnet"]).replace("basis: worm", f"basis: {json.dumps(HOSTILE)}")
    given = compile_filter(policy(text), load_catalogue(), "border")
    for platform in PLATFORMS.values():
        made = compile_for(given, platform, stem="border", made=MADE, accepted=ACCEPTED)
        assert made.proof.holds
        joined = "\n".join(made.written.files.values())
        assert "lessons show telnet" in joined
        if platform.name != "nftables":  # there a quoted string is taken as it is, and tests load it with nft
            assert "$(reboot)" not in joined
