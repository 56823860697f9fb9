"""NetFlow version 5 datagrams: a header of 24 bytes and up to 30 records of 48.

It has no IPv6, and 14 bits for the sampling interval; times are milliseconds since the router was started.
Layout: Cisco, NetFlow Export Datagram Format, tables B-3 and B-4.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rearguard.simulate.envelope import ENVELOPE, Datagrams, seal
from rearguard.simulate.line import pick

__all__ = ["BOOTED", "MOST_RATE", "NetFlow5"]

MOST_RATE = (1 << 14) - 1
RANDOM_MODE = 2
BOOTED = 3_600_000
"""Milliseconds that the routers have been running when the day begins."""
PORT = 2055
RECORDS = 30
HEADER: list[Any] = [
    ("nf_version", ">u2"),
    ("nf_count", ">u2"),
    ("uptime", ">u4"),
    ("unix_secs", ">u4"),
    ("unix_nsecs", ">u4"),
    ("sequence", ">u4"),
    ("engine_type", "u1"),
    ("engine_id", "u1"),
    ("interval", ">u2"),
]
RECORD = np.dtype(
    [
        ("src", ">u4"),
        ("dst", ">u4"),
        ("next_hop", ">u4"),
        ("input", ">u2"),
        ("output", ">u2"),
        ("packets", ">u4"),
        ("octets", ">u4"),
        ("first", ">u4"),
        ("last", ">u4"),
        ("sport", ">u2"),
        ("dport", ">u2"),
        ("pad1", "u1"),
        ("flags", "u1"),
        ("proto", "u1"),
        ("tos", "u1"),
        ("src_as", ">u2"),
        ("dst_as", ">u2"),
        ("src_mask", "u1"),
        ("dst_mask", "u1"),
        ("pad2", ">u2"),
    ]
)
DATAGRAM = np.dtype([*ENVELOPE, *HEADER, ("records", RECORD, (RECORDS,))])
HEADER_SIZE = np.dtype(HEADER).itemsize


class NetFlow5:
    """Rows in the order in which they leave, written as a capture of datagrams."""

    def __init__(self, out: BinaryIO, exporters: int, rate: int, start: int) -> None:
        self._datagrams = Datagrams(out)
        self._rate = rate
        self._booted = start // 1_000_000 - BOOTED
        self._sequence = [0] * exporters

    def write(self, flows: NDArray[np.void]) -> None:
        """Datagrams of each exporter, the last one of each as long as it happens to be."""
        for exporter in range(len(self._sequence)):
            mine = pick(flows, np.flatnonzero(flows["exporter"] == exporter))
            if len(mine):
                self._export(mine, exporter)
        self._datagrams.flush()

    def _export(self, flows: NDArray[np.void], exporter: int) -> None:
        count = -(-len(flows) // RECORDS)
        made = np.zeros(count, DATAGRAM)
        held = np.minimum(RECORDS, len(flows) - RECORDS * np.arange(count))
        times = flows["leaves"][np.cumsum(held) - 1]
        made["nf_version"] = 5
        made["nf_count"] = held
        now = times // 1_000_000
        made["uptime"] = (now - self._booted) & 0xFFFF_FFFF
        made["unix_secs"] = now // 1_000
        made["unix_nsecs"] = now % 1_000 * 1_000_000
        made["sequence"] = (self._sequence[exporter] + np.cumsum(held) - held) & 0xFFFF_FFFF
        self._sequence[exporter] += len(flows)
        made["engine_id"] = exporter
        made["interval"] = RANDOM_MODE << 14 | self._rate if self._rate > 1 else 0
        records = np.zeros(count * RECORDS, RECORD)
        part = records[: len(flows)]
        part["src"] = flows["src_lo"] & np.uint64(0xFFFF_FFFF)
        part["dst"] = flows["dst_lo"] & np.uint64(0xFFFF_FFFF)
        part["input"], part["output"] = flows["ingress"], flows["egress"]
        part["packets"], part["octets"] = flows["packets"], flows["bytes"]
        part["first"] = (flows["first"] // 1_000_000 - self._booted) & 0xFFFF_FFFF
        part["last"] = (flows["last"] // 1_000_000 - self._booted) & 0xFFFF_FFFF
        for name in ("sport", "dport", "flags", "proto"):
            part[name] = flows[name]
        made["records"] = records.reshape(count, RECORDS)
        payload = HEADER_SIZE + held * RECORD.itemsize
        seal(made, payload, times, exporter, PORT)
        self._datagrams.put(made, payload, times)

    def close(self) -> None:
        """Nothing is held back."""
