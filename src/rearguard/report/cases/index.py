"""Finds, among millions of prefixes, the rows whose prefix holds an address: the longest prefix first.

Rows are sorted by length, prefix and further keys of the caller; rows of one prefix are therefore neighbours, and
for each length that occurs (rarely more than five) three binary searches find them. Seventeen bytes a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.address import Address, Network, from_halves, halves

__all__ = ["PrefixRows", "prefix_text", "span_of"]

_BITS = 64
_ONES = (1 << _BITS) - 1
_V4 = 96  # an IPv4 /24 has the length 120 among 128 bits


def span_of(network: Network) -> tuple[int, int, int]:
    """High half, low half and length (of 128 bits) of a prefix."""
    high, low = halves(network.network_address)
    return high, low, network.prefixlen + (_V4 if network.version == 4 else 0)


def prefix_text(high: int, low: int, length: int) -> str:
    """A prefix as one writes it; a single address without its length."""
    address = from_halves(high, low)
    own = length - (_V4 if address.version == 4 else 0)
    return str(address) if own == address.max_prefixlen else f"{address}/{own}"


@dataclass(frozen=True, slots=True)
class PrefixRows:
    """The prefixes of a table in sorted order; a row is a position in it."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    length: npt.NDArray[np.uint8]
    lengths: tuple[int, ...]  # that occur, the longest first

    @classmethod
    def build(
        cls,
        high: npt.NDArray[np.uint64],
        low: npt.NDArray[np.uint64],
        length: npt.NDArray[np.uint8],
        *then: npt.NDArray[Any],
    ) -> tuple[PrefixRows, npt.NDArray[np.int64]]:
        """The index, and the order into which the caller must bring its other columns.

        ``then``: by what rows of one prefix are sorted, the first key counts most.
        """
        order = np.lexsort((*reversed(then), low, high, length))
        lengths = tuple(int(each) for each in np.unique(length)[::-1])
        return cls(high[order], low[order], length[order], lengths), order

    def __len__(self) -> int:
        return len(self.length)

    def holders(self, address: Address) -> Iterator[range]:
        """The rows of each prefix that holds the address, the longest prefix first."""
        high, low = halves(address)
        for length in self.lengths:
            rows = self.rows_of(*_cut(high, low, length), length)
            if rows:
                yield rows

    def rows_of(self, high: int, low: int, length: int) -> range:
        """The rows of exactly this prefix."""
        left, right = _span(self.length, 0, len(self.length), np.uint8(length))
        left, right = _span(self.high, left, right, np.uint64(high))
        left, right = _span(self.low, left, right, np.uint64(low))
        return range(left, right)

    def text(self, row: int) -> str:
        """The prefix of a row."""
        return prefix_text(int(self.high[row]), int(self.low[row]), int(self.length[row]))

    def same_prefix(self) -> npt.NDArray[np.bool_]:
        """For each row but the first: whether it has the prefix of the row before it."""
        same: npt.NDArray[np.bool_] = self.high[1:] == self.high[:-1]
        same &= self.low[1:] == self.low[:-1]
        same &= self.length[1:] == self.length[:-1]
        return same


def _cut(high: int, low: int, length: int) -> tuple[int, int]:
    """The address with all bits behind the prefix cleared."""
    if length <= _BITS:
        return high & (_ONES << (_BITS - length)) & _ONES, 0
    return high, low & (_ONES << (2 * _BITS - length)) & _ONES


def _span(column: npt.NDArray[Any], left: int, right: int, value: Any) -> tuple[int, int]:
    """Where ``value`` stands in a sorted part of a column."""
    part = column[left:right]
    first = int(np.searchsorted(part, value, side="left"))
    last = int(np.searchsorted(part, value, side="right"))
    return left + first, left + last
