"""The ledger of a simulation: who takes part, and counters of what was done and of what could be seen of it.

Its size depends on the scenario, never on the traffic: counters, no sets (distinct targets are counted, because
whoever searches takes his targets from a permutation and never one twice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNT_TYPE", "PORTS_OF", "Entry", "Ledger"]

COUNT_TYPE = np.dtype(
    [
        ("sessions", "i8"),
        ("answered", "i8"),
        ("observed", "i8"),
        ("opened", "i8"),
        ("packets", "i8"),
        ("flows", "i8"),
        ("back_flows", "i8"),
        ("proofs", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        ("bucket", "i8"),
        ("in_bucket", "i8"),
        ("peak", "i8"),
        ("seen_in_bucket", "i8"),
        ("seen_peak", "i8"),
    ]
)
"""Of each entry: conversations; those that were answered; those of which a packet of the opener was exported;
those of which an opening packet was (a SYN without ACK, or a datagram); exported packets and flows of the opener;
exported flows back; those of them that are one packet with exactly SYN+ACK, or a datagram; first and last start;
the most conversations, and of the opened ones, in ten minutes."""

PORTS_OF = {7547: ("cwmp-cr", "tcp"), 23: ("telnet", "tcp"), 1900: ("ssdp", "udp")}
"""Ports on which devices of the simulation answer strangers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One who takes part: ``kind`` (scanner, worm, infected, exposed ...), address, and facts."""

    kind: str
    address: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """Entries are added while the scenario is laid out; then :meth:`open` makes the counters."""

    entries: list[Entry] = field(default_factory=list)
    counts: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, COUNT_TYPE))
    _open: dict[int, tuple[NDArray[np.uint32], int]] = field(default_factory=dict)

    def add(self, kind: str, address: str, **facts: Any) -> int:
        """A new entry; returns its number."""
        self.entries.append(Entry(kind, address, facts))
        return len(self.entries) - 1

    def expose(self, port: int, offsets: NDArray[np.uint32], addresses: list[tuple[str, str | None]]) -> None:
        """Devices (sorted by offset) that answer strangers on a port, by IPv4 address and IPv6 prefix."""
        name, transport = PORTS_OF[port]
        self._open[port] = (offsets, len(self.entries))
        for address, prefix in addresses:
            self.add("exposed", address, prefix=prefix, interface=name, transport=transport, port=port)

    def exposed(self, port: int, offsets: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The numbers of exposed devices; every offset must be one."""
        known, first = self._open[port]
        return np.searchsorted(known, offsets) + first

    def open(self) -> None:
        """Nobody else comes; all counters are zero."""
        self.counts = np.zeros(max(1, len(self.entries)), COUNT_TYPE)
        self.counts["first"] = np.iinfo(np.int64).max
        self.counts["last"] = np.iinfo(np.int64).min
        self.counts["bucket"] = -1

    def of(self, *kinds: str) -> list[tuple[Entry, NDArray[np.void]]]:
        """Entries of these kinds with their counters."""
        return [
            (entry, self.counts[place]) for place, entry in enumerate(self.entries) if entry.kind in kinds
        ]
