"""Datagrams of NetFlow and IPFIX made field by field, and a decoder fed with them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rearguard.model.chunk import Chunk, new_rows
from rearguard.model.fields import CHUNK
from rearguard.sources.exports import Bounds, Decoder, new_datagrams
from rearguard.sources.reader import Exporter, Tally

NAMES = tuple(item.name for item in CHUNK)
NOW = 1_700_000_000
SECOND = 1_000_000_000
ROUTER = 0xFFFF_0A00_0001
"""10.0.0.1, as the low half of an address."""

Field = tuple[int, int, int]
"""(enterprise, element, length) of a template; enterprise 0 is IANA."""

VARIABLE = 65_535
PAIR: tuple[Field, ...] = ((0, 8, 4), (0, 12, 4), (0, 4, 1), (0, 7, 2), (0, 11, 2))
"""IPv4 addresses, protocol and ports: see :func:`pair`."""
COUNTS: tuple[Field, ...] = ((0, 2, 4), (0, 1, 4))
"""Packets and octets."""


def pair(
    src: int = 0x0A000002, dst: int = 0xCB007107, proto: int = 6, sport: int = 40_000, dport: int = 7547
) -> bytes:
    """The fields of PAIR; 10.0.0.2 to 203.0.113.7."""
    return struct.pack(">IIBHH", src, dst, proto, sport, dport)


def counts(packets: int = 3, octets: int = 180) -> bytes:
    """The fields of COUNTS."""
    return struct.pack(">II", packets, octets)


def v5_record(
    src: int = 0x0A000002,
    dst: int = 0xCB007107,
    packets: int = 3,
    octets: int = 180,
    first: int = 1_000,
    last: int = 2_000,
    ports: tuple[int, int] = (40_000, 7547),
    proto: int = 6,
    flags: int = 2,
    interfaces: tuple[int, int] = (1, 2),
) -> bytes:
    """A record of NetFlow v5; of v7 with four bytes more."""
    start = struct.pack(">IIIHHIIIIHH", src, dst, 0, *interfaces, packets, octets, first, last, *ports)
    return start + struct.pack(">BBBBHHBBH", 0, flags, proto, 0, 0, 0, 0, 0, 0)


def v1_record(packets: int = 3, octets: int = 180, proto: int = 6, flags: int = 2) -> bytes:
    """A record of NetFlow v1."""
    start = struct.pack(
        ">IIIHHIIIIHH", 0x0A000002, 0xCB007107, 0, 1, 2, packets, octets, 1_000, 2_000, 40_000, 7547
    )
    return start + struct.pack(">HBBB11x", 0, proto, 0, flags)


def v5(
    *records: bytes, sequence: int = 0, up: int = 50_000, seconds: int = NOW, nanoseconds: int = 0, engine: int = 0,
    sampling: int = 0, count: int | None = None, version: int = 5,
) -> bytes:  # fmt: skip
    """A datagram of v5 or v7."""
    head = struct.pack(
        ">HHIIII", version, len(records) if count is None else count, up, seconds, nanoseconds, sequence
    )
    return head + struct.pack(">HH", engine, sampling) + b"".join(records)


def v1(*records: bytes) -> bytes:
    """A datagram of v1."""
    return struct.pack(">HHIII", 1, len(records), 50_000, NOW, 0) + b"".join(records)


def a_set(number: int, body: bytes) -> bytes:
    """A set with its header."""
    return struct.pack(">HH", number, 4 + len(body)) + body


def _fields(version: int, fields: Sequence[Field]) -> bytes:
    made = b""
    for enterprise, element, length in fields:
        if version == 10 and enterprise:
            made += struct.pack(">HHI", element | 0x8000, length, enterprise)
        else:
            made += struct.pack(">HH", element, length)
    return made


def template(version: int, number: int, fields: Sequence[Field]) -> bytes:
    """A set with one template (or, without fields, its withdrawal)."""
    body = struct.pack(">HH", number, len(fields)) + _fields(version, fields)
    return a_set(2 if version == 10 else 0, body)


def options(version: int, number: int, scope: Sequence[Field], fields: Sequence[Field]) -> bytes:
    """A set with one options template."""
    both = _fields(version, (*scope, *fields))
    if version == 10:
        return a_set(3, struct.pack(">HHH", number, len(scope) + len(fields), len(scope)) + both)
    return a_set(1, struct.pack(">HHH", number, 4 * len(scope), 4 * len(fields)) + both)


def v9(*sets: bytes, sequence: int = 0, up: int = 50_000, seconds: int = NOW, source: int = 0) -> bytes:
    """A datagram of NetFlow v9."""
    return struct.pack(">HHIIII", 9, len(sets), up, seconds, sequence, source) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0, seconds: int = NOW, domain: int = 0) -> bytes:
    """An IPFIX message."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def message(version: int, *sets: bytes, sequence: int = 0) -> bytes:
    """A datagram of v9 or IPFIX."""
    return ipfix(*sets, sequence=sequence) if version == 10 else v9(*sets, sequence=sequence)


@dataclass
class Fed:
    """What a decoder made of the datagrams."""

    decoder: Decoder
    rows: list[dict[str, int]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def skipped(self) -> dict[str, int]:
        """What gave no row, by reason."""
        return {reason: count for reason, count in self.tally.skipped.items() if count}

    @property
    def exporter(self) -> Exporter:
        """The first exporter."""
        return self.decoder.exporters[0]


def table(datagrams: Sequence[bytes], times: Sequence[int], sources: Sequence[int]) -> tuple[Any, Any]:
    """A buffer with the datagrams, and where they are."""
    buffer = np.frombuffer(bytearray(b"".join(datagrams)), np.uint8)
    found = new_datagrams(max(1, len(datagrams)))
    at = 0
    for i, datagram in enumerate(datagrams):
        found.off[i], found.len[i], found.time[i] = at, len(datagram), times[i]
        found.src_hi[i], found.src_lo[i], found.sport[i] = 0, sources[i], 2055
        at += len(datagram)
    return buffer, found


def feed(
    *datagrams: bytes,
    times: Sequence[int] | None = None,
    sources: Sequence[int] | None = None,
    room: int = 0,
    bounds: Bounds | None = None,
    finish: bool = True,
) -> Fed:
    """A new decoder fed with all of them, one second apart, in chunks of ``room`` rows (0: the usual size)."""
    fed = Fed(Decoder(bounds))
    more(fed, *datagrams, times=times, sources=sources, room=room)
    if finish:
        fed.decoder.finish(fed.tally)
    return fed


def more(
    fed: Fed,
    *datagrams: bytes,
    times: Sequence[int] | None = None,
    sources: Sequence[int] | None = None,
    room: int = 0,
) -> None:
    """Feed a decoder further."""
    n = len(datagrams)
    buffer, found = table(
        datagrams,
        times or [(NOW + i) * SECOND for i in range(n)],
        sources or [ROUTER] * n,
    )
    chunk = Chunk(new_rows(room)) if room else Chunk()
    at = 0
    while True:
        at, chunk.n = fed.decoder.feed(buffer, found, at, n, chunk.rows, 0, fed.tally)
        columns = [chunk.column(name).tolist() for name in NAMES]
        fed.rows += [dict(zip(NAMES, values, strict=True)) for values in zip(*columns, strict=True)]
        if at == n:
            return
