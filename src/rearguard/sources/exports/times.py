"""Times of flow records, in nanoseconds since the epoch.

==========  ==================================================================================================
UPTIME      milliseconds since the exporter was started (v1, v5, v7, v9; IPFIX with systemInitTimeMilliseconds);
            32 bits that wrap after 49.7 days, so it is the moment nearest to the header's own uptime
DELTA       microseconds before the message's export time
SECONDS,    since 1970
MILLI
MICRO,      NTP timestamps (RFC 7011 sections 6.1.9, 6.1.10): seconds since 1900, and 2^-32 seconds; of
NANO        microseconds the last 11 bits mean nothing
==========  ==================================================================================================
"""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import inlined
from rearguard.sources.exports.fields import DELTA, MICRO, MILLI, SECONDS

__all__ = ["LATEST", "UNTOLD_TIME", "absolute", "by_uptime"]

SECOND = 1_000_000_000
LATEST = 1 << 62
"""Times beyond (the year 2116) are taken as not told."""
UNTOLD_TIME = -1
NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


@inlined
def by_uptime(exported: int, up: int, value: int) -> int:
    """The time at which the exporter's uptime was ``value`` ms, when it was ``up`` ms at ``exported``."""
    before = (up - value) & 0xFFFF_FFFF
    if before >= 0x8000_0000:
        before -= 0x1_0000_0000
    return max(0, exported - before * 1_000_000)


@inlined
def absolute(kind: int, value: np.uint64, exported: int) -> int:
    """A time of any kind but UPTIME; UNTOLD_TIME where the field holds none (0), or one that cannot be."""
    if value == np.uint64(0):
        return UNTOLD_TIME
    if kind > MILLI:
        seconds = int(np.int64(value >> np.uint64(32)))
        fraction = int(np.int64(value & np.uint64(0xFFFF_FFFF)))
        if kind == MICRO:
            fraction &= ~0x7FF
        seconds -= NTP_EPOCH
        if seconds < 0:
            # The era that begins in 2036 (RFC 5905 section 6).
            seconds += 0x1_0000_0000
        if seconds * SECOND > LATEST:
            return UNTOLD_TIME
        return seconds * SECOND + (fraction * SECOND >> 32)
    unit = SECOND if kind == SECONDS else 1_000_000 if kind == MILLI else 1_000
    if value > np.uint64(LATEST // unit):
        return UNTOLD_TIME
    time = int(np.int64(value)) * unit
    return max(0, exported - time) if kind == DELTA else time
