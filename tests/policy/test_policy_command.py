"""``rearguard policy``, as somebody at a terminal meets it, with the shipped catalogue."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rearguard.catalogue import load
from rearguard.cli.group import Settings
from rearguard.cli.policy import command
from rearguard.model.errors import PolicyError, UsageError
from rearguard.policy import parse_policy
from rearguard.policy.document import refresh
from rearguard.policy.starter import starter_text


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


@pytest.fixture
def file(tmp_path: Path, full_text: str) -> Path:
    path = tmp_path / "rearguard.yaml"
    path.write_text(full_text.replace("2027-", "2127-"))
    return path


def test_a_new_file_can_be_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    assert run("init", "--output", path).exit_code == 0
    result = run("check", path)
    assert result.exit_code == 0
    assert "no networks" in result.stderr
    assert "0 networks (0 prefixes), 0 controllers, 0 drops" in result.stdout


def test_the_examples_of_a_new_file_are_right_when_uncommented() -> None:
    text = starter_text(date(2026, 11, 22))
    edited = re.sub(r"^#(?! \S|$)", "", text, flags=re.MULTILINE)
    assert edited != text
    policy = parse_policy(edited, load(), today=date(2026, 11, 22))
    assert policy.warnings == ()
    assert policy.networks
    assert policy.controllers
    assert policy.drop
    assert policy.exceptions
    assert policy.observers
    assert policy.surveyors
    assert policy.never_block


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    result = run("init", "--output", path)
    assert isinstance(result.exception, UsageError)
    assert "left as it is" in str(result.exception)
    assert path.read_text() == "mine"


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    assert isinstance(run("init", "--output", tmp_path / "absent" / "x.yaml").exception, UsageError)


def test_check_tells_mistakes_with_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("networks:\n  n: {prefixes: [192.0.2.9/24]}\n")
    result = run("check", path)
    assert result.exit_code == 2
    assert f"{path}:2: networks.n.prefixes[0]: 192.0.2.9/24 has host bits set" in result.stderr
    assert "remedy: write 192.0.2.0/24" in result.stderr
    assert result.stdout == ""


def test_check_as_json(tmp_path: Path, file: Path) -> None:
    good = run("check", file, "--json")
    found = json.loads(good.stdout)
    assert good.exit_code == 0
    assert found["usable"]
    assert found["digest"].startswith("sha256:")
    assert [entry["key"] for entry in found["warnings"]] == ["controllers.desk.requests_from"]
    bad = tmp_path / "bad.yaml"
    bad.write_text("zzz: 1\n")
    result = run("check", bad, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 2
    assert (found["usable"], found["digest"]) == (False, None)
    (error,) = found["errors"]
    assert (error["file"], error["line"], error["key"]) == (str(bad), 1, "zzz")
    assert error["remedy"]


def explained(file: Path, *words: str) -> dict[str, Any]:
    result = run("explain", *words, "--policy", file, "--json")
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def verdict(found: dict[str, Any], interface: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = found["verdicts"]
    (entry,) = [entry for entry in entries if entry["interface"] == interface]
    return entry


def test_explain_a_device(file: Path) -> None:
    found = explained(file, "198.51.100.77", "7547")
    assert (found["network"], found["kind"], found["managed"]) == ("customers", "native", "operator")
    assert [right["controller"] for right in found["managed_by"]] == ["acs", "desk"]
    assert len(found["drops"]) == 2
    assert "honeypot" in found["exceptions"][0]
    requests = verdict(found, "cwmp-cr")
    assert requests["may_open"] == ["acs"]
    assert "not authorised" in requests["stranger"]
    assert "compromised or scanning" in requests["itself"]
    assert "drop[0]" in requests["drop"]
    sessions = verdict(found, "cwmp-acs")
    assert "authorised toward 192.0.2.20/32" in sessions["itself"]
    assert "unauthorised controller" in sessions["itself"]
    assert sessions["drop"] is None


def test_explain_one_transport_and_a_moved_port(file: Path) -> None:
    moved = explained(file, "198.51.100.7", "udp/30005")
    assert [entry["interface"] for entry in moved["verdicts"]] == ["cwmp-cr"]
    elsewhere = explained(file, "203.0.113.7", "udp/30005")
    assert elsewhere["verdicts"] == []


def test_explain_an_accepted_interface(file: Path) -> None:
    assert verdict(explained(file, "198.51.100.77", "23"), "telnet")["exception"] == "honeypot"


def test_explain_a_controller(file: Path) -> None:
    found = explained(file, "192.0.2.8", "tcp/7547")
    assert found["network"] is None
    assert [right["controller"] for right in found["controller"]] == ["acs"]
    assert verdict(found, "cwmp-cr")["itself"] == "authorised toward devices in the networks, as acs"
    found = explained(file, "192.0.2.20", "tcp/7547")
    assert verdict(found, "cwmp-acs")["may_open"] == ["customers", "shops"]


def test_explain_others(file: Path) -> None:
    assert explained(file, "192.0.2.70")["surveyor"] == "survey"
    assert explained(file, "192.0.2.130")["never_block"]
    assert explained(file, "2001:db8:c:1234::1")["device"] == "2001:db8:c:1200::/56"
    assert explained(file, "192.0.2.250", "7")["verdicts"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("198.51.100.77", "23"),
            ["managed: operator", "honeypot", "tcp/23 as telnet", "border       drop[0]"],
        ),
        (("198.51.100.7",), ["managed by   desk: telnet; requests from 192.0.2.9/32 (enters at inside)"]),
        (("192.0.2.20",), ["none: outside", "controller   acs"]),
        (("192.0.2.70",), ["surveyor     survey"]),
        (("192.0.2.130",), ["no drop may touch it"]),
        (("192.0.2.250", "7"), ["only counted"]),
    ],
)
def test_explain_in_words(words: tuple[str, ...], said: list[str], file: Path) -> None:
    result = run("explain", *words, "--policy", file)
    assert result.exit_code == 0, result.exception
    for text in said:
        assert text in result.stdout
    assert "warning:" in result.stderr


def test_explain_says_when_nobody_manages(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("networks:\n  n: {prefixes: [192.0.2.0/24]}\n")
    result = run("explain", "192.0.2.1", "tcp/7547", "--policy", path)
    assert "managed by   nobody" in result.stdout
    assert "nobody is listed for it: nothing is concluded" in result.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("here",), "'here' is no address"),
        (("192.0.2.0/24",), "is no address"),
        (("192.0.2.1", "70000"), "'70000' is no port"),
        (("192.0.2.1", "sctp/7"), "'sctp/7' is no port"),
    ],
)
def test_explain_refuses_what_it_cannot_answer(words: tuple[str, ...], problem: str, file: Path) -> None:
    result = run("explain", *words, "--policy", file)
    assert isinstance(result.exception, UsageError)
    assert problem in str(result.exception)


def test_a_quiet_answer_has_no_warnings(file: Path) -> None:
    answer = CliRunner().invoke(
        command, ["explain", "192.0.2.8", "--policy", str(file)], obj=Settings(quiet=True)
    )
    assert answer.exit_code == 0
    assert answer.stderr == ""


def test_explain_needs_a_policy(tmp_path: Path) -> None:
    result = run("explain", "192.0.2.1", "--policy", tmp_path / "absent.yaml")
    assert isinstance(result.exception, PolicyError)


def test_schema_is_json() -> None:
    assert json.loads(run("schema").stdout)["title"] == "rearguard.yaml"


@pytest.mark.parametrize("name", ["init", "check", "explain", "schema"])
def test_help_has_an_example(name: str) -> None:
    assert f"Example: rearguard policy {name}" in run(name, "--help").stdout


def test_the_command_is_imported_without_the_heavy_libraries() -> None:
    code = (
        "import sys, rearguard.cli.policy\n"
        "print([name for name in ('pydantic', 'ruamel', 'numpy', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_current(project: Path) -> None:
    page = (project / "docs" / "policy.md").read_text(encoding="utf-8")
    assert refresh(page) == page, "run `python -m rearguard.policy.document docs/policy.md`"
    assert "| `scan_targets` | 10 | distinct devices |" in page


def test_the_least_policy_of_the_page_can_be_used(project: Path) -> None:
    page = (project / "docs" / "policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 4
    least = parse_policy(blocks[0], load(), today=date(2026, 11, 22))
    assert least.warnings == ()
    edges = parse_policy(blocks[1], load(), today=date(2026, 11, 22)).edges
    assert edges["north"].outside == ("eth0", "eth1")
    assert parse_policy(blocks[2], load(), today=date(2026, 11, 22)).sampling.observers == {"border": 1000}
