"""Small captures for what no public capture has alone: client ports of the catalogue, and pure backscatter.

The packets are classic pcap over raw IPv4 (link type 228), a few thousand, the same bytes each time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MADE", "make"]

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
START = 1_795_694_400
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 228)
CLIENT_PORTS = (7547, 5555, 30005, 37215, 49152, 52869)
"""Ports of the catalogue in Linux's ephemeral range, or in the pools of address translators."""

OWN, FOREIGN = (198 << 24) | (51 << 16) | (100 << 8), (203 << 24) | (113 << 8)
REQUEST = b"GET / HTTP/1.1\r\nHost: www.example.net\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nfine"

Packet = tuple[int, int, bytes]
"""Source, destination, and what follows the IP header (its first byte's protocol is told by :func:`_ip`)."""


def make(name: str, folder: Path) -> Path:
    """Write a capture of :data:`MADE` into a folder; return its path."""
    path = folder / name
    with path.open("wb") as stream:
        stream.write(HEADER)
        for number, data in enumerate(MADE[name]()):
            stream.write(
                struct.pack("<IIII", START + number // 100, number % 100 * 10_000, len(data), len(data))
            )
            stream.write(data)
    return path


def client_ports() -> Iterator[bytes]:
    """Forty customers, six client ports each, one web page a connection."""
    for customer in range(1, 41):
        for port in CLIENT_PORTS:
            client, server = OWN + customer, FOREIGN + customer % 7 + 1
            yield _tcp(client, port, server, 80, 100, 0, SYN)
            yield _tcp(server, 80, client, port, 500, 101, SYN | ACK)
            yield _tcp(client, port, server, 80, 101, 501, ACK)
            yield _tcp(client, port, server, 80, 101, 501, PSH | ACK, REQUEST)
            yield _tcp(server, 80, client, port, 501, 101 + len(REQUEST), PSH | ACK, PAGE)
            yield _tcp(client, port, server, 80, 101 + len(REQUEST), 501 + len(PAGE), FIN | ACK)
            yield _tcp(server, 80, client, port, 501 + len(PAGE), 102 + len(REQUEST), FIN | ACK)


def backscatter() -> Iterator[bytes]:
    """A server on tcp/7547 answers a flood whose senders were forged from our addresses."""
    victim = FOREIGN + 9
    for number in range(2_000):
        yield _tcp(victim, 7547, OWN + number % 256, 1024 + number * 31 % 60_000, 9, number + 1, SYN | ACK)
    for number in range(600):
        yield _tcp(victim, 23, OWN + number % 256, 1024 + number * 17 % 60_000, 0, number + 1, RST | ACK)
    for number in range(400):
        inner = _tcp(OWN + number % 256, 1024 + number * 13 % 60_000, victim, 7547, 7, 0, SYN)[:28]
        yield _ip(1, FOREIGN + 1, OWN + number % 256, struct.pack(">BBHI", 3, 3, 0, 0) + inner)


MADE = {"client-ports.pcap": client_ports, "backscatter.pcap": backscatter}
"""Name of the file to what makes its packets."""


def _tcp(
    src: int, sport: int, dst: int, dport: int, seq: int, ack: int, flags: int, payload: bytes = b""
) -> bytes:
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64_240, 0, 0)
    return _ip(6, src, dst, head + payload)


def _ip(proto: int, src: int, dst: int, rest: bytes) -> bytes:
    head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(rest), 0, 0x4000, 57, proto, 0, src, dst)
    words = struct.unpack(">10H", head)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + rest
