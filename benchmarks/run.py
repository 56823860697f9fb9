"""Measure Rearguard against its targets and print one table.

    python -m benchmarks.run                  # 1, 4 and 16 GB; half an hour and 20 GB of disk
    python -m benchmarks.run --quick          # 100, 400 and 1,600 MB
    python -m benchmarks.run --only slopes,cores

Progress goes to standard error, the table to standard output. Exit code 1 when a target was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.library import Library
from benchmarks.measure import MeasureError, note
from benchmarks.rows import Row, failed, format_table
from benchmarks.sections import SECTIONS, TINY, Bench
from benchmarks.subject import Subject

__all__ = ["main"]

FULL = (10**9, 4 * 10**9, 16 * 10**9)
QUICK = (10**8, 4 * 10**8, 16 * 10**8)
BUSY = 0.5
"""Load average above which the table says that the machine was not idle."""


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small captures: an impression in a few minutes")
    parser.add_argument(
        "--folder", type=Path, default=Path("bench-data"), help="where generated captures are kept"
    )
    parser.add_argument(
        "--only", type=_sections, default=list(SECTIONS), help=f"some of {', '.join(SECTIONS)}"
    )
    parser.add_argument("--rows", type=Path, help="write the rows here too, as JSON")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    library = Library(options.folder)
    bench = Bench(library, Subject(options.folder.resolve()), *sizes)
    load = os.getloadavg()[0]
    try:
        # The first run after an installation compiles the kernels; that is not what is measured here.
        bench.subject.tiny(library.capture("mix", TINY), everything=True)
    except MeasureError as failure:
        note(str(failure))
        return 2
    rows: list[Row] = []
    for name in options.only:
        note(f"section {name}")
        rows += _section(name, bench)
    print(f"{_machine()}; load before the start {load:.1f}" + (" (NOT IDLE)" if load > BUSY else ""))
    print(format_table(rows))
    if options.rows:
        options.rows.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(any(row.holds is False for row in rows))


def _section(name: str, bench: Bench) -> list[Row]:
    rows: list[Row] = []
    try:
        for row in SECTIONS[name](bench):
            note(f"{row.what}: {row.measured}, target {row.target}: {row.verdict}")
            rows.append(row)
    except MeasureError as failure:
        note(str(failure))
        rows.append(failed(name, " ".join(str(failure).split())))
    return rows


def _sections(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return names


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
