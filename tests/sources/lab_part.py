"""The part of the lab's capture of which other tools' output is kept in ``data``: a few hosts, seen outside.

In tshark's words: :data:`FILTER`. The packets of it are read here by our own decoder, which tests of its own hold
against tshark.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rearguard.model.bits import ACK, SYN, TCP, WHY_PACKET
from rearguard.sources import open_packets

from .log_rows import Row, rows_of

__all__ = ["DATA", "FILTER", "Conversations", "Key", "conversations", "key_of", "packets"]

DATA = Path(__file__).parent / "data"
LAB = Path(__file__).resolve().parents[2] / "lab" / "incident.pcapng"
FILTER = (
    "frame.interface_id==0 && (ip.addr==198.51.100.24 || ipv6.addr==2001:db8:f:66::1"
    " || (ip.addr==198.51.100.19 && tcp.port==23))"
)
WHOLE, ALSO = {"198.51.100.24", "2001:db8:f:66::1"}, ("198.51.100.19", 23)

Key = tuple[str, int, str, int, int]
"""Source, its port, destination, its port, protocol."""


@dataclass
class Conversations:
    """What the packets say, by direction."""

    packets: Counter[Key] = field(default_factory=Counter)
    bytes: Counter[Key] = field(default_factory=Counter)
    flags: Counter[Key] = field(default_factory=Counter)
    first: dict[Key, int] = field(default_factory=dict)
    """Time of the first packet, ns."""
    last: dict[Key, int] = field(default_factory=dict)
    opened: set[Key] = field(default_factory=set)
    """Directions of who sent the SYN, or the first datagram."""


def key_of(row: Row) -> Key:
    """The direction to which a row belongs."""
    return row["src"], row["sport"], row["dst"], row["dport"], row["proto"]


def packets() -> list[Row]:
    """The packets of the part, in their order."""
    with open_packets(str(LAB)) as source:
        return [row for row in rows_of(source) if row["observer"].name == "outside" and _wanted(row)]


def _wanted(row: Row) -> bool:
    ends = {row["src"], row["dst"]}
    host, port = ALSO
    return bool(ends & WHOLE) or (host in ends and port in (row["sport"], row["dport"]))


def conversations(rows: list[Row]) -> Conversations:
    """Sums by direction."""
    found = Conversations()
    for row in rows:
        assert row["why"] & WHY_PACKET
        key = key_of(row)
        back = (key[2], key[3], key[0], key[1], key[4])
        found.packets[key] += 1
        found.bytes[key] += row["bytes"]
        found.flags[key] |= row["flags"]
        found.first.setdefault(key, row["ts"])
        found.last[key] = row["ts"]
        if row["flags"] & (SYN | ACK) == SYN if row["proto"] == TCP else back not in found.first:
            found.opened.add(key)
    return found
