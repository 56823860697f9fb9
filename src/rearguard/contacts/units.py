"""Units: the blocks of addresses in which a first look thinks, and how chosen ones become few prefixes.

A unit is an IPv4 /24 or an IPv6 /48 in one unsigned 64-bit integer (bit 63 says IPv6). An *area* is the IPv4
/16 or IPv6 /32 around it.

Theory of the merging. A parent prefix takes the place of its parts when more than half of its units are
chosen and none is known to be outside; so an operator's /16 of which most /24s were touched is one prefix,
and a remote network in between keeps its neighbours apart. So does an area with AREA units or more in it,
for a capture may show a sample of a large network only. If there are still more prefixes than the limit, all
are shortened bit by bit, again never over an outside unit; what is left over then is cut by weight.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import V4_MAPPED, Network

__all__ = ["NO_UNIT", "area_of", "is_private", "merge_units", "never_ours", "unit_of"]

Units = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_V6 = np.uint64(1 << 63)
_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
NO_UNIT = np.uint64((1 << 64) - 1)
"""Stands for multicast, broadcast and unspecified addresses, which are nobody's."""

AREA = 8
"""So many chosen units, with no outside one among them, make their /16 or /32 one network."""

_SHORTEST = {4: 8, 6: 20}
_LENGTH = {4: 24, 6: 48}
_AREA_LENGTH = {4: 16, 6: 32}
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598, carrier-grade NAT
        "169.254.0.0/16",  # RFC 3927, link-local
        "127.0.0.0/8",
        "fc00::/7",  # RFC 4193, unique local
        "fe80::/10",  # RFC 4291, link-local
    )
)
_WHOLE = tuple(ipaddress.ip_network(text) for text in ("127.0.0.0/8", "169.254.0.0/16", "fe80::/64"))
"""Proposed as a whole, however little of them was seen."""


def unit_of(hi: npt.NDArray[Any], lo: npt.NDArray[Any]) -> Units:
    """The unit of each address; NO_UNIT for those that cannot be anybody's."""
    v4 = _is_v4(hi, lo)
    unit: Units = np.where(v4, (lo & np.uint64(0xFFFF_FFFF)) >> np.uint64(8), _V6 | hi >> np.uint64(16))
    unit[never_ours(hi, lo)] = NO_UNIT
    return unit


def area_of(units: Units) -> Units:
    """The /16 or /32 around each unit."""
    v6 = units & _V6 > 0
    inside = np.where(v6, (units & ~_V6) >> np.uint64(16), units >> np.uint64(8))
    area: Units = np.where(units == NO_UNIT, NO_UNIT, inside | np.where(v6, _V6, np.uint64(0)))
    return area


def never_ours(hi: npt.NDArray[Any], lo: npt.NDArray[Any]) -> Mask:
    """Multicast, broadcast, reserved and unspecified addresses."""
    v4 = _is_v4(hi, lo)
    octet = lo >> np.uint64(24) & np.uint64(0xFF)
    mask: Mask = np.where(
        v4, (octet >= 224) | (octet == 0), (hi >> np.uint64(56) == 0xFF) | ((hi == 0) & (lo <= 1))
    )
    return mask


def is_private(units: Units) -> Mask:
    """Units of addresses that no one can have toward the Internet: private, unique local, link-local."""
    found: Mask = np.zeros(len(units), dtype=np.bool_)
    for net in _PRIVATE:
        first, last = _range(net)
        found |= (units >= np.uint64(first)) & (units <= np.uint64(last))
    return found


def _is_v4(hi: npt.NDArray[Any], lo: npt.NDArray[Any]) -> Mask:
    v4: Mask = (hi == 0) & (lo >> np.uint64(32) == _V4_PREFIX)
    return v4


def _range(net: Network) -> tuple[int, int]:
    """First and last unit of a prefix."""
    shift = net.max_prefixlen - _LENGTH[net.version]
    flag = 0 if net.version == 4 else int(_V6)
    return int(net[0]) >> shift | flag, int(net[-1]) >> shift | flag


def merge_units(chosen: Mapping[int, int], outside: Units, limit: int) -> tuple[tuple[Network, ...], int]:
    """Few prefixes for the chosen units (unit to weight), and how many prefixes did not fit.

    ``outside`` are units that no prefix may swallow.
    """
    found: dict[Network, int] = {}
    for version in (4, 6):
        flag = 0 if version == 4 else int(_V6)
        own = {unit & ~flag: weight for unit, weight in chosen.items() if (unit >= int(_V6)) == bool(flag)}
        barred = [int(unit) & ~flag for unit in outside if (int(unit) >= int(_V6)) == bool(flag)]
        found |= _merged(own, barred, version, limit)
    ranked = sorted(found, key=lambda net: (-found[net], net.version, int(net[0])))
    kept = sorted(ranked[:limit], key=lambda net: (net.version, int(net[0])))
    return tuple(kept), max(0, len(ranked) - limit)


def _merged(own: Mapping[int, int], barred: list[int], version: int, limit: int) -> dict[Network, int]:
    """``nodes`` are the prefixes so far, as (length, number); levels go from long to short."""
    whole = _LENGTH[version]
    nodes = {(whole, unit): weight for unit, weight in own.items()}
    covered = dict.fromkeys(own, 1)  # chosen units below each number of the level
    for length in range(whole - 1, _SHORTEST[version] - 1, -1):
        above: dict[int, int] = {}
        for number, count in covered.items():
            above[number >> 1] = above.get(number >> 1, 0) + count
        covered = above
        size = 1 << (whole - length)
        enough = min(size / 2, AREA - 1) if length == _AREA_LENGTH[version] else size / 2
        dense = {number for number, count in covered.items() if count > enough}
        nodes = _shorten(nodes, length, barred, whole, dense)
    for length in range(whole - 1, _SHORTEST[version] - 1, -1):
        if len(nodes) <= limit:
            break
        every = {number >> (at - length) for at, number in nodes if at > length}
        nodes = _shorten(nodes, length, barred, whole, every)
    return {_network(number, length, version): weight for (length, number), weight in nodes.items()}


def _shorten(
    nodes: dict[tuple[int, int], int], length: int, barred: list[int], whole: int, parents: set[int]
) -> dict[tuple[int, int], int]:
    """Put the nodes below these parents together, except where an outside unit lies below."""
    free = parents - {unit >> (whole - length) for unit in barred}
    out: dict[tuple[int, int], int] = {}
    for (at, number), weight in nodes.items():
        parent = number >> (at - length) if at > length else None
        key = (length, parent) if parent is not None and parent in free else (at, number)
        out[key] = out.get(key, 0) + weight
    return out


def _network(number: int, length: int, version: int) -> Network:
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    bits = 32 if version == 4 else 128
    network = kind((number << (bits - length), length))
    return next((whole for whole in _WHOLE if whole.version == version and _holds(whole, network)), network)


def _holds(whole: Network, network: Network) -> bool:
    return network[0] in whole or network[0] == whole[0]
