"""How a long run tells where it is, without knowing who looks."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Called from one thread. ``start`` again begins the next stage; ``done`` ends the last one."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """Begin a stage of ``total_bytes``; None when the size is unknown (a pipe)."""
        ...

    def advance(self, octets: int, records: int, /) -> None:
        """So many more were read since the last call. Cheap enough to call for every chunk."""
        ...

    def done(self) -> None:
        """Nothing more comes; leave nothing behind on the screen. May be called twice."""
        ...


class Silent:
    """Nobody looks."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """Ignored."""

    def advance(self, octets: int, records: int, /) -> None:
        """Ignored."""

    def done(self) -> None:
        """Ignored."""
