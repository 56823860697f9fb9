"""The line to ExaBGP: commands go out, ``done`` or ``error`` and the coming and going of peers come back."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Iterable

from rearguard.model.errors import RearguardError

__all__ = ["Link", "SpeakerGoneError"]

_CHANGE = re.compile(r"neighbor (\S+) (up|down)\b.*")
_SIZE = 1 << 16
_AHEAD = 100
"""Commands that may be on their way unanswered, so that neither side waits for the other's pipe."""
LONGEST = 1 << 20


class SpeakerGoneError(RearguardError):
    """ExaBGP is gone."""


class Link:
    """Reads are done by :meth:`pump` only."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._rest = b""
        self.waiting = 0
        """Commands without an answer."""
        self.errors = 0
        """Commands that ExaBGP refused."""
        self.up: set[str] = set()
        self._came: list[str] = []
        self._fell: list[str] = []

    def news(self) -> tuple[list[str], list[str]]:
        """Peers whose session came up, and whose fell, since this was last asked."""
        found = self._came, self._fell
        self._came, self._fell = [], []
        return found

    def pump(self, seconds: float) -> None:
        """Take in what comes within this time; returns early when something came.

        ``SpeakerGoneError``: the other side closed.
        """
        if not select.select([self._line], [], [], max(0.0, seconds))[0]:
            return
        try:
            data = self._line.recv(_SIZE)
        except OSError:
            data = b""
        if not data:
            raise SpeakerGoneError("ExaBGP is gone")
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-LONGEST:]
        for line in lines:
            self._take(line.decode(errors="replace").strip())

    def send(self, commands: Iterable[str], seconds: float = 1.0) -> Iterable[None]:
        """Send them one by one; yields whenever it has waited, so that the caller can look at the clock."""
        for command in commands:
            while self.waiting >= _AHEAD:
                self.pump(seconds)
                yield
            try:
                self._line.sendall(command.encode() + b"\n")
            except OSError:
                raise SpeakerGoneError("ExaBGP is gone") from None
            self.waiting += 1
        while self.waiting:
            self.pump(seconds)
            yield

    def _take(self, text: str) -> None:
        if text in ("done", "error"):
            self.waiting = max(0, self.waiting - 1)
            self.errors += text == "error"
        elif found := _CHANGE.fullmatch(text):
            name = found[1]
            if found[2] == "up":
                self.up.add(name)
                self._came.append(name)
            else:
                if name in self.up:
                    self._fell.append(name)
                self.up.discard(name)
