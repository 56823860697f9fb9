"""NetFlow v1, v5 and v7: records of one layout each (Cisco, "NetFlow Export Datagram Formats").

======  ===========================  ===========================  ===========================
offset  v1 (52 bytes)                v5 (48 bytes)                v7 (52 bytes)
======  ===========================  ===========================  ===========================
0       source, destination address  the same                     the same
12      input, output interface      the same                     the same
16      packets, octets              the same                     the same
24      uptime at start, at end      the same                     the same
32      source, destination port     the same                     the same
36      (2 unused)                   (1 unused), TCP flags        (1 validity), TCP flags
38      protocol, TOS                protocol, TOS                protocol, TOS
40      TCP flags                    AS numbers, masks            AS numbers, masks
======  ===========================  ===========================  ===========================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer, be16, be32, kernel, u8, wide
from rearguard.sources.exports.row import MAPPED, put_counts, put_pair
from rearguard.sources.exports.tables import (
    AT,
    EMPTY_FLOW,
    EXPORTED,
    EXPORTER,
    HEADER_RATE,
    OPTION_RATE,
    RECORD,
    RECORDS,
    SPEAKS,
    UP,
    UPTO,
)
from rearguard.sources.exports.times import by_uptime
from rearguard.sources.flow import least_payload
from rearguard.sources.observers import UNTOLD, observer_of

__all__ = ["fixed_size", "read_fixed"]

V1, V5 = 1, 5


@kernel
def fixed_size(version: int) -> int:
    """Bytes of a record."""
    return 48 if version == V5 else 52


@kernel
def read_fixed(b: Buffer, off: int, st: Any, rows: Any, row: int) -> int:
    """Decode the records of the datagram at ``off`` from the cursor on, until it or the chunk is at its end.
    Returns the next row."""
    cursor = st.cursor
    version = cursor[SPEAKS]
    size = fixed_size(version)
    at, upto = off + cursor[AT], off + cursor[UPTO]
    e = cursor[EXPORTER]
    exported, up, record = cursor[EXPORTED], cursor[UP], cursor[RECORD]
    rate = st.exporters[e, OPTION_RATE]
    if rate == 0:
        rate = cursor[HEADER_RATE]
    last_ingress, last_egress, observer = -1, -1, 0
    room = rows.size
    while at + size <= upto and row < room:
        record += 1
        packets, octets = be32(b, at + 16), be32(b, at + 20)
        if packets == 0 and octets == 0:
            st.skipped[EMPTY_FLOW] += 1
            at += size
            continue
        ingress, egress = be16(b, at + 12), be16(b, at + 14)
        if ingress != last_ingress or egress != last_egress:
            observer = observer_of(st.observers, e, ingress, egress, UNTOLD)
            last_ingress, last_egress = ingress, egress
        proto = u8(b, at + 38)
        flags = u8(b, at + 40) if version == V1 else u8(b, at + 37)
        start = by_uptime(exported, up, be32(b, at + 24))
        why = put_pair(
            rows,
            row,
            start,
            max(start, by_uptime(exported, up, be32(b, at + 28))),
            np.uint64(0),
            MAPPED | np.uint64(be32(b, at)),
            np.uint64(0),
            MAPPED | np.uint64(be32(b, at + 4)),
            be16(b, at + 32),
            be16(b, at + 34),
            proto,
            True,
        )
        payload = least_payload(proto, False, packets, octets, flags)
        put_counts(rows, row, proto, flags, packets, octets, payload, rate, observer, record, why, False)
        row += 1
        at += size
    st.exporters[e, RECORDS] += record - wide(cursor[RECORD])
    cursor[RECORD] = record
    cursor[AT] = at - off
    return row
