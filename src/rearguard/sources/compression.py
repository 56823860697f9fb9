"""Bytes in, decompressed by what they are and not by what the file is called, in flat memory.

Plain files are read straight into the caller's buffer. Compressed ones are unpacked by a thread, at most two
blocks ahead, so that unpacking (outside the interpreter lock) and decoding overlap and a decompression bomb
costs time, not memory. An xz file may ask for a dictionary of 256 MiB at most, a zstd file for its library's
limit of 128 MiB.
"""

from __future__ import annotations

import bz2
import lzma
import queue
import threading
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

__all__ = ["MAGICS", "Inflow", "Plain", "Unpacked", "compression_of"]

MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bzip2"),
)
"""RFC 1952; the .xz format 1.2 section 2.1.1; RFC 8878; the LZ4 frame format; bzip2."""

INPUT = 256 * 1024
BLOCK = 1024 * 1024
AHEAD = 2
XZ_MEMORY = 256 * 1024 * 1024

DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError)
"""What the unpackers raise on bad input; ``zstandard.ZstdError`` is added where zstd is used."""


def compression_of(head: bytes) -> str:
    """The name of the compression that these first bytes announce, "" if none."""
    for magic, name in MAGICS:
        if head.startswith(magic):
            return name
    return ""


class Inflow(Protocol):
    """Where a source's bytes come from."""

    @property
    def damaged(self) -> str | None:
        """Why the bytes ended before their time, if they did."""

    def readinto(self, target: memoryview) -> int:
        """Put up to ``len(target)`` bytes there; 0 at the end."""

    def close(self) -> None:
        """Release what is held."""


class Plain:
    """An uncompressed file, after some first bytes that were read already to look at them."""

    def __init__(self, raw: BinaryIO, head: bytes) -> None:
        self.raw = raw
        self.head = head
        self.damaged: str | None = None

    def readinto(self, target: memoryview) -> int:
        if self.head:
            n = min(len(self.head), len(target))
            target[:n] = self.head[:n]
            self.head = self.head[n:]
            return n
        try:
            return self.raw.readinto(target) or 0  # type: ignore[attr-defined]
        except OSError as error:
            self.damaged = f"reading failed: {error.strerror or error}"
            return 0

    def close(self) -> None:
        self.raw.close()


class _Decompressor(Protocol):
    """The interface that bz2, lzma and lz4 share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gunzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.unused_data: bytes | None = None

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))
        self.unused_data = self._inner.unused_data
        return out


def _members(feed: Callable[[int], bytes], make: Callable[[], _Decompressor]) -> Callable[[], bytes]:
    """A function that gives the next unpacked block, b"" at the end; members may follow each other."""
    state = make()
    begun = stalled = False

    def more() -> bytes:
        nonlocal state, begun, stalled
        while True:
            data = b""
            if state.eof:
                data = (state.unused_data or b"").lstrip(b"\0") or feed(INPUT).lstrip(b"\0")
                if not data:
                    return b""
                state, begun = make(), False
            elif state.needs_input or stalled:
                data = feed(INPUT)
                if not data:
                    if begun:
                        raise EOFError("the compressed data end in the middle")
                    return b""
            begun = True
            out = state.decompress(data, BLOCK)
            stalled = not out
            if out:
                return out

    return more


def _unpacker(name: str, feed: Callable[[int], bytes]) -> Callable[[], bytes]:
    if name == "gzip":
        return _members(feed, _Gunzip)
    if name == "xz":
        return _members(feed, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY))
    if name == "bzip2":
        return _members(feed, bz2.BZ2Decompressor)
    if name == "lz4":
        import lz4.frame

        return _members(feed, lz4.frame.LZ4FrameDecompressor)
    return _unzstd(feed)


class _Feed:
    """A file object with the one method that zstandard asks for."""

    def __init__(self, feed: Callable[[int], bytes]) -> None:
        self.read = feed


def _unzstd(feed: Callable[[int], bytes]) -> Callable[[], bytes]:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(
        cast(BinaryIO, _Feed(feed)),
        read_size=INPUT,
        read_across_frames=True,
    )

    def more() -> bytes:
        try:
            return reader.read1(BLOCK)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error

    return more


class Unpacked:
    """A compressed file, unpacked by a thread that runs at most AHEAD blocks in front of the reader."""

    def __init__(self, raw: BinaryIO, head: bytes, name: str) -> None:
        self.damaged: str | None = None
        self._raw = raw
        self._head = head
        self._name = name
        self.consumed = len(head)
        self._block = memoryview(b"")
        self._queue: queue.Queue[bytes | str] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, name="unpack", daemon=True)
        self._thread.start()

    def readinto(self, target: memoryview) -> int:
        if not self._block:
            if self._stop.is_set():
                return 0
            item = self._queue.get()
            if isinstance(item, str):
                self.damaged = item or None
                self._stop.set()
                return 0
            self._block = memoryview(item)
        n = min(len(self._block), len(target))
        target[:n] = self._block[:n]
        self._block = self._block[n:]
        return n

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._raw.close()

    def _feed(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        data = self._raw.read(size)
        self.consumed += len(data)
        return data

    def _pump(self) -> None:
        """Runs in the thread: blocks, then "" at a clean end or a sentence about the damage."""
        last = ""
        try:
            more = _unpacker(self._name, self._feed)
            while block := more():
                if not self._put(block):
                    return
        except DAMAGE as error:
            last = f"{self._name}: {error or type(error).__name__}"
        self._put(last)

    def _put(self, item: bytes | str) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
