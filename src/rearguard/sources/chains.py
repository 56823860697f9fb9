"""Find a place in the middle of a capture where a record seems to begin, compiled.

A single record header is 16 bytes of almost anything; thirty-two of them, each where the one before says
that it must be, are hard to meet by chance. They can still be forged inside a payload, so what is built on
these guesses has to check them (see :mod:`rearguard.sources.split`).
"""

from __future__ import annotations

from rearguard.model.compiled import Buffer, be32, kernel, le32
from rearguard.sources.pcap_walk import MAX_CAPLEN
from rearguard.sources.pcapng_walk import ENHANCED_PACKET, MAX_BLOCK

__all__ = ["CHAIN", "find_pcap_chain", "find_pcapng_chain"]

CHAIN = 32
"""Plausible records in a row that are asked for."""

LEAP = 86_400
"""Seconds by which neighbouring records' times may differ."""


@kernel
def find_pcap_chain(
    b: Buffer, end: int, reach: int, big_endian: bool, head: int, units: int, snaplen: int
) -> int:
    """The first offset below ``reach`` where CHAIN records follow each other, or -1.

    ``head``: size of a record header; ``units``: fractions of a second in its time.
    """
    longest = MAX_CAPLEN
    if 0 < snaplen < MAX_CAPLEN:
        longest = snaplen
    for begin in range(reach):
        at = begin
        before = -1
        count = 0
        while count < CHAIN and at + head <= end:
            if big_endian:
                seconds, fraction = be32(b, at), be32(b, at + 4)
                caplen, wirelen = be32(b, at + 8), be32(b, at + 12)
            else:
                seconds, fraction = le32(b, at), le32(b, at + 4)
                caplen, wirelen = le32(b, at + 8), le32(b, at + 12)
            if (
                caplen < 1
                or caplen > longest
                or wirelen < caplen
                or wirelen > MAX_CAPLEN
                or fraction >= units
            ):
                break
            if before >= 0 and abs(seconds - before) > LEAP:
                break
            before = seconds
            at += head + caplen
            count += 1
        if count == CHAIN:
            return begin
    return -1


@kernel
def find_pcapng_chain(b: Buffer, end: int, reach: int, big_endian: bool) -> int:
    """The first multiple of four below ``reach`` where CHAIN packet blocks follow each other, or -1."""
    for begin in range(0, reach, 4):
        at = begin
        count = 0
        while count < CHAIN and at + 12 <= end:
            if big_endian:
                kind, length = be32(b, at), be32(b, at + 4)
            else:
                kind, length = le32(b, at), le32(b, at + 4)
            if (
                kind != ENHANCED_PACKET
                or length < 32
                or length > MAX_BLOCK
                or length & 3
                or at + length > end
            ):
                break
            trailer = be32(b, at + length - 4) if big_endian else le32(b, at + length - 4)
            if trailer != length:
                break
            at += length
            count += 1
        if count == CHAIN:
            return begin
    return -1
