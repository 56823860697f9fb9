"""Addresses as 128 bits in two unsigned 64-bit integers; IPv4 is ``::ffff:0:0/96`` everywhere."""

from __future__ import annotations

import ipaddress

import numpy as np
import numpy.typing as npt

__all__ = [
    "V4_MAPPED",
    "Address",
    "Network",
    "format_address",
    "from_halves",
    "halves",
    "prefix_range",
    "to_bytes16",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V4_MAPPED = 0xFFFF_0000_0000
"""Low half of ``::ffff:0.0.0.0``; the high half of an IPv4 address is 0."""

_LOW = 0xFFFF_FFFF_FFFF_FFFF


def halves(address: Address) -> tuple[int, int]:
    """Return (high, low) 64-bit halves of an address."""
    number = int(address)
    if address.version == 4:
        return 0, V4_MAPPED | number
    return number >> 64, number & _LOW


def from_halves(high: int, low: int) -> Address:
    """Inverse of :func:`halves`."""
    if high == 0 and low >> 32 == 0xFFFF:
        return ipaddress.IPv4Address(low & 0xFFFF_FFFF)
    return ipaddress.IPv6Address((int(high) << 64) | int(low))


def format_address(high: int, low: int) -> str:
    """The usual text of an address given in halves."""
    if high == 0 and low >> 32 == 0xFFFF:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(from_halves(int(high), int(low)))


def prefix_range(network: Network) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last address of a prefix, each as (high, low)."""
    return halves(network[0]), halves(network[-1])


def to_bytes16(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
    """16-byte big-endian addresses, one array element each (dtype ``V16``), as Arrow and SQL want them."""
    pairs = np.empty((len(high), 2), dtype=">u8")
    pairs[:, 0] = high
    pairs[:, 1] = low
    return pairs.view("V16").reshape(len(high))
