"""Copy chosen segments and their payload, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import Buffer, kernel, load

__all__ = ["copy_bytes", "gather"]


@load
def copy_bytes(source: Buffer, begin: Any, target: Buffer, at: Any, length: Any) -> None:
    """Bytes from one buffer to the other, checked once."""
    if length < 0 or begin < 0 or at < 0 or begin + length > source.size or at + length > target.size:
        raise IndexError("copy outside a buffer")
    for k in range(length):
        target[at + k] = source[begin + k]


@kernel
def gather(
    segment: npt.NDArray[Any],
    payload: Buffer,
    chosen: npt.NDArray[np.int64],
    to_segment: npt.NDArray[Any],
    to_payload: Buffer,
) -> None:
    """Segments number ``chosen`` in that order, their payload one after the other."""
    at = np.int64(0)
    for i in range(chosen.size):
        to_segment[i] = segment[chosen[i]]
        one = to_segment[i]
        length = np.int64(one.length)
        copy_bytes(payload, one.at, to_payload, at, length)
        one.at = at
        at += np.int64(length)
