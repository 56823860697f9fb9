"""The bytes of capture records, for many packets at once.

A record is a classic pcap record header (microseconds, little-endian), an Ethernet II header, IPv4 or IPv6,
and TCP or UDP. Each combination is one structured numpy type, so that a thousand headers are filled by one
assignment a field. IPv4 header checksums are right. TCP and UDP checksums are not computed (zero; ffff for
UDP over IPv6, where zero is forbidden), as on a host that leaves them to its network card: a reader must not
verify them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACK",
    "FILE_HEADER",
    "FIN",
    "FOREIGN_V6",
    "MIN_FRAME",
    "OWN_V4",
    "OWN_V4_BITS",
    "OWN_V6",
    "PSH",
    "RST",
    "SYN",
    "SYN_OPTIONS",
    "Array",
    "Batch",
    "header_type",
    "ipv4_checksum",
    "is_own",
    "new_headers",
]

Array = NDArray[np.void]
"""A structured array: one entry a packet or a session, one named field a property."""

FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
"""Classic pcap, microseconds, link type Ethernet."""

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

OWN_V4 = (10 << 24) | (64 << 16)
"""10.64.0.0/14, the customers."""
OWN_V4_BITS = 18
OWN_V6 = bytes.fromhex("20010db8000c")
"""2001:db8:c::/48, the same customers."""

FOREIGN_V6 = bytes.fromhex("2a00beef0001")
"""2a00:beef:1::/48, where the servers are."""

SYN_OPTIONS = bytes.fromhex("020405b40101040201030307")
"""MSS 1460, selective acknowledgements, window scale 7, padded to twelve bytes."""

ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
MIN_FRAME = 60
"""What an Ethernet interface hands over for the smallest frame."""

_RECORD = [("sec", "<u4"), ("usec", "<u4"), ("caplen", "<u4"), ("length", "<u4")]
_ETHERNET = [
    ("mac_dst", "V5"),
    ("mac_dst_last", "u1"),
    ("mac_src", "V5"),
    ("mac_src_last", "u1"),
    ("type", ">u2"),
]
_IPV4 = [
    ("version", "u1"),
    ("tos", "u1"),
    ("total", ">u2"),
    ("ident", ">u2"),
    ("fragment", ">u2"),
    ("ttl", "u1"),
    ("proto", "u1"),
    ("checksum", ">u2"),
    ("src", ">u4"),
    ("dst", ">u4"),
]
_IPV6 = [
    ("version", ">u4"),
    ("payload", ">u2"),
    ("proto", "u1"),
    ("ttl", "u1"),
    ("src_net", "V6"),
    ("src_subnet", ">u2"),
    ("src_zero", ">u4"),
    ("src", ">u4"),
    ("dst_net", "V6"),
    ("dst_subnet", ">u2"),
    ("dst_zero", ">u4"),
    ("dst", ">u4"),
]
_TCP = [
    ("sport", ">u2"),
    ("dport", ">u2"),
    ("seq", ">u4"),
    ("ack", ">u4"),
    ("offset", "u1"),
    ("flags", "u1"),
    ("window", ">u2"),
    ("tcp_checksum", ">u2"),
    ("urgent", ">u2"),
]
_UDP = [("sport", ">u2"), ("dport", ">u2"), ("udp_length", ">u2"), ("udp_checksum", ">u2")]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records: their bytes, where each ends, and the packets they were made from, if kept."""

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]
    packets: Array | None = None


def header_type(*, v6: bool, udp: bool, options: bool) -> np.dtype[np.void]:
    """The structured type of one record's headers, padded to the smallest frame."""
    fields = _RECORD + _ETHERNET + (_IPV6 if v6 else _IPV4) + (_UDP if udp else _TCP)
    if options:
        fields = [*fields, ("options", f"V{len(SYN_OPTIONS)}")]
    size = np.dtype(fields).itemsize
    if size < 16 + MIN_FRAME and not udp:
        fields = [*fields, ("padding", f"V{16 + MIN_FRAME - size}")]
    return np.dtype(fields)


def new_headers(count: int, *, v6: bool, udp: bool, options: bool) -> Array:
    """``count`` headers with everything filled in that does not differ from packet to packet."""
    headers = np.zeros(count, header_type(v6=v6, udp=udp, options=options))
    mac = np.void(bytes.fromhex("0200000000"))
    headers["mac_dst"] = mac
    headers["mac_src"] = mac
    headers["type"] = ETHERTYPE_IPV6 if v6 else ETHERTYPE_IPV4
    headers["proto"] = 17 if udp else 6
    headers["version"] = 0x60000000 if v6 else 0x45
    if not udp:
        headers["offset"] = (5 + (len(SYN_OPTIONS) // 4 if options else 0)) << 4
    if options:
        headers["options"] = np.void(SYN_OPTIONS)
    return headers


def is_own(address: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether an IPv4 address lies in the customers' prefix."""
    own: NDArray[np.bool_] = (address >> np.uint32(OWN_V4_BITS)) == np.uint32(OWN_V4 >> OWN_V4_BITS)
    return own


def ipv4_checksum(headers: Array) -> NDArray[np.uint16]:
    """The header checksum (RFC 1071) of IPv4 headers whose checksum field is zero."""
    total = headers["version"].astype(np.uint32) << np.uint32(8)
    total += headers["total"]
    total += headers["ident"]
    total += headers["fragment"]
    total += (headers["ttl"].astype(np.uint32) << np.uint32(8)) | headers["proto"]
    for side in ("src", "dst"):
        address = headers[side].astype(np.uint32)
        total += address >> np.uint32(16)
        total += address & np.uint32(0xFFFF)
    for _ in range(2):
        total = (total >> np.uint32(16)) + (total & np.uint32(0xFFFF))
    return (~total).astype(np.uint16)
