"""A file of nfcapd as a source of chunks: block by block, each unpacked and decoded, what is damaged counted.

A block that cannot be unpacked, or whose records do not fit each other, is left and the next one read. Where the
next one begins only the header of the block tells, so a damaged header ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np

from rearguard.model.chunk import Chunk, new_rows
from rearguard.model.compiled import Buffer
from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import Input, Progress
from rearguard.sources.nfcapd.define import address_text, define
from rearguard.sources.nfcapd.elements import decode_elements
from rearguard.sources.nfcapd.layout import (
    BLOCK_HEADER,
    FileHeader,
    parse_block_header,
    parse_file_header,
)
from rearguard.sources.nfcapd.loads import n16
from rearguard.sources.nfcapd.mapped import decode_mapped
from rearguard.sources.nfcapd.maps import COLUMNS
from rearguard.sources.nfcapd.state import REASONS, State
from rearguard.sources.nfcapd.status import ASK, FULL, META, ROOM, TORN
from rearguard.sources.nfcapd.unpack import Unpacker
from rearguard.sources.observers import observers
from rearguard.sources.reader import Exporter, Observer, Tally
from rearguard.sources.window import Window

__all__ = ["NfcapdSource", "open_nfcapd"]

KIND_16, KIND_17 = 2, 3
DEFINITIONS = 1 << 18
"""Records of a file that may define something: four times as many as there are numbers for exporters or maps."""
BAD_BLOCK, NOT_A_FLOW = "bad-block", "not-a-flow"


class NfcapdSource:
    """One file of flows, read once (a :class:`~rearguard.sources.reader.Reader`)."""

    def __init__(self, uri: str, number: int, inflow: Input, window: Window, header: FileHeader) -> None:
        self.uri = uri
        self.number = number
        self.format = "nfcapd"
        self.compression = inflow.compression
        self.tally = Tally()
        self._header = header
        self._inflow = inflow
        self._window = window
        self._state = State(COLUMNS)
        self._unpacker = Unpacker(header.compression)
        self._swapped = 1 if header.big_endian else None
        self._known: list[Observer] = []
        self._chunk = Chunk()
        self._blocks = 0
        self._block: Buffer = np.zeros(0, np.uint8)
        self._kind = self._at = self._left = self._defined = 0

    @property
    def observers(self) -> Sequence[Observer]:
        """The exporters' interfaces that rows point to."""
        return observers(self._state.tables.observers, self._state.exporters, self._known)

    @property
    def exporters(self) -> Sequence[Exporter]:
        """Who exported the flows, as the file says."""
        return self._state.exporters

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""
        return self._inflow.progress

    def chunks(self) -> Iterator[Chunk]:
        """The flows as chunks. The chunk and its rows are reused: done with when the next is asked."""
        chunk = self._chunk
        chunk.n = 0
        while self._left or self._next_block():
            chunk.n = self._decode(chunk.rows, chunk.n)
            if chunk.n + ROOM > chunk.rows.size:
                yield self._handed(chunk)
                chunk.n = 0
        if chunk.n:
            yield self._handed(chunk)
        else:
            self._count()

    def _handed(self, chunk: Chunk) -> Chunk:
        self._count()
        self.tally.rows += chunk.n
        return chunk

    def _next_block(self) -> bool:
        """Read and unpack the next block of flows; False at the end."""
        window, header = self._window, self._header
        while True:
            if header.blocks and self._blocks >= header.blocks:
                return False
            if not header.blocks and header.appendix and window.offset >= header.appendix:
                return False
            head = window.take(BLOCK_HEADER)
            if len(head) < BLOCK_HEADER:
                self._end(len(head))
                return False
            block = parse_block_header(head, header)
            if not block.possible:
                self.tally.skip(BAD_BLOCK)
                self.tally.damaged = (
                    f"block {self._blocks + 1}, at byte {window.offset}, has an impossible header; "
                    "the rest was not read"
                )
                return False
            need = BLOCK_HEADER + block.size
            if window.end - window.pos < need and not window.extend(need) and not window.fill(need):
                self._end(window.end - window.pos)
                return False
            stored = window.buffer[window.pos + BLOCK_HEADER : window.pos + need]
            window.pos += need
            self._blocks += 1
            self.tally.bytes = window.offset
            if block.kind not in (KIND_16, KIND_17):
                self.tally.skip(NOT_A_FLOW if block.kind > KIND_17 else BAD_BLOCK)
                continue
            data = self._unpacker.unpack(stored) if block.packed else stored
            if data is None:
                self.tally.skip(BAD_BLOCK)
                continue
            self._block, self._kind, self._at, self._left = data, block.kind, 0, block.records
            if self._left:
                return True

    def _decode(self, rows: object, start: int) -> int:
        """Decode what is left of the block into the rows from ``start`` on; returns the next row."""
        decode = decode_elements if self._kind == KIND_17 else decode_mapped
        block, r = self._block, start
        while self._left:
            status, self._at, r, self._left = decode(
                block, self._at, block.size, self._left, self._swapped, self._state.tables, rows, r
            )
            if status == FULL:
                break
            if status == META:
                self._define()
            elif status == ASK:
                high, low = self._state.tables.wanted.tolist()
                self._state.hear(address_text(high, low))
            elif status == TORN:
                self.tally.skip(BAD_BLOCK)
                self._left = 0
        return r

    def _define(self) -> None:
        """Take in the record at the present place, which is no flow."""
        size = n16(self._block, self._at + 2, self._swapped)
        self._defined += 1
        if self._defined <= DEFINITIONS:
            define(self._block[self._at : self._at + size].tobytes(), self._header.big_endian, self._state)
        else:
            self.tally.skip(NOT_A_FLOW)
        self._at += size
        self._left -= 1

    def _count(self) -> None:
        counts, tally = self._state.tables.counts, self.tally
        first, last = self._state.tables.times.tolist()
        if first <= last:
            tally.spans(first, last)
        tally.records = int(counts[0])
        for number, reason in enumerate(REASONS):
            if number and counts[number]:
                tally.skip(reason, int(counts[number]))
                counts[number] = 0
        self._state.finish()

    def _end(self, left: int) -> None:
        """The file is over, in the middle of something when bytes are left or blocks are missing."""
        window, missing = self._window, self._header.blocks - self._blocks
        self.tally.bytes = window.base + window.end
        broken = self._inflow.damaged
        if left or missing > 0:
            self.tally.skip(BAD_BLOCK)
            broken = broken or f"the file ends in the middle of block {self._blocks + 1}"
        if broken:
            self.tally.damaged = broken

    def first_time(self) -> int | None:
        """When the first flow ended, ns: flows are written when they end, so a collector's files are in order."""
        if not self._left and not self._next_block():
            return None
        at, left, state, skipped = self._at, self._left, self._state, dict(self.tally.skipped)
        self._state = State(COLUMNS)
        rows = new_rows(ROOM)
        n = self._decode(rows, 0)
        self._at, self._left, self._state, self.tally.skipped = at, left, state, skipped
        return int(rows[0].end) if n else None

    def close(self) -> None:
        """Close the file."""
        self._inflow.close()

    def __enter__(self) -> NfcapdSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_nfcapd(inflow: Input, window: Window, uri: str, number: int, options: object) -> NfcapdSource:
    """Open a file that begins with nfcapd's magic number. Raises InputError for a layout that cannot be read."""
    place = Place(file="standard input" if uri == "-" else uri)
    header = parse_file_header(window.take(512))
    assert header is not None
    if header.version not in (1, 2):
        raise InputError(
            f"an nfcapd file of layout {header.version}; layouts 1 (nfdump 1.6) and 2 (nfdump 1.7) can be read",
            remedy="export its flows as CSV, or write it again with an nfdump 1.7",
            place=place,
        )
    if header.size == 0 or len(window.take(header.size)) < header.size:
        raise InputError("an nfcapd file whose header is cut short", remedy="copy it again", place=place)
    if header.encrypted or header.compression == "?":
        raise InputError(
            "an nfcapd file that is encrypted or compressed in a way that is not known",
            remedy="write it again with: nfdump -r IN -z -w OUT",
            place=place,
        )
    window.pos += header.size
    return NfcapdSource(uri, number, inflow, window, header)
