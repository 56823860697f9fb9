"""Packets of the realistic mix, as numbers, turned into the bytes of capture records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import TEXTS, Table
from benchmarks.frames import (
    FOREIGN_V6,
    MIN_FRAME,
    OWN_V6,
    SYN_OPTIONS,
    Array,
    Batch,
    ipv4_checksum,
    is_own,
    new_headers,
)

__all__ = ["PACKET_TYPE", "SESSION_TYPE", "Renderer"]

SESSION_TYPE = np.dtype(
    [
        ("conversation", "u1"),
        ("v6", "?"),
        ("sport", "u2"),
        ("cport", "u2"),
        ("scanner", "i2"),
        ("client", "u4"),
        ("server", "u4"),
        ("isn_client", "u4"),
        ("isn_server", "u4"),
        ("start", "i8"),
        ("round_trip", "i8"),
    ]
)
"""One conversation between a client and a server; ``scanner`` is -1 for everything that is none."""
PACKET_TYPE = np.dtype([("time", "i8"), ("row", "i8"), ("session", SESSION_TYPE)])
"""One packet: when (microseconds), which row of the conversation table, of which session."""

RECORD_HEADER, ETHERNET = 16, 14


class Renderer:
    """Lays packets out in memory: meaningless payload everywhere, headers and texts placed over it."""

    def __init__(self, conversations: Table, rng: np.random.Generator) -> None:
        self._rows = conversations.rows
        self._rng = rng
        self._payload = rng.integers(0, 256, 1 << 20, np.uint8)
        self._data = np.empty(0, np.uint8)
        self._texts = [np.frombuffer(text, "<u2") for text in TEXTS]

    def render(self, packets: Array) -> Batch:
        """The records of ``packets`` one after another; their buffer is used again by the next call."""
        rows = self._rows[packets["row"]]
        v6, udp, options = packets["session"]["v6"], rows["udp"], rows["options"]
        l3 = np.where(v6, 40, 20)
        l4 = np.where(udp, 8, np.where(options, 20 + len(SYN_OPTIONS), 20))
        frame = np.maximum(ETHERNET + l3 + l4 + rows["payload"], MIN_FRAME)
        ends = np.cumsum(RECORD_HEADER + frame)
        begins = ends - frame - RECORD_HEADER
        data = self._canvas(int(ends[-1]) if len(ends) else 0)
        words = data.view("<u2")
        shape = v6 * 4 + udp * 2 + options
        for number in range(8):
            chosen = np.flatnonzero(shape == number)
            if len(chosen):
                headers = self._headers(packets[chosen], rows[chosen], frame[chosen], number)
                _place(words, begins[chosen], headers.view("<u2").reshape(len(chosen), -1))
        body = begins + RECORD_HEADER + ETHERNET + l3 + l4
        for number, text in enumerate(self._texts):
            chosen = np.flatnonzero(rows["text"] == number)
            _place(words, body[chosen], np.broadcast_to(text, (len(chosen), len(text))))
        return Batch(data, ends, packets)

    def _canvas(self, size: int) -> NDArray[np.uint8]:
        if len(self._data) < size:
            self._data = np.empty(size + size // 4, np.uint8)
        data = self._data[:size]
        for begin in range(0, size, len(self._payload)):
            part = data[begin : begin + len(self._payload)]
            part[:] = self._payload[: len(part)]
        return data

    def _headers(self, packets: Array, rows: Array, frame: NDArray[np.int64], shape: int) -> Array:
        v6, udp, options = bool(shape & 4), bool(shape & 2), bool(shape & 1)
        session, up, count = packets["session"], rows["up"], len(packets)
        headers = new_headers(count, v6=v6, udp=udp, options=options)
        second = packets["time"] // 1_000_000
        headers["sec"] = second
        headers["usec"] = packets["time"] - second * 1_000_000
        headers["caplen"] = frame
        headers["length"] = frame
        source = np.where(up, session["client"], session["server"])
        outbound = is_own(source)
        headers["mac_dst_last"] = np.where(outbound, 2, 1)
        headers["mac_src_last"] = np.where(outbound, 1, 2)
        headers["src"] = source
        headers["dst"] = np.where(up, session["server"], session["client"])
        headers["sport"] = np.where(up, session["cport"], session["sport"])
        headers["dport"] = np.where(up, session["sport"], session["cport"])
        headers["ttl"] = np.where(outbound, 63, 40 + (source & 15))
        carried = rows["payload"] + (8 if udp else 20 + (len(SYN_OPTIONS) if options else 0))
        if udp:
            headers["udp_length"] = carried
            headers["udp_checksum"] = 0xFFFF if v6 else 0
        else:
            self._fill_tcp(headers, session, rows)
        if v6:
            headers["payload"] = carried
            _fill_networks(headers, outbound)
        else:
            headers["total"] = carried + 20
            headers["ident"] = self._rng.integers(0, 65_536, count, np.uint16)
            headers["checksum"] = ipv4_checksum(headers)
        return headers

    @staticmethod
    def _fill_tcp(headers: Array, session: Array, rows: Array) -> None:
        up = rows["up"]
        acknowledges = (rows["flags"] & 16) != 0
        headers["seq"] = np.where(up, session["isn_client"], session["isn_server"]) + rows["seq"]
        other = np.where(up, session["isn_server"], session["isn_client"]) + rows["ack"]
        headers["ack"] = np.where(acknowledges, other, 0)
        headers["flags"] = rows["flags"]
        headers["window"] = 64_240


def _fill_networks(headers: Array, outbound: NDArray[np.bool_]) -> None:
    """IPv6 addresses keep the 32 bits of the IPv4 one at their end; customers get a /64 each."""
    own, foreign = np.void(OWN_V6), np.void(FOREIGN_V6)
    for side, is_customer in (("src", outbound), ("dst", ~outbound)):
        headers[f"{side}_net"] = np.where(is_customer, own, foreign)
        headers[f"{side}_subnet"] = headers[side] & 0xFFFF


def _place(words: NDArray[np.uint16], begins: NDArray[np.int64], what: NDArray[np.uint16]) -> None:
    """Write one line of ``what`` at each of the (even) byte positions ``begins``."""
    words[(begins >> 1)[:, None] + np.arange(what.shape[1])] = what
