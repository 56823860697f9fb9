"""The lab's own log of what it did; the truth is written from this and never from the recording."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab import plan

__all__ = ["OUTCOMES", "Event", "Journal", "rfc3339", "stronger"]

OUTCOMES = ("unanswered", "refused", "answered", "conversed")  # the later, the stronger


def rfc3339(ns: int) -> str:
    """UTC with nine decimals."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def stronger(one: str | None, other: str) -> str:
    """The outcome that says more of the two."""
    return max(one or OUTCOMES[0], other, key=OUTCOMES.index)


@dataclass(slots=True)
class Event:
    """One act of a scene. ``kind`` is the finding that it alone must lead to, or ``none``."""

    scene: str
    what: str
    kind: str
    interface: str | None
    transport: str
    ports: tuple[int, ...]
    direction: str
    remotes: tuple[str, ...]
    fingerprints: tuple[str, ...] = ()
    payload: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)  # by address of ours
    tried: dict[tuple[str, int], str] = field(default_factory=dict)  # by address and port: the contacts
    counts: dict[str, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0

    def saw(self, address: str, outcome: str, port: int | None = None) -> None:
        """Note what an address did, at the event's first port by default; the strongest outcome stays."""
        self.outcomes[address] = stronger(self.outcomes.get(address), outcome)
        key = (address, self.ports[0] if port is None else port)
        self.tried[key] = stronger(self.tried.get(key), outcome)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def to_json(self) -> dict[str, Any]:
        """Names as in docs/lab.md; dark addresses are counted, devices listed by outcome."""
        devices: dict[str, list[str]] = {}
        for address, outcome in self.outcomes.items():
            if not plan.is_dark(address):
                devices.setdefault(outcome, []).append(address)
        return {
            "scene": self.scene,
            "what": self.what,
            "kind": self.kind,
            "interface": self.interface,
            "transport": self.transport,
            "ports": list(self.ports),
            "direction": self.direction,
            "remotes": list(self.remotes),
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
            "targets": len(self.outcomes),
            "dark_targets": sum(map(plan.is_dark, self.outcomes)),
            "outcomes": devices,
            "counts": self.counts,
            "fingerprints": list(self.fingerprints),
            "payload": self.payload,
        }


class Journal:
    """Events in the order in which they began; threads may write at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: list[Event] = []

    @contextmanager
    def act(
        self,
        scene: str,
        what: str,
        *,
        remotes: Sequence[str],
        direction: str = "inbound",
        kind: str = "none",
        interface: str | None = None,
        transport: str = "tcp",
        ports: Sequence[int] = (),
        fingerprints: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Time an act; what happens inside is written to the event."""
        event = Event(
            scene,
            what,
            kind,
            interface,
            transport,
            tuple(ports),
            direction,
            tuple(remotes),
            tuple(fingerprints),
        )
        event.first = time.time_ns()
        with self._lock:
            self.events.append(event)
        try:
            yield event
        finally:
            event.last = time.time_ns()
