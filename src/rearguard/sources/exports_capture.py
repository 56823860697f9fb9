"""A capture whose UDP payloads are flow exports (``--exports``), as a source of the flows that were exported.

The capture is read and decoded like any other; then its UDP payloads, told by their content and put together where
IP cut them into fragments, go to the decoder that speaks their language, in the order in which they came. The
exporter is who sent the datagram (sFlow: the agent that it names), its time that of the packet. Every other packet
is counted as "not-an-export".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from rearguard.model.chunk import Chunk
from rearguard.model.compiled import Buffer
from rearguard.sources.exports.carried import Carried
from rearguard.sources.exports.datagrams import new_datagrams
from rearguard.sources.exports.decoder import Decoder
from rearguard.sources.exports_kinds import NETFLOW, NO_EXPORT, SFLOW, gather, kind_of
from rearguard.sources.frames import DAMAGE
from rearguard.sources.inputs import Progress
from rearguard.sources.pieces import piece_of
from rearguard.sources.reader import Exporter, Observer, Tally
from rearguard.sources.reassembly import Reassembly, Unfinished
from rearguard.sources.sflow.decoder import Decoder as SflowDecoder
from rearguard.sources.source import PacketSource

__all__ = ["ExportsSource", "sound_exports"]

_UNSOUND = ("bad-datagram", "bad-flow-record", "unknown-version")

DATAGRAMS = 8_192
"""Datagrams that are found before they are decoded."""


class _Decodes(Protocol):
    @property
    def exporters(self) -> Sequence[Exporter]: ...

    @property
    def observers(self) -> Sequence[Observer]: ...

    def feed(
        self, buffer: Buffer, datagrams: Any, start: int, n: int, rows: Any, row: int, tally: Tally
    ) -> tuple[int, int]: ...

    def finish(self, tally: Tally) -> None: ...


class ExportsSource:
    """One capture of exports, read once (a :class:`~rearguard.sources.reader.Reader`)."""

    def __init__(self, capture: PacketSource, carried: Carried | None = None) -> None:
        self.uri = capture.uri
        self.number = capture.number
        self.format = f"exports in {capture.format}"
        self.compression = capture.compression
        self.tally = Tally()
        self._capture = capture
        self._carried = carried
        self._decoders: dict[int, _Decodes] = {}
        self._numbers: dict[int, np.ndarray[Any, np.dtype[np.uint32]]] = {}
        self._records: dict[int, int] = {}
        self._observers: list[Observer] = []
        self._datagrams = new_datagrams(DATAGRAMS)
        self._one = new_datagrams(1)
        self._kinds = np.zeros(DATAGRAMS, np.uint8)
        self._others = np.zeros(2, np.int64)
        self._noted: dict[str, int] = {}
        self._pieces = Reassembly()
        self._chunk = Chunk()
        self._points = False

    @property
    def observers(self) -> Sequence[Observer]:
        """The exporters' interfaces that rows point to; it grows only at its end."""
        return self._observers

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The exporters and agents that were heard, as they stand now."""
        return [one for decoder in self._decoders.values() for one in decoder.exporters]

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""
        return self._capture.progress

    def first_time(self) -> int | None:
        """The time of the next packet, ns."""
        return self._capture.first_time()

    def chunks(self) -> Iterator[Chunk]:
        """The flows as chunks. The chunk, its rows and its buffer are reused: done with when the next is asked."""
        self._chunk.n = 0
        for packets in self._capture.chunks():
            at = 0
            while at < packets.n:
                at, found = gather(
                    packets.buffer, packets.rows, at, packets.n, self._datagrams, self._kinds, self._others
                )
                yield from self._runs(packets.buffer, found)
                if at < packets.n and found < DATAGRAMS:
                    yield from self._fragment(packets, at)
                    at += 1
            self._note()
            yield from self._flush()
        self._pieces.end()
        for decoder in self._decoders.values():
            decoder.finish(self.tally)
        self._note()

    def _runs(self, buffer: Buffer, found: int) -> Iterator[Chunk]:
        """Decode what was found, each run of one kind by its decoder."""
        kinds = self._kinds[:found]
        edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), found]
        for start, end in pairwise(edges):
            if start < end:
                yield from self._feed(int(kinds[start]), buffer, self._datagrams, start, end)

    def _feed(self, kind: int, buffer: Buffer, datagrams: Any, start: int, end: int) -> Iterator[Chunk]:
        chunk = self._chunk
        if self._points and chunk.buffer is not buffer:
            yield from self._flush()
        chunk.buffer = buffer
        decoder = self._decoder(kind)
        while start < end:
            before, row, records = start, chunk.n, self.tally.records
            start, chunk.n = decoder.feed(buffer, datagrams, start, end, chunk.rows, row, self.tally)
            if chunk.n > row:
                chunk.rows["record"][row : chunk.n] += np.uint64(records - self._records[kind])
                self._renumber(kind, decoder, chunk.rows["observer"][row : chunk.n])
                self._points |= kind == SFLOW
            self._records[kind] += self.tally.records - records
            if start < end:
                if chunk.n == 0 and start == before:
                    # No room in an empty chunk: nobody can read this datagram.
                    self.tally.skip("bad-datagram")
                    start += 1
                yield from self._flush()

    def _decoder(self, kind: int) -> _Decodes:
        if kind not in self._decoders:
            self._decoders[kind] = Decoder(carried=self._carried) if kind == NETFLOW else SflowDecoder()
            self._numbers[kind] = np.zeros(0, np.uint32)
            self._records[kind] = 0
        return self._decoders[kind]

    def _renumber(self, kind: int, decoder: _Decodes, column: np.ndarray[Any, np.dtype[np.uint32]]) -> None:
        """Each decoder numbers its observers from 0 (as its records from 1); here they have one list."""
        numbers = self._numbers[kind]
        known = decoder.observers
        if len(known) > len(numbers):
            first = len(self._observers)
            self._observers += known[len(numbers) :]
            fresh = np.arange(first, len(self._observers), dtype=np.uint32)
            numbers = self._numbers[kind] = np.concatenate([numbers, fresh])
        column[:] = numbers[column]

    def _flush(self) -> Iterator[Chunk]:
        if self._chunk.n:
            yield self._chunk
        self._chunk.n = 0
        self._points = False

    def _fragment(self, packets: Chunk, at: int) -> Iterator[Chunk]:
        piece = piece_of(packets.buffer, packets.rows, at)
        if piece is None:
            self._others[0] += 1
            return
        whole = self._pieces.add(piece)
        if whole is None:
            return
        payload, pieces = whole
        buffer = np.frombuffer(bytearray(payload), np.uint8)
        kind = self._kind_of(pieces, buffer, len(payload))
        if kind not in (NETFLOW, SFLOW):
            self._others[1 if kind else 0] += len(pieces.pieces)
            return
        assert pieces.head is not None
        one = self._one
        one.off[0], one.len[0], one.time[0] = 0, len(payload), piece.time
        one.src_hi[0], one.src_lo[0], one.sport[0] = piece.key[0], piece.key[1], pieces.head.sport
        yield from self._feed(kind, buffer, one, 0, 1)

    def _kind_of(self, pieces: Unfinished, buffer: Buffer, wire: int) -> int:
        return NO_EXPORT if pieces.head is None else int(kind_of(buffer, wire, pieces.head.dport))

    def _note(self) -> None:
        """Take over what the capture's own tally and the reassembly counted."""
        for lost in self._pieces.given_up():
            head = lost.head
            if head is not None and self._kind_of(
                lost, np.frombuffer(bytearray(head.data), np.uint8), head.total or 0
            ):
                self.tally.skip("bad-datagram")
            else:
                self._others[0] += len(lost.pieces)
        self.tally.skip("not-an-export", int(self._others[0]))
        self.tally.skip("unknown-version", int(self._others[1]))
        self._others[:] = 0
        inner = self._capture.tally
        for reason, count in inner.skipped.items():
            more = count - self._noted.get(reason, 0)
            self._noted[reason] = count
            # A frame without IP is one more packet that is no export; what could not be read at all stays that.
            self.tally.skip(reason if reason in DAMAGE else "not-an-export", more)
        self.tally.bytes = inner.bytes
        self.tally.damaged = inner.damaged

    def close(self) -> None:
        """Close the file and end the thread that unpacks it."""
        self._capture.close()

    def __enter__(self) -> ExportsSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sound_exports(packets: Chunk, candidates: np.ndarray[Any, np.dtype[np.intp]]) -> int:
    """How many of these packets, none a fragment, are exports with which the decoders find nothing wrong."""
    rows = packets.rows[candidates]
    n = len(candidates)
    datagrams, kinds = new_datagrams(n), np.zeros(n, np.uint8)
    _, found = gather(packets.buffer, rows, 0, n, datagrams, kinds, np.zeros(2, np.int64))
    decoders: dict[int, _Decodes] = {NETFLOW: Decoder(), SFLOW: SflowDecoder()}
    room, sound = Chunk(), 0
    for k in range(found):
        tally = Tally()
        decoders[int(kinds[k])].feed(packets.buffer, datagrams, k, k + 1, room.rows, 0, tally)
        sound += not any(tally.skipped.get(reason) for reason in _UNSOUND)
    return sound
