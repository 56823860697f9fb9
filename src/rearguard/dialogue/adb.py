"""The Android Debug Bridge: who connects, whether authorisation is asked for, which services are opened.

A message is six little-endian 32-bit words (command, two arguments, length, checksum, command inverted) and
its data (AOSP, adb ``protocol.txt``). The inverted command makes a message unmistakable.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

__all__ = ["Packet", "packets", "speaks"]

HEADER = struct.Struct("<4s5I")
PACKETS = 64
_COMMANDS = frozenset({b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE", b"SYNC", b"STLS"})
_ANY = re.compile(b"|".join(sorted(_COMMANDS)))


@dataclass(frozen=True, slots=True)
class Packet:
    """One message; data up to the end of what was captured, and its place."""

    command: bytes
    data: bytes
    at: int


def speaks(text: bytes) -> bool:
    """Whether a stream begins with a message of this protocol."""
    if text[:4] not in _COMMANDS or len(text) < HEADER.size:
        return False
    return int.from_bytes(text[:4], "little") ^ 0xFFFFFFFF == int.from_bytes(text[20:24], "little")


def packets(text: bytes) -> list[Packet]:
    """The messages of one side; behind a gap the next one is looked for."""
    found: list[Packet] = []
    at = 0
    while len(found) < PACKETS and at + HEADER.size <= len(text):
        if not speaks(text[at : at + HEADER.size]):
            onward = _ANY.search(text, at + 1)
            if onward is None:
                break
            at = onward.start()
            continue
        command, _, _, length, _, _ = HEADER.unpack_from(text, at)
        begin = at + HEADER.size
        found.append(Packet(command, text[begin : begin + length], begin))
        at = begin + length
    return found
