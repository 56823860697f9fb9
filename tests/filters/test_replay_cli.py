"""``filter replay``: who would be cut, who looks like a controller, what is hit, what remains, and what-ifs."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.detect.build import contact, view
from tests.filters.build import DUE, policy
from tests.filters.test_replay import NETWORKS, OWN_CLIENT, POLICY, allowed

from rearguard.catalogue import load
from rearguard.cli import run
from rearguard.detect import run as detect
from rearguard.filters.border import border
from rearguard.filters.replay import WHAT_CAN
from rearguard.lessons import load as load_lessons
from rearguard.model.errors import UsageError
from rearguard.policy import parse_policy
from rearguard.report.analysis import Analysis, ContactCounts
from rearguard.report.border_words import REASONS
from rearguard.report.remaining import WHO_CAN
from rearguard.report.replay_text import render
from rearguard.report.replaying import TOGETHER, Replaying, replaying


def played(*contacts: dict[str, Any], text: str = POLICY, also: tuple[str, ...] = ()) -> Replaying:
    made, rules = view(contacts), policy(text)
    findings = detect(made, rules, load()).findings
    return replaying(
        Analysis(
            policy=rules,
            catalogue=load(),
            view=made,
            findings=findings,
            contacts=ContactCounts(0, 0, 0, {}),
            interfaces=(),
            sampling=(),
            border=border(made, rules, load(), findings),
        ),
        also,
    )


def printed(found: Replaying, width: int = 160) -> str:
    stream = io.StringIO()
    render(found, Console(file=stream, width=width, color_system=None, highlight=False, markup=False))
    return stream.getvalue()


SCAN = [contact(server=f"198.51.100.{i}", at=i) for i in range(1, 31)]
CALLS = [
    contact("203.0.113.99", server=f"198.51.100.{i}", outcome="conversed", at=i, no_options=0)
    for i in range(1, 9)
]


def test_findings_with_what_became_of_them_the_worst_first() -> None:
    found = played(*SCAN, contact("203.0.113.9", port=22))
    assert [(each.kind, each.dropped, each.passed) for each in found.fates] == [
        ("scan", 30, 0),
        ("probe", 0, 1),
    ]
    assert not found.cuts_controllers
    text = printed(found)
    assert "Of 31 initiations the filter would have dropped 30; 1 would have passed." in text


def test_a_controller_that_would_be_cut_is_listed_with_the_entry_to_write() -> None:
    """Its address is authorised and has no permit at any edge."""
    found = played(allowed("192.0.2.77", "acs"), *SCAN)
    assert found.cuts_controllers
    (caller,) = found.cut
    assert (caller.address, caller.by, caller.initiations, caller.at_home) == ("192.0.2.77", "acs", 1, False)
    assert "CUT: these are the policy's own controllers" in printed(found)


def test_controllers_that_enter_inside_are_told_apart_and_their_entry_can_be_pasted() -> None:
    found = played(allowed("192.0.2.40", "desk", port=23), allowed("192.0.2.9", "acs"))
    assert [(each.address, each.at_home) for each in found.cut] == [("192.0.2.40", True)]
    assert not found.cuts_controllers, "by the policy's word they never come to this filter"
    (entry,) = found.missing
    pasted = yaml.safe_load(entry.yaml)
    assert pasted == {
        "controllers": {
            "desk": {"requests_from": ["192.0.2.40/32"], "manages": ["cwmp", "telnet"], "enters_at": "west"}
        }
    }
    whole = yaml.safe_load(POLICY)
    whole["controllers"] |= pasted["controllers"]
    mended = parse_policy(yaml.safe_dump(whole, default_flow_style=False), load())
    assert mended.controllers["desk"].manages == policy(POLICY).controllers["desk"].manages
    again = played(allowed("192.0.2.40", "desk", port=23), text=yaml.safe_dump(whole))
    assert again.cut == ()


def test_who_behaves_like_a_controller_among_the_dropped_is_named_and_never_permitted() -> None:
    found = played(*SCAN, *CALLS)
    (caller,) = found.lookalikes
    assert (caller.address, caller.devices, caller.conversed, caller.by) == ("203.0.113.99", 8, 8, "")
    (entry,) = found.suggested
    assert entry.why == "only if 203.0.113.99 is yours"
    assert yaml.safe_load(entry.yaml)["controllers"]["unsure-1"] == {
        "requests_from": ["203.0.113.99/32"],
        "manages": ["cwmp"],
        "enters_at": "west",
    }
    assert found.border.replay is not None
    assert found.border.replay.initiations_dropped == 38


@pytest.mark.parametrize(
    "change",
    [
        {"fp_mirai": 1},
        {"fp_zmap": 1},
        {"outcome": "unanswered"},
        {"outcome": "answered"},
        {"surveyor": "one"},
    ],
)
def test_a_tool_that_only_knocks_is_no_controller(change: dict[str, Any]) -> None:
    calls = [
        contact("203.0.113.99", server=f"198.51.100.{i}", at=i, **({"outcome": "conversed"} | change))
        for i in range(1, 9)
    ]
    assert played(*calls).lookalikes == ()


def test_collateral_adds_up_to_the_replays_figure_and_says_whom_it_hits() -> None:
    replies = [
        contact(
            f"203.0.113.{i}",
            port=161,
            proto="udp",
            outcome="conversed",
            **(OWN_CLIENT | {"interface": "snmp"}),
        )
        for i in (80, 81)
    ]
    backscatter = contact(port=23, outcome="unknown", dark=True, **(OWN_CLIENT | {"interface": "telnet"}))
    visitor = contact(port=5555, outcome="conversed")
    safe = contact("203.0.113.82", outcome="conversed", unacked=0, **OWN_CLIENT)
    found = played(*replies, backscatter, visitor, safe, *SCAN)
    assert [(each.kind, each.transport, each.port, each.contacts) for each in found.hits] == [
        ("reply", "udp", 161, 2),
        ("service", "tcp", 5555, 1),
    ]
    assert found.hits[0].sample == ("198.51.100.20",)
    assert found.border.replay is not None
    assert sum(each.contacts for each in found.hits) == found.border.replay.collateral_dropped
    assert sum(each.packets for each in found.hits) == found.border.replay.collateral_packets


def test_what_remains_comes_with_the_reason_and_who_can_act() -> None:
    inside = [contact("198.51.100.9", server=f"10.0.0.{i}", at=i) for i in range(1, 31)]
    found = played(*inside, contact("203.0.113.9", port=22), *SCAN)
    by_reason = {each.reason: each for each in found.remaining}
    assert set(by_reason) == {"internal", "not-listed"}
    internal = by_reason["internal"]
    assert (internal.policy_can, internal.initiations, internal.interface) == (False, 30, "cwmp-cr")
    assert [each.id for each in internal.recommendations] == ["ope-02", "ope-05", "ope-01"]
    assert by_reason["not-listed"].policy_can
    text = " ".join(printed(found).split())
    assert "from one address of ours to another: no border can stop it" in text
    assert "isolation of customers from one another" in text


def test_every_reason_has_words_and_recommendations_that_exist() -> None:
    assert set(WHO_CAN) == set(REASONS)
    assert set(WHAT_CAN) <= set(WHO_CAN)
    for names in WHO_CAN.values():
        for name in names:
            assert load_lessons().recommendation(name).recommendation


def test_also_drop_stands_beside_the_present_filter() -> None:
    ssh = [contact("203.0.113.9", server=f"198.51.100.{i}", port=22) for i in range(1, 6)]
    adb = [contact("203.0.113.9", port=5554)]
    found = played(
        *SCAN, *ssh, *adb, allowed("192.0.2.40", "desk", port=22, interface="ssh"), also=("ssh", "telnet")
    )
    by_name = {each.interface: each for each in found.also}
    assert by_name["ssh"].counts.initiations == 5
    assert by_name["ssh"].counts.at_home == 1
    assert by_name["telnet"].cells == 0, "guarded already"
    assert found.border.replay is not None
    assert found.border.replay.initiations_dropped == 30, "the present filter is as it was"
    assert "What if these were dropped too" in printed(found)


def test_several_further_drops_are_also_reckoned_together() -> None:
    both = [contact("203.0.113.9", port=22), contact("203.0.113.9", port=1900, proto="udp")]
    found = played(*both, also=("ssh", "ssdp"))
    by_name = {each.interface: each for each in found.also}
    assert by_name[TOGETHER].counts.initiations == 2
    assert by_name["ssdp"].needs_consent
    assert not by_name["ssh"].needs_consent
    with pytest.raises(UsageError, match="neither an interface nor a family"):
        played(also=("telnett",))


def test_a_considered_drop_that_cuts_a_controller_is_an_alarm() -> None:
    stray = allowed("192.0.2.77", "acs", port=22, interface="ssh")
    assert not played(stray).cuts_controllers
    found = played(stray, also=("ssh",))
    assert found.cuts_controllers
    assert found.cut[0].drops == ("ssh",)


def test_a_policy_that_drops_nothing_still_answers_what_if() -> None:
    found = played(*SCAN, text=NETWORKS, also=("cwmp-cr",))
    assert found.border.replay is None
    assert found.also[0].counts.initiations == 30
    assert "The policy drops nothing" in printed(found)


LAB = f"""\
networks:
  customers: {{prefixes: [198.51.100.0/24, "2001:db8:c::/48"], managed: operator}}
controllers:
  acs:
    requests_from: [192.0.2.8/30, "2001:db8:a::10/128"]
    manages: [cwmp]
    enters_at: west
drop:
  - {{interfaces: [cwmp-cr, telnet], toward: [customers], {DUE}}}
"""


def test_by_the_command_line_on_the_lab(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rearguard.yaml"
    file.write_text(LAB)
    capture = str(project / "lab" / "incident.pcapng")
    assert run(["filter", "replay", "--policy", str(file), "--json", "--also-drop", "ssdp", capture]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["filter"]["replay"]["initiations_dropped"] == 2180
    assert answer["filter"]["replay"]["authorised_dropped"] == 0
    assert answer["controllers_cut"] == []
    assert answer["also_drop"][0]["counts"]["initiations"] > 0
    assert {each["reason"] for each in answer["remaining"]} >= {"internal", "outbound", "not-listed"}
    file.write_text(LAB.split("controllers:")[0] + "drop:" + LAB.split("drop:")[1])
    assert run(["filter", "replay", "--policy", str(file), capture]) == 0
    told = capsys.readouterr().out
    assert "behaves like a controller" in told, "the lab's own, of which this policy says nothing"
    assert "requests_from: [192.0.2.9/32]" in told


def test_flows_are_replayed_as_packets_are(
    project: Path, tmp_path: Path, tool: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The lab as flow records of nfpcapd: the same initiations, as far as flows tell them."""
    (tmp_path / "flows").mkdir()
    subprocess.run(
        [tool("nfpcapd"), "-r", str(project / "lab" / "incident.pcapng"), "-w", str(tmp_path / "flows")],
        check=True,
        capture_output=True,
    )
    file = tmp_path / "rearguard.yaml"
    file.write_text(LAB)
    files = sorted(map(str, (tmp_path / "flows").rglob("nfcapd.*")))
    assert files
    assert run(["filter", "replay", "--policy", str(file), "--json", *files]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["filter"]["replay"]["authorised_dropped"] == 0
    assert answer["filter"]["replay"]["initiations_dropped"] > 1000
