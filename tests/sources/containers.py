"""Plain readers of pcap and pcapng for the tests: each record with link type, observer, time and bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from .reference import NoRowError, decode_frame

NS = 10**9
FAR = 9_223_372_035
RECORDS_OF_OTHER_THINGS = {0xBAD, 0x40000BAD, 9, 0x204, 0x216, 0x221}


@dataclass
class Record:
    """One record; ``link`` is a link type or the reason why it is not a packet."""

    link: int | str
    data: bytes = b""
    wirelen: int = 0
    ts: int = 0
    observer: str = ""


@dataclass
class Capture:
    """All records of a file, and whether its end was reached in good order."""

    records: list[Record] = field(default_factory=list)
    damaged: bool = False


def read(data: bytes) -> Capture:
    """Read a whole file of either format."""
    return read_pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else read_pcap(data)


def read_pcap(data: bytes) -> Capture:
    order = "<" if data[0] in (0xD4, 0x4D, 0x34) else ">"
    magic = struct.unpack(order + "I", data[:4])[0]
    scale = 1 if magic == 0xA1B23C4D else 1000
    head = 24 if magic == 0xA1B2CD34 else 16
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    out = Capture()
    at = 24
    while at < len(data):
        if at + head > len(data):
            return _cut(out)
        seconds, fraction, caplen, wirelen = struct.unpack(order + "IIII", data[at : at + 16])
        if caplen > 262_144:
            out.damaged = True
            return out
        if at + head + caplen > len(data):
            return _cut(out)
        packet = data[at + head : at + head + caplen]
        out.records.append(Record(min(link, 0xFFFC), packet, wirelen, seconds * NS + fraction * scale))
        at += head + caplen
    return out


def _cut(out: Capture) -> Capture:
    out.records.append(Record("truncated-record"))
    out.damaged = True
    return out


@dataclass
class Interface:
    link: int
    resolution: int
    offset: int
    snaplen: int
    name: str

    def time(self, high: int, low: int) -> int:
        """Exact, in integers; held within 64 bits of nanoseconds."""
        ticks = high << 32 | low
        unit = 2 ** (self.resolution & 0x7F) if self.resolution & 0x80 else 10 ** (self.resolution & 0x7F)
        seconds, rest = divmod(ticks, unit)
        seconds = max(-FAR, min(FAR, min(seconds, FAR) + max(-FAR, min(FAR, self.offset))))
        return seconds * NS + rest * NS // unit


def read_pcapng(data: bytes) -> Capture:
    out = Capture()
    order, interfaces = "<", list[Interface]()
    names: set[str] = set()
    at = 0
    while at < len(data):
        left = len(data) - at
        if left < 12:
            return _cut(out)
        section = data[at : at + 4] == b"\x0a\x0d\x0d\x0a"
        if section:
            mark = data[at + 8 : at + 12]
            if mark not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                out.damaged = True
                return out
            order_here = ">" if mark == b"\x1a\x2b\x3c\x4d" else "<"
        else:
            order_here = order
        kind, length = struct.unpack(order_here + "II", data[at : at + 8])
        least = 28 if section else 12
        if length < least or length > 1 << 24 or length % 4:
            out.damaged = True
            return out
        if length > left:
            return _cut(out)
        block = data[at : at + length]
        if block[-4:] != block[4:8] or (kind == 1 and length < 20):
            out.damaged = True
            return out
        if section:
            order, interfaces, names = order_here, [], set()
            if struct.unpack(order + "H", block[12:14])[0] != 1:
                out.damaged = True
                return out
        elif kind == 1:
            interfaces.append(_interface(block, order, len(interfaces), names))
        elif kind in (2, 3, 6):
            out.records.append(_packet(block, kind, order, interfaces))
        elif kind in RECORDS_OF_OTHER_THINGS:
            out.records.append(Record("not-a-packet"))
        at += length
    return out


def _interface(block: bytes, order: str, number: int, names: set[str]) -> Interface:
    link, _, snaplen = struct.unpack(order + "HHI", block[8:16])
    options: dict[int, bytes] = {}
    rest = block[16:-4]
    while len(rest) >= 4:
        code, size = struct.unpack(order + "HH", rest[:4])
        if code == 0 or 4 + size > len(rest):
            break
        options.setdefault(code, rest[4 : 4 + size])
        rest = rest[4 + (size + 3) // 4 * 4 :]
    resolution = options.get(9, b"\x06")
    offset = options.get(14, b"")
    name = options.get(2, b"").split(b"\0")[0][:256].decode("utf-8", "replace") or f"#{number}"
    if name in names:
        name = f"{name}#{number}"
    names.add(name)
    return Interface(
        min(link, 0xFFFC),
        resolution[0] if len(resolution) == 1 else 6,
        struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0,
        snaplen,
        name,
    )


def _packet(block: bytes, kind: int, order: str, interfaces: list[Interface]) -> Record:
    head = 12 if kind == 3 else 28
    if len(block) < head + 4:
        return Record("bad-record")
    body = block[head:-4]
    if kind == 3:
        (wirelen,) = struct.unpack(order + "I", block[8:12])
        if not interfaces:
            return Record("unknown-interface")
        interface = interfaces[0]
        caplen = min(wirelen, len(body), interface.snaplen or wirelen)
        return Record(interface.link, body[:caplen], wirelen, 0, interface.name)
    if kind == 2:
        number, _, high, low, caplen, wirelen = struct.unpack(order + "HHIIII", block[8:28])
    else:
        number, high, low, caplen, wirelen = struct.unpack(order + "IIIII", block[8:28])
    if number >= len(interfaces):
        return Record("unknown-interface")
    interface = interfaces[number]
    time = interface.time(high, low)
    if caplen > len(body):
        return Record("bad-record", ts=time)
    return Record(interface.link, body[:caplen], wirelen, time, interface.name)


def decode(capture: Capture) -> list[dict[str, int | str | bytes] | str]:
    """For each record its row, with the observer's name, or the reason why there is none."""
    out: list[dict[str, int | str | bytes] | str] = []
    for number, record in enumerate(capture.records, 1):
        if isinstance(record.link, str):
            out.append(record.link)
            continue
        try:
            row: dict[str, int | str | bytes] = dict(decode_frame(record.link, record.data, record.wirelen))
        except NoRowError as reason:
            out.append(str(reason))
            continue
        row |= {"ts": record.ts, "end": record.ts, "observer": record.observer, "record": number}
        out.append(row)
    return out
