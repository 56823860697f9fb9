"""Which UDP payloads are flow exports, compiled: told by what they say of themselves, whatever their port.

The version alone is not enough: the identifier of a DNS message or the type of a STUN message may be 5 or 1. So the
header has to agree with the payload's length on the wire: the records that it counts fit (NetFlow v1, v5, v7), the
first set lies inside and has a possible number (v9: RFC 3954 section 5.2, IPFIX: RFC 7011 section 3.3.2), the
message's own length is not more than there was (IPFIX: section 3.1), the samples that it counts can be there
(sFlow, where its own port 6343 says enough).
"""

from __future__ import annotations

from typing import Any

from rearguard.model.bits import FRAG_NONE, UDP, WHY_PACKET, WHY_QUOTED
from rearguard.model.compiled import Buffer, be16, be32, inlined, kernel, wide

__all__ = ["NETFLOW", "NO_EXPORT", "SFLOW", "SFLOW_OLD", "gather", "kind_of"]

NO_EXPORT = 0
NETFLOW = 1
"""NetFlow v1, v5, v7, v9 or IPFIX."""
SFLOW = 2
SFLOW_OLD = 3
"""sFlow versions 2 and 4, on its own port; nothing here reads them."""

SFLOW_PORT = 6343
MOST_RECORDS = 128
"""Of NetFlow v1 to v7; no datagram that a router sends has more than 30 (v5)."""
FIRST_DATA_SET = 256


@inlined
def _kind(b: Buffer, off: int, size: int, wire: int, dport: int) -> int:
    """What kind of export the UDP payload ``b[off:off + size]`` is, of which there were ``wire`` bytes."""
    if dport == SFLOW_PORT and size >= 4 and be32(b, off) == 5:
        return SFLOW
    if size < 16:
        return NO_EXPORT
    version, count = be16(b, off), be16(b, off + 2)
    if version == 0:
        if count == 5 and size >= 28:
            family = be32(b, off + 4)
            header = 40 if family == 2 else 28 if family == 1 else 24
            if family <= 2 and size >= header:
                return SFLOW if be32(b, off + header - 4) * 8 <= wire - header else NO_EXPORT
        if count in (2, 4) and dport == SFLOW_PORT and be32(b, off + 4) in (1, 2):
            return SFLOW_OLD
        return NO_EXPORT
    if version == 5 or version == 7 or version == 1:
        header = 16 if version == 1 else 24
        record = 48 if version == 5 else 52
        return NETFLOW if 0 < count <= MOST_RECORDS and header + count * record <= wire else NO_EXPORT
    if version == 9 and size >= 24:
        return NETFLOW if count > 0 and _set_fits(b, off + 20, wire - 20, 0) else NO_EXPORT
    if version == 10 and count >= 16 and count <= wire:
        if count < 20 or size < 20:
            return NETFLOW if count == 16 else NO_EXPORT
        return NETFLOW if _set_fits(b, off + 16, count - 16, 2) else NO_EXPORT
    return NO_EXPORT


@inlined
def _set_fits(b: Buffer, off: int, left: int, template: int) -> bool:
    """Whether a set header can be one; ``template`` is the number of template sets, the next of options."""
    number, length = be16(b, off), be16(b, off + 2)
    known = number == template or number == template + 1 or number >= FIRST_DATA_SET
    return known and 4 <= length <= left


@kernel
def gather(
    b: Buffer, rows: Any, start: int, n: int, datagrams: Any, kinds: Any, counts: Any
) -> tuple[int, int]:
    """The exports among the packets ``start`` to ``n - 1``: their payloads go into ``datagrams``, their kinds into
    ``kinds``. Returns the next packet and how many were found; stops when the table is full, and at a fragment of a
    UDP datagram, which is for the caller. ``counts[0]`` counts the other packets, ``counts[1]`` SFLOW_OLD.
    """
    found = 0
    for i in range(start, n):
        if rows[i].proto == UDP and rows[i].frag != FRAG_NONE and not rows[i].why & WHY_QUOTED:
            return i, found
        kind = NO_EXPORT
        if rows[i].proto == UDP and rows[i].why == WHY_PACKET:
            kind = _kind(
                b, wide(rows[i].pay_off), wide(rows[i].pay_len), wide(rows[i].pay_wire), wide(rows[i].dport)
            )
        if kind == NO_EXPORT:
            counts[0] += 1
        elif kind == SFLOW_OLD:
            counts[1] += 1
        else:
            if found == kinds.size:
                return i, found
            datagrams.off[found] = rows[i].pay_off
            datagrams.len[found] = rows[i].pay_len
            datagrams.time[found] = rows[i].ts
            datagrams.src_hi[found] = rows[i].src_hi
            datagrams.src_lo[found] = rows[i].src_lo
            datagrams.sport[found] = rows[i].sport
            kinds[found] = kind
            found += 1
    return n, found


@kernel
def kind_of(b: Buffer, wire: int, dport: int) -> int:
    """The kind of the payload that fills the buffer ``b``."""
    return _kind(b, 0, b.size, wire, dport)
