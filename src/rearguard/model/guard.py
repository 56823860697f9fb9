"""The guard: which addresses are ours and which ports are management interfaces, as arrays for kernels.

It is all that reading needs to know of policy and catalogue: controllers, drops, exceptions and thresholds
apply after the fold, so a changed one needs no second reading.

A page table of the 65,536 IPv4 /16s answers most look-ups with one load (none of it ours, all of it ours);
the rest, and IPv6, is a binary search over disjoint ranges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import TCP, UDP

if TYPE_CHECKING:
    from rearguard.model.prefixes import PrefixTable

__all__ = ["LISTED", "OWN_ONLY", "PAGE_ALL", "PAGE_NONE", "PAGE_PART", "WELL_KNOWN", "Guard"]

PAGE_NONE = 0
PAGE_ALL = 1
PAGE_PART = 2

LISTED = 1
"""A management interface of the catalogue, or one that the policy moved here."""
WELL_KNOWN = 2
"""Another service that listens on this port by registration or custom."""

OWN_ONLY = 4
"""A management interface when an own address listens; toward others it is everybody's web traffic."""


class Guard(NamedTuple):
    """Arrays only, so that a kernel takes it whole.

    ``page`` uint8[65536]; ``v4_*`` uint32 and ``v6_*`` uint64, sorted disjoint ranges, both ends included;
    ``tcp`` and ``udp`` uint8[65536], bits LISTED, OWN_ONLY and WELL_KNOWN by port.
    """

    page: npt.NDArray[np.uint8]
    v4_start: npt.NDArray[np.uint32]
    v4_end: npt.NDArray[np.uint32]
    v6_start_hi: npt.NDArray[np.uint64]
    v6_start_lo: npt.NDArray[np.uint64]
    v6_end_hi: npt.NDArray[np.uint64]
    v6_end_lo: npt.NDArray[np.uint64]
    tcp: npt.NDArray[np.uint8]
    udp: npt.NDArray[np.uint8]

    @classmethod
    def of_nobody(cls) -> Guard:
        """No address is inside, no port is listed."""
        from rearguard.model.prefixes import PrefixTable

        return cls.build(PrefixTable.build([]), ())

    @classmethod
    def build(
        cls,
        own: PrefixTable,
        listed: Iterable[tuple[int, int]],
        own_only: Iterable[tuple[int, int]] = (),
        well_known: Iterable[tuple[int, int]] = (),
    ) -> Guard:
        """``own`` labels our addresses (any label); the others are (IP protocol, port) pairs."""
        is_v4 = (own.starts_hi == 0) & (own.starts_lo >> np.uint64(32) == np.uint64(V4_MAPPED >> 32))
        v4_start, v4_end = _joined(own.starts_lo[is_v4], own.ends_lo[is_v4])
        ports = {TCP: np.zeros(65536, dtype=np.uint8), UDP: np.zeros(65536, dtype=np.uint8)}
        for pairs, bit in ((listed, LISTED), (own_only, OWN_ONLY), (well_known, WELL_KNOWN)):
            for proto, port in pairs:
                ports[proto][port] |= bit
        return cls(
            _pages(v4_start, v4_end),
            v4_start,
            v4_end,
            own.starts_hi[~is_v4],
            own.starts_lo[~is_v4],
            own.ends_hi[~is_v4],
            own.ends_lo[~is_v4],
            ports[TCP],
            ports[UDP],
        )


def _joined(start: npt.NDArray[np.uint64], end: npt.NDArray[np.uint64]) -> tuple[Any, Any]:
    """IPv4 ranges as uint32, touching ones joined: the guard asks whether an address is ours, not whose."""
    if not len(start):
        return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint32)
    apart = start[1:] > end[:-1] + np.uint64(1)
    low = start[np.concatenate(([True], apart))].astype(np.uint32)
    high = end[np.concatenate((apart, [True]))].astype(np.uint32)
    return low, high


def _pages(start: npt.NDArray[np.uint32], end: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    page = np.full(65536, PAGE_NONE, dtype=np.uint8)
    for low, high in zip(start.tolist(), end.tolist(), strict=True):
        page[low >> 16] = PAGE_PART
        page[high >> 16] = PAGE_PART
        page[(low + 0xFFFF) >> 16 : (high + 1) >> 16] = PAGE_ALL
    return page
