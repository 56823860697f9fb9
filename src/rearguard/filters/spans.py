"""Sets of numbers as ascending ranges that neither overlap nor touch: addresses and ports, for exact reckoning.

A filter of ten thousand lines has tens of thousands of prefixes; as pairs of whole numbers they cost nothing.
``None`` stands for all numbers, as it does in :class:`rearguard.filters.model.Box`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, summarize_address_range

from rearguard.filters.model import PortSet
from rearguard.model.address import Address, Network
from rearguard.model.prefixes import PrefixSet

__all__ = [
    "BITS",
    "PORTS",
    "Spans",
    "address_of",
    "common",
    "holds",
    "merged",
    "networks_of",
    "of_networks",
    "of_ports",
    "of_prefixes",
]

Spans = tuple[tuple[int, int], ...]
"""(first, last) pairs, both ends included."""

BITS = {4: 32, 6: 128}
PORTS: Spans = ((0, 0xFFFF),)


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same numbers as the fewest ranges."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def common(one: Spans | None, other: Spans | None) -> Spans | None:
    """The numbers of both; the empty tuple when they share none."""
    if one is None or one is other:
        return other
    if other is None:
        return one
    found = []
    mine, theirs = 0, 0
    while mine < len(one) and theirs < len(other):
        first = max(one[mine][0], other[theirs][0])
        last = min(one[mine][1], other[theirs][1])
        if first <= last:
            found.append((first, last))
        if one[mine][1] < other[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return tuple(found)


def holds(spans: Spans | None, number: int) -> bool:
    """Whether the number is in the set."""
    return spans is None or any(first <= number <= last for first, last in spans)


def of_networks(networks: Iterable[Network]) -> Spans:
    """The addresses of these prefixes, all of one family."""
    return merged((int(net.network_address), int(net.broadcast_address)) for net in networks)


def of_prefixes(prefixes: PrefixSet | None) -> Spans | None:
    """The same set of addresses."""
    return None if prefixes is None else of_networks(prefixes)


def of_ports(ports: PortSet | None) -> Spans | None:
    """The same set of ports."""
    return None if ports is None else tuple((first, last) for first, last in ports.ranges)


def networks_of(spans: Spans, family: int) -> Iterator[Network]:
    """The fewest prefixes that make up the set, in ascending order."""
    kind = IPv4Network if family == 4 else IPv6Network
    for first, last in spans:
        size = last - first + 1
        if size & (size - 1) == 0 and first % size == 0:
            yield kind((first, BITS[family] + 1 - size.bit_length()))
        else:
            yield from summarize_address_range(address_of(first, family), address_of(last, family))


def address_of(number: int, family: int) -> Address:
    """The address with this number."""
    return ip_address(number.to_bytes(BITS[family] // 8, "big"))
