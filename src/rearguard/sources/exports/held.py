"""Data that came before its template: held for a while, within bounds, then counted as lost."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

__all__ = ["Held", "HeldSet"]

OVERHEAD = 1_024
"""Bytes that a held set costs beside its body."""


@dataclass(frozen=True, slots=True)
class HeldSet:
    """A data set, without its header, and what of its message is needed to read it."""

    exporter: int
    version: int
    exported: int
    """The message's export time, ns."""
    up: int
    """The exporter's uptime in the message, ms."""
    time: int
    """When it came, ns."""
    body: bytes


class Held:
    """The sets that wait, by exporter and template."""

    def __init__(self, most: int, share: int, age: int) -> None:
        self.most = most
        """Bytes in all."""
        self.share = share
        """Bytes of one exporter: the others' data stays while one floods."""
        self.age = age
        """Nanoseconds."""
        self._waiting: OrderedDict[tuple[int, int], deque[HeldSet]] = OrderedDict()
        self._bytes: dict[int, int] = {}
        self._total = 0

    def hold(self, template: int, one: HeldSet) -> bool:
        """Keep a set; False when there is no room for it."""
        size = len(one.body) + OVERHEAD
        if self._bytes.get(one.exporter, 0) + size > self.share or self._total + size > self.most:
            return False
        self._waiting.setdefault((one.exporter, template), deque()).append(one)
        self._account(one.exporter, size)
        return True

    def take(self, exporter: int, template: int) -> deque[HeldSet]:
        """The sets that waited for this template, in the order in which they came; they are held no longer."""
        taken = self._waiting.pop((exporter, template), None) or deque()
        for one in taken:
            self._account(exporter, -len(one.body) - OVERHEAD)
        return taken

    def expire(self, now: int) -> dict[int, int]:
        """Drop what has waited too long at ``now`` (ns). Returns the number of sets by exporter."""
        dropped: dict[int, int] = {}
        for key in list(self._waiting):
            sets = self._waiting[key]
            while sets and now - sets[0].time > self.age:
                one = sets.popleft()
                self._account(one.exporter, -len(one.body) - OVERHEAD)
                dropped[one.exporter] = dropped.get(one.exporter, 0) + 1
            if not sets:
                del self._waiting[key]
        return dropped

    def give_up(self) -> dict[int, int]:
        """Drop all. Returns the number of sets by exporter."""
        dropped: dict[int, int] = {}
        for (exporter, _), sets in self._waiting.items():
            dropped[exporter] = dropped.get(exporter, 0) + len(sets)
        self._waiting.clear()
        self._bytes.clear()
        self._total = 0
        return dropped

    def _account(self, exporter: int, size: int) -> None:
        self._total += size
        self._bytes[exporter] = self._bytes.get(exporter, 0) + size
        if not self._bytes[exporter]:
            del self._bytes[exporter]
