"""Walk the blocks of a pcapng file (draft-ietf-opsawg-pcapng), compiled.

The kernel reads packet blocks and steps over all others, except those that change the file's state (a section
header, an interface): there it returns, the plain-Python side reads the block, and the walk goes on.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer, be16, be32, inlined, kernel, le16, le32, wide
from rearguard.sources.frames import (
    DAMAGED,
    DEFINE,
    FULL,
    LINK_BAD_RECORD,
    LINK_NO_INTERFACE,
    LINK_NOT_A_PACKET,
    MORE,
    STOPPED,
)

__all__ = [
    "ENHANCED_PACKET",
    "INTERFACE",
    "MAX_BLOCK",
    "OLD_PACKET",
    "SECTION",
    "SIMPLE_PACKET",
    "Interfaces",
    "to_nanoseconds",
    "walk_pcapng",
]

MAX_BLOCK = 16 * 1024 * 1024
"""The largest block that libpcap accepts; more is damage."""

SECTION = 0x0A0D0D0A
INTERFACE = 1
OLD_PACKET = 2
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
JOURNAL_ENTRY = 9
CUSTOM = 0x00000BAD
CUSTOM_NO_COPY = 0x40000BAD
SYSDIG_EVENT = 0x204
SYSDIG_EVENT_V2 = 0x216
SYSDIG_EVENT_V2_LARGE = 0x221

Interfaces: Any = namedtuple("Interfaces", ["link", "binary", "exponent", "seconds", "snaplen", "observer"])
"""One row an interface: link type, whether the time unit is a power of 2 (else of 10), its negated exponent,
the offset of its times in seconds, its snapshot length (0 none), and its place in the list of observers."""

NS = 1_000_000_000
MAX_SECONDS = 9_223_372_035
"""Times after the year 2262 do not fit into 64 bits of nanoseconds; they are held at that edge."""


@inlined
def _word(b: Buffer, at: int, big_endian: bool) -> int:
    return be32(b, at) if big_endian else le32(b, at)


@inlined
def _half(b: Buffer, at: int, big_endian: bool) -> int:
    return be16(b, at) if big_endian else le16(b, at)


@kernel
def _power_of_ten(exponent: int) -> np.uint64:
    value = np.uint64(1)
    for _ in range(exponent):
        value = value * np.uint64(10)
    return value


@kernel
def to_nanoseconds(high: int, low: int, binary: bool, exponent: int, offset: int) -> int:
    """A 64-bit count of units of 10**-exponent or 2**-exponent seconds, plus ``offset`` seconds, in ns.

    Whole seconds and the rest are scaled apart, so that nothing overflows on the way.
    """
    ticks = np.uint64(high) << np.uint64(32) | np.uint64(low)
    seconds = np.uint64(0)
    rest = np.uint64(0)
    if binary:
        if exponent < 64:
            seconds = ticks >> np.uint64(exponent)
            rest = ticks - (seconds << np.uint64(exponent))
        else:
            rest = ticks
        if exponent > 34:
            # Below 2**-34 s a nanosecond cannot be told; 34 bits times 10**9 still fit into 64.
            drop = exponent - 34
            rest = rest >> np.uint64(drop) if drop < 64 else np.uint64(0)
            exponent = 34
        rest = rest * np.uint64(NS) >> np.uint64(exponent)
    elif exponent <= 19:
        unit = _power_of_ten(exponent)
        seconds = ticks // unit
        rest = ticks - seconds * unit
        rest = rest * _power_of_ten(9 - exponent) if exponent <= 9 else rest // _power_of_ten(exponent - 9)
    elif exponent <= 28:
        rest = ticks // _power_of_ten(exponent - 9)
    if seconds > np.uint64(MAX_SECONDS):
        seconds = np.uint64(MAX_SECONDS)
    if offset > MAX_SECONDS:
        offset = MAX_SECONDS
    elif offset < -MAX_SECONDS:
        offset = -MAX_SECONDS
    whole = wide(seconds) + offset
    if whole > MAX_SECONDS:
        whole = MAX_SECONDS
    elif whole < -MAX_SECONDS:
        whole = -MAX_SECONDS
    return whole * NS + wide(rest)


@kernel
def walk_pcapng(
    b: Buffer,
    pos: int,
    end: int,
    limit: int,
    big_endian: bool,
    interfaces: Any,
    defined: int,
    frames: Any,
) -> tuple[int, int, int, int]:
    """Fill ``frames`` from the packet blocks in ``b[pos:end]`` that begin before ``limit``.

    ``defined`` interfaces are valid. A simple packet block has no time: it gets 0. (That of the packet
    before it would depend on where a file is split.) Returns why it stopped, where, how many frames it
    found, and how many bytes the block at that position needs.
    """
    room = frames.off.size
    n = 0
    while True:
        if pos >= limit:
            return STOPPED, pos, n, 0
        if n == room:
            return FULL, pos, n, 0
        if pos + 12 > end:
            return MORE, pos, n, 12
        kind = _word(b, pos, big_endian)
        if kind == SECTION:
            # Its length cannot be read before its own byte order is known.
            return DEFINE, pos, n, 0
        length = _word(b, pos + 4, big_endian)
        if length < 12 or length > MAX_BLOCK or length & 3:
            return DAMAGED, pos, n, 0
        if pos + length > end:
            return MORE, pos, n, length
        if _word(b, pos + length - 4, big_endian) != length:
            return DAMAGED, pos, n, 0
        if kind == INTERFACE:
            return DEFINE, pos, n, 0
        if kind in (ENHANCED_PACKET, OLD_PACKET, SIMPLE_PACKET):
            _packet(b, pos, length, big_endian, interfaces, defined, frames, n, kind)
            n += 1
        elif kind in (
            CUSTOM,
            CUSTOM_NO_COPY,
            JOURNAL_ENTRY,
            SYSDIG_EVENT,
            SYSDIG_EVENT_V2,
            SYSDIG_EVENT_V2_LARGE,
        ):
            _no_packet(frames, n, pos, LINK_NOT_A_PACKET)
            n += 1
        pos += length


@inlined
def _no_packet(frames: Any, n: int, pos: int, link: int) -> None:
    """A record without a packet, whose link type says why."""
    frames.off[n] = pos
    frames.caplen[n] = 0
    frames.wirelen[n] = 0
    frames.ts[n] = 0
    frames.observer[n] = 0
    frames.link[n] = link


@inlined
def _packet(
    b: Buffer,
    pos: int,
    length: int,
    big_endian: bool,
    interfaces: Any,
    defined: int,
    frames: Any,
    n: int,
    kind: int,
) -> None:
    """One frame from one packet block; a block too short for what it says gives a frame marked bad."""
    head = 12 if kind == SIMPLE_PACKET else 28
    _no_packet(frames, n, pos, LINK_BAD_RECORD)
    if length < head + 4:
        return
    if kind == SIMPLE_PACKET:
        number = 0
        wirelen = _word(b, pos + 8, big_endian)
        caplen = min(wirelen, length - 16)
    else:
        number = _half(b, pos + 8, big_endian) if kind == OLD_PACKET else _word(b, pos + 8, big_endian)
        caplen = _word(b, pos + 20, big_endian)
        wirelen = _word(b, pos + 24, big_endian)
    if number >= defined:
        frames.link[n] = LINK_NO_INTERFACE
        return
    if kind == SIMPLE_PACKET:
        snaplen = wide(interfaces.snaplen[number])
        if snaplen > 0:
            caplen = min(caplen, snaplen)
    else:
        frames.ts[n] = to_nanoseconds(
            _word(b, pos + 12, big_endian),
            _word(b, pos + 16, big_endian),
            interfaces.binary[number] != 0,
            wide(interfaces.exponent[number]),
            wide(interfaces.seconds[number]),
        )
    frames.observer[n] = interfaces.observer[number]
    if caplen > length - head - 4:
        return
    frames.off[n] = pos + head
    frames.caplen[n] = caplen
    frames.wirelen[n] = wirelen
    frames.link[n] = interfaces.link[number]
