"""The change ticket: what it expects, what it costs, what changes, the way back, and that no line is too many."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.filters.build import policy
from tests.filters.platforms import EVERY_RESIDUAL, MADE, SMALL, made_for
from tests.filters.test_filter_command import RUNNING
from tests.filters.test_flowspec_rules import ALL
from tests.filters.test_junos_merge import IN_FORCE
from tests.filters.test_replay_cli import LAB

from rearguard.catalogue import load
from rearguard.cli import run
from rearguard.filters.acceptance import shared_out
from rearguard.filters.compile import compile_filter
from rearguard.filters.hits import Hits, read_hits
from rearguard.filters.platforms import PLATFORMS
from rearguard.filters.ticket import overdue, ticket
from rearguard.model.errors import InputError, RearguardError, UsageError

ACCEPT = [word for name in EVERY_RESIDUAL for word in ("--accept-residual", name)]
FIGURES = {
    "initiations_dropped": 2180,
    "passed": 17,
    "contacts_dropped": 90,
    "authorised_dropped": 0,
    "collateral_dropped": 3,
    "collateral_packets": 1234,
    "unjudged": 5,
}
FINDING = {
    "severity": "high",
    "kind": "scan",
    "subject": "203.0.113.9",
    "interface": "cwmp-cr",
    "direction": "inbound",
    "dropped": 30,
    "passed": 1,
}


def ticket_of(name: str, text: str = SMALL, hits: Hits | None = None, **more: object) -> str:
    return ticket(compile_filter(policy(text), load(), "west"), made_for(name, text, **more), MADE, hits=hits)


def replayed(**change: object) -> str:
    digest = policy(SMALL).digest
    return json.dumps(
        {"policy": digest, "filter": {"replay": FIGURES}, "findings": [FINDING], **change}, default=str
    )


def test_a_replay_on_the_command_line_becomes_the_expected_hits_of_every_ticket(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, answer = tmp_path / "rearguard.yaml", tmp_path / "replay.json"
    file.write_text(LAB + "edges: {west: {outside: [wan0]}}\n")
    words = ["filter", "replay", "--policy", str(file), "--json"]
    assert run([*words, str(project / "lab" / "incident.pcapng")]) == 0
    answer.write_text(capsys.readouterr().out)
    words = [
        "filter",
        "compile",
        "--policy",
        str(file),
        "--platform",
        "junos,flowspec",
        "--hits",
        str(answer),
    ]
    accept = [word for name in ALL for word in ("--accept-residual", f"flowspec:{name}")]
    assert run([*words, "--output", str(tmp_path / "out"), *ACCEPT, *accept]) == 0
    for name in ("border-junos.md", "border-flowspec.md"):
        told = (tmp_path / "out" / name).read_text()
        assert "| initiations dropped | 2,180 |" in told
        assert "| **authorised initiations cut** | 0 |" in told
        assert "Not known from the policy" not in told
    assert "do not apply" not in capsys.readouterr().err
    file.write_text(file.read_text().replace("telnet]", "telnet, ssh]"))
    assert run([*words, "--output", str(tmp_path / "other"), *ACCEPT, *accept]) == 2
    assert "the replay is of the policy sha256:" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_quiet_leaves_out_what_nobody_asked_for_and_prints_the_answer(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rearguard.yaml"
    file.write_text(LAB)
    words = ["filter", "replay", "-q", "--policy", str(file), str(project / "lab" / "incident.pcapng")]
    assert run(words) == 0
    told = capsys.readouterr()
    assert "the filter would have dropped 2,180" in " ".join(told.out.split())
    assert told.err == ""


def test_the_findings_that_lose_most_come_first_and_nothing_in_them_breaks_the_table() -> None:
    worst = FINDING | {"subject": "a|b`c\n# d", "dropped": 40}
    hits = read_hits(
        replayed(findings=[FINDING, worst, FINDING | {"dropped": 0}]), "r.json", policy(SMALL).digest
    )
    told = ticket_of("junos", hits=hits)
    rows = [line for line in told.splitlines() if line.startswith("| high scan")]
    assert rows == [
        "| high scan a.b.c.. d cwmp-cr inbound | 40 | 1 |",
        "| high scan 203.0.113.9 cwmp-cr inbound | 30 | 1 |",
    ]
    assert "| collateral | 3 contacts, 1,234 packets |" in told


def test_a_replay_that_cuts_controllers_is_said_in_the_ticket_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text(replayed(filter={"replay": FIGURES | {"authorised_dropped": 4}}))
    (tmp_path / "p.yaml").write_text(SMALL)
    words = ["filter", "compile", "--policy", f"{tmp_path}/p.yaml", "--platform", "nftables"]
    assert run([*words, "--hits", f"{tmp_path}/r.json", "--output", f"{tmp_path}/out"]) == 0
    assert "cuts 4 authorised initiations" in capsys.readouterr().err
    assert "**Do not apply this" in (tmp_path / "out" / "border-nftables.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        replayed(filter=None),
        replayed(filter={"replay": {}}),
        replayed(filter={"replay": FIGURES | {"passed": -1}}),
        replayed(filter={"replay": FIGURES | {"passed": True}}),
        replayed(filter={"replay": FIGURES | {"passed": 1.5}}),
        replayed(findings=None),
        replayed(findings=[{}]),
        replayed(findings=[FINDING | {"dropped": "many"}]),
    ],
)
def test_what_is_no_replay_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="this is no replay"):
        read_hits(text, "r.json", policy(SMALL).digest)


def test_a_replay_without_a_filter_expects_nothing() -> None:
    with pytest.raises(UsageError, match="had no filter"):
        read_hits(replayed(filter={"replay": None}), "r.json", policy(SMALL).digest)


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_ticket_says_of_each_list_which_lines_change_nothing(name: str) -> None:
    made = made_for(name)
    told = ticket_of(name).partition("## No line too many")[2].partition("##")[0]
    rows = [line for line in told.splitlines() if line.startswith("- ")]
    assert len(rows) == len({(each.attachment, each.family) for each in made.proof.lists})
    spare = {number for each in made.proof.lists for number in each.unneeded}
    said = {
        int(number)
        for row in rows
        if "only they" in row
        for number in row.rpartition(": ")[2].removesuffix(" of the text").split(", ")
    }
    assert said == spare
    for each in made.proof.lists:
        if not each.unneeded and not each.name.endswith(("fragmented", "whole")):
            assert f"removing any of its {each.lines:,} lines changes the meaning" in told


@pytest.mark.parametrize(("name", "running"), [("cisco-ios", RUNNING), ("junos", IN_FORCE)])
def test_a_merged_ticket_has_difference_cost_counts_and_the_way_back(name: str, running: str) -> None:
    told = ticket_of(name, existing={"running": running})
    for wanted in ("### Difference of", "+", "hardware entries", "entries if written out, ", "## Roll back"):
        assert wanted in told
    back = told.partition("## Roll back")[2]
    assert ("EDGE-IN in" if name == "cisco-ios" else "load the list INTERNET-IN as it was before") in back


def test_a_drop_whose_review_is_due_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = SMALL.replace("2027-06-01", "2020-01-31")
    given = compile_filter(policy(old), load(), "west")
    assert [*overdue(given, MADE)] == ["drop 0 was to be looked at again by 2020-01-31: worm"]
    assert [*overdue(given, MADE.replace(year=2020, month=1, day=31))] == [], "on its day it is not late"
    assert [*overdue(compile_filter(policy(SMALL), load(), "west"), MADE)] == []
    (tmp_path / "p.yaml").write_text(old)
    words = ["filter", "compile", "--policy", f"{tmp_path}/p.yaml", "--platform", "nftables,vyos", *ACCEPT]
    assert run([*words, "--output", f"{tmp_path}/out"]) == 0
    assert capsys.readouterr().err.count("warning: drop 0 was to be looked at again by 2020-01-31: worm") == 1
    assert "**Look at these again" in (tmp_path / "out" / "border-vyos.md").read_text()
    assert run([*words, "-q", "--output", f"{tmp_path}/out"]) == 0
    assert capsys.readouterr().err == ""
    assert datetime.now(UTC).date() > MADE.replace(year=2020)


@pytest.mark.parametrize(
    ("accepted", "asked", "found"),
    [
        (["answers"], ["junos", "flowspec"], {"junos": ("answers",), "flowspec": ("answers",)}),
        (["fragment-data"], ["junos", "flowspec"], {"junos": ("fragment-data",), "flowspec": ()}),
        (["every-interface"], ["junos", "flowspec"], {"junos": (), "flowspec": ("every-interface",)}),
        (["nonsense"], ["junos", "flowspec"], {"junos": ("nonsense",), "flowspec": ("nonsense",)}),
        (["own-sources"], ["flowspec"], {"flowspec": ("own-sources",)}),
        (["own-sources"], ["junos", "vyos"], {"junos": ("own-sources",), "vyos": ("own-sources",)}),
        (
            ["flowspec:own-sources", "answers"],
            ["junos", "flowspec"],
            {"junos": ("answers",), "flowspec": ("own-sources", "answers")},
        ),
    ],
)
def test_each_platform_is_told_what_was_accepted_for_it(
    accepted: list[str], asked: list[str], found: dict[str, tuple[str, ...]]
) -> None:
    assert shared_out(accepted, asked) == found


@pytest.mark.parametrize(
    ("accepted", "told"),
    [("own-sources", "from every platform of this call"), ("vyos:answers", "which is not written here")],
)
def test_what_would_weaken_another_platform_is_refused(accepted: str, told: str) -> None:
    with pytest.raises(RearguardError, match=told):
        shared_out([accepted], ["junos", "flowspec"])


def test_the_guard_against_forged_own_sources_stays_beside_flowspec(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(SMALL)
    words = ["filter", "compile", "--policy", f"{tmp_path}/p.yaml", "--platform", "nftables,flowspec"]
    words += [word for name in ALL for word in ("--accept-residual", f"flowspec:{name}")]
    assert run([*words, "--output", f"{tmp_path}/out"]) == 0
    assert "own_source_v4" in (tmp_path / "out" / "border-nftables.nft").read_text()
