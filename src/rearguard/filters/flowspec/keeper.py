"""The process that keeps an announcement: starts ExaBGP, sends the rules in turn, and takes them back in time.

Theory of operation. It is the child of nobody, so that the death of a terminal does not matter.

=============  ==============================================================================================
starting       ExaBGP starts; sessions come up. Nobody has a rule
canary         the canary has its permits, then its drops, and is watched: is its session still there, does it
               hold what was meant? No other peer has a rule
announcing     the others get theirs, each one permits first
in force       peers whose session comes back get the rules again; ExaBGP itself remembers none of them
withdrawing    each peer: drops first, then permits
ended          ExaBGP was ended by its process id. ``reason`` says why
=============  ==============================================================================================

Every state leads to *withdrawing*: time is up, somebody asked (SIGTERM), a receiver holds something else than was
meant, ExaBGP refuses a command, the canary's session falls, or sessions fall ``FALLS`` times in all, which is how
it looks when a rule hits BGP itself. Nothing that goes wrong leaves rules behind: if this process is killed, the
bridge ends ExaBGP; if ExaBGP is killed, its peers drop all its routes. The filter fails open.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from rearguard.filters.apply.state import State, boot_clock, now_text
from rearguard.filters.detached import become_nobodys, mark_of, say_begun
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.launch import Speaker, launch
from rearguard.filters.flowspec.link import Link, SpeakerGoneError
from rearguard.filters.flowspec.readback import Readers
from rearguard.filters.flowspec.record import (
    ENDED,
    IN_FORCE,
    LOG_FILE,
    ORDER,
    STATUS,
    EndError,
    Order,
    Status,
    named,
)
from rearguard.filters.flowspec.written import commands
from rearguard.model.errors import RearguardError

__all__ = ["main"]

LOOK = 0.25
"""Seconds between looks at the clock."""
COMING = 90.0
"""Seconds in which the first session must come up."""
LATE = 60.0
"""Seconds in which the others may come up before it is said that the rules are in force. GoBGP turns callers away
for 30 s after a session, and ExaBGP, turned away, calls again after 31, 42 and 56 s."""
FALLS = 3
"""Sessions that may fall while rules are in force."""
SETTLE = 1.0
"""Seconds in which ExaBGP sends what it has taken; a thousandth more for each rule. It does not say when it has."""
READ = 5.0
"""Seconds in which a receiver must hold what it was sent; a two-hundredth more for each rule."""


class Keeper:
    """One announcement."""

    def __init__(self, state: State, order: Order) -> None:
        self.state = state
        self.order = order
        self.asked = False
        self.given: set[str] = set()
        """Peers that have rules."""
        self.speaker: Speaker | None = None
        self.link: Link | None = None
        self.readers = Readers(order.read_back, str(order.session.local))
        me = os.getpid()
        self.status = Status.of(order, me, mark_of(me), now_text())

    def ready(self) -> None:
        """Whoever looks from now on sees that an announcement is in the hands of this process."""
        self._enter("starting")

    def run(self) -> None:
        """From the start to the end of the announcement."""
        try:
            self._start()
            self._first()
            self._enter(IN_FORCE)
            while True:
                self._pump()
                self._newcomers()
        except EndError as error:
            self.status.reason, self.status.meant = str(error), error.meant
        except SpeakerGoneError:
            self.status.reason = "ExaBGP died: its peers have dropped the rules, the filter failed open"
            self.given.clear()
        except (RearguardError, OSError, subprocess.SubprocessError) as error:
            self.status.reason = f"it failed: {error}"
        with suppress(SpeakerGoneError):
            self._withdraw()
        if self.speaker is not None:
            self.speaker.end()
        for each in self.status.peers.values():
            each.rules, each.session = 0, "closed"
        self._enter(ENDED)

    def _start(self) -> None:
        self.speaker = launch(self.state, self.order)
        pid = self.speaker.process.pid
        self.status.speaker = {"pid": pid, "started": mark_of(pid) or 0}
        until = boot_clock() + COMING
        while self.link is None:
            self.link = self.speaker.answered(LOOK)
            self._look()
            if self.speaker.process.poll() is not None or boot_clock() > until:
                raise EndError(f"ExaBGP did not start; see {self.state.folder / LOG_FILE}")

    def _first(self) -> None:
        """The canary, then those that are there; the rest when they come."""
        canary = self.order.canary
        wanted = {canary} if canary else {str(peer) for peer in self.order.peers}
        until = boot_clock() + COMING
        while not wanted & self._line.up:
            self._pump()
            if boot_clock() > until:
                who = f"the canary {canary}" if canary else "any peer"
                raise EndError(f"no session with {who} came up within {COMING:.0f} s; no rule was sent")
        if canary:
            self._enter("canary")
            self._give(canary)
            self._wait(self.order.canary_wait)
            self._agree(canary, self.order.routes)
            self._note(f"the canary {canary} kept its session for {self.order.canary_wait:g} s")
        self._enter("announcing")
        until = boot_clock() + LATE
        while self._newcomers() < len(self.order.peers) and boot_clock() < until:
            self._pump()

    def _newcomers(self) -> int:
        """Rules for everybody who is there and has none; how many have them."""
        for name in sorted(self._line.up - self.given):
            self._give(name)
        return len(self._line.up & self.given)  # who came meanwhile has none yet

    def _give(self, name: str) -> None:
        """Permits before drops."""
        self.given.add(name)
        permits, drops = named(self.order.routes, drops=False), named(self.order.routes, drops=True)
        self._send(name, "announce", permits)
        self._agree(name, permits)
        self._send(name, "announce", drops)
        self._agree(name, self.order.routes)
        self.status.peers[name].rules = len(self.order.routes)
        self._note(f"{name} was given {len(permits)} permits, then {len(drops)} drops")

    def _withdraw(self) -> None:
        """Drops before permits, everywhere; no look at the clock, for it has come."""
        self._enter("withdrawing")
        permits, drops = named(self.order.routes, drops=False), named(self.order.routes, drops=True)
        for what, routes in (("drops", drops), ("permits", permits)):
            left = permits if routes is drops else []
            names = sorted(self.given & (self.link.up if self.link is not None else set()))
            until = boot_clock() + READ + len(routes) * len(names) / 200
            for name in names:
                for _ in self._line.send(commands(name, "withdraw", routes), LOOK):
                    if boot_clock() > until:
                        self._note("ExaBGP does not answer; its sessions are closed instead")
                        return
            if not all(map(self.readers.sees, names)):
                self._settle(len(routes) * len(names), ends=False)
            for name in names:
                self._read(name, left, "after withdrawal", until)
                self.status.peers[name].rules = len(left)
                self._note(f"{name} was taken {len(routes)} {what}")

    def _send(self, name: str, way: str, routes: Sequence[FlowRoute]) -> None:
        line = self._line
        before = line.errors
        for _ in line.send(commands(name, way, routes), LOOK):
            self._look()
        if line.errors > before:
            raise EndError(f"ExaBGP refused {line.errors - before} of the rules for {name}")
        if not self.readers.sees(name):
            self._settle(len(routes))

    def _settle(self, count: int, *, ends: bool = True) -> None:
        until = boot_clock() + SETTLE + count / 1000
        while (left := until - boot_clock()) > 0:
            self._line.pump(min(left, LOOK))
            if ends:
                self._look()

    def _agree(self, name: str, routes: Sequence[FlowRoute]) -> None:
        """The receiver holds these rules, or all is taken back; where it cannot be asked, nobody knows."""
        told = self._read(name, routes, "now", boot_clock() + READ + len(routes) / 200)
        if told:
            raise EndError(f"{name} does not hold what it was sent: {'; '.join(told[:5])}")

    def _read(self, name: str, routes: Sequence[FlowRoute], when: str, until: float) -> tuple[str, ...]:
        while told := self.readers.look(name, routes):
            if boot_clock() > until or not self.readers.sees(name) or name not in self._line.up:
                self.readers.doubt(name)
                break
            self._line.pump(LOOK)
        self.status.peers[name].read_back = (
            self.readers.words(name, routes, when, told) or self.status.peers[name].read_back
        )
        self._write()
        return told

    def _wait(self, seconds: float) -> None:
        until = boot_clock() + seconds
        while boot_clock() < until:
            self._pump()

    def _pump(self) -> None:
        self._line.pump(LOOK)
        self._look()

    def _look(self) -> None:
        """Whether it must end, and what became of the sessions."""
        if self.asked:
            raise EndError("somebody asked for it", meant=True)
        if boot_clock() >= self.order.deadline:
            raise EndError(f"its time of {self.order.seconds} s is up", meant=True)
        if self.link is None:
            return
        came, fell = self.link.news()
        for name in came:
            self.status.peers[name].session = "up"
            self.given.discard(name)
            self._note(f"session with {name} is up")
        for name in fell:
            peer = self.status.peers[name]
            peer.session, peer.rules = "down", 0
            if name in self.given:
                peer.falls += 1
            self._note(f"session with {name} fell")
            if name == self.order.canary and self.status.state == "canary":
                raise EndError(f"the session with the canary {name} fell after it got the rules")
        if sum(peer.falls for peer in self.status.peers.values()) >= FALLS:
            raise EndError(f"sessions fell {FALLS} times after peers got the rules")

    @property
    def _line(self) -> Link:
        if self.link is None:
            raise SpeakerGoneError("ExaBGP is not there")
        return self.link

    def _enter(self, state: str) -> None:
        self.status.state = state
        self._note(state if not self.status.reason else f"{state}: {self.status.reason}")

    def _note(self, text: str) -> None:
        self.status.events.append(f"{now_text()} {text}")
        del self.status.events[:-200]
        self._write()

    def _write(self) -> None:
        self.state.write(STATUS, self.status.to_json())


def main(folder: str, token: str) -> None:
    """The process."""
    state = State(folder, make=False)
    found = state.read(ORDER)
    if found is None or found["token"] != token:
        raise SystemExit("there is no such announcement")
    order = Order.of(found)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    become_nobodys()
    keeper = Keeper(state, order)

    def ask(number: int, frame: FrameType | None) -> None:
        keeper.asked = True

    signal.signal(signal.SIGTERM, ask)
    keeper.ready()
    say_begun()
    keeper.run()


if __name__ == "__main__":
    main(*sys.argv[1:3])
