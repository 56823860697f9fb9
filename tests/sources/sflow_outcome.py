"""What the compiled sFlow decoder makes of payloads, and that it is what the plain reader makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address

import numpy as np

from rearguard.model.chunk import Chunk, new_rows
from rearguard.model.fields import CHUNK
from rearguard.sources.exports import new_datagrams
from rearguard.sources.reader import Tally
from rearguard.sources.sflow.decoder import Agent, Decoder

from .sflow_reference import Heard, Row

TIME = 1_700_000_000_000_000_000
SENDER = "192.0.2.99"
NAMES = [item.name for item in CHUNK]


class Outcome:
    """What a decoder made of payloads that came one second apart."""

    def __init__(self, payloads: Sequence[bytes], rows: int = 4_096) -> None:
        self.decoder, self.tally = Decoder(), Tally()
        self.rows: list[Row] = []
        buffer = np.frombuffer(bytearray(b"".join(payloads) or b"\0"), np.uint8)
        table = new_datagrams(max(len(payloads), 1))
        at = 0
        for i, payload in enumerate(payloads):
            table.off[i], table.len[i], table.time[i] = at, len(payload), TIME + i * 10**9
            table.src_hi[i], table.src_lo[i] = 0, 0xFFFF << 32 | int(ip_address(SENDER))
            at += len(payload)
        start, chunk = 0, Chunk(new_rows(rows), 0, buffer)
        while start < len(payloads):
            before = start
            start, chunk.n = self.decoder.feed(buffer, table, start, len(payloads), chunk.rows, 0, self.tally)
            self._take(chunk)
            assert start > before or chunk.n

    def _take(self, chunk: Chunk) -> None:
        for values in zip(*(chunk.column(name).tolist() for name in NAMES), strict=True):
            row: Row = dict(zip(NAMES, values, strict=True))
            begin, size = values[NAMES.index("pay_off")], values[NAMES.index("pay_len")]
            del row["pay_off"]
            row["payload"] = chunk.buffer[begin : begin + size].tobytes()
            seen = self.decoder.observers[values[NAMES.index("observer")]]
            row["observer"] = f"{seen.exporter} {seen.ingress} {seen.egress} {seen.way}"
            self.rows.append(row)

    @property
    def agents(self) -> list[Agent]:
        return [one for one in self.decoder.exporters if isinstance(one, Agent)]


def heard(payloads: Sequence[bytes]) -> Heard:
    out = Heard()
    for i, payload in enumerate(payloads):
        out.datagram(payload, TIME + i * 10**9, SENDER)
    return out


def agree(payloads: Sequence[bytes]) -> Outcome:
    """Both decoders say the same; rows are compared as sets of records, for the two kinds come in turns."""
    ours, theirs = Outcome(payloads), heard(payloads)
    assert sorted(ours.rows, key=lambda row: row["record"]) == theirs.rows
    assert Counter(ours.tally.skipped) == theirs.skipped
    assert (ours.tally.records, ours.tally.rows) == (theirs.records, len(theirs.rows))
    times = [int(row["ts"]) for row in theirs.rows]
    assert (ours.tally.first, ours.tally.last) == ((min(times), max(times)) if times else (None, None))
    return ours
