"""Inputs of a packet or a flow or two, to compile every kernel ahead of time by doing the real thing."""

from __future__ import annotations

import ipaddress
import struct

from rearguard.model.bits import TCP, UDP

__all__ = ["flow_samples", "sample_pcap", "sample_pcapng"]

SOURCE = ipaddress.ip_address("203.0.113.7").packed
TARGET = ipaddress.ip_address("198.51.100.20").packed
EXPORTER = ipaddress.ip_address("192.0.2.1").packed
COLLECTOR = ipaddress.ip_address("192.0.2.2").packed
SECONDS = 1_480_000_000
PORTS = struct.pack(">HH", 40001, 7547)
MORE = 0x2000
"""The IPv4 flag that more fragments follow."""
TEMPLATE = struct.pack(">22H", 256, 10, 8, 4, 12, 4, 4, 1, 7, 2, 11, 2, 6, 1, 2, 4, 1, 4, 22, 4, 21, 4)
"""Addresses, protocol, ports, flags, packets, octets and the uptimes of start and end (IANA IPFIX elements)."""
RECORD = SOURCE + TARGET + bytes([TCP]) + PORTS + bytes([2]) + struct.pack(">IIII", 1, 40, 1_000, 1_000)
OPTIONS = struct.pack(">7H", 257, 4, 4, 1, 4, 34, 4)
"""An options template of version 9: the rate (34) of the system (scope 1), RFC 3954 section 6.1."""


def sample_pcap() -> bytes:
    """A capture of a SYN and its answer (pcap, microseconds, little-endian)."""
    return _pcap(_syn(), _answer())


def sample_pcapng() -> bytes:
    """The SYN as pcapng: section header, interface description, enhanced packet."""
    packet = _syn()
    padded = packet + bytes(-len(packet) % 4)
    when = SECONDS * 1_000_000
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20)
    length = 32 + len(padded)
    head = struct.pack("<IIIIIII", 6, length, 0, when >> 32, when & 0xFFFFFFFF, len(packet), len(packet))
    return section + interface + head + padded + struct.pack("<I", length)


def flow_samples() -> dict[str, bytes]:
    """Files with one flow each, by name; the capture is one of exports."""
    datagrams = (_v5(), _v9(), _sflow(_syn()), _ipfix())
    return {
        "warm.exports": _pcap(*map(_export, datagrams), *_fragments(_v9(number=2))),
        "warm.ipfix": _ipfix(),
        "warm.nfcapd1": _nfcapd1(),
        "warm.nfcapd2": _nfcapd2(),
        "warm.csv": b"ts,te,sa,da,sp,dp,pr,flg,ipkt,ibyt\n"
        b"2016-11-24 15:06:40,2016-11-24 15:06:40,203.0.113.7,198.51.100.20,40001,7547,TCP,......S.,1,40\n",
    }


def _pcap(*frames: bytes) -> bytes:
    made = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for frame in frames:
        made += struct.pack("<IIII", SECONDS, 0, len(frame), len(frame)) + frame
    return made


def _ip(protocol: int, ends: bytes, body: bytes, fragment: int = 0) -> bytes:
    """Ethernet and IPv4 in front of the body."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + head + ends + body


def _syn() -> bytes:
    """Ethernet, IPv4, TCP: a SYN from 203.0.113.7 to 198.51.100.20, port 7547."""
    body = PORTS + struct.pack(">IIBBHHH", 1, 0, 0x50, 0x02, 1024, 0, 0)
    return _ip(TCP, SOURCE + TARGET, body)


def _answer() -> bytes:
    """SYN+ACK, the other way round."""
    body = PORTS[2:] + PORTS[:2] + struct.pack(">IIBBHHH", 1, 2, 0x50, 0x12, 1024, 0, 0)
    return _ip(TCP, TARGET + SOURCE, body)


def _datagram(payload: bytes) -> bytes:
    return struct.pack(">HHHH", 40_000, 2055, 8 + len(payload), 0) + payload


def _export(payload: bytes) -> bytes:
    return _ip(UDP, EXPORTER + COLLECTOR, _datagram(payload))


def _fragments(payload: bytes) -> tuple[bytes, bytes]:
    """A datagram in two pieces, the first of 64 bytes."""
    whole = _datagram(payload)
    ends = EXPORTER + COLLECTOR
    return _ip(UDP, ends, whole[:64], MORE), _ip(UDP, ends, whole[64:], 64 // 8)


def _set(number: int, body: bytes) -> bytes:
    return struct.pack(">HH", number, 4 + len(body)) + body


def _v5() -> bytes:
    """NetFlow v5: one flow of one packet."""
    record = SOURCE + TARGET + struct.pack(">IHHIIII", 0, 1, 2, 1, 40, 1_000, 1_000) + PORTS
    record += struct.pack(">BBBBHHBBH", 0, 2, TCP, 0, 0, 0, 0, 0, 0)
    return struct.pack(">HHIIIIHH", 5, 1, 50_000, SECONDS, 0, 0, 0, 0) + record


def _v9(number: int = 1) -> bytes:
    """NetFlow v9: templates, an options record with the rate 1, a flow."""
    sets = _set(0, TEMPLATE) + _set(1, OPTIONS) + _set(257, struct.pack(">II", 0, 1)) + _set(256, RECORD)
    return struct.pack(">HHIIII", 9, 4, 50_000, SECONDS, number, 0) + sets


def _ipfix() -> bytes:
    """IPFIX: a template and a flow."""
    sets = _set(2, TEMPLATE) + _set(256, RECORD)
    return struct.pack(">HHIII", 10, 16 + len(sets), SECONDS, 0, 0) + sets


def _sflow(frame: bytes) -> bytes:
    """sFlow v5: a flow sample with the header of a packet (54 bytes, padded to 56)."""
    raw = struct.pack(">IIII", 1, len(frame) + 4, 4, len(frame)) + frame + bytes(-len(frame) % 4)
    sample = struct.pack(">IIIIIIII", 1, 3, 1, 1, 0, 3, 7, 1) + struct.pack(">II", 1, len(raw)) + raw
    head = struct.pack(">II", 5, 1) + EXPORTER + struct.pack(">IIII", 0, 1, 0, 1)
    return head + struct.pack(">II", 1, len(sample)) + sample


def _nfcapd1() -> bytes:
    """Layout 1: a map without extensions, and a flow; as it is."""
    plan = struct.pack("<HHHHHH", 2, 12, 0, 0, 0, 0)
    flow = struct.pack("<HHHHIIBBBBHHHBB", 0, 0, 0, 0, SECONDS, SECONDS, 0, 2, TCP, 0, 40001, 7547, 0, 0, 0)
    flow += SOURCE[::-1] + TARGET[::-1] + struct.pack("<II", 1, 40)
    records = plan + struct.pack("<HH", 10, 4 + len(flow)) + flow
    head = struct.pack("<HHII128s", 0xA50C, 1, 0, 1, b"") + bytes(136)
    return head + struct.pack("<IIHH", 2, len(records), 2, 0) + records


def _nfcapd2() -> bytes:
    """Layout 2: a flow; packed with LZO1X as what it is, without a match."""
    when = SECONDS * 1_000
    counts = struct.pack("<QQQQQHHBBBB", when, when, when, 1, 40, 40001, 7547, TCP, 2, 0, 0)
    elements = struct.pack("<HH", 1, 4 + len(counts)) + counts
    elements += struct.pack("<HH", 2, 12) + SOURCE[::-1] + TARGET[::-1]
    flow = struct.pack("<HHHBBHBB", 11, 12 + len(elements), 2, 0, 0, 0, 0, 0) + elements
    packed = bytes([17 + len(flow)]) + flow + b"\x11\x00\x00"
    head = struct.pack("<HHIqBBHIqII", 0xA50C, 2, 0x01070100, SECONDS, 1, 0, 0, 0, 0, 0, 1)
    return head + struct.pack("<IIHH", 1, len(packed), 3, 0) + packed
