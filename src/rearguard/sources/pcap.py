"""The pcap container (draft-ietf-opsawg-pcap): its header, and the state that its walker needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from rearguard.model.compiled import Buffer
from rearguard.sources.frames import LAST_LINK
from rearguard.sources.pcap_walk import walk_pcap

__all__ = ["FILE_HEADER", "MAGICS", "Pcap", "PcapHeader", "parse_header"]

FILE_HEADER = 24

MAGICS: dict[bytes, tuple[bool, bool, bool]] = {
    b"\xd4\xc3\xb2\xa1": (False, False, False),
    b"\xa1\xb2\xc3\xd4": (True, False, False),
    b"\x4d\x3c\xb2\xa1": (False, False, True),
    b"\xa1\xb2\x3c\x4d": (True, False, True),
    b"\x34\xcd\xb2\xa1": (False, True, False),
    b"\xa1\xb2\xcd\x34": (True, True, False),
}
"""Magic number: big endian, patched 24-byte record headers, nanoseconds."""


@dataclass(frozen=True, slots=True)
class PcapHeader:
    """What the first 24 bytes of a pcap file say."""

    big_endian: bool
    patched: bool
    nanoseconds: bool
    snaplen: int
    link: int

    @property
    def record_header(self) -> int:
        """Bytes in front of each packet."""
        return 24 if self.patched else 16


def parse_header(head: bytes) -> PcapHeader | None:
    """The header, or None when these bytes begin no pcap file. FCS bits beside the link type are ignored."""
    if len(head) < FILE_HEADER or head[:4] not in MAGICS:
        return None
    big_endian, patched, nanoseconds = MAGICS[head[:4]]
    order = "big" if big_endian else "little"
    return PcapHeader(
        big_endian,
        patched,
        nanoseconds,
        int.from_bytes(head[16:20], order),  # type: ignore[arg-type]
        min(int.from_bytes(head[20:24], order) & 0xFFFF, LAST_LINK),  # type: ignore[arg-type]
    )


class Pcap:
    """One pcap file's state: nothing in it changes after the header."""

    name = "pcap"

    def __init__(self, header: PcapHeader) -> None:
        self.header = header
        self.observers = [""]

    @property
    def first_record(self) -> int:
        """Where the first record begins."""
        return FILE_HEADER

    @property
    def digest(self) -> str:
        """A digest of the state that the meaning of the next record depends on."""
        return hashlib.sha256(repr(self.header).encode()).hexdigest()

    def walk(self, b: Buffer, pos: int, end: int, limit: int, frames: Any) -> tuple[int, int, int, int]:
        """See :func:`rearguard.sources.pcap_walk.walk_pcap`."""
        h = self.header
        return walk_pcap(b, pos, end, limit, h.big_endian, h.patched, h.nanoseconds, h.link, frames)
