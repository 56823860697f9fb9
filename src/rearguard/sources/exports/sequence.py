"""What was lost on the way, and what came twice: sequence numbers and digests of datagrams.

A sequence number counts records (v5, v7; IPFIX, RFC 7011 section 3.1: those of options too) or datagrams (v9,
RFC 3954 section 5.1). Of a datagram whose number is not the expected one:

====================================================  =======================================================
it is ahead by a gap that a network can have lost     the gap is lost
it is behind by little, and was not exported later     it was overtaken: what it carries is no longer lost
all else                                               the exporter began anew; nothing is known to be lost
====================================================  =======================================================

In IPFIX two mistakes are common and are no losses: options are not counted (as in softflowd), or the number is that
after the message and not before it (softflowd again).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer, be64, inlined, kernel, u8, wide
from rearguard.sources.exports.tables import (
    EXPECTED,
    EXPECTED_FLOWS,
    GAP,
    HEARD,
    KEPT_DIGESTS,
    LAST,
    LATE,
    LOST,
    NEWEST,
    OPTION_UNITS,
    SEQUENCE,
    SPEAKS,
    UNITS,
)
from rearguard.sources.exports.templates import IPFIX

__all__ = ["arrive", "digest", "leave", "repeated"]

GAP_OF_DATAGRAMS = 1 << 20
GAP_OF_RECORDS = 1 << 24
"""More than this at once is no loss but a new beginning."""
LATE_DATAGRAMS = 64
LATE_RECORDS = 4_096
"""What is further behind was not overtaken on the way."""

MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
SHIFT = np.uint64(29)


@inlined
def arrive(exporters: Any, e: int, cursor: Any, sequence: int, seconds: int, gap: int, late: int) -> int:
    """Look at a datagram's number; 1 when it was overtaken by others, else 0."""
    cursor[GAP] = 0
    expected = exporters[e, EXPECTED]
    if expected >= 0 and sequence != expected and sequence != exporters[e, EXPECTED_FLOWS]:
        ahead = (sequence - expected) & 0xFFFF_FFFF
        if ahead < 0x8000_0000:
            if ahead <= gap:
                exporters[e, LOST] += ahead
                cursor[GAP] = ahead
        elif 0x1_0000_0000 - ahead <= late and seconds <= exporters[e, NEWEST]:
            return 1
    exporters[e, NEWEST] = seconds
    return 0


@inlined
def leave(exporters: Any, e: int, cursor: Any) -> None:
    """A datagram was read, and what its number counts is known (or -1)."""
    sequence, late, units = wide(cursor[SEQUENCE]), wide(cursor[LATE]), wide(cursor[UNITS])
    flows = units - wide(cursor[OPTION_UNITS])
    if units >= 0 and cursor[SPEAKS] == IPFIX and exporters[e, LAST] >= 0:
        since = (sequence - exporters[e, LAST]) & 0xFFFF_FFFF
        if since in (units, flows) and since > 0:
            # The number is that after the message.
            exporters[e, LOST] -= cursor[GAP]
            late = 0
    if late == 1:
        exporters[e, LOST] = max(0, exporters[e, LOST] - max(0, units))
    elif units < 0:
        exporters[e, EXPECTED] = -1
        exporters[e, LAST] = -1
    else:
        exporters[e, EXPECTED] = (sequence + units) & 0xFFFF_FFFF
        exporters[e, EXPECTED_FLOWS] = (sequence + flows) & 0xFFFF_FFFF
        exporters[e, LAST] = sequence


@kernel
def digest(b: Buffer, at: int, size: int) -> np.uint64:
    """A number that depends on all bytes; not proof against forgery, and never 0.

    Four lanes, so that the processor need not wait for one multiplication before the next.
    """
    one, two, three, four = np.uint64(size), np.uint64(2), np.uint64(3), np.uint64(4)
    end = at + size
    while at + 32 <= end:
        one = (one ^ be64(b, at)) * MIX
        two = (two ^ be64(b, at + 8)) * MIX
        three = (three ^ be64(b, at + 16)) * MIX
        four = (four ^ be64(b, at + 24)) * MIX
        one ^= one >> SHIFT
        two ^= two >> SHIFT
        three ^= three >> SHIFT
        four ^= four >> SHIFT
        at += 32
    while at < end:
        one = (one ^ np.uint64(u8(b, at))) * MIX
        one ^= one >> SHIFT
        at += 1
    one = (one ^ two) * MIX
    one ^= one >> SHIFT
    one = (one ^ three) * MIX
    one ^= one >> SHIFT
    one = (one ^ four) * MIX
    return one | np.uint64(1)


@kernel
def repeated(heard: Any, exporters: Any, e: int, of: np.uint64) -> bool:
    """Whether this exporter's last datagrams include one with this digest; if not, it is put among them."""
    for place in range(KEPT_DIGESTS):
        if heard[e, place] == of:
            return True
    heard[e, wide(exporters[e, HEARD]) % KEPT_DIGESTS] = of
    exporters[e, HEARD] += 1
    return False
