"""Packets and captures by hand, for tests: small functions that put one header in front of what is given."""

from __future__ import annotations

import struct
from ipaddress import ip_address

A4, B4 = "192.0.2.7", "198.51.100.20"
A6, B6 = "2001:db8::7", "2001:db8:c::20"
O4, P4 = "203.0.113.1", "203.0.113.2"
O6, P6 = "2001:db8:ffff::1", "2001:db8:ffff::2"


def tcp(
    sport: int = 40001, dport: int = 7547, flags: int = 2, seq: int = 7, body: bytes = b"", doff: int = 5
) -> bytes:
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, 99, doff << 4, flags, 5840, 0, 0)
    return head + b"\x01" * max(doff * 4 - 20, 0) + body


def udp(sport: int = 5000, dport: int = 161, body: bytes = b"hello") -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body


def ip4(
    body: bytes,
    proto: int = 6,
    src: str = A4,
    dst: str = B4,
    *,
    fragment: int = 0,
    options: bytes = b"",
    length: int | None = None,
    ident: int = 4660,
) -> bytes:
    size = 20 + len(options)
    total = size + len(body) if length is None else length
    head = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, total, ident, fragment, 61, proto, 0)
    return head + ip_address(src).packed + ip_address(dst).packed + options + body


def ip6(body: bytes, proto: int = 6, src: str = A6, dst: str = B6, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        struct.pack(">IHBB", 6 << 28, size, proto, 57)
        + ip_address(src).packed
        + ip_address(dst).packed
        + body
    )


def extension(next_header: int, words: int = 0) -> bytes:
    """A hop-by-hop, routing or destination options header of 8 + 8 * words bytes."""
    return bytes([next_header, words]) + b"\x01\x04\0\0\0\0" + b"\0" * 8 * words


def fragment6(next_header: int, offset: int, more: bool, ident: int = 77) -> bytes:
    return struct.pack(">BBHI", next_header, 0, offset << 3 | more, ident)


def ether(body: bytes, ethertype: int = 0x0800) -> bytes:
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + ethertype.to_bytes(2, "big") + body


def vlan(body: bytes, ethertype: int = 0x0800, number: int = 100) -> bytes:
    return struct.pack(">HH", number, ethertype) + body


def mpls(body: bytes, *labels: int) -> bytes:
    stack = b""
    for i, label in enumerate(labels):
        stack += struct.pack(">I", label << 12 | (i == len(labels) - 1) << 8 | 64)
    return stack + body


def pppoe(body: bytes, protocol: int = 0x21) -> bytes:
    return struct.pack(">BBHHH", 0x11, 0, 1, len(body) + 2, protocol) + body


def snap(body: bytes, ethertype: int = 0x0800) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + ethertype.to_bytes(2, "big") + body


def gre(body: bytes, ethertype: int = 0x0800, flags: int = 0) -> bytes:
    words = bin(flags & 0xB000).count("1") + (flags & 7 == 1 and bool(flags & 0x80))
    return struct.pack(">HH", flags, ethertype) + b"\0\0\0\x01" * words + body


def vxlan(body: bytes, flags: int = 8) -> bytes:
    return udp(50000, 4789, bytes([flags]) + b"\0\0\0\0\0\x2a\0" + body)


def unreachable4(quote: bytes, kind: int = 3) -> bytes:
    return bytes([kind, 3]) + b"\0" * 6 + quote


def unreachable6(quote: bytes, kind: int = 1) -> bytes:
    return bytes([kind, 4]) + b"\0" * 6 + quote


def pcap(
    *packets: bytes,
    link: int = 1,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    snaplen: int = 262_144,
    wire: int = 0,
    step: int = 1,
) -> bytes:
    """A pcap file; packet i is at second 1_700_000_000 + i * step and 5 units; ``wire`` bytes longer once."""
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for i, packet in enumerate(packets):
        out.append(struct.pack(order + "IIII", 1_700_000_000 + i * step, 5, len(packet), len(packet) + wire))
        if magic == 0xA1B2CD34:
            out.append(struct.pack(order + "IHBB", 1, 0x0800, 0, 0))
        out.append(packet)
    return b"".join(out)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<", length: int = -1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, length), order)


def interface(order: str = "<", link: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(packet: bytes, ticks: int = 0, number: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, head + packet + b"\0" * (-len(packet) % 4) + options, order)


def simple(packet: bytes, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(packet)) + packet, order)


def obsolete(packet: bytes, ticks: int = 0, number: int = 0, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(2, head + packet, order)


IPV6_IN_ETHERNET = 0x86DD
SYN = ip4(tcp())
ICMP_ERROR = ip4(unreachable4(ip4(tcp(), src=B4, dst=A4)[:28]), 1, O4, P4)

FRAMES: dict[str, tuple[int, bytes]] = {
    "ethernet": (1, ether(SYN)),
    "ethernet v6": (1, ether(ip6(tcp()), 0x86DD)),
    "padding": (1, ether(ip4(tcp())) + b"\xee" * 6),
    "802.1Q": (1, ether(vlan(SYN), 0x8100)),
    "QinQ": (1, ether(vlan(vlan(SYN), 0x8100), 0x88A8)),
    "old QinQ": (1, ether(vlan(vlan(SYN), 0x8100), 0x9100)),
    "VN tag": (1, ether(b"\0\0\0\0\x08\0" + SYN, 0x8926)),
    "E-tag": (1, ether(b"\0\0\0\0\0\0\x08\0" + SYN, 0x893F)),
    "MPLS": (1, ether(mpls(SYN, 16), 0x8847)),
    "MPLS stack v6": (1, ether(mpls(ip6(tcp()), 16, 17, 18), 0x8848)),
    "MPLS pseudowire": (1, ether(mpls(b"\0\0\0\0" + ether(SYN), 16), 0x8847)),
    "PPPoE": (1, ether(pppoe(SYN), 0x8864)),
    "PPPoE v6": (1, ether(pppoe(ip6(tcp()), 0x57), 0x8864)),
    "SNAP": (1, ether(snap(SYN), len(snap(SYN)))),
    "LLC IP": (1, ether(b"\x06\x06\x03" + SYN, 3 + len(SYN))),
    "raw": (101, SYN),
    "raw 12": (12, SYN),
    "raw 14": (14, ip6(tcp())),
    "ipv4 link": (228, SYN),
    "ipv6 link": (229, ip6(tcp())),
    "null little": (0, b"\x02\0\0\0" + SYN),
    "null big": (0, b"\0\0\0\x02" + SYN),
    "null darwin": (0, b"\x1e\0\0\0" + ip6(tcp())),
    "null ethertype": (0, b"\x0f\0\x08\0" + SYN),
    "loop": (108, b"\0\0\0\x18" + ip6(tcp())),
    "cooked": (113, b"\0\0\0\x01\0\x06" + b"\0" * 8 + b"\x08\0" + SYN),
    "cooked 2": (276, b"\x08\0\0\0\0\0\0\x02\0\x01" + b"\0" * 10 + SYN),
    "ppp": (9, b"\0\x21" + SYN),
    "ppp framed": (50, b"\xff\x03\0\x21" + SYN),
    "ppp short": (9, b"\xff\x03\x21" + SYN),
    "ppp cisco": (50, b"\x0f\0\x08\0" + SYN),
    "ppp mpls": (9, b"\x02\x81" + mpls(SYN, 16)),
    "chdlc": (104, b"\x0f\0\x08\0" + SYN),
    "nflog": (239, b"\x02\0\0\0" + b"\x08\0\x01\0aaaa" + struct.pack("<HH", 4 + len(SYN), 9) + SYN),
    "gre": (101, ip4(gre(SYN), 47, O4, P4)),
    "gre key checksum sequence": (101, ip4(gre(SYN, flags=0xB000), 47, O4, P4)),
    "gre v6 in v6": (101, ip6(gre(ip6(tcp()), 0x86DD), 47, O6, P6)),
    "gre bridged": (101, ip4(gre(ether(SYN), 0x6558), 47, O4, P4)),
    "gre vlan": (101, ip4(gre(ether(vlan(SYN), 0x8100), 0x6558), 47, O4, P4)),
    "pptp": (101, ip4(gre(b"\xff\x03\0\x21" + SYN, 0x880B, 0x3081), 47, O4, P4)),
    "erspan I": (101, ip4(gre(ether(SYN), 0x88BE), 47, O4, P4)),
    "erspan II": (101, ip4(gre(b"\x10\0\0\0\0\0\0\0" + ether(SYN), 0x88BE, 0x1000), 47, O4, P4)),
    "erspan III": (101, ip4(gre(b"\x20" + b"\0" * 11 + ether(SYN), 0x22EB, 0x1000), 47, O4, P4)),
    "erspan III more": (
        101,
        ip4(gre(b"\x20" + b"\0" * 10 + b"\x01" + b"\0" * 8 + ether(SYN), 0x22EB, 0x1000), 47, O4, P4),
    ),
    "ipip": (101, ip4(SYN, 4, O4, P4)),
    "6in4": (101, ip4(ip6(tcp()), 41, O4, P4)),
    "4in6": (101, ip6(SYN, 4, O6, P6)),
    "vxlan": (101, ip4(vxlan(ether(SYN)), 17, O4, P4)),
    "vxlan over v6": (101, ip6(vxlan(ether(vlan(SYN), 0x8100)), 17, O6, P6)),
}
"""Ways in which one TCP SYN from A to B, port 40001 to 7547, can lie in a frame: link type and bytes."""

OTHERS: dict[str, tuple[int, bytes]] = {
    "udp": (101, ip4(udp(), 17)),
    "tcp payload": (101, ip4(tcp(body=b"GET / HTTP/1.1", flags=0x18, doff=8))),
    "options": (101, ip4(tcp(), options=b"\x94\x04\0\0")),
    "chain": (
        101,
        ip6(extension(60) + extension(43, 1) + extension(51) + b"\x06\x01" + b"\0" * 10 + tcp(), 0),
    ),
    "first fragment": (101, ip4(tcp(body=b"x" * 100), fragment=0x2000)),
    "later fragment": (101, ip4(b"\x1d\x7b\x1d\x7b" * 10, fragment=0x0010)),
    "first fragment v6": (101, ip6(fragment6(17, 0, True) + udp(), 44)),
    "later fragment v6": (101, ip6(fragment6(17, 9, False) + udp(), 44)),
    "atomic fragment v6": (101, ip6(fragment6(6, 0, False) + tcp(), 44)),
    "icmp": (101, ip4(b"\x08\0" + b"\0" * 14, 1)),
    "icmp unreachable": (101, ICMP_ERROR),
    "icmp v6 unreachable": (101, ip6(unreachable6(ip6(tcp(), src=B6, dst=A6)), 58, O6, P6)),
    "offload": (101, ip4(tcp(body=b"y" * 50), length=0)),
    "jumbo": (101, ip6(tcp(body=b"z" * 50), length=0)),
    "sctp": (101, ip4(b"\x0b\x59" * 20, 132)),
    "gre to nothing": (101, ip4(gre(b"\0" * 30, 0x2000), 47)),
    "arp": (1, ether(b"\0" * 28, 0x0806)),
    "short ethernet": (1, b"\0" * 9),
    "short ip": (101, SYN[:15]),
    "bad version": (1, ether(b"\x55" * 40)),
    "bad length": (101, ip4(tcp(), length=19)),
    "wifi": (105, b"\0" * 60),
    "short tcp": (101, SYN[:30]),
    "no ports": (101, SYN[:22]),
}
"""Frames for the rest of the rules."""
