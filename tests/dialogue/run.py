"""A capture or made-up packets through collectors and fold, as the tests need it."""

from __future__ import annotations

import ipaddress
import itertools
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rearguard.contacts.lanes import Lanes
from rearguard.contacts.screen import new_picked, screen
from rearguard.dialogue.collector import HEAD, Collector, Limits
from rearguard.dialogue.fold import Dialogue, Omitted, dialogues
from rearguard.dialogue.layout import Ports
from rearguard.dialogue.sink import CONVERSATIONS, MEMORY, Sink
from rearguard.model.address import halves
from rearguard.model.bits import KNOWN_PACKET, TCP, UDP, WHY_PACKET
from rearguard.model.chunk import ROWS, Chunk, new_rows
from rearguard.model.guard import Guard
from rearguard.model.prefixes import PrefixTable
from rearguard.sources import open_source

LISTED = [(TCP, port) for port in (23, 80, 81, 554, 1883, 5555, 7547)] + [(UDP, 161), (UDP, 1900)]
SMALL = Limits(table=16, segments=5, arena=4096)
SMALL_HEAD = 512


@dataclass(frozen=True)
class Packet:
    """One packet; the defaults are those of most tests."""

    ts: int = 0
    src: str = "203.0.113.7"
    sport: int = 40001
    dst: str = "198.51.100.20"
    dport: int = 7547
    payload: bytes = b""
    flags: int = 0x18
    seq: int = 0
    ack: int = 0
    proto: int = TCP
    wire: int | None = None
    why: int = WHY_PACKET
    frag: int = 0
    rec: int = 0
    lane: int = 0

    def back(self, **changes: object) -> Packet:
        """The same from the other side."""
        turned = replace(self, src=self.dst, sport=self.dport, dst=self.src, dport=self.sport)
        return replace(turned, **changes)  # type: ignore[arg-type]


def guard(
    own: Sequence[str] = ("198.51.100.0/24", "2001:db8::/32"), listed: Sequence[tuple[int, int]] = LISTED
) -> Guard:
    """Our networks, and the ports that are listed."""
    networks = [(ipaddress.ip_network(net), 0) for net in own]
    return Guard.build(PrefixTable.build(networks), listed, [])


def numbered(packets: Iterable[Packet]) -> list[Packet]:
    """Record numbers in the order given."""
    return [replace(packet, rec=number) for number, packet in enumerate(packets, 1)]


def chunk_of(packets: Sequence[Packet]) -> Chunk:
    """Packets as a source would deliver them."""
    rows = new_rows(max(len(packets), 1))
    buffer = b"".join(packet.payload for packet in packets)
    at = 0
    for i, packet in enumerate(packets):
        rows[i].src_hi, rows[i].src_lo = halves(ipaddress.ip_address(packet.src))
        rows[i].dst_hi, rows[i].dst_lo = halves(ipaddress.ip_address(packet.dst))
        for name in ("sport", "dport", "proto", "flags", "seq", "ack", "frag", "why", "ts"):
            rows[name][i] = getattr(packet, name)
        rows[i].end = packet.ts
        rows[i].packets = rows[i].sampling = 1
        rows[i].known = KNOWN_PACKET
        rows[i].record = packet.rec
        rows[i].pay_off, rows[i].pay_len = at, len(packet.payload)
        rows[i].pay_wire = len(packet.payload) if packet.wire is None else packet.wire
        at += len(packet.payload)
    return Chunk(rows, len(packets), np.frombuffer(buffer, np.uint8).copy())


def run(
    parts: Iterable[Sequence[Sequence[Packet]]],
    *,
    head: int = HEAD,
    limits: Limits | None = None,
    conversations: int = CONVERSATIONS,
    memory: int = MEMORY,
    omitted: Omitted | None = None,
    controllers: Sequence[str] = (),
) -> list[Dialogue]:
    """Each part is a collector's chunks, fed in turn."""
    limits = limits or Limits(table=64, segments=64, arena=1 << 16)
    own = guard()
    listed = Guard.build(PrefixTable.build([(ipaddress.ip_network(net), 0) for net in controllers]), ())
    lanes = Lanes()
    for observer in range(2):
        lanes.number(observer, 1)
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink(Path(folder), conversations, memory)
        workers = []
        for chunks in parts:
            worker = Collector(Ports.of(own), sink, head, limits, listed)
            workers.append(worker)
            for packets in chunks:
                chunk = chunk_of(packets)
                place = np.zeros(max(len(packets), 1), np.uint8)
                screen(chunk.rows, chunk.n, own, place, new_picked(ROWS))
                row_lanes = np.array([packet.lane for packet in packets] or [0], np.uint32)
                worker.feed(chunk, place, row_lanes, np.uint64(0))
        for worker in workers:
            worker.finish()
        found = dialogues(sink, lanes, head=head, omitted=omitted)
        sink.close()
    return found


def whole(packets: Sequence[Packet], **options: object) -> list[Dialogue]:
    """One collector, one chunk."""
    return run([[packets]], **options)  # type: ignore[arg-type]


def of_capture(path: Path, head: int = HEAD, listed: Sequence[tuple[int, int]] = LISTED) -> list[Dialogue]:
    """A capture in which every address is ours."""
    own = guard(("0.0.0.0/0", "::1/128", "2000::/3", "fc00::/6"), listed)
    lanes = Lanes()
    with tempfile.TemporaryDirectory() as folder, open_source(str(path)) as source:
        sink = Sink(Path(folder))
        worker = Collector(Ports.of(own), sink, head, Limits(table=64, segments=64, arena=1 << 16))
        place = np.zeros(ROWS, np.uint8)
        for chunk in source.chunks():
            observers = chunk.column("observer").tolist()
            row_lanes = np.array([lanes.number(observer, 1) for observer in observers], np.uint32)
            screen(chunk.rows, chunk.n, own, place, new_picked(ROWS))
            worker.feed(chunk, place, row_lanes, np.uint64(0))
        worker.finish()
        found = dialogues(sink, lanes, head=head)
        sink.close()
    return found


def handshake(at: int = 0, client: int = 1000, server: int = 5000, **key: object) -> list[Packet]:
    """SYN, SYN+ACK, ACK; the streams begin at ``client`` and ``server``."""
    syn = Packet(ts=at, flags=0x02, seq=(client - 1) % 2**32, **key)  # type: ignore[arg-type]
    answer = syn.back(ts=at + 1, flags=0x12, seq=(server - 1) % 2**32, ack=client)
    return [syn, answer, replace(syn, ts=at + 2, flags=0x10, seq=client, ack=server)]


def interleaved(parts: Sequence[Sequence[Packet]]) -> list[Packet]:
    """Several lists, packet by packet in turn."""
    return [packet for turn in itertools.zip_longest(*parts) for packet in turn if packet is not None]
