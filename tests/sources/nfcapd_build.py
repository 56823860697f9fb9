"""Files of nfcapd, byte for byte as the headers of nfdump describe them, in both layouts and both byte orders."""

from __future__ import annotations

import bz2
import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import lz4.block
import zstandard
from lzallright import LZOCompressor

__all__ = ["COMPRESSIONS", "Block", "Flow", "exporter", "extension_map", "file_v1", "file_v2", "flow_v1", "flow_v2",
           "pack", "sampler", "sampler_v0", "statistics"]  # fmt: skip

COMPRESSIONS = {"": 0, "lzo": 1, "bzip2": 2, "lz4": 3, "zstd": 4}
FLAGS_V1 = {"": 0, "lzo": 1, "bzip2": 8, "lz4": 16}
LENGTHS = {4: 4, 5: 8, 6: 4, 7: 8, 8: 4, 9: 4, 10: 16, 11: 4, 12: 16, 13: 4, 14: 4, 15: 8, 16: 4, 17: 8, 18: 4,
19: 8,
           20: 16, 21: 16, 22: 40, 23: 4, 24: 16, 25: 4, 26: 8, 27: 8, 37: 20, 38: 4, 39: 8, 40: 32, 41: 24, 42: 24,
           43: 72, 45: 24, 46: 12, 47: 8, 48: 8}  # fmt: skip


@dataclass(frozen=True)
class Flow:
    """One flow as an exporter may tell it; times in milliseconds."""

    src: str = "203.0.113.7"
    dst: str = "198.51.100.20"
    sport: int = 40_001
    dport: int = 7547
    proto: int = 6
    flags: int = 2
    packets: int = 1
    bytes: int = 44
    first: int = 1_500_000_000_123
    last: int = 1_500_000_000_123
    ingress: int = 0
    egress: int = 0
    direction: int = 0
    opener: int = 0
    packets_back: int = 0
    bytes_back: int = 0
    flags_back: int = 0
    exporter: int = 0
    sampled: bool = False
    event: int = 0
    nat_event: int = 0
    router: str = ""
    selector: int | None = None
    payload: bytes = b""


@dataclass(frozen=True)
class Block:
    """Records and, where the header shall lie, what it says."""

    records: Sequence[bytes] = ()
    kind: int = 3
    flags: int = 0
    body: bytes | None = None
    count: int | None = None
    stored: bytes | None = None
    size: int | None = None


@dataclass(frozen=True)
class Element:
    kind: int
    data: bytes
    size: int | None = field(default=None)


def _addresses(flow: Flow) -> tuple[int, int, bool]:
    src, dst = ipaddress.ip_address(flow.src), ipaddress.ip_address(flow.dst)
    return int(src), int(dst), src.version == 6


def _halves(value: int) -> tuple[int, int]:
    return value >> 64, value & (1 << 64) - 1


def flow_v2(flow: Flow, order: str = "<", extra: Sequence[Element] = ()) -> bytes:
    """The record of layout 2, with the elements that the flow needs and with ``extra``."""
    src, dst, v6 = _addresses(flow)
    elements = [
        Element(1, struct.pack(order + "QQQQQHHBBBB", flow.first, flow.last, flow.last + 5, flow.packets,
                               flow.bytes, flow.sport, flow.dport, flow.proto, flow.flags, 0, 0))
    ]  # fmt: skip
    if v6:
        elements.append(Element(3, struct.pack(order + "QQQQ", *_halves(src), *_halves(dst))))
    else:
        elements.append(Element(2, struct.pack(order + "II", src, dst)))
    if flow.ingress or flow.egress or flow.direction or flow.opener:
        elements.append(
            Element(4, struct.pack(order + "IIBBBBBBBB", flow.ingress, flow.egress, 0, 0, flow.direction, 0,
                                   flow.opener, 0, flow.flags_back, 0))
        )  # fmt: skip
    if flow.packets_back or flow.bytes_back:
        elements.append(Element(5, struct.pack(order + "QQQ", 1, flow.packets_back, flow.bytes_back)))
    if flow.router:
        router = ipaddress.ip_address(flow.router)
        data = (
            struct.pack(order + "QQ", *_halves(int(router)))
            if router.version == 6
            else struct.pack(order + "I", int(router))
        )
        elements.append(Element(13 if router.version == 6 else 12, data))
    if flow.selector is not None:
        elements.append(Element(18, struct.pack(order + "QHH", flow.selector, flow.exporter, 0)))
    if flow.event:
        elements.append(Element(19, struct.pack(order + "QIHBB", flow.first, 1, 0, flow.event, 0)))
    if flow.nat_event:
        elements.append(Element(25, struct.pack(order + "QIBBH", flow.first, 0, flow.nat_event, 0, 0)))
    if flow.payload:
        elements.append(Element(29, flow.payload))
    elements += extra
    body = b"".join(
        struct.pack(order + "HH", one.kind, len(one.data) + 4 if one.size is None else one.size) + one.data
        for one in elements
    )
    marks = (1 if flow.event or flow.nat_event else 0) | (2 if flow.sampled else 0)
    head = struct.pack(order + "HHHBBHBB", 11, 12 + len(body), len(elements), 0, 0, flow.exporter, marks, 9)
    return head + body


def flow_v1(
    flow: Flow, extensions: Sequence[int] = (), number: int = 0, order: str = "<", *, old: bool = False
) -> bytes:
    """The record of layout 1 (type 10, or the older type 1) with the extensions of map ``number``."""
    src, dst, v6 = _addresses(flow)
    wide_packets, wide_bytes = flow.packets >> 32 != 0, flow.bytes >> 32 != 0
    marks = (
        (v6 << 0)
        | (wide_packets << 1)
        | (wide_bytes << 2)
        | ((flow.event or flow.nat_event) > 0) << 6
        | flow.sampled << 7
    )
    head = (
        struct.pack(order + "BBH", marks, flow.exporter, number)
        if old
        else struct.pack(order + "HH", marks, number)
    )
    head += struct.pack(order + "HHIIBBBBHH", flow.first % 1000, flow.last % 1000, flow.first // 1000,
                        flow.last // 1000, 0, flow.flags, flow.proto, 0, flow.sport, flow.dport)  # fmt: skip
    if not old:
        head += struct.pack(order + "HBB", flow.exporter, flow.opener, 0)
    body = (
        struct.pack(order + "QQQQ", *_halves(src), *_halves(dst))
        if v6
        else struct.pack(order + "II", src, dst)
    )
    body += struct.pack(order + ("Q" if wide_packets else "I"), flow.packets)
    body += struct.pack(order + ("Q" if wide_bytes else "I"), flow.bytes)
    router = int(ipaddress.ip_address(flow.router or "0.0.0.0"))
    known = {
        4: lambda: struct.pack(order + "HH", flow.ingress, flow.egress),
        5: lambda: struct.pack(order + "II", flow.ingress, flow.egress),
        8: lambda: struct.pack(order + "BBBB", 0, flow.direction, 0, 0),
        14: lambda: struct.pack(order + "I", flow.packets_back),
        15: lambda: struct.pack(order + "Q", flow.packets_back),
        16: lambda: struct.pack(order + "I", flow.bytes_back),
        17: lambda: struct.pack(order + "Q", flow.bytes_back),
        23: lambda: struct.pack(order + "I", router),
        24: lambda: struct.pack(order + "QQ", *_halves(router)),
        37: lambda: struct.pack(order + "QIHBBHH", flow.first, 1, 0, flow.event, 0, 0, 0),
        46: lambda: struct.pack(order + "BBHII", flow.nat_event, 0, 0, 0, 0),
    }
    body += b"".join(known[one]() if one in known else bytes(LENGTHS[one]) for one in extensions)
    return struct.pack(order + "HH", 1 if old else 10, 4 + len(head) + len(body)) + head + body


def extension_map(number: int, extensions: Sequence[int], order: str = "<") -> bytes:
    """A map, with the 0 that ends it and is aligned to four bytes."""
    words = [*extensions, 0] if len(extensions) % 2 else [*extensions, 0, 0]
    size = sum(LENGTHS.get(one, 0) for one in extensions)
    return struct.pack(f"{order}HHHH{len(words)}H", 2, 8 + 2 * len(words), number, size, *words)


def exporter(
    number: int, address: str, domain: int, version: int = 9, order: str = "<", *, family: bool = True
) -> bytes:
    """An exporter's announcement; without ``family`` as later versions write it."""
    ip = ipaddress.ip_address(address)
    if not family:
        raw = (int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)).to_bytes(16, "big")
        return struct.pack(order + "HHI16sHHI", 7, 32, version, raw, 0, number, domain)
    return struct.pack(
        order + "HHIQQHHI", 7, 32, version, *_halves(int(ip)), 2 if ip.version == 4 else 10, number, domain
    )


def sampler(number: int, identifier: int, taken: int, passed: int, order: str = "<") -> bytes:
    return struct.pack(order + "HHHHqII", 15, 24, number, 1, identifier, taken, passed)


def sampler_v0(number: int, identifier: int, interval: int, order: str = "<") -> bytes:
    return struct.pack(order + "HHiIHH", 9, 16, identifier, interval, 1, number)


def statistics(entries: Sequence[tuple[int, int, int, int]], order: str = "<") -> bytes:
    """For each exporter: number, sequence gaps, datagrams, flows."""
    body = b"".join(struct.pack(order + "IIQQ", *entry) for entry in entries)
    return struct.pack(order + "HHI", 8, 8 + len(body), len(entries)) + body


def pack(data: bytes, compression: str) -> bytes:
    """A block's bytes as they are stored."""
    if compression == "lzo":
        return LZOCompressor().compress(data)
    if compression == "lz4":
        return lz4.block.compress(data, store_size=False)
    if compression == "bzip2":
        return bz2.compress(data)
    return zstandard.compress(data) if compression == "zstd" else data


def _block(block: Block, compression: str, order: str) -> bytes:
    body = b"".join(block.records) if block.body is None else block.body
    packed = not block.flags & 1
    stored = (pack(body, compression) if packed else body) if block.stored is None else block.stored
    count = len(block.records) if block.count is None else block.count
    size = len(stored) if block.size is None else block.size
    return struct.pack(order + "IIHH", count, size, block.kind, block.flags) + stored


def file_v2(blocks: Sequence[Block], compression: str = "", order: str = "<", *, appendix: bool = True,
            count: int | None = None, version: int = 2, encryption: int = 0) -> bytes:  # fmt: skip
    """A file of layout 2, closed as nfcapd does it or (``count=0``) not."""
    data = b"".join(_block(block, compression, order) for block in blocks)
    end = b""
    if appendix:
        ident = struct.pack(order + "HH", 0x8001, 9) + b"edge\0"
        stat = struct.pack(order + "HH18Q", 0x8002, 148, *[0] * 18)
        end = _block(Block([ident, stat]), compression, order)
    head = struct.pack(order + "HHIqBBHIqII", 0xA50C, version, 0x01070100, 1_500_000_000,
                       COMPRESSIONS.get(compression, 9), encryption, int(appendix), 0,
                       40 + len(data) if appendix else 0, 0, len(blocks) if count is None else count)  # fmt: skip
    return head + data + end


def file_v1(
    blocks: Sequence[Block], compression: str = "", order: str = "<", *, count: int | None = None
) -> bytes:
    """A file of layout 1."""
    data = b"".join(
        _block(replace(block, kind=2 if block.kind == 3 else block.kind), compression, order)
        for block in blocks
    )
    head = struct.pack(
        order + "HHII128s", 0xA50C, 1, FLAGS_V1[compression], len(blocks) if count is None else count, b"edge"
    )
    stat = struct.pack(order + "15QIIHHI", *[0] * 15, 1_500_000_000, 1_500_000_001, 0, 0, 0)
    return head + stat + data
