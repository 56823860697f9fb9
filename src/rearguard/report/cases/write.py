"""The files of ``cases/``: a table for people, a report for each ticket, events for IntelMQ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.report.cases import EVENTS, LEFT_OFF, REPORTS, TABLE
from rearguard.report.cases.build import MAX_CASES, build_cases
from rearguard.report.cases.intelmq import events
from rearguard.report.cases.sheet import sheet
from rearguard.report.cases.xarf import report, reporter

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.cases.case import Cases

__all__ = ["MAX_REPORTS", "write_cases"]

MAX_REPORTS = 2_000
"""XARF files of one analysis, of the worst cases; the table and the events have all of them."""


def write_cases(analysis: Analysis, folder: Path) -> list[Path]:
    """Write ``cases.csv``, ``intelmq.jsonl`` and ``xarf/CASE.json`` into ``folder``; return their paths.

    Without cases nothing is written. The names are hashes, so nothing that somebody else wrote becomes a file
    name. Raises ``OSError``.
    """
    cases = build_cases(analysis)
    if not cases.cases:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / TABLE
    table.write_text(sheet(cases), encoding="utf-8", newline="")
    lines = folder / EVENTS
    with lines.open("w", encoding="ascii") as stream:
        stream.writelines(f"{line}\n" for line in events(cases, analysis.catalogue))
    written = [table, lines, *_reports(cases, reporter(analysis.policy.operator), folder / REPORTS)]
    if cases.left_off:
        note = folder / LEFT_OFF
        note.write_text(
            f"{cases.left_off:,} more subscribers or addresses are concerned, less badly than the {MAX_CASES:,} "
            "that are listed.\n",
            encoding="ascii",
        )
        written.append(note)
    return written


def _reports(cases: Cases, sender: Mapping[str, str], folder: Path) -> list[Path]:
    written = []
    for case in cases.cases[:MAX_REPORTS]:
        text = report(case, sender)
        if text is not None:
            folder.mkdir(exist_ok=True)
            path = folder / f"{case.id}.json"
            path.write_text(text, encoding="ascii")
            written.append(path)
    return written
