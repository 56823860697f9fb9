"""Print where the time of one analysis goes.

python -m benchmarks.profile capture.pcap
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.library import Capture
from benchmarks.measure import MeasureError, best, warm
from benchmarks.subject import LIMIT, Subject

__all__ = ["main", "stage_table"]


def stage_table(stages: dict[str, float], wall: float) -> str:
    """Stages in the order in which they ran, and what no stage claims, as a Markdown table."""
    entries = [*stages.items(), ("not in any stage", wall - sum(stages.values()))]
    width = max(len(name) for name, _ in entries)
    lines = [f"| {'stage'.ljust(width)} | seconds | share |", f"|{'-' * (width + 2)}|--------:|------:|"]
    lines += [
        f"| {name.ljust(width)} | {seconds:7.2f} | {seconds / wall:5.0%} |" for name, seconds in entries
    ]
    return "\n".join([*lines, f"| {'all'.ljust(width)} | {wall:7.2f} |  100% |"])


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__.split("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument(
        "--workers", type=int, default=1, help="with several, stages overlap and the shares do not add up"
    )
    options = parser.parse_args(arguments)
    warm(options.capture)
    capture = Capture(options.capture, options.capture.stat().st_size, {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timings = folder / "timings.json"
        words = [
            "--output",
            str(folder / "report"),
            "--workers",
            str(options.workers),
            "--timings",
            str(timings),
        ]
        command = Subject(folder).command([str(capture.path)], *words)
        try:
            # The first run finds the program's own files cold; the second one is told.
            cost = [best(command, limit=LIMIT, runs=1) for _ in range(2)][-1]
        except MeasureError as failure:
            print(failure, file=sys.stderr)
            return 2
        print(f"{capture.path.name}, {capture.gigabytes:.2f} GB, CPU {cost.cpu:.2f} s")
        print(stage_table(json.loads(timings.read_text()), cost.wall))
    return 0


if __name__ == "__main__":
    sys.exit(main())
