"""Writes small captures (raw IP, microseconds) from a list of packets, and runs the first look over them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from rearguard.catalogue import load
from rearguard.contacts.reading import read
from rearguard.contacts.reducer import Sizes
from rearguard.contacts.suggest import Suggested, everything_guard, suggest_networks
from rearguard.contacts.suggest_controllers import Candidates, suggest_controllers
from rearguard.model.prefixes import PrefixSet
from rearguard.policy import policy_from_flags

SYN, SYNACK, ACK, PUSH, RST = 0x02, 0x12, 0x10, 0x18, 0x14
RAW_IP = 101
START = 1_480_154_400


@dataclass(frozen=True, slots=True)
class Packet:
    src: str
    sport: int
    dst: str
    dport: int
    flags: int | None = SYN  # None: a datagram
    payload: bytes = b""
    ipid: int = 1
    seq: int = 7


def tcp_talk(client: str, server: str, port: int, sport: int = 40000) -> list[Packet]:
    """Handshake, question, answer."""
    return [
        Packet(client, sport, server, port),
        Packet(server, port, client, sport, SYNACK),
        Packet(client, sport, server, port, ACK),
        Packet(client, sport, server, port, PUSH, b"question"),
        Packet(server, port, client, sport, PUSH, b"answer"),
    ]


def refused(client: str, server: str, port: int) -> list[Packet]:
    return [Packet(client, 40000, server, port), Packet(server, port, client, 40000, RST, seq=0)]


def write(file: Path, packets: Sequence[Packet]) -> str:
    """The capture's path; one packet a millisecond."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for number, packet in enumerate(packets):
        data = _ip(packet)
        parts.append(struct.pack("<IIII", START + number // 1000, number % 1000 * 1000, len(data), len(data)))
        parts.append(data)
    file.write_bytes(b"".join(parts))
    return str(file)


def networks(folder: Path, packets: Sequence[Packet], sizes: Sizes | None = None) -> Suggested:
    """What is suggested for these packets."""
    return look([write(folder / "t.pcap", packets)], folder, sizes)[0]


def texts(found: Suggested) -> list[str]:
    return [str(prefix) for prefix in found.prefixes]


def look(uris: Sequence[str], folder: Path, sizes: Sizes | None = None) -> tuple[Suggested, Candidates]:
    """Networks and candidates of captures."""
    catalogue = load()
    policy = policy_from_flags((), (), (), None, catalogue)
    reading = read(uris, everything_guard(policy, catalogue), folder, sizes=sizes, workers=1)
    try:
        found = suggest_networks(reading.partials, catalogue)
        return found, suggest_controllers(reading.partials, PrefixSet.of(found.prefixes), catalogue)
    finally:
        reading.partials.close()


def _ip(packet: Packet) -> bytes:
    src, dst = ip_address(packet.src), ip_address(packet.dst)
    proto, body = _transport(packet)
    if src.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + src.packed + dst.packed + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), packet.ipid, 0, 64, proto, 0)
    return head + src.packed + dst.packed + body


def _transport(packet: Packet) -> tuple[int, bytes]:
    ports = struct.pack(">HH", packet.sport, packet.dport)
    if packet.flags is None:
        return 17, ports + struct.pack(">HH", 8 + len(packet.payload), 0) + packet.payload
    rest = struct.pack(">IIBBHHH", packet.seq, 1, 5 << 4, packet.flags, 1024, 0, 0)
    return 6, ports + rest + packet.payload
