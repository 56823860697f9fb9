"""A plain, slow reader of sFlow datagrams, written to be read: what the compiled one has to agree with."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from .reference import ALL, FLAGS, NO_PORTS, ONE_PACKET, PACKET, NoRowError, Piece, decode_frame, from_mpls

LINKS = {1: 1, 7: 9, 11: 228, 12: 229, 14: 9}
Row = dict[str, int | str | bytes]


class ShortError(Exception):
    """The bytes end before what they announce."""


@dataclass
class Xdr:
    """Bytes that are read from the front."""

    data: bytes

    def word(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def take(self, n: int) -> bytes:
        if len(self.data) < n:
            raise ShortError
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def opaque(self) -> bytes:
        """As many bytes as the next word says; padding is taken as far as there is any."""
        size = self.word()
        taken = self.take(size)
        self.data = self.data[-size % 4 :]
        return taken


@dataclass
class Heard:
    """All that a stream of datagrams said."""

    rows: list[Row] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    records: int = 0
    earlier: set[bytes] = field(default_factory=set)

    def datagram(self, payload: bytes, time: int, sender: str) -> None:
        try:
            x = Xdr(payload)
            if x.word() != 5:
                raise ShortError
            family = x.word()
            if family > 2:
                raise ShortError
            agent = sender if family == 0 else text(x.take(4 if family == 1 else 16))
            x.word(), x.word(), x.word()
            count = x.word()
        except ShortError:
            self.skipped["bad-datagram"] += 1
            return
        if payload in self.earlier:
            self.skipped["duplicate-datagram"] += 1
            return
        self.earlier.add(payload)
        try:
            for _ in range(min(count, len(payload))):
                form = x.word()
                self.sample(form, Xdr(x.opaque()), time, agent)
        except ShortError:
            self.skipped["bad-datagram"] += 1

    def sample(self, form: int, x: Xdr, time: int, agent: str) -> None:
        if form not in (1, 3):
            self.skipped[{2: "counter-sample", 4: "counter-sample", 5: "event"}.get(form, "not-a-flow")] += 1
            return
        self.records += 1
        try:
            row = self.flow(x, form == 3, agent) | {"ts": time, "end": time, "record": self.records}
            self.rows.append(row)
        except (NoRowError, ShortError) as reason:
            self.skipped[str(reason) or "bad-flow-record"] += 1

    def flow(self, x: Xdr, expanded: bool, agent: str) -> Row:
        x.word()
        if expanded:
            source = (x.word(), x.word())
        else:
            both = x.word()
            source = (both >> 24, both & 0xFFFFFF)
        rate, _, _ = x.word(), x.word(), x.word()
        ends = []
        for _ in range(2):
            form, value = (x.word(), x.word()) if expanded else divmod(x.word(), 1 << 30)
            ourselves = 0xFFFFFFFF if expanded else 0x3FFFFFFF
            ends.append(value if form == 0 and value != ourselves else 0)
        way = ""
        if ends[0] != ends[1] and source[0] == 0 and source[1] in ends:
            way = "in" if source[1] == ends[0] else "out"
        row = packet(x)
        return row | {"sampling": rate, "observer": f"{agent} {ends[0]} {ends[1]} {way}"}


def packet(x: Xdr) -> Row:
    """The best that the records of a flow sample say of its packet."""
    plain: Row | None = None
    unknown = False
    try:
        for _ in range(min(x.word(), len(x.data))):
            form = x.word()
            body = x.opaque()
            if form == 1 and len(body) >= 16:
                protocol, frame, stripped, size = struct.unpack(">4I", body[:16])
                head = body[16 : 16 + size]
                wire = max(min(frame - stripped, 1 << 18), len(head))
                if protocol in LINKS:
                    return dict(decode_frame(LINKS[protocol], head, wire))
                if protocol == 13:
                    try:
                        _, inner = from_mpls(Piece(head, 0, wire), 24)
                        raw = head[inner.at :]
                    except NoRowError:
                        continue
                    return dict(decode_frame(101, raw, max(wire - inner.at, len(raw))))
                unknown = True
            elif (form == 3 and len(body) >= 32) or (form == 4 and len(body) >= 56):
                plain = told(body, 4 if form == 3 else 16)
    except ShortError:
        if plain is None and not unknown:
            raise
    if plain is None:
        raise NoRowError("unknown-linktype" if unknown else "no-addresses")
    return plain


def told(body: bytes, width: int) -> Row:
    """sampled_ipv4 and sampled_ipv6."""
    length, proto = struct.unpack(">2I", body[:8])
    src, dst = body[8 : 8 + width], body[8 + width : 8 + 2 * width]
    sport, dport, flags = struct.unpack(">3I", body[8 + 2 * width : 20 + 2 * width])
    proto &= 0xFF
    sport, dport = (sport & 0xFFFF, dport & 0xFFFF) if proto in (6, 17) else (0, 0)
    flags = flags & 0xFF if proto == 6 else 0
    header = (20 if width == 4 else 40) + {6: 60, 17: 8}.get(proto, 0)
    least = max(length - header, 1 if flags & 8 else 0) if proto in (6, 17) else 0
    row: Row = dict.fromkeys(("ttl", "doff", "frag", "seq", "ack", "ipid", "win", "pay_len"), 0)
    return row | {
        "src_hi": number(src) >> 64, "src_lo": number(src) & (1 << 64) - 1,
        "dst_hi": number(dst) >> 64, "dst_lo": number(dst) & (1 << 64) - 1,
        "sport": sport, "dport": dport, "proto": proto, "flags": flags, "packets": 1, "bytes": length,
        "pay_wire": least, "payload": b"",
        "known": ONE_PACKET | (FLAGS if flags else 0),
        "why": NO_PORTS if proto in (6, 17) and not sport and not dport else PACKET,
    }  # fmt: skip


def number(address: bytes) -> int:
    return int.from_bytes(address, "big") | (0xFFFF << 32 if len(address) == 4 else 0)


def text(address: bytes) -> str:
    return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))


__all__ = ["ALL", "Heard"]
