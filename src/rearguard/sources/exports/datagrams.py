"""Datagrams: where the payloads of export traffic lie in a buffer, when they came, and from whom."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

__all__ = ["HEADERS", "Datagrams", "new_datagrams", "speaks"]

HEADERS = {1: 16, 5: 24, 7: 24, 9: 20, 10: 16}
"""Versions, which are the first two bytes, and the length of their headers: NetFlow v1, v5, v7, v9 (RFC 3954
section 5.1) and IPFIX (RFC 7011 section 3.1)."""

Datagrams: Any = namedtuple("Datagrams", ["off", "len", "time", "src_hi", "src_lo", "sport"])
"""UDP payloads: offset and length in the buffer, arrival (ns), the exporter's address in halves, its port."""


def new_datagrams(size: int) -> Any:
    """An empty table for ``size`` datagrams."""
    return Datagrams(
        np.zeros(size, np.uint32),
        np.zeros(size, np.uint32),
        np.zeros(size, np.int64),
        np.zeros(size, np.uint64),
        np.zeros(size, np.uint64),
        np.zeros(size, np.uint16),
    )


def speaks(head: bytes) -> bool:
    """Whether a UDP payload that begins so may be an export of NetFlow or IPFIX: a known version, a whole header,
    and a second word (a count of records, or IPFIX's length) that can be right."""
    size = HEADERS.get(int.from_bytes(head[:2], "big"))
    if size is None or len(head) < size:
        return False
    second = int.from_bytes(head[2:4], "big")
    return second >= size if head[1] == 10 else second > 0
