"""The shell around the commands: quick help, one message an error, one exit code a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from rearguard import cli
from rearguard.cli.group import LazyGroup, Settings, no_color, settings
from rearguard.model.errors import InputError, Place, PolicyError, UsageError

HEAVY = {"numba", "numpy", "pydantic", "duckdb", "pyarrow", "rich", "jinja2", "altair", "ruamel.yaml", "yaml"}


PROGRAM = "from rearguard.cli import main; main()"


def imported(*arguments: str) -> set[str]:
    """The modules that a command line imports, as the interpreter itself reports them."""
    program = f"import sys; from rearguard.cli import run; code = run({list(arguments)!r}); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], capture_output=True, text=True, check=True
    )
    return {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")
    }


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("analyze", "--help"), ("warm", "--help")]
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not {name.partition(".")[0] for name in imported(*arguments)} & HEAVY


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_of_the_table_can_be_imported(name: str) -> None:
    module, text = cli.COMMANDS[name]
    assert isinstance(import_module(module).command, click.Command)
    assert text.endswith(".")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in cli.COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["analyze"], ["analyze", "x", "--fail-on", "bad"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert "Usage:" in captured.err
    assert captured.out == ""


def toy(monkeypatch: pytest.MonkeyPatch, action: object) -> None:
    """Replace the table of commands by one command, ``toy``, and a group, ``box toy``."""

    @click.command()
    def command() -> object:
        return action()  # type: ignore[operator]

    @click.group()
    def box() -> None:
        pass

    box.add_command(command, "toy")
    monkeypatch.setitem(sys.modules, "toy_command", SimpleNamespace(command=command))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "toy_box", SimpleNamespace(command=box))  # type: ignore[arg-type]
    table = {"toy": ("toy_command", "Toy."), "box": ("toy_box", "Box.")}
    monkeypatch.setattr(cli, "root", click.command(cls=LazyGroup, commands_table=table)(lambda: None))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("no", remedy="yes"), 2, "error: no\n  remedy: yes\n"),
        (InputError("bad", place=Place(file="x\x1b[31m", line=3)), 2, "error: x\\x1b[31m:3: bad\n"),
        (PolicyError([UsageError("one"), UsageError("two")]), 2, "error: one\ntwo\n"),
        (click.ClickException("no"), 2, "Error: no\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted; no report was changed\n"),
    ],
)
def test_an_error_is_one_message_and_a_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    toy(monkeypatch, fail)
    assert cli.run(["toy"]) == code
    captured = capsys.readouterr()
    assert captured.err == message
    assert captured.out == ""


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cli.run(["toy"])


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (4, 4)])
def test_the_result_of_a_command_is_the_exit_code(
    result: object, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(monkeypatch, lambda: result)
    assert cli.run(["toy"]) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["-q", "-v", "--no-color", "toy"],
        ["toy", "--quiet", "--verbose", "--no-color"],
        ["--quiet", "toy", "-v", "--no-color"],
        ["--quiet", "box", "--verbose", "toy", "--no-color"],
    ],
)
def test_common_options_may_stand_anywhere(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []
    toy(monkeypatch, lambda: seen.append(settings()))
    assert cli.run(arguments) == 0
    assert cli.run(["toy"]) == 0
    assert seen == [Settings(quiet=True, verbose=True, color=False), Settings()]


@pytest.mark.parametrize(("value", "forbidden"), [(None, False), ("", False), ("1", True), ("0", True)])
def test_no_color_in_the_environment(
    value: str | None, forbidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert no_color(Settings()) is forbidden
    assert no_color(Settings(color=False))


def start(body: str, *arguments: str, tmp_path: Path) -> subprocess.Popen[str]:
    """Run the real ``main`` in a process of its own, with an ``analyze`` of ours below it."""
    lines = textwrap.indent(textwrap.dedent(body), "    ")
    program = (
        "import sys, time, types\n"
        "def analyze(paths, **options):\n" + lines + "\n"
        "fake = types.ModuleType('rearguard.report.run'); fake.analyze = analyze\n"
        "sys.modules['rearguard.report.run'] = fake\n"
        f"sys.argv = ['rearguard', *{list(arguments)!r}]\n"
        "from rearguard.cli import main\nmain()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)},
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_report_and_no_traceback(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with start(
        "print('reading', flush=True); time.sleep(60)", "analyze", "x", "-o", "out", tmp_path=tmp_path
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "reading\n"
        child.send_signal(number)
        _, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_who_goes_away_is_told_by_the_code_alone(tmp_path: Path) -> None:
    with start("raise BrokenPipeError", "analyze", "x", "--json", tmp_path=tmp_path) as child:
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (141, "", "")


def test_output_that_is_cut_off_leaves_no_traceback(tmp_path: Path) -> None:
    body = "from tests.report.build import analysis, incident\nreturn analysis([], incident()[1] * 2000)"
    with start(body, "analyze", "x", "--json", tmp_path=tmp_path) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "{\n"
        child.stdout.close()
        err = child.stderr.read()
        child.wait(timeout=20)
    assert err == ""


def test_the_end_of_a_run_is_silent(tmp_path: Path) -> None:
    body = "from tests.report.build import nothing\nreturn nothing()"
    with start(body, "analyze", "x", "--quiet", "-o", "out", tmp_path=tmp_path) as child:
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "", "")
    assert len(list((tmp_path / "out").iterdir())) == 3
