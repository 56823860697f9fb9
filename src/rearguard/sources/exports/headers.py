"""Headers of datagrams, compiled: who exported, when, and what was lost; the cursor then is at the first set.

=======  =====  =============================================================================================
version  bytes  the header after version and count (IPFIX: length)
=======  =====  =============================================================================================
1        16     uptime, seconds, nanoseconds
5        24     uptime, seconds, nanoseconds, sequence, engine type and id, sampling (2 bits mode, 14 rate)
7        24     uptime, seconds, nanoseconds, sequence, reserved
9        20     uptime, seconds, sequence, source id
10       16     seconds, sequence, observation domain
=======  =====  =============================================================================================
"""

from __future__ import annotations

from typing import Any

from rearguard.model.compiled import Buffer, be16, be32, inlined, kernel, wide
from rearguard.sources.exports.netflow_fixed import fixed_size
from rearguard.sources.exports.sequence import (
    GAP_OF_DATAGRAMS,
    GAP_OF_RECORDS,
    LATE_DATAGRAMS,
    LATE_RECORDS,
    arrive,
    digest,
    repeated,
)
from rearguard.sources.exports.tables import (
    AT,
    BAD_DATAGRAM,
    CROWDED,
    CUT,
    DATAGRAMS,
    DUPLICATE,
    EXPORTED,
    EXPORTER,
    HEADER_RATE,
    INSIDE,
    LATE,
    OPTION_UNITS,
    SEQUENCE,
    SPEAKS,
    UNITS,
    UNKNOWN_VERSION,
    UP,
    UPTO,
    VERSION,
    exporter_slot,
    note_rate,
)
from rearguard.sources.exports.templates import IPFIX, V9
from rearguard.sources.observers import MAX_EXPORTERS

__all__ = ["NEW", "ON", "PASS", "enter", "header_domain"]

ON = 0
PASS = 1
"""There is nothing to read in the datagram."""
NEW = 2
"""Its exporter is not known."""

V1, V5, V7 = 1, 5, 7
SECOND = 1_000_000_000


@kernel
def header_domain(b: Buffer, off: int, version: int) -> int:
    """Observation domain (IPFIX), source id (v9), engine type and id (v5); 0 where there is none."""
    if version == IPFIX:
        return be32(b, off + 12)
    if version == V9:
        return be32(b, off + 16)
    return be16(b, off + 20) if version == V5 else 0


@inlined
def _header(version: int) -> int:
    """Bytes of the header; 0 for a version that is none of ours."""
    if version in (V1, IPFIX):
        return 16
    if version in (V5, V7):
        return 24
    return 20 if version == V9 else 0


@inlined
def enter(b: Buffer, off: int, size: int, datagrams: Any, i: int, st: Any) -> int:
    """Read a datagram's header into the cursor: ON, PASS or NEW."""
    if size < 2 or off + size > b.size:
        st.skipped[BAD_DATAGRAM] += 1
        return PASS
    version = be16(b, off)
    header = _header(version)
    if header == 0:
        st.skipped[UNKNOWN_VERSION] += 1
        return PASS
    if size < header:
        st.skipped[BAD_DATAGRAM] += 1
        return PASS
    hi, lo = wide(datagrams.src_hi[i]), wide(datagrams.src_lo[i])
    at = exporter_slot(st.exporters, st.exporter_slots, hi, lo, header_domain(b, off, version), version)
    e = wide(st.exporter_slots[at]) - 1
    if e < 0:
        if st.exporters[MAX_EXPORTERS - 1, VERSION] == 0:
            return NEW
        st.skipped[CROWDED] += 1
        return PASS
    if repeated(st.heard, st.exporters, e, digest(b, off, size)):
        st.skipped[DUPLICATE] += 1
        return PASS
    st.exporters[e, DATAGRAMS] += 1
    cursor = st.cursor
    cursor[EXPORTER], cursor[SPEAKS], cursor[AT], cursor[INSIDE] = e, version, header, 0
    cursor[LATE], cursor[OPTION_UNITS], cursor[CUT], cursor[HEADER_RATE], cursor[SEQUENCE], cursor[UNITS] = (
        0,
        0,
        0,
        0,
        0,
        -1,
    )
    if version == IPFIX:
        _enter_ipfix(b, off, size, st, e)
    elif version == V9:
        _enter_v9(b, off, size, st, e)
    else:
        _enter_fixed(b, off, size, header, st, e, version)
    return ON


@inlined
def _enter_fixed(b: Buffer, off: int, size: int, header: int, st: Any, e: int, version: int) -> None:
    """Of v1, v5 and v7: the count, time and rate. Records that are promised but not there are one bad datagram."""
    cursor = st.cursor
    count = be16(b, off + 2)
    there = (size - header) // fixed_size(version)
    if count > there:
        st.skipped[BAD_DATAGRAM] += 1
    seconds = be32(b, off + 8)
    cursor[UPTO] = header + min(count, there) * fixed_size(version)
    cursor[UP] = be32(b, off + 4)
    cursor[EXPORTED] = seconds * SECOND + min(be32(b, off + 12), SECOND - 1)
    if version == V5:
        # The first two bits are the mode.
        rate = be16(b, off + 22) & 0x3FFF
        cursor[HEADER_RATE] = rate
        if rate != 0:
            note_rate(st.exporters, e, rate, wide(cursor[EXPORTED]))
    if version != V1:
        sequence = be32(b, off + 16)
        cursor[SEQUENCE], cursor[UNITS] = sequence, count
        cursor[LATE] = arrive(st.exporters, e, cursor, sequence, seconds, GAP_OF_RECORDS, LATE_RECORDS)


@inlined
def _enter_v9(b: Buffer, off: int, size: int, st: Any, e: int) -> None:
    cursor = st.cursor
    seconds, sequence = be32(b, off + 8), be32(b, off + 12)
    cursor[UPTO] = size
    cursor[UP] = be32(b, off + 4)
    cursor[EXPORTED] = seconds * SECOND
    cursor[SEQUENCE], cursor[UNITS] = sequence, 1
    cursor[LATE] = arrive(st.exporters, e, cursor, sequence, seconds, GAP_OF_DATAGRAMS, LATE_DATAGRAMS)


@inlined
def _enter_ipfix(b: Buffer, off: int, size: int, st: Any, e: int) -> None:
    cursor = st.cursor
    length, seconds, sequence = be16(b, off + 2), be32(b, off + 4), be32(b, off + 8)
    if length > size or length < cursor[AT]:
        st.skipped[BAD_DATAGRAM] += 1
    cursor[UPTO] = min(size, length)
    cursor[UP] = 0
    cursor[EXPORTED] = seconds * SECOND
    cursor[SEQUENCE], cursor[UNITS] = sequence, 0
    cursor[LATE] = arrive(st.exporters, e, cursor, sequence, seconds, GAP_OF_RECORDS, LATE_RECORDS)
