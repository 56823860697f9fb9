"""How segments look: the record of one, and the buffers in which a collector holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import TCP, UDP
from rearguard.model.compiled import Buffer
from rearguard.model.guard import LISTED, OWN_ONLY, Guard

__all__ = [
    "BOTH_LISTED",
    "BYTES",
    "CONTROLLERS",
    "CUT",
    "FROM_SERVER",
    "HAS_ACK",
    "NO_LIMIT",
    "OF_CONTROLLER",
    "OPENS",
    "SEGMENT",
    "SEGMENTS",
    "START",
    "TCP_STRATUM",
    "TOWARD_OTHERS",
    "TOWARD_US",
    "UDP_STRATUM",
    "Held",
    "Ports",
    "new_held",
]

FROM_SERVER = 1
START = 2
HAS_ACK = 4
BOTH_LISTED = 8
CUT = 16
"""The packet is a first fragment: the rest of its payload came in others."""
OPENS = 32
"""A SYN without ACK, which brought payload: its sender is the client."""

OF_CONTROLLER = 64
"""One end is a controller that the policy lists."""

TCP_STRATUM, UDP_STRATUM, CONTROLLERS = 0, 1, 2
"""Conversations are limited in strata, so that one sort pushes out none of another: a flood of spoofed datagrams
no TCP conversation, the sessions of a million managed devices no attack."""

SEGMENT = np.dtype(
    [
        ("hash", "u8"),  # of the key without the lane: the order in which conversations are chosen
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("ts", "i8"),
        ("rec", "u8"),
        ("at", "i8"),  # where the payload begins in the bytes that come with the segments
        ("seq", "u4"),  # of the first payload byte; a SYN's own number is skipped
        ("ack", "u4"),
        ("wire", "u4"),  # payload bytes that the packet had
        ("length", "u4"),  # payload bytes that are here
        ("lane", "u4"),
        ("client_port", "u2"),
        ("port", "u2"),
        ("proto", "u1"),
        ("bits", "u1"),
    ],
    align=True,
)

SEGMENTS = 0
BYTES = 1
NO_LIMIT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
"""The largest hash: every conversation is wanted."""

TOWARD_US = 1
TOWARD_OTHERS = 2


class Ports(NamedTuple):
    """By port, bits TOWARD_US and TOWARD_OTHERS: whose conversations are wanted; 0: not listed."""

    tcp: npt.NDArray[np.uint8]
    udp: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, guard: Guard, inward: Iterable[tuple[int, int]] = ()) -> Ports:
        """All listed ports; those of the web, and ``inward`` ((IP protocol, port) pairs), only where the
        listener is ours: what our customers read is nobody's business here.
        """
        tables = {}
        for proto, table in ((TCP, guard.tcp), (UDP, guard.udp)):
            wanted = np.where(table & LISTED, TOWARD_US | TOWARD_OTHERS, 0)
            tables[proto] = (wanted | np.where(table & OWN_ONLY, TOWARD_US, 0)).astype(np.uint8)
        for proto, port in inward:
            tables[proto][port] &= TOWARD_US
        return cls(tables[TCP], tables[UDP])


class Held(NamedTuple):
    """What a collector has taken: ``used[SEGMENTS]`` segments, and ``used[BYTES]`` bytes of their payload."""

    segment: npt.NDArray[Any]
    arena: Buffer
    used: npt.NDArray[np.int64]


def new_held(segments: int, arena: int) -> Held:
    """Room for so many segments and so many bytes of payload (at least one head)."""
    return Held(np.zeros(segments, dtype=SEGMENT), np.zeros(arena, np.uint8), np.zeros(2, dtype=np.int64))
