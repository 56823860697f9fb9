"""Packets written by hand: what a worm, a spoofer or a flood's victim sends past its own kernel.

The Mirai sequence property: the TCP sequence number of a SYN equals its IPv4 destination address. IPv6 has
none, as 128 bits do not fit.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

__all__ = ["ACK", "RST", "SYN", "RawSender", "Replies", "tcp_packet", "udp_packet"]

SYN, RST, ACK = 0x02, 0x04, 0x10
_TTL = 64


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _wrap(source: str, target: str, protocol: int, segment: bytes, identifier: int) -> bytes:
    """An IP header, version 4 or 6, before a segment whose checksum is already right."""
    src, dst = ip_address(source).packed, ip_address(target).packed
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, _TTL) + src + dst + segment
    length = 20 + len(segment)
    fields = (0x45, 0, length, identifier, 0, _TTL, protocol)
    bare = struct.pack("!BBHHHBBH", *fields, 0) + src + dst
    return struct.pack("!BBHHHBBH", *fields, _checksum(bare)) + src + dst + segment


def _sealed(source: str, target: str, protocol: int, segment: bytes, place: int) -> bytes:
    """The segment with its checksum over the pseudo-header written at ``place``."""
    pseudo = ip_address(source).packed + ip_address(target).packed
    pseudo += struct.pack("!IBBBB", len(segment), 0, 0, 0, protocol)
    value = _checksum(pseudo + segment)
    return segment[:place] + struct.pack("!H", value) + segment[place + 2 :]


def tcp_packet(
    source: str,
    sport: int,
    target: str,
    dport: int,
    *,
    flags: int,
    seq: int,
    ack: int = 0,
    window: int = 65535,
) -> bytes:
    """A TCP packet without options and payload; the IPv4 identification is random."""
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, window, 0, 0)
    segment = _sealed(source, target, socket.IPPROTO_TCP, segment, 16)
    return _wrap(source, target, socket.IPPROTO_TCP, segment, random.randrange(1, 65536))


def udp_packet(source: str, sport: int, target: str, dport: int, payload: bytes) -> bytes:
    """A UDP datagram."""
    segment = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    segment = _sealed(source, target, socket.IPPROTO_UDP, segment, 6)
    return _wrap(source, target, socket.IPPROTO_UDP, segment, random.randrange(1, 65536))


class RawSender:
    """Sends whole IP packets from the namespace in which it was made."""

    def __init__(self) -> None:
        self._four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, packet: bytes) -> None:
        if packet[0] >> 4 == 4:
            self._four.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        else:
            self._six.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))

    def close(self) -> None:
        self._four.close()
        self._six.close()


class Replies:
    """What came back to an address: ``answered`` for SYN+ACK, ``refused`` for RST, by sender."""

    def __init__(self, address: str) -> None:
        self.seen: dict[str, str] = {}
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((address, 0))

    @contextmanager
    def listening(self, linger: float) -> Iterator[None]:
        """Collect while the body sends, and ``linger`` seconds longer."""
        stop = threading.Event()
        thread = threading.Thread(target=self._collect, args=(stop,))
        thread.start()
        try:
            yield
            time.sleep(linger)
        finally:
            stop.set()
            thread.join()
            self._socket.close()

    def _collect(self, stop: threading.Event) -> None:
        self._socket.settimeout(0.1)
        while not stop.is_set():
            try:
                data, peer = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            tcp = data[(data[0] & 15) * 4 :] if self._socket.family == socket.AF_INET else data
            if tcp[13] & SYN:
                self.seen[peer[0]] = "answered"
            elif tcp[13] & RST:
                self.seen.setdefault(peer[0], "refused")
