"""A process of its own that survives the terminal of whoever started it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rearguard.model.errors import RearguardError

__all__ = ["become_nobodys", "mark_of", "say_begun", "start_detached"]

PATIENCE = 30.0
"""Seconds in which it must say that it has begun."""
_SYSTEMD = Path("/run/systemd/system")


def start_detached(command: Sequence[str], log: Path, name: str) -> dict[str, int]:
    """Start it in a session of its own, outside of this one's systemd scope; its process id and start time.

    ``RearguardError``: it did not say that it has begun.
    """
    scope = _scope(name)
    for start in ([*scope, *command], list(command)) if scope else (list(command),):
        words = _started(start, log).split()
        if len(words) == 3 and words[0] == "begun":
            return {"pid": int(words[1]), "started": int(words[2])}
    raise RearguardError("the process that is to be left alone did not start", remedy=f"look at {log}")


def become_nobodys() -> None:
    """In the process itself: from here on the child of nobody."""
    if os.fork():
        os._exit(0)


def say_begun() -> None:
    """Tell whoever started it that all is ready, and close that pipe; that he may be dead changes nothing."""
    with suppress(OSError):
        os.write(1, f"begun {os.getpid()} {mark_of(os.getpid())}\n".encode())
    os.dup2(2, 1)


def mark_of(pid: int) -> int | None:
    """When a process began, in ticks since the machine's start (proc(5), field 22); None: it ended.

    With it, a process is not taken for another one that got its number later.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _started(command: Sequence[str], log: Path) -> str:
    reading, writing = os.pipe()
    out = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=out, cwd="/", start_new_session=True
        )
    finally:
        os.close(writing)
        os.close(out)
    try:
        said = _heard(reading)
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        said = ""
    finally:
        os.close(reading)
    return said


def _heard(reading: int) -> str:
    """One line, or what came until the other side closed or time was up."""
    said = b""
    until = time.monotonic() + PATIENCE
    while not said.endswith(b"\n") and (left := until - time.monotonic()) > 0:
        if not select.select([reading], [], [], left)[0]:
            break
        part = os.read(reading, 256)
        if not part:
            break
        said += part
    return said.decode(errors="replace")


def _scope(name: str) -> list[str]:
    """Where systemd runs, a scope of its own: ending the service or session of the caller ends its processes too.

    A scope keeps the network namespace and the pipe of the caller (systemd-run(1), ``--scope``).
    """
    program = shutil.which("systemd-run")
    if program is None or not _SYSTEMD.is_dir():
        return []
    return [program, "--scope", "--quiet", "--collect", f"--unit={name}", "--"]
