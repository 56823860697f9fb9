"""The terminal summary fits its terminal and cannot be driven by what it shows."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.report.build import HOSTILE, analysis, finding, hostile, nothing, source

from rearguard.model.finding import Kind, Severity
from rearguard.report.analysis import Analysis, SamplingLine
from rearguard.report.terminal import MOST_FINDINGS, MOST_OF_A_SORT, render

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def told(made: Analysis, width: int = 100, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        highlight=False,
        force_terminal=color,
        color_system="truecolor" if color else None,
    )
    render(made, console)
    return out.getvalue()


@pytest.mark.parametrize("width", [30, 50, 72, 80, 110, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for made in (analysis(), nothing(), hostile("A" * 5000), hostile("漢" * 300)):
        assert max(cell_len(line) for line in told(made, width).splitlines()) <= width


@pytest.mark.parametrize("width", [50, 80, 160])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_strings_cannot_drive_the_terminal(text: str, width: int) -> None:
    out = STYLE.sub("", told(hostile(text), width, color=True))
    assert all(char == "\n" or char.isprintable() for char in out)


def test_markup_is_shown_as_it_was_written() -> None:
    assert "[bold red]x[/bold red][link=http://evil.example]y[/link] :boom:" in told(hostile(HOSTILE[5]), 400)


@pytest.mark.parametrize("width", [50, 80, 160])
def test_it_says_who_tried_what_and_what_came_back(width: int) -> None:
    out = " ".join(
        told(analysis(notes=("networks were guessed",), approximations=("sketches",)), width).split()
    )
    for part in (
        "170 records of lab.pcap",
        "12 skipped (arp 10, truncated 2)",
        "! networks were guessed",
        "sketches",
        "cwmp-cr",
        "117 unanswered",
        "telnet",
        "4 findings: 1 critical",
        "exposed-device",
        "198.51.100.40",
        "mirai",
    ):
        assert part in out


def test_damage_and_sampling_are_told() -> None:
    made = analysis(sampling=(SamplingLine("r1", 1000, "policy"), SamplingLine("r2", 0, "capture")))
    made.view = replace(made.view, sources=(source(damaged="cut short at byte 512"),))
    out = told(made, 200)
    assert "sampled 1:1,000, known from policy" in out
    assert "sampling unknown: r2" in out
    assert "lab.pcap: the rest is unreadable: cut short at byte 512" in out


def test_more_findings_than_a_screen_are_counted() -> None:
    many = tuple(
        finding(Kind.PROBE, f"203.0.113.{n}", interface=f"i{n // 5}") for n in range(MOST_FINDINGS + 5)
    )
    assert "and 5 more findings, in findings.json" in told(analysis([], many))


def test_many_of_a_sort_do_not_hide_what_stands_behind_them() -> None:
    many = tuple(finding(Kind.SCAN, f"203.0.113.{n}") for n in range(100))
    out = told(analysis([], (*many, finding(Kind.FLOOD, "198.51.100.9", severity=Severity.LOW))))
    assert "198.51.100.9" in out
    assert out.count("scan cwmp-cr") == MOST_OF_A_SORT
    assert f"and {100 - MOST_OF_A_SORT} more findings" in out


def test_muted_findings_are_marked() -> None:
    assert "medium (muted)" in told(analysis([], (finding(labels=("muted",)),)))
