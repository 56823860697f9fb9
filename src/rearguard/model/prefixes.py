"""Sets of prefixes, and tables that tell for millions of addresses at once which prefix they lie in.

Theory: prefixes nest or are disjoint, never anything else. Sorted by first address (the wider one first),
a sweep with a stack of open prefixes therefore cuts the address space into disjoint ranges, each labelled
with the longest prefix that covers it. Membership is then one binary search over the first addresses and
one comparison with the last. All addresses have 128 bits, IPv4 as ``::ffff:0:0/96``, in two 64-bit halves
that compare lexicographically.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rearguard.model.address import Address, Network, halves, prefix_range

__all__ = ["NO_LABEL", "PrefixSet", "PrefixTable"]

NO_LABEL = -1
"""What a table says of an address that lies in none of its prefixes."""

Halves = npt.NDArray[np.uint64]
Labels = npt.NDArray[np.int32]

_LOW = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """Disjoint ranges in ascending order, both ends included, one label (0 or more) each."""

    starts_hi: Halves
    starts_lo: Halves
    ends_hi: Halves
    ends_lo: Halves
    labels: Labels

    @classmethod
    def build(cls, items: Iterable[tuple[Network, int]]) -> PrefixTable:
        """Label addresses by their longest prefix. ``ValueError``: a prefix with two labels, or with -1."""
        ranges = list(_flatten(_unique(items)))
        first = [start for start, _, _ in ranges]
        last = [end for _, end, _ in ranges]
        return cls(
            np.array([number >> 64 for number in first], dtype=np.uint64),
            np.array([number & _LOW for number in first], dtype=np.uint64),
            np.array([number >> 64 for number in last], dtype=np.uint64),
            np.array([number & _LOW for number in last], dtype=np.uint64),
            np.array([label for _, _, label in ranges], dtype=np.int32),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def lookup(self, hi: Halves, lo: Halves) -> Labels:
        """The label of each address, or -1. The halves are arrays of one length; the answer has it too."""
        hi = np.asarray(hi, dtype=np.uint64)
        lo = np.asarray(lo, dtype=np.uint64)
        if not len(self):
            return np.full(hi.shape, NO_LABEL, dtype=np.int32)
        before = self._ranges_starting_at_or_before(hi, lo)
        at = np.maximum(before - 1, 0)
        end_hi = self.ends_hi[at]
        inside = (before > 0) & ((hi < end_hi) | ((hi == end_hi) & (lo <= self.ends_lo[at])))
        return np.where(inside, self.labels[at], np.int32(NO_LABEL))

    def label_of(self, address: Address) -> int:
        """The label of one address, or -1."""
        high, low = halves(address)
        return int(self.lookup(np.array([high], dtype=np.uint64), np.array([low], dtype=np.uint64))[0])

    def _ranges_starting_at_or_before(self, hi: Halves, lo: Halves) -> npt.NDArray[np.int64]:
        """A binary search for all addresses in step; rows of equal high halves are told apart by the low."""
        left = np.searchsorted(self.starts_hi, hi, side="left")
        right = np.searchsorted(self.starts_hi, hi, side="right")
        width = int((right - left).max(initial=0))
        while width > 0:
            middle = (left + right) >> 1
            open_rows = left < right
            # A closed row may point behind the table; what is read there is not used.
            below = open_rows & (self.starts_lo[np.minimum(middle, len(self) - 1)] <= lo)
            left = np.where(below, middle + 1, left)
            right = np.where(open_rows & ~below, middle, right)
            width >>= 1
        return left


def _unique(items: Iterable[tuple[Network, int]]) -> list[tuple[int, int, int]]:
    """(first, last, label) of each distinct prefix, ready for the sweep."""
    known: dict[tuple[int, int], int] = {}
    for network, label in items:
        if label < 0:
            raise ValueError(f"label {label} of {network} is negative")
        (first_hi, first_lo), (last_hi, last_lo) = prefix_range(network)
        span = first_hi << 64 | first_lo, last_hi << 64 | last_lo
        if known.setdefault(span, label) != label:
            raise ValueError(f"{network} has two labels, {known[span]} and {label}")
    spans = [(first, last, label) for (first, last), label in known.items()]
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _flatten(spans: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Cut nested spans into disjoint ones, the innermost label winning; join neighbours of one label."""
    pending: tuple[int, int, int] | None = None
    for first, last, label in _sweep(spans):
        if pending and pending[2] == label and pending[1] + 1 == first:
            pending = pending[0], last, label
            continue
        if pending:
            yield pending
        pending = first, last, label
    if pending:
        yield pending


def _sweep(spans: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The pieces, from low to high; ``position`` is the first address not yet handed out."""
    stack: list[tuple[int, int]] = []  # (last, label) of the prefixes that are open, innermost on top
    position = 0
    for first, last, label in spans:
        while stack and stack[-1][0] < first:
            end, outer = stack.pop()
            if position <= end:
                yield position, end, outer
                position = end + 1
        if stack and position < first:
            yield position, first - 1, stack[-1][1]
        position = first
        stack.append((last, label))
    while stack:
        end, outer = stack.pop()
        if position <= end:
            yield position, end, outer
            position = end + 1


@dataclass(frozen=True, slots=True)
class PrefixSet:
    """A set of addresses as the fewest prefixes that make it up: sorted, IPv4 first, merged exactly."""

    networks: tuple[Network, ...] = field(default=())

    def __post_init__(self) -> None:
        v4 = [net for net in self.networks if isinstance(net, ipaddress.IPv4Network)]
        v6 = [net for net in self.networks if isinstance(net, ipaddress.IPv6Network)]
        merged = (*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6))
        object.__setattr__(self, "networks", merged)

    @classmethod
    def of(cls, networks: Iterable[Network]) -> PrefixSet:
        """The set of all addresses of these prefixes."""
        return cls(tuple(networks))

    @classmethod
    def parse(cls, *texts: str) -> PrefixSet:
        """From prefix texts. ``ValueError``: one is no prefix, or has host bits set."""
        return cls(tuple(ipaddress.ip_network(text) for text in texts))

    def __iter__(self) -> Iterator[Network]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)

    def __bool__(self) -> bool:
        return bool(self.networks)

    def contains(self, address: Address) -> bool:
        """Whether one of the prefixes holds the address."""
        return self._holder(address) is not None

    def covers(self, network: Network) -> bool:
        """Whether every address of the network is in the set; exact, because the set is merged."""
        holder = self._holder(network[0])
        return holder is not None and network[-1] in holder

    def union(self, other: PrefixSet) -> PrefixSet:
        """The addresses of either set."""
        return PrefixSet(self.networks + other.networks)

    def overlaps(self, other: PrefixSet) -> bool:
        """Whether some address lies in both sets."""
        return self.first_overlap(other) is not None

    def first_overlap(self, other: PrefixSet) -> tuple[Network, Network] | None:
        """A pair of prefixes, one of each set, that share an address; ``None`` when the sets are disjoint."""
        # Of two prefixes that overlap, one holds the first address of the other.
        for mine in self.networks:
            if holder := other._holder(mine[0]):
                return mine, holder
        for theirs in other.networks:
            if holder := self._holder(theirs[0]):
                return holder, theirs
        return None

    def _holder(self, address: Address) -> Network | None:
        """The prefix that holds the address: none but the last one that begins at or before it."""
        before = bisect_right(self.networks, _order(address), key=lambda network: _order(network[0]))
        last = self.networks[before - 1] if before else None
        return last if last is not None and address in last else None

    def texts(self) -> tuple[str, ...]:
        """The prefixes as one writes them."""
        return tuple(str(network) for network in self.networks)


def _order(address: Address) -> tuple[int, int]:
    """IPv4 first, then by number: the order of a set's prefixes."""
    return address.version, int(address)
