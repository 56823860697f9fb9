"""``analyze``: what it passes on, what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.report.build import analysis, finding, nothing, source

from rearguard import cli
from rearguard.cli import analyze as module
from rearguard.model.finding import Severity
from rearguard.report.analysis import Analysis
from rearguard.report.progress import Silent


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[[Analysis], list[dict[str, Any]]]:
    """Let ``analyze`` of the run be one that notes its arguments and returns what is given."""

    def install(result: Analysis) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def fake(paths: Any, **options: Any) -> Analysis:
            calls.append({"paths": paths, **options})
            return result

        run = ModuleType("rearguard.report.run")
        run.analyze = fake  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "rearguard.report.run", run)
        return calls

    return install


def test_arguments_are_passed_on(called: Any) -> None:
    calls = called(nothing())
    line = "analyze a.pcap - --policy p.yaml --network 198.51.100.0/24 --network 2001:db8::/32 --workers 2"
    more = ("--controller", "192.0.2.9=cwmp-cr,telnet", "--drop", "telnet", "--quiet")
    tables = ("--subscribers", "leases.csv", "--inventory", "devices.csv")
    assert cli.run([*line.split(), *more, *tables]) == 0
    (call,) = calls
    assert isinstance(call.pop("progress"), Silent)
    assert call == {
        "paths": ("a.pcap", "-"),
        "policy_file": "p.yaml",
        "networks": ("198.51.100.0/24", "2001:db8::/32"),
        "controllers": ("192.0.2.9=cwmp-cr,telnet",),
        "drops": ("telnet",),
        "subscribers": "leases.csv",
        "inventory": "devices.csv",
        "exports": False,
        "shadowserver": (),
        "workers": 2,
    }


def test_the_summary_is_all_without_output(
    called: Any, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    called(analysis())
    assert cli.run(["analyze", "x"]) == 0
    captured = capsys.readouterr()
    assert "4 findings" in captured.out
    assert "\x1b" not in captured.out
    assert captured.err == ""
    assert list(tmp_path.iterdir()) == []


def test_json_prints_findings_json_and_nothing_else(
    called: Any, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    called(analysis(notes=("guessed",)))
    assert cli.run(["analyze", "x", "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["findings"]) == 4
    assert captured.err == "note: guessed\n"
    assert list(tmp_path.iterdir()) == []


def test_json_and_output_do_both(called: Any, capsys: Any, tmp_path: Path) -> None:
    called(analysis())
    assert cli.run(["analyze", "x", "--json", "--output", str(tmp_path / "out"), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == (tmp_path / "out" / "findings.json").read_text()
    assert captured.err == ""
    page = (tmp_path / "out" / "report.html").read_text()
    assert "The charts are missing" not in page
    assert "<svg" in page


def test_the_path_of_the_report_is_told(called: Any, capsys: Any, tmp_path: Path) -> None:
    called(nothing())
    assert cli.run(["analyze", "x", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path / 'report.html'}"


def test_quiet_prints_nothing(called: Any, capsys: Any) -> None:
    called(analysis())
    assert cli.run(["analyze", "x", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_output_that_is_a_file_is_refused_before_reading(called: Any, capsys: Any, tmp_path: Path) -> None:
    calls = called(analysis())
    (tmp_path / "file").write_text("mine")
    assert cli.run(["analyze", "x", "-o", str(tmp_path / "file")]) == 2
    assert calls == []
    assert "is a file" in capsys.readouterr().err


def test_timings_are_written_and_told(called: Any, capsys: Any, tmp_path: Path) -> None:
    called(nothing())
    assert cli.run(["analyze", "x", "--timings", str(tmp_path / "t.json"), "--verbose"]) == 0
    assert json.loads((tmp_path / "t.json").read_text()) == {"read": 0.5, "fold": 0.25}
    assert "0.250 s  fold" in capsys.readouterr().err


def test_timings_that_cannot_be_written_are_an_error(called: Any, capsys: Any, tmp_path: Path) -> None:
    called(nothing())
    assert cli.run(["analyze", "x", "--timings", str(tmp_path / "no" / "t.json")]) == 2
    assert "t.json" in capsys.readouterr().err


@pytest.fixture
def redaction(monkeypatch: pytest.MonkeyPatch) -> list[Analysis]:
    """Let the redacted edition of everything be an analysis of nothing, and note what was redacted."""
    seen: list[Analysis] = []

    def fake(result: Analysis) -> Analysis:
        seen.append(result)
        return nothing()

    share = ModuleType("rearguard.report.share")
    share.redacted = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rearguard.report.share", share)
    return seen


def test_share_tells_the_redacted_edition_and_judges_the_whole_one(
    called: Any, redaction: list[Analysis], capsys: Any
) -> None:
    whole = analysis()
    called(whole)
    assert cli.run(["analyze", "x", "--json", "--share", "--fail-on", "medium"]) == 3
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert redaction == [whole]
    assert cli.run(["analyze", "x", "--json"]) == 0
    assert redaction == [whole], "only when it is asked for"


def test_share_refuses_a_folder_that_holds_something_else(
    called: Any, redaction: list[Analysis], capsys: Any, tmp_path: Path
) -> None:
    calls = called(analysis())
    (tmp_path / "cases").mkdir()
    assert cli.run(["analyze", "x", "--share", "-o", str(tmp_path)]) == 2
    assert calls == []
    assert "is not empty" in capsys.readouterr().err
    assert cli.run(["analyze", "x", "-o", str(tmp_path), "--quiet"]) == 0


def test_help_ends_with_examples_and_imports_nothing_heavy(capsys: Any, monkeypatch: Any) -> None:
    for name in ("numpy", "duckdb", "rearguard.report.run", "rearguard.report.subscribers"):
        monkeypatch.setitem(sys.modules, name, None)  # an import would raise
    assert cli.run(["analyze", "--help"]) == 0
    told = capsys.readouterr().out
    assert "--subscribers leases.csv --inventory devices.csv" in told.split("Examples:")[1]


def test_a_wrong_table_is_told_before_anything_is_read(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "leases.csv").write_text("address,subscriber\n198.51.100,anna\n")
    line = ["analyze", str(tmp_path), "--network", "198.51.100.0/24", "--subscribers"]
    assert cli.run([*line, str(tmp_path / "leases.csv")]) == 2
    assert "leases.csv:2: column 1 (address): '198.51.100' is no address" in capsys.readouterr().err


DAMAGED = (source(damaged="cut short"),)
MEDIUM = (finding(severity=Severity.MEDIUM),)
MUTED = (finding(severity=Severity.CRITICAL, labels=("muted",)),)


@pytest.mark.parametrize(
    ("findings", "sources", "fail_on", "code"),
    [
        ((), (source(),), None, 0),
        (MEDIUM, (source(),), None, 0),
        (MEDIUM, (source(),), "low", 3),
        (MEDIUM, (source(),), "medium", 3),
        (MEDIUM, (source(),), "high", 0),
        (MUTED, (source(),), "low", 0),
        ((), DAMAGED, None, 4),
        (MEDIUM, DAMAGED, "high", 4),
        (MEDIUM, DAMAGED, "medium", 3),
    ],
)
def test_exit_codes(called: Any, findings: Any, sources: Any, fail_on: str | None, code: int) -> None:
    made = analysis([], findings)
    made.view = replace(made.view, sources=sources)
    called(made)
    assert cli.run(["analyze", "x", "--quiet", *(("--fail-on", fail_on) if fail_on else ())]) == code


def test_json_imports_only_what_it_needs(called: Any, monkeypatch: Any) -> None:
    called(nothing())
    for name in ("jinja2", "altair", "vl_convert", "rich", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)  # an import would raise
    assert cli.run(["analyze", "x", "--json", "--quiet"]) == 0


def test_the_command_is_named_in_the_table() -> None:
    assert cli.COMMANDS["analyze"][0] == module.__name__
