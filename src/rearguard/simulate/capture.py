"""Packets as a capture: a classic pcap with microseconds, cut behind the headers unless a packet has a text."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rearguard.simulate.conversations import SYN_OPTIONS
from rearguard.simulate.envelope import FILE_HEADER
from rearguard.simulate.packets import render
from rearguard.simulate.texts import TEXTS

__all__ = ["Capture"]

BUFFER = 4 << 20


class Capture:
    """Packets in the order of their times."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._buffer = np.zeros(BUFFER, np.uint8)
        self._blob = np.frombuffer(b"".join(TEXTS.values()), np.uint8)
        self._text_at = np.cumsum([0, *(len(text) for text in TEXTS.values())])
        self._options = np.frombuffer(SYN_OPTIONS, np.uint8)
        out.write(FILE_HEADER)

    def write(self, packets: NDArray[np.void]) -> None:
        """Write their bytes."""
        begin = 0
        while begin < len(packets):
            begin, used = render(packets, self._blob, self._text_at, self._options, self._buffer, begin)
            self._out.write(self._buffer[:used].data)

    def close(self) -> None:
        """Nothing is held back."""
