"""HyperLogLog with 64 one-byte registers: distinct counts that merge by the larger register.

Flajolet, Fusy, Gandouet, Meunier 2007 (https://doi.org/10.46298/dmtcs.3545): relative standard error
1.04/sqrt(64) = 13 %; below about 160 the count of untouched registers is used (linear counting), whose error is
smaller. A register holds the position of the first 1 bit of the hash after the six bits that choose it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["ERROR", "REGISTERS", "estimate", "merge"]

REGISTERS = 64
ERROR = 1.04 / math.sqrt(REGISTERS)
_ALPHA = 0.709  # the paper's constant for 64 registers


def estimate(registers: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Distinct counts of sketches, shape (n, 64) -> (n,)."""
    table = registers.reshape(-1, REGISTERS)
    raw = _ALPHA * REGISTERS**2 / np.exp2(-table.astype(np.float64)).sum(axis=1)
    empty = (table == 0).sum(axis=1)
    with np.errstate(divide="ignore"):
        linear = REGISTERS * np.log(REGISTERS / empty)
    counts: npt.NDArray[np.float64] = np.where((raw <= 2.5 * REGISTERS) & (empty > 0), linear, raw)
    return counts


def merge(registers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """One sketch of several, shape (n, 64) -> (64,)."""
    merged: npt.NDArray[np.uint8] = registers.reshape(-1, REGISTERS).max(axis=0, initial=0)
    return merged
