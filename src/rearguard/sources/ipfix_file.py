"""Files of IPFIX messages, one after the other (RFC 5655): found in the window, decoded as if they came by UDP.

Such a file does not say whose messages they are, nor when they came: the exporter has no address, and the export
time stands for the arrival.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from rearguard.model.chunk import Chunk
from rearguard.model.compiled import Buffer, be16, be32, kernel
from rearguard.sources.exports import Decoder, new_datagrams
from rearguard.sources.frames import DAMAGED, FULL, MORE
from rearguard.sources.inputs import Input, Progress
from rearguard.sources.opening import Options
from rearguard.sources.reader import Exporter, Observer, Tally
from rearguard.sources.window import Window

__all__ = ["IpfixFile", "open_ipfix"]

MESSAGES = 4_096
"""Messages that are found before they are decoded."""
HEADER = 16
VERSION = 10
SECOND = 1_000_000_000


def open_ipfix(inflow: Input, window: Window, uri: str, number: int, options: Options) -> IpfixFile:
    """The reader of a file that begins with an IPFIX message."""
    del options  # nothing in them is about such files
    return IpfixFile(inflow, window, uri, number)


class IpfixFile:
    """One file, read once (a :class:`~rearguard.sources.reader.Reader`)."""

    format = "ipfix"

    def __init__(self, inflow: Input, window: Window, uri: str, number: int) -> None:
        self.uri = uri
        self.number = number
        self.compression = inflow.compression
        self.tally = Tally()
        self._inflow = inflow
        self._window = window
        self._decoder = Decoder()
        self._messages = new_datagrams(MESSAGES)
        self._found = 0
        self._chunk = Chunk()

    @property
    def observers(self) -> Sequence[Observer]:
        """The interfaces that rows point to."""
        return self._decoder.observers

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The observation domains whose messages the file has."""
        return self._decoder.exporters

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""
        return self._inflow.progress

    def first_time(self) -> int | None:
        """The export time of the first message, ns."""
        head = self._window.take(8)
        return int.from_bytes(head[4:8], "big") * SECOND if len(head) == 8 else None

    def chunks(self) -> Iterator[Chunk]:
        """The flows as chunks. The chunk and its rows are reused: done with when the next is asked."""
        window, chunk, tally = self._window, self._chunk, self.tally
        chunk.n = 0
        while True:
            status, pos, n, need = walk_messages(window.buffer, window.pos, window.end, self._messages)
            yield from self._decode(n)
            window.pos = pos
            tally.bytes = window.offset
            if status == DAMAGED:
                place = f"after message {self._found}, at byte {window.offset}"
                tally.damaged = f"{place}: what is there is no IPFIX message; the rest was not read"
                break
            if status == MORE and not window.fill(need):
                self._end()
                break
        self._decoder.finish(tally)
        if chunk.n:
            yield chunk

    def _decode(self, n: int) -> Iterator[Chunk]:
        """Decode the messages that were found; a chunk is full, or waits for what comes behind."""
        chunk = self._chunk
        buffer: Buffer = self._window.buffer
        self._found += n
        at = 0
        while True:
            at, chunk.n = self._decoder.feed(buffer, self._messages, at, n, chunk.rows, chunk.n, self.tally)
            if at == n:
                return
            yield chunk
            chunk.n = 0

    def _end(self) -> None:
        """The stream is over; what is left is the beginning of a message."""
        window, tally = self._window, self.tally
        tally.bytes = window.base + window.end
        tally.damaged = self._inflow.damaged
        if window.end > window.pos:
            tally.skip("bad-datagram")
            tally.damaged = tally.damaged or f"the file ends in the middle of message {self._found + 1}"

    def close(self) -> None:
        """Close the file and end the thread that unpacks it."""
        self._inflow.close()

    def __enter__(self) -> IpfixFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@kernel
def walk_messages(b: Buffer, pos: int, end: int, messages: Any) -> tuple[int, int, int, int]:
    """Find the messages in ``b[pos:end]``. Returns why it stopped, where, how many it found, and how many bytes the
    message at that position needs."""
    n = 0
    while True:
        if n == messages.off.size:
            return FULL, pos, n, 0
        if pos + HEADER > end:
            return MORE, pos, n, HEADER
        length = be16(b, pos + 2)
        if be16(b, pos) != VERSION or length < HEADER:
            return DAMAGED, pos, n, 0
        if pos + length > end:
            return MORE, pos, n, length
        messages.off[n] = pos
        messages.len[n] = length
        messages.time[n] = be32(b, pos + 4) * SECOND
        n += 1
        pos += length
