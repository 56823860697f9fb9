"""Frames: where a container's walker found packets, and why a record gave no row.

A walker (one for each container format) turns bytes into a table of frames; the one packet decoder turns
frames into the rows of a chunk. Between them lies this table, so that a new container needs no new decoder.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

__all__ = [
    "BAD_IP_HEADER",
    "BAD_RECORD",
    "DAMAGE",
    "DAMAGED",
    "DEFINE",
    "FULL",
    "LAST_LINK",
    "LINK_BAD_RECORD",
    "LINK_NOT_A_PACKET",
    "LINK_NO_INTERFACE",
    "MORE",
    "NOT_A_PACKET",
    "NOT_IP",
    "REASONS",
    "STOPPED",
    "TRUNCATED_IP_HEADER",
    "TRUNCATED_LINK_HEADER",
    "TRUNCATED_RECORD",
    "UNKNOWN_INTERFACE",
    "UNKNOWN_LINKTYPE",
    "Frames",
    "new_frames",
]

# Why a record gave no row. The numbers index REASONS and the kernels' counters.
NOT_IP = 0
TRUNCATED_LINK_HEADER = 1
TRUNCATED_IP_HEADER = 2
BAD_IP_HEADER = 3
UNKNOWN_LINKTYPE = 4
BAD_RECORD = 5
UNKNOWN_INTERFACE = 6
TRUNCATED_RECORD = 7
NOT_A_PACKET = 8

REASONS = (
    "not-ip",
    "truncated-link-header",
    "truncated-ip-header",
    "bad-ip-header",
    "unknown-linktype",
    "bad-record",
    "unknown-interface",
    "truncated-record",
    "not-a-packet",
)
"""Names of the reasons, as they stand in ``findings.json``. "not-a-packet" is a record of something else,
such as a custom block of pcapng: it has a number, because tshark gives it one."""

DAMAGE = frozenset({"unknown-linktype", "bad-record", "unknown-interface", "truncated-record"})
"""Reasons that mean "part of the input could not be read". The others are what networks carry: ARP, LLDP,
garbage on the wire, captures with a short snapshot length."""

# Link types that stand for a record without a usable packet. Real ones are below 0xFFF0.
LINK_NO_INTERFACE = 0xFFFF
LINK_BAD_RECORD = 0xFFFE
LINK_NOT_A_PACKET = 0xFFFD
LAST_LINK = 0xFFFC
"""Numbers above are ours; a file that uses them is of an unknown link type."""

# Why a walker returned.
MORE = 0
"""The record at the returned position is not whole in the buffer; the last number says what it needs."""
FULL = 1
"""The frame table is full."""
STOPPED = 2
"""The next record begins at or after the limit."""
DEFINE = 3
"""A block that changes the container's state (a section or an interface) is at the returned position."""
DAMAGED = 4
"""What is at the returned position cannot be a record."""

Frames: Any = namedtuple("Frames", ["off", "caplen", "wirelen", "ts", "link", "observer"])
"""Captured packets: offset in the buffer, captured and original length, time (ns), link type, observer."""


def new_frames(size: int) -> Any:
    """An empty table for ``size`` frames."""
    return Frames(
        np.zeros(size, np.uint32),
        np.zeros(size, np.uint32),
        np.zeros(size, np.uint32),
        np.zeros(size, np.int64),
        np.zeros(size, np.uint16),
        np.zeros(size, np.uint32),
    )
