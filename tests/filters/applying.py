"""Filters put in force on the border of the tests, by the functions and by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from tests.filters.build import DUE, policy
from tests.filters.net import Border

from rearguard.catalogue import load
from rearguard.filters.apply.deadman import alive
from rearguard.filters.apply.intent import Intent, intended
from rearguard.filters.apply.kernel import Nft, find_nft
from rearguard.filters.apply.state import State

MADE = date(2026, 11, 22)
POLICY = f"""\
networks:
  customers: {{prefixes: [198.51.100.0/24, "2001:db8:c::/48"], managed: operator}}
controllers:
  acs:
    requests_from: [192.0.2.8/30, "2001:db8:a::10/128"]
    manages: [cwmp]
    enters_at: west
edges:
  west: {{outside: [wan0]}}
drop:
  - {{interfaces: [cwmp-cr, telnet], toward: [customers], {DUE}}}
"""
NARROW = POLICY.replace("cwmp-cr, telnet", "telnet")
CUT = POLICY.replace("basis:", "mode: cut, basis:")


@cache
def intent(text: str = POLICY) -> Intent:
    """What that policy wants in force."""
    return intended(policy(text), load(), None, (), MADE)


class Machine:
    """The border with a folder for its state; its timers are ended with it."""

    def __init__(self, net: Border, folder: Path) -> None:
        self.net = net
        self.folder = folder / "state"
        self.policy = folder / "rearguard.yaml"
        self.policy.write_text(POLICY)
        self._timers: list[dict[str, Any]] = []

    @property
    def state(self) -> State:
        """The folder."""
        return State(str(self.folder), make=True)

    @property
    def nft(self) -> Nft:
        """The program; used with the border entered."""
        return find_nft()

    def run(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """Call one of the functions on the border: ``run(apply, intent(), 5)``."""
        with self.net.inside("border"):
            try:
                return what(self.nft, self.state, *arguments)
            finally:
                self.remember()

    def command(self, *words: str) -> list[str]:
        """``rearguard filter WORDS`` on the border."""
        program = [sys.executable, "-c", "from rearguard.cli import main; main()", "filter", *words]
        return ["ip", "netns", "exec", f"{self.net.prefix}border", *program, "--state-dir", str(self.folder)]

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, run to its end."""
        try:
            return subprocess.run(
                self.command(*words), check=False, capture_output=True, text=True, timeout=60
            )
        finally:
            self.remember()

    def status(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and answer of ``filter status --json``."""
        done = self.cli("status", "--json", *words)
        return done.returncode, json.loads(done.stdout)

    def rules(self) -> str:
        """What the table does, without counters; ``[[], []]`` when there is none."""
        with self.net.inside("border"):
            return self.nft.listing().content()

    def until(self, true: Callable[[], bool], seconds: float) -> float:
        """Wait for something; how long it took. Fails when it does not come."""
        begun = time.monotonic()
        while not true():
            assert time.monotonic() - begun < seconds, "it did not come"
            time.sleep(0.05)
        return time.monotonic() - begun

    def timer(self) -> dict[str, Any] | None:
        """The process of the last timer, if it lives."""
        found = self.state.read("timer")
        return found if alive(found) else None

    def remember(self) -> None:
        """So that nothing is left when a test fails."""
        if self.folder.exists() and (found := self.state.read("timer")) is not None:
            self._timers.append(found)

    def close(self) -> None:
        """End timers by id, and remove all rules."""
        self.remember()
        for found in self._timers:
            if alive(found):
                with suppress(ProcessLookupError):
                    os.kill(found["pid"], signal.SIGKILL)
        self.net.clear()
