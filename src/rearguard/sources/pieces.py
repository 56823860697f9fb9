"""A fragment's place in its datagram, read again from the packet, for rows do not keep it.

The packet decoder leaves ``pay_off`` behind the headers. Of a later fragment the IP header (IPv4) or the fragment
header (IPv6) ends there; of a first one the UDP header does.
"""

from __future__ import annotations

from typing import Any

from rearguard.model.bits import FRAG_FIRST
from rearguard.model.compiled import Buffer
from rearguard.sources.reassembly import Fragment

__all__ = ["piece_of"]

UDP_HEADER = 8
FRAGMENT_HEADER = 8
V4_MAPPED = 0xFFFF_0000_0000


def piece_of(buffer: Buffer, rows: Any, i: int) -> Fragment | None:
    """The piece of a UDP datagram that row ``i`` is; None when its headers are not whole."""
    key = (
        int(rows[i].src_hi), int(rows[i].src_lo), int(rows[i].dst_hi), int(rows[i].dst_lo), int(rows[i].ipid),
    )  # fmt: skip
    begin, time = int(rows[i].pay_off), int(rows[i].ts)
    data = buffer[begin : begin + int(rows[i].pay_len)].tobytes()
    if rows[i].frag == FRAG_FIRST:
        if not data:
            return None
        length = int.from_bytes(buffer[begin - 4 : begin - 2].tobytes(), "big")
        total = length - UDP_HEADER
        return (
            Fragment(key, 0, data, time, total, int(rows[i].sport), int(rows[i].dport)) if total > 0 else None
        )
    offset = _offset(buffer, begin, key)
    return None if offset is None else Fragment(key, offset - UDP_HEADER, data, time)


def _offset(buffer: Buffer, end: int, key: tuple[int, int, int, int, int]) -> int | None:
    """Where in the IP payload a later fragment lies, bytes; its last header ends at ``end``."""
    if key[0] == 0 and key[1] >> 32 == V4_MAPPED >> 32:
        for words in range(5, 16):
            head = buffer[max(end - 4 * words, 0) : end].tobytes()
            if (
                len(head) == 4 * words
                and head[0] == 0x40 | words
                and int.from_bytes(head[4:6], "big") == key[4]
                and head[12:16] == (key[1] & 0xFFFF_FFFF).to_bytes(4, "big")
                and head[16:20] == (key[3] & 0xFFFF_FFFF).to_bytes(4, "big")
            ):
                return (int.from_bytes(head[6:8], "big") & 0x1FFF) * 8
        return None
    head = buffer[max(end - FRAGMENT_HEADER, 0) : end].tobytes()
    if len(head) < FRAGMENT_HEADER or int.from_bytes(head[4:8], "big") != key[4]:
        return None
    return int.from_bytes(head[2:4], "big") & 0xFFF8
