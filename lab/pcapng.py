"""Merges the two recordings of the border into one pcapng with two named interfaces.

Block layouts are those of draft-ietf-opsawg-pcapng: section header, one interface description per side,
enhanced packets in time order. ``mergecap`` would do the same but leave the interfaces without names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["merge"]

_NANO_MAGIC = 0xA1B23C4D  # what tcpdump --time-stamp-precision=nano writes, in the machine's byte order
_ETHERNET = 1
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_IF_NAME, _IF_TSRESOL, _SHB_USERAPPL = 2, 9, 4


def _records(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(time in ns, original length, bytes) of a nanosecond pcap in this machine's byte order."""
    data = path.read_bytes()
    magic, link = struct.unpack_from("=I16xI", data)
    if magic != _NANO_MAGIC or link != _ETHERNET:
        raise ValueError(f"{path}: not a nanosecond Ethernet pcap")
    place = 24
    while place + 16 <= len(data):
        seconds, nanos, kept, length = struct.unpack_from("=IIII", data, place)
        yield seconds * 1_000_000_000 + nanos, length, data[place + 16 : place + 16 + kept]
        place += 16 + kept


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    total = 12 + len(body)
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def merge(sides: Mapping[str, Path], target: Path) -> int:
    """Write one pcapng whose interfaces are named as ``sides`` are, in order; the number of packets."""
    end = _option(0, b"")
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    blocks = [_block(_SECTION, section + _option(_SHB_USERAPPL, b"rearguard lab") + end)]
    for name in sides:
        body = struct.pack("<HHI", _ETHERNET, 0, 262144)
        blocks.append(
            _block(_INTERFACE, body + _option(_IF_NAME, name.encode()) + _option(_IF_TSRESOL, b"\x09") + end)
        )
    records = sorted(
        (time, number, length, data)
        for number, path in enumerate(sides.values())
        for time, length, data in _records(path)
    )
    for time, number, length, data in records:
        head = struct.pack("<IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), length)
        blocks.append(_block(_PACKET, head + _padded(data)))
    target.write_bytes(b"".join(blocks))
    return len(records)
