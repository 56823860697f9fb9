"""Run one program and say what it cost: wall time, processor time, memory of it and of its children."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Cost", "MeasureError", "best", "note", "run", "shell", "warm"]

FINE, COARSE = 0.002, 0.05
"""Seconds between two looks at the child: fine at first, so that short runs are timed well."""


class MeasureError(Exception):
    """A measured program failed, was not there, or ran into its limit."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost."""

    wall: float
    """Seconds from start to end."""
    user: float
    system: float
    """Processor seconds of the program and of all its children."""
    main_rss: int
    """Peak resident memory of the program itself, bytes, as sampled (VmHWM)."""
    largest_rss: int
    """Peak resident memory of the largest process among the program and its children, bytes."""
    total_rss: int
    """Sum of the peaks of all processes of the family, bytes: an upper bound, as pages may be shared."""

    @property
    def cpu(self) -> float:
        """Processor seconds, user and system."""
        return self.user + self.system


def note(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def warm(path: Path) -> None:
    """Read a file once, so that it lies in the page cache."""
    buffer = bytearray(4 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def shell(command: str, *, limit: float, folder: Path | None = None) -> Cost:
    """Measure a pipeline; every program in it must succeed."""
    return run(["bash", "-c", f"set -eo pipefail; export LC_ALL=C; {command}"], limit=limit, folder=folder)


def best(
    command: Sequence[str], *, limit: float, runs: int = 3, worth: float = 10.0, output: Path | None = None
) -> Cost:
    """The fastest of ``runs`` runs; a command that takes ``worth`` seconds or more runs once."""
    cheapest = run(command, limit=limit, output=output)
    for _ in range(runs - 1 if cheapest.wall < worth else 0):
        cheapest = min(cheapest, run(command, limit=limit, output=output), key=lambda cost: cost.wall)
    return cheapest


def run(
    command: Sequence[str],
    *,
    limit: float,
    output: Path | None = None,
    folder: Path | None = None,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    accept: frozenset[int] = frozenset({0}),
) -> Cost:
    """Run ``command`` with its output in a file (or nowhere); after ``limit`` seconds it is ended.

    Raises MeasureError with the end of its error output when its exit code is not in ``accept``.
    """
    with (output or Path(os.devnull)).open("wb") as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            child = subprocess.Popen(
                list(command), stdin=stdin, stdout=out, stderr=errors, cwd=folder, start_new_session=True
            )
        except OSError as error:
            raise MeasureError(f"{command[0]}: {error.strerror}") from error
        try:
            code, usage, peaks = _wait(child, start, limit)
        except BaseException:
            _end(child)
            raise
        wall = time.perf_counter() - start
        if code not in accept:
            errors.seek(0)
            tail = errors.read()[-600:].decode(errors="replace").strip()
            raise MeasureError(f"{' '.join(command)[:120]}: exit code {code}: {tail}")
    main = peaks.get(child.pid, 0)
    largest = max(_reported(usage), *peaks.values(), 0)
    return Cost(wall, usage.ru_utime, usage.ru_stime, main, largest, sum(peaks.values()))


def _wait(
    child: subprocess.Popen[bytes], start: float, limit: float
) -> tuple[int, resource.struct_rusage, dict[int, int]]:
    """Wait for the child, looking at the memory of its whole family."""
    peaks: dict[int, int] = {}
    looked = 0.0
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage, peaks
        now = time.perf_counter()
        if now - start > limit:
            raise MeasureError(f"not done after {limit:.0f} s")
        if now - looked >= COARSE:
            looked = now
            for member in _family(child.pid):
                peaks[member] = max(peaks.get(member, 0), _peak(member))
        time.sleep(FINE if now - start < 5 else COARSE)


def _reported(usage: resource.struct_rusage) -> int:
    """The kernel's figure for the largest process, in bytes; 0 when it may be our own.

    A child is a copy of this process until it runs its program, and the kernel counts that.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > own else 0


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    family = [pid]
    for member in family:
        with contextlib.suppress(OSError):  # it may be gone at any moment, and then has no children
            for task in Path(f"/proc/{member}/task").glob("*/children"):
                family += [int(number) for number in task.read_text().split()]
    return family


def _peak(pid: int) -> int:
    """The largest resident size of a process so far, in bytes; 0 when it has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
