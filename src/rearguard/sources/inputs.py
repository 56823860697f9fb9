"""Open a file or standard input, find out how it is compressed, and say how far it was read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import BinaryIO

from rearguard.model.errors import InputError, Place
from rearguard.sources.compression import Plain, Unpacked, compression_of

__all__ = ["STDIN", "Input", "Progress", "open_input"]

STDIN = "-"
FILE_OF_STDIN = 0
LONGEST_MAGIC = 6


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes consumed of the file as it is stored, and its size; None where that is not known (a pipe)."""

    done: int
    total: int | None


class Input:
    """The bytes of one input, decompressed, with the place in the stored file for a progress bar."""

    def __init__(self, raw: BinaryIO, total: int | None) -> None:
        head = b""
        while len(head) < LONGEST_MAGIC and (more := raw.read(LONGEST_MAGIC - len(head))):
            head += more
        self.compression = compression_of(head)
        self.consumed = len(head)
        self._total = total
        self._raw = raw
        self._inner: Plain | Unpacked
        if self.compression:
            self._inner = Unpacked(raw, head, self.compression)
        else:
            self._inner = Plain(raw, head)
        self._plain_bytes = 0

    @property
    def damaged(self) -> str | None:
        """Why the bytes ended before their time, if they did."""
        return self._inner.damaged

    @property
    def progress(self) -> Progress:
        """How much of the stored file was consumed."""
        done = self._inner.consumed if isinstance(self._inner, Unpacked) else self._plain_bytes
        return Progress(done if self._total is None else min(done, self._total), self._total)

    def readinto(self, target: memoryview) -> int:
        """Put up to ``len(target)`` bytes there; 0 at the end."""
        n = self._inner.readinto(target)
        self._plain_bytes += n
        return n

    def seek(self, offset: int) -> None:
        """Go on at this byte of a plain file."""
        if self.compression or self._total is None:
            raise InputError(
                "only a plain, uncompressed file can be read from the middle",
                remedy="read it as a whole",
            )
        self._raw.seek(offset)
        self._inner = Plain(self._raw, b"")

    def close(self) -> None:
        """Close the file and end the thread that unpacks it, if there is one."""
        self._inner.close()


def open_input(uri: str) -> Input:
    """Open a path, or standard input for "-". Raises InputError for what cannot be opened."""
    try:
        descriptor = os.dup(FILE_OF_STDIN) if uri == STDIN else os.open(uri, os.O_RDONLY | os.O_CLOEXEC)
        raw = os.fdopen(descriptor, "rb", buffering=0)
        try:
            info = os.fstat(descriptor)
            return Input(raw, info.st_size if stat.S_ISREG(info.st_mode) else None)
        except OSError:
            raw.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot be opened: {error.strerror or error}",
            remedy="check the path and the permissions",
            place=Place(file="standard input" if uri == STDIN else uri),
        ) from error
