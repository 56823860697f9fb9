"""Rows in fewer bytes: of a batch only the bits are stored in which its rows differ.

Most of a row is the same in all rows of a batch: the upper halves of addresses and times, the port of a flood, all
that was not seen. Runs of bits that differ between its rows follow each other, a row padded to 32 bits; the rest is
stored once. Nothing depends on what the fields mean, and rows that differ everywhere take as much as they did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import kernel

__all__ = ["UNIT", "Layout", "Layouts", "Stored"]

Words = npt.NDArray[np.uint64]
Stored = npt.NDArray[np.uint32]

WORD = 8
"""Bytes of a word."""
UNIT = 32
"""Bits of a stored unit; no run of kept bits is longer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one batch are stored."""

    base: Words
    """The words of the first row without the bits that are kept."""
    word: npt.NDArray[np.int64]
    """Of each run of kept bits the word that it is in,"""
    lowest: npt.NDArray[np.uint64]
    """its lowest bit,"""
    width: npt.NDArray[np.uint64]
    """and its length."""
    units: int
    """Stored units that a row takes. Without runs these are the whole row: too little would be saved."""

    @classmethod
    def of(cls, rows: npt.NDArray[Any]) -> Layout:
        """That of one row or more."""
        words = _words(rows)
        differing = np.zeros(words.shape[1], dtype=np.uint64)
        _differing(words, differing)
        runs = [(word, *run) for word, bits in enumerate(differing.tolist()) for run in _runs(bits)]
        units = -(-sum(width for _, _, width in runs) // UNIT)
        if units * UNIT > len(differing) * 8 * WORD * 3 // 4:
            runs, units = [], len(differing) * 8 * WORD // UNIT
        base = words[0].copy()
        for word, lowest, width in runs:
            base[word] &= ~np.uint64(((1 << width) - 1) << lowest)
        numbers = np.array(runs, dtype=np.int64).reshape(-1, 3)
        lowest_of, width_of = (numbers[:, k].astype(np.uint64) for k in (1, 2))
        return cls(base, numbers[:, 0].copy(), lowest_of, width_of, units)

    def pack(
        self,
        rows: npt.NDArray[Any],
        numbers: npt.NDArray[np.uint8],
        places: npt.NDArray[np.int64],
        target: Stored,
    ) -> None:
        """Store each row of the batch at the next place of its partition: ``places`` starts as where each begins.
        ``target`` has ``units`` for each row."""
        _pack(_words(rows), self.word, self.lowest, self.width, numbers, places, target)


class Layouts:
    """The layouts of successive batches, in arrays as a kernel wants them."""

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self.units = np.array([layout.units for layout in layouts], dtype=np.int64)
        self._base = np.array([layout.base for layout in layouts])
        self._ends = np.cumsum([layout.word.size for layout in layouts])
        self._word = np.concatenate([layout.word for layout in layouts])
        self._lowest = np.concatenate([layout.lowest for layout in layouts])
        self._width = np.concatenate([layout.width for layout in layouts])

    def unpack(self, stored: Stored, counts: npt.NDArray[np.int64], rows: npt.NDArray[Any]) -> None:
        """Make rows again: of each batch, ``counts`` of them follow each other in ``stored``."""
        _unpack(
            stored,
            counts,
            self.units,
            self._ends,
            self._base,
            self._word,
            self._lowest,
            self._width,
            _words(rows),
        )


def _words(rows: npt.NDArray[Any]) -> Words:
    """The rows as words; a row is a whole number of these."""
    words: Words = (
        np.ascontiguousarray(rows)
        .view(np.uint8)
        .view(np.uint64)
        .reshape(len(rows), rows.dtype.itemsize // WORD)
    )
    return words


def _runs(bits: int) -> Iterator[tuple[int, int]]:
    """Lowest bit and length of runs of at most UNIT bits that hold all the set ones."""
    while bits:
        lowest = (bits & -bits).bit_length() - 1
        some = bits & ((1 << UNIT) - 1) << lowest
        yield lowest, some.bit_length() - lowest
        bits ^= some


@kernel
def _differing(words: Words, differing: Words) -> None:
    for k in range(words.shape[1]):
        first, found = words[0, k], np.uint64(0)
        for i in range(words.shape[0]):
            found |= words[i, k] ^ first
        differing[k] = found


@kernel
def _pack(
    words: Words,
    word: npt.NDArray[np.int64],
    lowest: npt.NDArray[np.uint64],
    width: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    target: Stored,
) -> None:
    unit, one = np.uint64(UNIT), np.uint64(1)
    for i in range(words.shape[0]):
        at = places[numbers[i]]
        places[numbers[i]] = at + 1
        if word.size == 0:
            for column in range(target.shape[1]):
                target[at, column] = words[i, column >> 1] >> (unit * np.uint64(column & 1)) & np.uint64(
                    0xFFFF_FFFF
                )
            continue
        bits, have, column = np.uint64(0), np.uint64(0), 0
        for k in range(word.size):
            bits |= (words[i, word[k]] >> lowest[k] & ((one << width[k]) - one)) << have
            have += width[k]
            if have >= unit:
                target[at, column] = bits & np.uint64(0xFFFF_FFFF)
                bits >>= unit
                have -= unit
                column += 1
        if have > np.uint64(0):
            target[at, column] = bits


@kernel
def _unpack(
    stored: Stored,
    counts: npt.NDArray[np.int64],
    units: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    base: Words,
    word: npt.NDArray[np.int64],
    lowest: npt.NDArray[np.uint64],
    width: npt.NDArray[np.uint64],
    words: Words,
) -> None:
    unit, one = np.uint64(UNIT), np.uint64(1)
    start = first = i = 0
    for batch in range(counts.size):
        runs = ends[batch]
        whole = first == runs and units[batch] > 0
        for _ in range(counts[batch]):
            if whole:
                for k in range(words.shape[1]):
                    at = start + 2 * k
                    words[i, k] = np.uint64(stored[at]) | np.uint64(stored[at + 1]) << unit
            else:
                for k in range(words.shape[1]):
                    words[i, k] = base[batch, k]
            bits, have, column = np.uint64(0), np.uint64(0), start
            for k in range(first, runs):
                if have < width[k]:
                    bits |= np.uint64(stored[column]) << have
                    have += unit
                    column += 1
                words[i, word[k]] |= (bits & ((one << width[k]) - one)) << lowest[k]
                bits >>= width[k]
                have -= width[k]
            start += units[batch]
            i += 1
        first = runs
