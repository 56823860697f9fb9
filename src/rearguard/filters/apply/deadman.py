"""The timer that takes a filter back unless it is confirmed: a process of its own that needs nobody.

Theory. Whoever applies a filter may cut himself off by it: his terminal dies, and with it every process of his
session. So the timer is started *before* the filter is loaded, in a session of its own and as a child of nobody
(fork, setsid, fork), deaf to hang-ups, and says ``armed`` only when everything that it will need is in memory.
No filter is loaded before that is heard.

It looks four times a second whether ``waiting.json`` still has its token. If not, somebody confirmed or took the
filter back, and it ends. When time is up it takes the lock, looks again, and takes the filter back. Time is the
kernel's count since start, so no step of the wall clock matters. After a restart of the machine there is no table
and no timer; what was confirmed last is loaded.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rearguard.filters.apply.kernel import KernelError, Nft
from rearguard.filters.apply.restore import take_back
from rearguard.filters.apply.state import LOG_FILE, State, boot_clock, now_text
from rearguard.model.errors import RearguardError

__all__ = ["alive", "arm", "main"]

LOOK = 0.25
TRIES = 30
"""Attempts to take a filter back, a second apart; what fails that often needs a human."""
PATIENCE = 30.0
"""Seconds in which a timer must say that it is armed."""
_SYSTEMD = Path("/run/systemd/system")


def arm(state: State, nft: Nft, token: str) -> dict[str, int]:
    """Start the timer of ``waiting.json``; its process id and start time.

    ``KernelError``: it did not come up, so nothing may be loaded.
    """
    command = [sys.executable, "-I", "-m", __name__, str(state.folder), nft.path, token]
    scope = _outside_of_services(token)
    for start in [[*scope, *command], command] if scope else [command]:
        words = _start(state, start).split()
        if len(words) == 3 and words[0] == "armed":
            return {"pid": int(words[1]), "started": int(words[2])}
    raise KernelError(
        "the timer that would take the filter back did not start; nothing was changed",
        remedy=f"look at {state.folder / LOG_FILE}",
    )


def _start(state: State, command: list[str]) -> str:
    """What it said; it is left to itself then."""
    reading, writing = os.pipe()
    log = os.open(state.folder / LOG_FILE, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=log,
            cwd="/",
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(writing)
        os.close(log)
    try:
        said = _heard(reading)
        started.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
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


def _outside_of_services(token: str) -> list[str]:
    """Where systemd runs, a scope of its own: ending the service or session that applies ends its processes too.

    A scope keeps the network namespace and the pipe of the caller (systemd-run(1), ``--scope``).
    """
    program = shutil.which("systemd-run")
    if program is None or not _SYSTEMD.is_dir():
        return []
    return [program, "--scope", "--quiet", "--collect", f"--unit=rearguard-timer-{token}", "--"]


def alive(watcher: dict[str, Any] | None) -> bool:
    """Whether the timer still runs; another process with its number does not count."""
    return watcher is not None and _started(int(watcher["pid"])) == watcher["started"]


def _started(pid: int) -> int | None:
    """When a process began, in ticks since the machine's start (proc(5), field 22); None: it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def main(folder: str, path: str, token: str) -> None:
    """The timer itself."""
    if os.fork():
        os._exit(0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    state, nft = State(folder, make=False), Nft(path)
    waiting = _mine(state, token)
    nft.listing()
    if waiting is None:
        return
    with suppress(OSError):  # whoever wanted to know may be dead: then all the more
        os.write(1, f"armed {os.getpid()} {_started(os.getpid())}\n".encode())
    os.dup2(2, 1)  # the pipe is closed: nobody waits for more
    sign = state.sign("waiting")
    while boot_clock() < waiting["deadline"]:
        time.sleep(max(0.0, min(LOOK, waiting["deadline"] - boot_clock())))
        if state.sign("waiting") != sign and _mine(state, token) is None:
            return
    for _ in range(TRIES):
        try:
            with state.locked():
                if (now := _mine(state, token)) is not None:
                    take_back(nft, state, now, f"it was not confirmed within {now['seconds']} s")
                return
        except (RearguardError, OSError) as error:
            print(f"{now_text()} the filter could not be taken back: {error}", file=sys.stderr, flush=True)
            time.sleep(1)


def _mine(state: State, token: str) -> dict[str, Any] | None:
    waiting = state.read("waiting")
    return waiting if waiting is not None and waiting["token"] == token else None


if __name__ == "__main__":
    main(*sys.argv[1:4])
