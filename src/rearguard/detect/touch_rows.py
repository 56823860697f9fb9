"""Touches as rows of numbers: what kernels count, in the order of contacts (by client, then by server).

Words are numbers here: an interface by its place in the catalogue, a network by its place in the policy. What a
detector asks of a row is a bit of ``marks``; the lowest seven are those of :mod:`rearguard.detect.tally_rows`.
Kept are the touches that scans, probes and floods are made of: of catalogued interfaces, inbound or internal. Few
are held in memory, more in a file of the run's own folder, so that memory does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from io import BufferedRandom

__all__ = [
    "FLAGLESS", "FORGEABLE", "GUEST", "LAN", "NO_WORD", "OPENED", "RETURNED", "SENT", "TOUCH", "Touches",
]  # fmt: skip

OPENED, LAN, GUEST, FLAGLESS, FORGEABLE, SENT, RETURNED = (1 << place for place in range(7, 14))
"""The further bits of ``marks``; ``SENT`` and ``RETURNED``: there are packets of the client, of the server."""
NO_WORD = 0xFFFF

TOUCH = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("begun", "i8"),
        ("ended", "i8"),
        ("last", "i8"),
        ("packets", "u8"),
        ("bytes", "u8"),
        ("tries", "u8"),
        ("mirai", "u8"),
        ("zmap", "u8"),
        ("masscan", "u8"),
        ("time", "i8"),
        ("rec", "u8"),
        ("sampling", "u4"),
        ("marks", "u4"),
        ("port", "u2"),
        ("far_port", "u2"),
        ("interface", "u2"),
        ("network", "u2"),  # the server's
        ("surveyor", "u2"),
        ("exception", "u2"),
        ("proto", "u1"),
        ("result", "u1"),
        ("rank", "u1"),
        ("way", "u1"),
    ]
)

Rows = npt.NDArray[Any]

BATCH = 8_192
"""Rows that are looked at together: 1.2 MB, which a core's second level holds."""
HELD = 16_384
"""Rows up to which no file is written (2 MB)."""


class Touches:
    """Rows of TOUCH; first ``add``, then ``batches`` as often as wanted, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "touches.rows"
        self._file: BufferedRandom | None = None
        self._held: list[Rows] = []
        self._rows = 0  # held

    def add(self, rows: Rows) -> None:
        """``rows`` may be reused by the caller."""
        if self._file is None:
            self._held.append(rows.copy())
            self._rows += len(rows)
            if self._rows <= HELD:
                return
            self._file = self._path.open("w+b")
            rows = np.concatenate(self._held)
            self._held.clear()
        self._file.write(rows.view(np.uint8).data)

    def batches(self) -> Iterator[Rows]:
        """All rows, at most BATCH at once where they are many; an array is valid until the next one."""
        if self._file is None:
            yield from self._held
            return
        buffer = np.empty(BATCH, TOUCH)
        self._file.seek(0)
        while size := self._file.readinto(buffer.view(np.uint8).data):
            yield buffer[: size // TOUCH.itemsize]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._path.unlink()
