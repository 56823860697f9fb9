"""Captures of one packet, to compile every kernel ahead of time by doing the real thing."""

from __future__ import annotations

import ipaddress
import struct

from rearguard.model.bits import TCP

__all__ = ["sample_pcap", "sample_pcapng"]


def _syn() -> bytes:
    """Ethernet, IPv4, TCP: a SYN from 203.0.113.7 to 198.51.100.20, port 7547."""
    ethernet = bytes(12) + b"\x08\x00"
    addresses = ipaddress.ip_address("203.0.113.7").packed + ipaddress.ip_address("198.51.100.20").packed
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, TCP, 0) + addresses
    return ethernet + ip + struct.pack(">HHIIBBHHH", 40001, 7547, 1, 0, 0x50, 0x02, 1024, 0, 0)


def sample_pcap() -> bytes:
    """A capture of one SYN (pcap, microseconds, little-endian)."""
    packet = _syn()
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return header + struct.pack("<IIII", 1_480_000_000, 0, len(packet), len(packet)) + packet


def sample_pcapng() -> bytes:
    """The same as pcapng: section header, interface description, enhanced packet."""
    packet = _syn()
    padded = packet + bytes(-len(packet) % 4)
    when = 1_480_000_000_000_000
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20)
    length = 32 + len(padded)
    head = struct.pack("<IIIIIII", 6, length, 0, when >> 32, when & 0xFFFFFFFF, len(packet), len(packet))
    return section + interface + head + padded + struct.pack("<I", length)
