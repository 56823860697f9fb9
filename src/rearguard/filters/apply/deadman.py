"""The timer that takes a filter back unless it is confirmed: a process of its own that needs nobody.

Theory. Whoever applies a filter may cut himself off by it: his terminal dies, and with it every process of his
session. So the timer is started *before* the filter is loaded, in a session of its own and as a child of nobody
(fork, setsid, fork), deaf to hang-ups, and says that it has begun only when everything that it will need is in
memory. No filter is loaded before that is heard.

It looks four times a second whether ``waiting.json`` still has its token. If not, somebody confirmed or took the
filter back, and it ends. When time is up it takes the lock, looks again, and takes the filter back. Time is the
kernel's count since start, so no step of the wall clock matters. After a restart of the machine there is no table
and no timer; what was confirmed last is loaded.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from rearguard.filters.apply.kernel import KernelError, Nft
from rearguard.filters.apply.restore import take_back
from rearguard.filters.apply.state import LOG_FILE, State, boot_clock, now_text
from rearguard.filters.detached import become_nobodys, mark_of, say_begun, start_detached
from rearguard.model.errors import RearguardError

__all__ = ["alive", "arm", "main"]

LOOK = 0.25
TRIES = 30
"""Attempts to take a filter back, a second apart; what fails that often needs a human."""


def arm(state: State, nft: Nft, token: str) -> dict[str, int]:
    """Start the timer of ``waiting.json``; its process id and start time.

    ``KernelError``: it did not come up, so nothing may be loaded.
    """
    command = [sys.executable, "-I", "-m", __name__, str(state.folder), nft.path, token]
    try:
        return start_detached(command, state.folder / LOG_FILE, f"rearguard-timer-{token}")
    except RearguardError:
        raise KernelError(
            "the timer that would take the filter back did not start; nothing was changed",
            remedy=f"look at {state.folder / LOG_FILE}",
        ) from None


def alive(watcher: dict[str, Any] | None) -> bool:
    """Whether the timer still runs; another process with its number does not count."""
    return watcher is not None and mark_of(int(watcher["pid"])) == watcher["started"]


def main(folder: str, path: str, token: str) -> None:
    """The timer itself."""
    become_nobodys()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    state, nft = State(folder, make=False), Nft(path)
    waiting = _mine(state, token)
    nft.listing()
    if waiting is None:
        return
    say_begun()
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
