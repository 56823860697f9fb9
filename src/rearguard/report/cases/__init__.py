"""Cases for the abuse desk: who is concerned, what happened, what to tell the customer, and the proof.

``write_cases(analysis, folder)`` writes the files, ``build_cases(analysis)`` gives the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rearguard.report.analysis import Analysis
    from rearguard.report.cases.case import Cases

__all__ = ["EVENTS", "LEFT_OFF", "NAMES", "REPORTS", "TABLE", "build_cases", "write_cases"]

TABLE = "cases.csv"
EVENTS = "intelmq.jsonl"
REPORTS = "xarf"
LEFT_OFF = "left-off.txt"
NAMES = frozenset({TABLE, EVENTS, REPORTS, LEFT_OFF})
"""All that :func:`write_cases` ever makes in its folder: whatever else lies there is somebody else's."""


def build_cases(analysis: Analysis) -> Cases:
    """All cases of an analysis, the worst first; see :mod:`rearguard.report.cases.build`."""
    from rearguard.report.cases import build

    return build.build_cases(analysis)


def write_cases(analysis: Analysis, folder: Path) -> list[Path]:
    """Write the files of ``cases/``; see :mod:`rearguard.report.cases.write`."""
    from rearguard.report.cases import write

    return write.write_cases(analysis, folder)
