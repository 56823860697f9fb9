"""A plain, slow packet decoder, written to be read: what the compiled one has to agree with.

It shares no code with the product and uses slices of ``bytes``, exceptions and recursion, where the compiled
decoder uses offsets, status numbers and loops. ``decode`` gives for each record a dict of all columns, or the
name of the reason why there is no row.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FLAGS, ONE_PACKET, SEQ, IPID, OPTIONS, PAYLOAD = 1, 2, 4, 8, 16, 32
ALL = FLAGS | ONE_PACKET | SEQ | IPID | OPTIONS | PAYLOAD
PACKET, QUOTED, NO_PORTS = 1, 2, 4
MAPPED = 0xFFFF << 32


class NoRowError(Exception):
    """The frame holds no IP packet; the argument is the reason."""


@dataclass
class Piece:
    """Bytes, where they lie in the frame, and how long they were on the wire."""

    data: bytes
    at: int
    wire: int

    def skip(self, n: int) -> Piece:
        return Piece(self.data[n:], self.at + n, self.wire - n)

    def limit(self, n: int) -> Piece:
        return Piece(self.data[:n], self.at, n)

    def need(self, n: int, reason: str = "truncated-link-header") -> bytes:
        if len(self.data) < n:
            raise NoRowError(reason)
        return self.data[:n]

    def half(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 2], "big")


# ---- link layer ----


def from_link(link: int, p: Piece, steps: int = 24) -> tuple[int, Piece]:
    """The IP version and the IP packet inside a frame of this link type."""
    if link == 1:
        ethertype = int.from_bytes(p.need(14)[12:], "big")
        if ethertype < 0x600:
            if ethertype > 1500:
                raise NoRowError("not-ip")
            return from_llc(p.skip(14), steps - 1)
        return from_ethertype(ethertype, p.skip(14), steps - 1)
    if steps <= 0:
        raise NoRowError("not-ip")
    if link in (12, 14, 101):
        return from_version(p)
    if link == 228:
        return 4, p
    if link == 229:
        return 6, p
    if link in (0, 108):
        head = p.need(4)
        big, little = int.from_bytes(head, "big"), int.from_bytes(head, "little")
        if big & 0xFFFF >= 0x600:
            return from_ethertype(big & 0xFFFF, p.skip(4), steps - 1)
        return from_family(big if big <= 0xFFFF else little, p.skip(4))
    if link in (9, 50):
        return from_ppp(p, steps)
    if link == 51:
        p.need(6)
        return from_ppp(p.skip(6), steps)
    if link == 104:
        return from_ethertype(int.from_bytes(p.need(4)[2:], "big"), p.skip(4), steps - 1)
    if link == 113:
        head = p.need(16)
        return from_cooked(head[2:4], head[14:16], p.skip(16), steps)
    if link == 276:
        head = p.need(20)
        return from_cooked(head[8:10], head[0:2], p.skip(20), steps)
    if link == 239:
        return from_nflog(p)
    raise NoRowError("unknown-linktype")


def from_ethertype(ethertype: int, p: Piece, steps: int) -> tuple[int, Piece]:
    if steps <= 0:
        raise NoRowError("not-ip")
    if ethertype == 0x0800:
        return 4, p
    if ethertype == 0x86DD:
        return 6, p
    if ethertype in (0x8100, 0x88A8, 0x9100):
        inner = int.from_bytes(p.need(4)[2:], "big")
        if inner < 0x600:
            return from_llc(p.skip(4), steps - 1)
        return from_ethertype(inner, p.skip(4), steps - 1)
    if ethertype == 0x8926:
        return from_ethertype(int.from_bytes(p.need(6)[4:], "big"), p.skip(6), steps - 1)
    if ethertype == 0x893F:
        return from_ethertype(int.from_bytes(p.need(8)[6:], "big"), p.skip(8), steps - 1)
    if ethertype in (0x8847, 0x8848):
        return from_mpls(p, steps)
    if ethertype == 0x8864:
        p.need(6)
        return from_ppp(p.skip(6), steps - 1)
    if ethertype == 0x880B:
        return from_ppp(p, steps - 1)
    if ethertype == 0x6558:
        return from_link(1, p, steps - 1)
    raise NoRowError("not-ip")


def from_mpls(p: Piece, steps: int) -> tuple[int, Piece]:
    while not p.need(4)[2] & 1:
        p = p.skip(4)
    p = p.skip(4)
    nibble = p.need(1)[0] >> 4
    if nibble in (4, 6):
        return from_version(p)
    if nibble == 1:
        raise NoRowError("not-ip")
    return from_link(1, p.skip(4) if nibble == 0 and len(p.data) >= 4 else p, steps - 1)


def from_version(p: Piece) -> tuple[int, Piece]:
    version = p.need(1, "truncated-ip-header")[0] >> 4
    if version not in (4, 6):
        raise NoRowError("not-ip")
    return version, p


def from_family(family: int, p: Piece) -> tuple[int, Piece]:
    if family == 2:
        return 4, p
    if family in (10, 24, 28, 30):
        return 6, p
    raise NoRowError("not-ip")


def from_cooked(hardware: bytes, protocol: bytes, p: Piece, steps: int) -> tuple[int, Piece]:
    number = int.from_bytes(protocol, "big")
    if int.from_bytes(hardware, "big") == 824:
        raise NoRowError("not-ip")
    if number == 4:
        return from_llc(p, steps - 1)
    if number < 0x600:
        raise NoRowError("not-ip")
    return from_ethertype(number, p, steps - 1)


def from_llc(p: Piece, steps: int) -> tuple[int, Piece]:
    if steps <= 0:
        raise NoRowError("not-ip")
    head = p.need(3)
    if head == b"\xaa\xaa\x03":
        snap = p.need(8)
        if snap[3:6] in (b"\0\0\0", b"\0\0\xf8"):
            return from_ethertype(int.from_bytes(snap[6:], "big"), p.skip(8), steps - 1)
    if head == b"\x06\x06\x03":
        return 4, p.skip(3)
    raise NoRowError("not-ip")


def from_ppp(p: Piece, steps: int) -> tuple[int, Piece]:
    if steps <= 0:
        raise NoRowError("not-ip")
    if len(p.data) >= 4 and p.data[0] in (0x0F, 0x8F):
        return from_ethertype(p.half(2), p.skip(4), steps - 1)
    if p.data[:2] == b"\xff\x03":
        p = p.skip(2)
    p.need(2)
    size = 1 if p.data[0] & 1 else 2
    protocol = int.from_bytes(p.data[:size], "big")
    p = p.skip(size)
    if protocol == 0x21:
        return 4, p
    if protocol == 0x57:
        return 6, p
    if protocol == 0x281:
        return from_ethertype(0x8847, p, steps - 1)
    raise NoRowError("not-ip")


def from_nflog(p: Piece) -> tuple[int, Piece]:
    family = p.need(4)[0]
    p = p.skip(4)
    while len(p.data) >= 4:
        little, big = struct.unpack("<HH", p.data[:4]), struct.unpack(">HH", p.data[:4])
        size, kind = little if little[0] <= len(p.data) else big
        if size < 4:
            raise NoRowError("not-ip")
        if kind == 9:
            return from_family(family, p.skip(4))
        p = p.skip((size + 3) // 4 * 4)
    raise NoRowError("truncated-link-header")


# ---- network layer ----


@dataclass
class Ip:
    src: int
    dst: int
    proto: int
    ttl: int
    frag: int
    ipid: int
    length: int
    rest: Piece


def read_ip(version: int, p: Piece) -> Ip:
    if p.data and p.data[0] >> 4 != version:
        raise NoRowError("bad-ip-header")
    return read_ipv4(p) if version == 4 else read_ipv6(p)


def read_ipv4(p: Piece) -> Ip:
    head = p.need(20, "truncated-ip-header")
    size = (head[0] & 15) * 4
    length = p.half(2) or p.wire
    if size < 20 or length < size:
        raise NoRowError("bad-ip-header")
    fragment = p.half(6)
    frag = 2 if fragment & 0x1FFF else 1 if fragment & 0x2000 else 0
    src, dst = (MAPPED | int.from_bytes(head[i : i + 4], "big") for i in (12, 16))
    rest = p.limit(length).skip(size)
    return Ip(src, dst, head[9], head[8], frag, p.half(4), length, rest)


def read_ipv6(p: Piece) -> Ip:
    head = p.need(40, "truncated-ip-header")
    length = p.half(4) + 40
    if length == 40 and head[6] != 59:
        length = max(p.wire, 40)
    proto, frag, ipid = head[6], 0, 0
    rest = p.limit(length).skip(40)
    for _ in range(16):
        size = 0
        if proto == 44:
            if len(rest.data) < 8:
                break
            field = rest.half(2)
            ipid = int.from_bytes(rest.data[4:8], "big")
            proto, rest = rest.data[0], rest.skip(8)
            if field >> 3:
                frag = 2
                break
            frag = max(frag, field & 1)
            continue
        if len(rest.data) >= 8:
            if proto == 51:
                size = (rest.data[1] + 2) * 4
            elif proto in (0, 43, 60, 135, 139, 140):
                size = (rest.data[1] + 1) * 8
        if not size or len(rest.data) < size:
            break
        proto, rest = rest.data[0], rest.skip(size)
    src, dst = int.from_bytes(head[8:24], "big"), int.from_bytes(head[24:40], "big")
    return Ip(src, dst, proto, head[7], frag, ipid, length, rest)


# ---- transport layer ----


def read_transport(ip: Ip) -> dict[str, int | bytes]:
    """Ports, TCP fields and payload of the innermost packet."""
    t: dict[str, int | bytes] = dict.fromkeys(("sport", "dport", "flags", "doff", "seq", "ack", "win"), 0)
    data, whole = ip.rest.data, max(ip.rest.wire, 0)
    if ip.frag == 2:
        why = NO_PORTS if ip.proto in (6, 17) else PACKET
        return t | payload(data, 0, whole) | {"known": ONE_PACKET | IPID | PAYLOAD, "why": why}
    if ip.proto not in (6, 17):
        return t | payload(data, 0, whole) | {"known": ALL, "why": PACKET}
    if len(data) < 4:
        return t | payload(b"", 0, 0) | {"known": ONE_PACKET | IPID, "why": NO_PORTS}
    t |= {"sport": ip.rest.half(0), "dport": ip.rest.half(2), "why": PACKET}
    if ip.proto == 17:
        says = ip.rest.half(4) if len(data) >= 8 else 0
        if says >= 8:
            data, whole = data[:says], min(whole, says)
        return t | payload(data, 8, whole) | {"known": ALL}
    known = ONE_PACKET | IPID
    load = payload(b"", 0, 0)
    if len(data) >= 8:
        t["seq"] = int.from_bytes(data[4:8], "big")
        known |= SEQ
    if len(data) >= 20:
        known |= FLAGS | OPTIONS
        doff = data[12] >> 4
        t |= {
            "ack": int.from_bytes(data[8:12], "big"),
            "doff": doff,
            "flags": data[13],
            "win": ip.rest.half(14),
        }
        if 20 <= doff * 4 <= whole:
            known |= PAYLOAD
            load = payload(data, doff * 4, whole)
    return t | load | {"known": known}


def payload(data: bytes, header: int, whole: int) -> dict[str, int | bytes]:
    """The columns about the payload, and the payload itself."""
    load = data[header:]
    return {"payload": load, "pay_len": len(load), "pay_wire": max(whole - header, 0)}


def inside(ip: Ip, dport: int) -> tuple[int, Piece]:
    """The packet in a tunnel, or NoRowError."""
    p = ip.rest
    if ip.frag == 2:
        raise NoRowError
    if ip.proto in (4, 41):
        return from_version(p)
    if ip.proto == 17 and dport == 4789 and len(p.data) >= 16 and p.data[8] & 8:
        return from_link(1, p.skip(16), 24)
    if ip.proto != 47 or len(p.data) < 4:
        raise NoRowError
    flags, kind = p.half(0), p.half(2)
    version = flags & 7
    if flags & 0x4000 or version > 1 or (version == 1 and kind != 0x880B):
        raise NoRowError
    words = [flags & 0x8000, flags & 0x2000, flags & 0x1000, flags & 0x80 if version else 0]
    p = p.skip(4 + 4 * sum(map(bool, words)))
    if kind == 0x88BE:
        return from_link(1, p.skip(8 if flags & 0x1000 else 0), 24)
    if kind == 0x22EB:
        if len(p.data) < 12:
            raise NoRowError
        return from_link(1, p.skip(20 if p.data[11] & 1 else 12), 24)
    return from_ethertype(kind, p, 24 + 1)


def quoted(ip: Ip) -> Ip:
    """The packet that an ICMP destination-unreachable quotes, or NoRowError."""
    data = ip.rest.data
    if ip.frag != 2 and len(data) > 8:
        version = data[8] >> 4
        if (ip.proto, data[0], version) in ((1, 3, 4), (58, 1, 6)):
            return read_ip(version, ip.rest.skip(8))
    raise NoRowError


def decode_frame(link: int, data: bytes, wirelen: int) -> dict[str, int | bytes]:
    """All columns of a packet but times and numbers; raises NoRowError with the reason."""
    ip = read_ip(*from_link(link, Piece(data, 0, max(wirelen, len(data)))))
    transport = read_transport(ip)
    try:
        ip = read_ip(*inside(ip, int(transport["dport"])))
        transport = read_transport(ip)
    except NoRowError:
        pass
    length = ip.length
    try:
        ip = quoted(ip)
        transport = read_transport(ip)
        transport["why"] = QUOTED | (int(transport["why"]) & NO_PORTS)
        transport["known"] = int(transport["known"]) & ~PAYLOAD
        transport |= payload(b"", 0, 0)
    except NoRowError:
        pass
    low = (1 << 64) - 1
    row: dict[str, int | bytes] = {
        "src_hi": ip.src >> 64,
        "src_lo": ip.src & low,
        "dst_hi": ip.dst >> 64,
        "dst_lo": ip.dst & low,
    }
    row |= {"proto": ip.proto, "ttl": ip.ttl, "frag": ip.frag, "ipid": ip.ipid, "bytes": length}
    return row | transport | {"packets": 1, "sampling": 1}
