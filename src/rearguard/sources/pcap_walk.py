"""Walk the records of a pcap file (draft-ietf-opsawg-pcap), compiled."""

from __future__ import annotations

from typing import Any

from rearguard.model.compiled import Buffer, be32, kernel, le32
from rearguard.sources.frames import DAMAGED, FULL, MORE, STOPPED

__all__ = ["MAX_CAPLEN", "walk_pcap"]

MAX_CAPLEN = 262_144
"""The largest captured length that libpcap and tcpdump write or accept; more is damage."""

RECORD_HEADER = 16
KUZNETZOV_HEADER = 24


@kernel
def walk_pcap(
    b: Buffer,
    pos: int,
    end: int,
    limit: int,
    big_endian: bool,
    patched: bool,
    nanoseconds: bool,
    link: int,
    frames: Any,
) -> tuple[int, int, int, int]:
    """Fill ``frames`` from the records in ``b[pos:end]`` that begin before ``limit``.

    ``patched``: 24-byte record headers of A. Kuznetzov's patched libpcap (magic 0xa1b2cd34). Returns why it
    stopped, where, how many frames it found, and how many bytes the record at that position needs.
    """
    head = KUZNETZOV_HEADER if patched else RECORD_HEADER
    scale = 1 if nanoseconds else 1000
    room = frames.off.size
    n = 0
    while True:
        if pos >= limit:
            return STOPPED, pos, n, 0
        if n == room:
            return FULL, pos, n, 0
        if pos + head > end:
            return MORE, pos, n, head
        if big_endian:
            seconds, fraction = be32(b, pos), be32(b, pos + 4)
            caplen, wirelen = be32(b, pos + 8), be32(b, pos + 12)
        else:
            seconds, fraction = le32(b, pos), le32(b, pos + 4)
            caplen, wirelen = le32(b, pos + 8), le32(b, pos + 12)
        if caplen > MAX_CAPLEN:
            return DAMAGED, pos, n, 0
        if pos + head + caplen > end:
            return MORE, pos, n, head + caplen
        frames.off[n] = pos + head
        frames.caplen[n] = caplen
        frames.wirelen[n] = wirelen
        frames.ts[n] = seconds * 1_000_000_000 + fraction * scale
        frames.link[n] = link
        frames.observer[n] = 0
        n += 1
        pos += head + caplen
