"""Chunks: what every source delivers, as an array of rows over a buffer that the source owns.

A row is two cache lines; the first has what every kernel asks of every row. An array of rows and not a struct of
columns, because a kernel then takes one array instead of twenty-seven, checks its bounds once for a row, and finds
all of a chosen row in one place (docs/decisions/013-rows-not-columns.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.model.fields import CHUNK, Element

__all__ = ["LINE", "ROWS", "Chunk", "new_rows"]

ROWS = 16_384
"""Rows of one chunk at most."""

LINE = 64
"""Bytes of a cache line."""


def new_rows(size: int = ROWS) -> Any:
    """``size`` zeroed rows with the fields of CHUNK in that order, each row on a boundary of cache lines."""
    packed = np.dtype([(item.name, item.code) for item in CHUNK], align=True)
    layout: Any = {
        "names": [item.name for item in CHUNK],
        "formats": [item.code for item in CHUNK],
        "offsets": [packed.fields[item.name][1] for item in CHUNK] if packed.fields else [],
        "itemsize": -(-packed.itemsize // LINE) * LINE,
    }
    kind = np.dtype((Element, np.dtype(layout)))
    raw = np.zeros(size * kind.itemsize + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size * kind.itemsize].view(kind)


@dataclass(slots=True)
class Chunk:
    """Rows 0..n-1 of ``rows`` are valid, and so is ``buffer``, until the source's next chunk."""

    rows: Any = field(default_factory=new_rows)
    n: int = 0
    buffer: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    even: bool = False
    """Whether the source knows that all rows have the observer and the sampling of the first."""

    def column(self, name: str) -> npt.NDArray[Any]:
        """The valid part of one column (a view)."""
        column: npt.NDArray[Any] = self.rows[name][: self.n]
        return column
