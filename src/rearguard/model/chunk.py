"""Chunks: what every source delivers, as a struct of numpy arrays over a buffer that the source owns."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.fields import CHUNK

__all__ = ["ROWS", "Chunk", "Rows", "new_rows"]

ROWS = 32_768
"""Rows of one chunk at most."""

_named = collections.namedtuple  # called by another name, for its fields are data and not literals
Rows: Any = _named("Rows", [item.name for item in CHUNK])
"""The CHUNK columns, one numpy array each, in table order; compiled kernels take the tuple whole."""


def new_rows(size: int = ROWS) -> Any:
    """Zeroed columns for ``size`` rows."""
    return Rows(*(np.zeros(size, dtype=item.code) for item in CHUNK))


@dataclass(slots=True)
class Chunk:
    """Rows 0..n-1 of ``rows`` are valid, and so is ``buffer``, until the source's next chunk."""

    rows: Any = field(default_factory=new_rows)
    n: int = 0
    buffer: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))

    def column(self, name: str) -> npt.NDArray[Any]:
        """The valid part of one column (a view)."""
        array: npt.NDArray[Any] = getattr(self.rows, name)
        return array[: self.n]
