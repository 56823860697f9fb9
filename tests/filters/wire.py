"""Packets of the model as bytes, in several ways each; the number of a packet is its IPv4 identification or its
IPv6 flow label, which routers leave alone."""

from __future__ import annotations

import random
import struct
from typing import Any

from rearguard.filters.model import UNKNOWN_PROTOCOL, Packet, Piece
from rearguard.model.bits import TCP, UDP

HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS = 0, 43, 44, 60
MORE = 1


class Plain(random.Random):
    """No chance: the first choice always, which is the plainest way to write a packet."""

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def random(self) -> float:
        return 1.0


def frame(packet: Packet, number: int, chance: random.Random) -> bytes:
    """The packet from its IP header on; ``chance`` chooses among what the model does not tell apart."""
    if packet.family == 4:
        return _v4(packet, number, chance)
    return _v6(packet, number, chance)


def number_of(data: bytes) -> tuple[int, int]:
    """(family, number) of a packet made by :func:`frame`."""
    if data[0] >> 4 == 4:
        return 4, int.from_bytes(data[4:6], "big")
    return 6, int.from_bytes(data[1:4], "big") & 0xFFFFF


def _v4(packet: Packet, number: int, chance: random.Random) -> bytes:
    offset, more, body = _piece(packet, chance)
    options = b"\x01" * (4 * chance.choice((0, 0, 0, 2)))
    words = 5 + len(options) // 4
    header = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | words,
        0,
        4 * words + len(body),
        number,
        more << 13 | offset,
        64,
        packet.protocol,
        0,
        packet.source.packed,
        packet.destination.packed,
    )
    header = header + options
    return header[:10] + _checksum(header) + header[12:] + body


def _v6(packet: Packet, number: int, chance: random.Random) -> bytes:
    offset, more, body = _piece(packet, chance)
    protocol, chain = packet.protocol, []
    if protocol == UNKNOWN_PROTOCOL:
        # One more header is announced than there is; what a later fragment begins with cannot be told either.
        protocol = OPTIONS
        body = bytes([OPTIONS, 0, 1, 4, 0, 0, 0, 0]) if packet.piece is Piece.UNREADABLE else body
    elif packet.piece in (Piece.READABLE, Piece.UNREADABLE):
        chain = [OPTIONS] * chance.choice((0, 0, 1, 2))
    fragmented = offset or more or (packet.piece is Piece.UNREADABLE) or chance.random() < 0.2
    before = [HOP_BY_HOP] * chance.choice((0, 0, 0, 1)) + [ROUTING] * chance.choice((0, 0, 0, 1))
    kinds = [*before, *([FRAGMENT] if fragmented else []), *chain]
    headers = b""
    for kind, following in zip(kinds, [*kinds, protocol][1:], strict=True):
        if kind == FRAGMENT:
            headers += struct.pack(">BBHI", following, 0, offset << 3 | more, number)
        elif kind == ROUTING:
            headers += bytes([following, 0, 4, 0, 0, 0, 0, 0])  # no segments left: endpoints ignore it
        else:
            headers += bytes([following, 0, 1, 4, 0, 0, 0, 0])  # padding
    first = kinds[0] if kinds else protocol
    return (
        struct.pack(">IHBB", 6 << 28 | number, len(headers) + len(body), first, 64)
        + packet.source.packed
        + packet.destination.packed
        + headers
        + body
    )


def _piece(packet: Packet, chance: random.Random) -> tuple[int, int, bytes]:
    """Fragment offset (8 bytes), more-fragments bit, and what follows the IP header."""
    whole = _transport(packet)
    if packet.piece is Piece.OFFSET_ONE:
        return 1, chance.choice((0, MORE)), whole
    if packet.piece is Piece.LATER:
        return chance.choice((2, 3, 100, 8189)), chance.choice((0, MORE)), whole
    if packet.piece is Piece.UNREADABLE:
        short = chance.choice((0, 4, 8, 13)) if packet.protocol == TCP else chance.choice((0, 2, 3))
        return 0, MORE, whole[:short]
    long_enough = 16 if packet.protocol == TCP else 8
    if chance.random() < 0.2:
        return 0, MORE, whole[:long_enough]
    return 0, 0, whole


def _transport(packet: Packet) -> bytes:
    """Ports also where they mean nothing: a filter that reads them there is found out."""
    ports = struct.pack(">HH", packet.sport, packet.dport)
    if packet.protocol == UDP:
        return ports + struct.pack(">HH", 16, 0) + bytes(8)
    return ports + struct.pack(">IIBBHHH", 1, 0, 0x50, packet.flags, 1024, 0, 0) + bytes(4)


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)
