"""IPv4 addresses in text, read where they lie: the one cell that every line has twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import Buffer, kernel, u8

__all__ = ["dotted"]

DOT = 0x2E
ZERO = 0x30
OCTETS = 4


@kernel
def dotted(
    data: Buffer,
    offsets: Any,
    start: int,
    n: int,
    low: npt.NDArray[np.uint64],
    found: npt.NDArray[np.bool_],
) -> None:
    """Low halves of the ``n`` texts from ``start`` on that are four decimal octets without leading zeros;
    ``found`` says which are. All others are left to whoever knows more ways to write an address."""
    for i in range(n):
        at, end = int(offsets[start + i]), int(offsets[start + i + 1])
        value, octet, digits, octets = 0, 0, 0, 0
        right = 7 <= end - at <= 15
        while right and at <= end:
            char = u8(data, at) if at < end else DOT
            if char == DOT:
                right = digits > 0 and octets < OCTETS
                value = value << 8 | octet
                octets += 1
                octet = digits = 0
            else:
                right = ZERO <= char < ZERO + 10 and (digits == 0 or octet > 0)
                octet = octet * 10 + char - ZERO
                digits += 1
                right = right and octet < 256
            at += 1
        found[i] = right and octets == OCTETS
        if found[i]:
            low[i] = np.uint64(V4_MAPPED | value)
