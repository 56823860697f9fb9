"""The bar: late, cheap, gone at the end, and only for somebody who can see it."""

from __future__ import annotations

import io
import sys

import pytest

from rearguard.cli import progress as module
from rearguard.cli.group import Settings
from rearguard.cli.progress import Bar, progress
from rearguard.report.progress import Silent


class Terminal(io.StringIO):
    """A standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put one in place; not a fixture, because pytest changes standard error between setup and test."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_pipe_and_quiet_get_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    assert isinstance(progress(Settings()), Bar)
    assert isinstance(progress(Settings(quiet=True)), Silent)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(progress(Settings()), Silent)


def test_short_runs_show_nothing(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    bar = Bar(Settings())
    bar.start(1000, "reading")
    for _ in range(100):
        clock[0] += 0.009
        bar.advance(10, 1)
    bar.done()
    assert shown.getvalue() == ""


def test_after_a_second_bytes_and_records_are_shown(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = terminal(monkeypatch)
    bar = Bar(Settings())
    bar.start(4_000_000, "reading \x1b[31m[bold]lab.pcap")
    clock[0] += 1.5
    bar.advance(1_000_000, 12_345)
    assert "1.0/4.0 MB" in shown.getvalue()
    assert "12,345 records" in shown.getvalue()
    assert "\x1b[31m[bold]lab" not in shown.getvalue()
    bar.start(None, "folding")
    clock[0] += 1.5
    bar.advance(5, 1)
    assert "folding" in shown.getvalue()
    bar.done()
    bar.done()


def test_it_draws_ten_times_a_second_at_most(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    bar = Bar(Settings())
    bar.start(10**9, "reading")
    clock[0] += 2
    bar.advance(1, 1)
    before = len(shown.getvalue())
    for _ in range(1000):
        clock[0] += 0.00005
        bar.advance(1000, 10)
    assert len(shown.getvalue()) == before
    bar.done()
