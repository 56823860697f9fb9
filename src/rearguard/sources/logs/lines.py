"""The lines of a text file in blocks, from the window through which every input is read.

A block is whole lines, about a megabyte of them, so that a library can read it at once. The header's bytes (a
byte order mark, the names of the columns) are taken first. A line that is longer than any log writes is passed
over and counted, and its memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from rearguard.sources.window import Window

__all__ = ["BLOCK", "LONGEST", "Lines"]

BLOCK = 1 << 20
LONGEST = 1 << 20
"""Bytes of the longest line that is read."""
MARK = b"\xef\xbb\xbf"


class Lines:
    """Whole lines of a window; ``overlong`` counts the lines that were passed over."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.overlong = 0
        if window.take(len(MARK)) == MARK:
            window.pos += len(MARK)

    @property
    def offset(self) -> int:
        """Bytes of the stream that were given away."""
        return self._window.offset

    def line(self) -> bytes:
        """The next line without its end, consumed; b"" also at the end of the stream."""
        text = self._window.take(min(LONGEST, self._window.buffer.size)).partition(b"\n")[0]
        self._window.pos = min(self._window.pos + len(text) + 1, self._window.end)
        return text.removesuffix(b"\r")

    def peek(self, size: int) -> bytes:
        """The next bytes, not consumed."""
        return self._window.take(min(size, self._window.buffer.size))

    def __iter__(self) -> Iterator[bytes]:
        window = self._window
        passing = False
        while True:
            more = self._fill()
            piece = window.buffer[window.pos : window.end].tobytes()
            if not piece:
                return
            if passing:
                _, end, piece = piece.partition(b"\n")
                window.pos = window.end - len(piece)
                passing = not end
                if passing or not piece:
                    continue
            cut = piece.rfind(b"\n") + 1
            if not cut and more and len(piece) < LONGEST:
                continue
            if not cut and more:
                self.overlong += 1
                passing = True
                window.pos = window.end
                continue
            block = piece[:cut] if cut else piece
            window.pos += len(block)
            yield block

    def _fill(self) -> bool:
        """Read on; False when the stream is at its end."""
        window = self._window
        left = window.end - window.pos
        return window.fill(max(left + 1, min(BLOCK, window.buffer.size)))
