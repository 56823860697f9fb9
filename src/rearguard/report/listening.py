"""The dialogues of one run: collected while it is read, understood when it has been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.catalogue import load_attacks
from rearguard.dialogue.collector import Collector
from rearguard.dialogue.fold import Omitted, unordered
from rearguard.dialogue.heard import heard
from rearguard.dialogue.layout import Ports
from rearguard.dialogue.sink import Sink
from rearguard.model.bits import TCP

if TYPE_CHECKING:
    from collections.abc import Callable

    from rearguard.catalogue import Catalogue
    from rearguard.contacts.lanes import Lanes
    from rearguard.dialogue.exchange import Exchange
    from rearguard.model.guard import Guard

__all__ = ["Listening"]

WEB = ((TCP, 8080),)
"""A web port that is listed as a management interface too: what our customers read there is not collected."""


@dataclass(slots=True)
class Listening:
    """:meth:`begin` is called by the reader, again if all must be read again; then :meth:`exchanges` once."""

    guard: Guard
    controllers: Guard
    folder: Path
    omitted: Omitted = field(default_factory=Omitted)
    _sink: Sink | None = None

    def begin(self) -> Callable[[], Collector]:
        """A new collection; gives what makes a collector for each worker."""
        self.close()
        sink, ports = Sink(self.folder), Ports.of(self.guard, WEB)
        self._sink = sink
        return lambda: Collector(ports, sink, controllers=self.controllers)

    def exchanges(self, lanes: Lanes, catalogue: Catalogue) -> tuple[Exchange, ...]:
        """What was said; what was collected is given up."""
        if self._sink is None:
            return ()
        try:
            dialogues = unordered(self._sink, lanes, omitted=self.omitted)
            return heard(dialogues, load_attacks(), catalogue)
        finally:
            self.close()

    def close(self) -> None:
        """Free memory and disk."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None
