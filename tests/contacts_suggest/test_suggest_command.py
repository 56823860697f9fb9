"""The command: a file that can be used, in which nothing that is guessed holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.contacts_suggest.capture import write
from tests.contacts_suggest.test_suggest_controllers import ACS, FARM, WORLD, calls, sessions, worm

from rearguard.catalogue import load
from rearguard.cli import run
from rearguard.policy import load_policy


@pytest.fixture
def capture(tmp_path: Path) -> str:
    return write(tmp_path / "t.pcap", WORLD + calls(ACS) + sessions(FARM) + worm(ipid=54321))


def test_the_written_policy_is_valid_and_permits_and_drops_nothing(capture: str, tmp_path: Path) -> None:
    file = tmp_path / "rearguard.yaml"
    assert run(["policy", "suggest", capture, "--output", str(file)]) == 0
    policy = load_policy(file, load())
    assert [str(prefix) for prefix in policy.own()] == ["198.51.100.0/24"]
    assert not policy.controllers
    assert not policy.drop
    assert not policy.surveyors
    assert not policy.warnings
    text = file.read_text()
    assert (
        f"# unsure: {ACS} opened tcp/7547 on 12 devices: 8 answered, 4 refused, 8 exchanged payload" in text
    )
    assert f"# unsure: 8 devices opened tcp/7547 at {FARM}" in text


def test_its_examples_are_valid_when_the_mark_is_taken_away(capture: str, tmp_path: Path) -> None:
    file = tmp_path / "rearguard.yaml"
    assert run(["policy", "suggest", capture, "--output", str(file)]) == 0
    example = re.compile(r"^#(?=\w|  \w|    \w|      - )", re.MULTILINE)
    file.write_text(example.sub("", file.read_text()))
    policy = load_policy(file, load())
    (controller,) = policy.controllers.values()
    assert controller.addresses("requests_from").texts() == (f"{ACS}/32",)
    assert controller.addresses("sessions_at").texts() == (f"{FARM}/32",)
    assert "cwmp-cr" in controller.manages
    assert len(policy.surveyors) == 1


def test_a_file_that_is_there_is_left_alone(
    capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rearguard.yaml"
    file.write_text("mine")
    assert run(["policy", "suggest", capture, "--output", str(file)]) == 2
    assert file.read_text() == "mine"
    assert "left as it is" in capsys.readouterr().err


def test_given_networks_are_believed(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "suggest", capture, "--network", "198.51.100.0/25", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["networks"] == ["198.51.100.0/25"]
    assert found["assumed"] is False
    (caller,) = found["unsure"]["requests_from"]
    assert caller["prefix"] == f"{ACS}/32"
    assert caller["interface"] == "cwmp-cr"
    assert found["unsure"]["sessions_at"][0]["interface"] == "cwmp-acs"


def test_nothing_to_go_by_gives_a_valid_file_without_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rearguard.yaml"
    assert run(["policy", "suggest", write(tmp_path / "e.pcap", []), "--output", str(file)]) == 0
    assert not load_policy(file, load()).networks
    assert "nothing in the input tells it" in file.read_text()


def test_a_damaged_capture_is_told_by_the_exit_code(
    capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cut.pcap"
    file.write_bytes(Path(capture).read_bytes()[:-7])
    assert run(["policy", "suggest", str(file)]) == 4
    assert "read in part" in capsys.readouterr().err


def test_the_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "suggest", "--help"]) == 0
    assert "Example: rearguard policy suggest" in capsys.readouterr().out
