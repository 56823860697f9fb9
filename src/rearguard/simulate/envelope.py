"""Export datagrams in a capture: pcap record, Ethernet, IPv4, UDP, and the payload of whatever protocol.

Each exporter has an address of its own, 192.0.2.(101 + number), and sends to the collector at 192.0.2.250.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLLECTOR", "ENVELOPE", "FILE_HEADER", "Datagrams", "exporter_address", "seal"]

FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2_C3D4, 2, 4, 0, 0, 262_144, 1)
"""Classic pcap, microseconds, little-endian, link type Ethernet."""
COLLECTOR = "192.0.2.250"
_NET = 192 << 24 | 2 << 8
_COLLECTOR = _NET | 250
_FIRST = 101
_PORT = 50_000

ENVELOPE: list[Any] = [
    ("second", "<u4"),
    ("micro", "<u4"),
    ("captured", "<u4"),
    ("length", "<u4"),
    ("mac_dst", "V6"),
    ("mac_src", "V6"),
    ("type", ">u2"),
    ("version", ">u2"),
    ("total", ">u2"),
    ("ident", ">u2"),
    ("fragment", ">u2"),
    ("ttl_proto", ">u2"),
    ("checksum", ">u2"),
    ("src", ">u4"),
    ("dst", ">u4"),
    ("udp_sport", ">u2"),
    ("udp_dport", ">u2"),
    ("udp_length", ">u2"),
    ("udp_checksum", ">u2"),
]
"""Fields in front of the payload; their names differ from those of all export protocols."""
SIZE = np.dtype(ENVELOPE).itemsize
_BEFORE_IP, _IP_AND_UDP = 30, 28


def exporter_address(number: int) -> str:
    """The address of an exporter."""
    return f"192.0.2.{_FIRST + number}"


def seal(datagrams: NDArray[np.void], payload: NDArray[np.int64], times: NDArray[np.int64], exporter: int,
         port: int) -> None:  # fmt: skip
    """Fill the envelopes of one exporter's datagrams whose payloads have these lengths, sent at these times (ns).

    The UDP checksum is zero, which over IPv4 means that there is none (RFC 768).
    """
    total = payload + _IP_AND_UDP
    datagrams["second"] = times // 1_000_000_000
    datagrams["micro"] = times % 1_000_000_000 // 1_000
    datagrams["captured"] = total + 14
    datagrams["length"] = total + 14
    datagrams["mac_dst"] = np.void(bytes.fromhex("0200000000fe"))
    datagrams["mac_src"] = np.void(bytes((2, 0, 0, 0, 0, exporter + 1)))
    datagrams["type"] = 0x0800
    datagrams["version"] = 0x4500
    datagrams["total"] = total
    datagrams["ttl_proto"] = 62 << 8 | 17
    datagrams["src"] = _NET | (_FIRST + exporter)
    datagrams["dst"] = _COLLECTOR
    words = [0x4500, 62 << 8 | 17, _NET >> 16, (_NET | (_FIRST + exporter)) & 0xFFFF, _COLLECTOR >> 16,
             _COLLECTOR & 0xFFFF]  # fmt: skip
    added = total + sum(words)
    for _ in range(2):
        added = (added & 0xFFFF) + (added >> 16)
    datagrams["checksum"] = ~added & 0xFFFF
    datagrams["udp_sport"] = _PORT + exporter
    datagrams["udp_dport"] = port
    datagrams["udp_length"] = payload + 8


class Datagrams:
    """A capture of datagrams from several exporters, written in the order of their times."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._pending: list[tuple[int, int, memoryview]] = []
        self.count = 0
        out.write(FILE_HEADER)

    def put(self, datagrams: NDArray[np.void], payload: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Sealed datagrams, each cut behind its payload."""
        whole = memoryview(datagrams.view(np.uint8).reshape(len(datagrams), -1).data)
        raw = whole.cast("B")
        step = datagrams.dtype.itemsize
        begin = self.count
        self._pending += [
            (time, begin + place, raw[place * step : place * step + SIZE + size])
            for place, (time, size) in enumerate(zip(times.tolist(), payload.tolist(), strict=True))
        ]
        self.count += len(datagrams)

    def flush(self) -> None:
        """Write what was put since the last time."""
        self._pending.sort(key=lambda one: one[:2])
        self._out.write(b"".join([data for _, _, data in self._pending]))
        self._pending.clear()
