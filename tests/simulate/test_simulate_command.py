"""``rearguard simulate``: what it writes, and what it refuses."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from rearguard.cli import root
from rearguard.cli.group import Settings
from rearguard.model.errors import PolicyError, RearguardError
from rearguard.simulate import read
from rearguard.simulate.ordinary import diurnal
from rearguard.simulate.outbreak import fall_times, infected

SHORT = ("simulate", "--customers", "30", "--hours", "0.05", "--format", "netflow9")


def run(*arguments):
    result = CliRunner().invoke(root, arguments, obj=Settings())
    if isinstance(result.exception, RearguardError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_three_files_are_written_and_none_is_replaced(tmp_path):
    output = tmp_path / "day.pcap"
    assert run(*SHORT, "--output", str(output))[0] == 0
    names = {"day.pcap", "day.pcap.truth.json", "day.pcap.rearguard.yaml"}
    assert {path.name for path in tmp_path.iterdir()} == names
    truth = json.loads((tmp_path / "day.pcap.truth.json").read_text())
    assert truth["format"] == "netflow9"
    assert truth["outbreak"]["curve"][-1]["outside"] >= 0
    before = output.read_bytes()
    for name in sorted(names):
        code, text = run(*SHORT, "--output", str(tmp_path / "day.pcap"))
        assert code == 2
        assert "exists" in text
        (tmp_path / name).unlink()
    assert run(*SHORT, "--output", str(output), "--overwrite")[0] == 0
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("form", "rate", "said"),
    [
        ("netflow5", "1", {"default": 1}),  # its field is 0 then, which is no word about it
        ("netflow5", "100", None),
        ("netflow9", "1", None),
        ("pcap", "1", None),
        ("pcap", "10", {"default": 10}),
    ],
)
def test_the_policy_has_the_rate_that_the_output_does_not_tell(tmp_path, form, rate, said):
    output = tmp_path / "day"
    assert run("simulate", "--customers", "50", "--hours", "0.05", "--format", form, "--sampling", rate,
               "--output", str(output))[0] == 0  # fmt: skip
    policy = yaml.safe_load((tmp_path / "day.rearguard.yaml").read_text())
    assert policy.get("sampling") == said


def test_a_pipe_gets_the_output_and_only_named_files_are_written(tmp_path):
    truth = tmp_path / "truth.json"
    code, _ = run(*SHORT, "--output", "-", "--truth", str(truth), "--quiet")
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["truth.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "netflow5", "--sampling", "20000"), "14 bits"),
        (("--scenario", "nowhere.yaml"), "cannot be read"),
        (("--output", "/nowhere/at/all"), "cannot be written"),
        (("--hours", "100000"), "hours"),
        (("--customers", "3"), "3 is not in the range"),
        (("--format", "gif"), "is not one of"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = run(*SHORT, "--output", "out", *arguments)
    assert code == 2
    assert said in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("customers: 5\n", 1, "customers"),
        ("scanners:\n  count: many\n", 2, "scanners.count"),
        ("outbreak:\n  doubling: 3\n", 2, "outbreak.doubling"),
        ("export: {view: sideways}\n", 1, "export.view"),
        ("scanners: {ports: {70000: 1}}\n", 1, "scanners.ports"),
        ("hours: .nan\n", 1, "hours"),
        ("[1, 2\n", None, "YAML"),
    ],
)
def test_a_wrong_scenario_is_told_with_file_line_and_key(text, line, said, tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        read(str(file))
    first = caught.value.problems[0]
    assert first.place.file == str(file)
    assert said in str(first)
    if line is not None:
        assert first.place.line == line


def test_the_command_line_wins_over_the_scenario(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text("customers: 200\nhours: 3\noutbreak: {doubling_minutes: 10}\n")
    scenario = read(str(file), customers=50, hours=None)
    assert (scenario.customers, scenario.hours, scenario.outbreak.doubling_minutes) == (50, 3, 10)


def test_an_outbreak_doubles_in_its_doubling_time_and_is_logistic():
    hosts, seeds, doubling = 100_000.0, 10.0, 1.25
    times = fall_times(int(hosts), hosts, seeds, doubling)
    assert (times[1:] >= times[:-1]).all()
    for hours in (2.0, 4.0, 8.0, 16.0, 30.0):
        assert (times <= hours).sum() == pytest.approx(
            infected(hours, hosts, seeds, doubling), rel=0.02, abs=1
        )
    early = infected(1.0, hosts, seeds, doubling)
    assert infected(1.0 + doubling, hosts, seeds, doubling) == pytest.approx(2 * early, rel=0.01)
    assert infected(1_000, hosts, seeds, doubling) == pytest.approx(hosts)


def test_the_evening_is_busier_than_the_morning_and_a_day_is_a_day():
    hour = 3_600 * 10**9
    assert diurnal(20 * hour) == pytest.approx(1.6)
    assert diurnal(8 * hour) == pytest.approx(0.4)
    assert sum(diurnal(at * hour) for at in range(24)) == pytest.approx(24)
