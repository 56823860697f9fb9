"""sFlow version 5 datagrams by hand, and captures of them: what an agent would export of given frames."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from . import build as b
from .containers import Record

AGENT = "192.0.2.254"
COLLECTOR, COLLECTOR6 = "192.0.2.253", "2001:db8::253"
PORT = 6343
HEADER = 128
FCS = 4


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def record(form: int, body: bytes) -> bytes:
    """A flow record, or with the formats of samples a sample."""
    return words(form, len(body)) + padded(body)


def header(
    frame: bytes, protocol: int = 1, *, wire: int | None = None, stripped: int = FCS, size: int = HEADER
) -> bytes:
    """A raw packet header: the first bytes of a frame that was ``wire`` bytes long (without what was stripped)."""
    kept = frame[:size]
    length = (len(frame) if wire is None else wire) + stripped
    return record(1, words(protocol, length, stripped, len(kept)) + padded(kept))


def plain4(
    *, length: int = 60, proto: int = 6, src: str = b.A4, dst: str = b.B4,
    sport: int = 40001, dport: int = 7547, flags: int = 2,
) -> bytes:  # fmt: skip
    """sampled_ipv4."""
    ends = ip_address(src).packed + ip_address(dst).packed
    return record(3, words(length, proto) + ends + words(sport, dport, flags, 0))


def plain6(
    *, length: int = 80, proto: int = 6, src: str = b.A6, dst: str = b.B6,
    sport: int = 40001, dport: int = 7547, flags: int = 2,
) -> bytes:  # fmt: skip
    """sampled_ipv6."""
    ends = ip_address(src).packed + ip_address(dst).packed
    return record(4, words(length, proto) + ends + words(sport, dport, flags, 0))


EXTENDED_SWITCH = record(1001, words(100, 0, 200, 0))
EXTENDED_ROUTER = record(1002, words(1) + ip_address("192.0.2.1").packed + words(24, 16))
ETHERNET_ONLY = record(2, words(64) + bytes(16) + words(0x0806))
OF_A_VENDOR = record(9 << 12 | 7, b"anything")


def flow(
    *records: bytes,
    number: int = 1,
    source: int = 3,
    kind: int = 0,
    rate: int = 400,
    pool: int = 0,
    drops: int = 0,
    came: int = 3,
    went: int = 7,
    expanded: bool = False,
) -> bytes:
    """A flow sample; interfaces as they are coded (format << 30 | value), also for the expanded one."""
    if expanded:
        head = words(number, kind, source, rate, pool, drops)
        head += words(came >> 30, came & 0x3FFFFFFF, went >> 30, went & 0x3FFFFFFF)
    else:
        head = words(number, kind << 24 | source, rate, pool, drops, came, went)
    return record(3 if expanded else 1, head + words(len(records)) + b"".join(records))


def counters(*, expanded: bool = False) -> bytes:
    head = words(1, 0, 3) if expanded else words(1, 3)
    return record(4 if expanded else 2, head + words(1) + record(1, bytes(88)))


DISCARDED = record(5, words(1, 0, 3, 0, 3, 0, 256, 1) + record(1, words(1, 64, 4, 14) + bytes(16)))


def datagram(*samples: bytes, number: int = 1, agent: str | None = AGENT, sub: int = 0) -> bytes:
    if agent is None:
        head = words(5, 0)
    else:
        address = ip_address(agent)
        head = words(5, 1 if address.version == 4 else 2) + address.packed
    return head + words(sub, number, 3_600_000, len(samples)) + b"".join(samples)


def export(payload: bytes, src: str = AGENT, sport: int = 50_000, dport: int = PORT) -> bytes:
    """The Ethernet frame in which a UDP payload went from the exporter to the collector."""
    if ":" in src:
        return b.ether(b.ip6(b.udp(sport, dport, payload), 17, src, COLLECTOR6), 0x86DD)
    return b.ether(b.ip4(b.udp(sport, dport, payload), 17, src, COLLECTOR))


def fragments(
    payload: bytes, size: int = 512, src: str = AGENT, dport: int = PORT, ident: int = 9
) -> list[bytes]:
    """The same in IP fragments of ``size`` bytes (a multiple of 8)."""
    whole = b.udp(50_000, dport, payload)
    out = []
    for at in range(0, len(whole), size):
        part, more = whole[at : at + size], at + size < len(whole)
        if ":" in src:
            out.append(
                b.ether(b.ip6(b.fragment6(17, at // 8, more, ident) + part, 44, src, COLLECTOR6), 0x86DD)
            )
        else:
            field = at // 8 | (0x2000 if more else 0)
            out.append(b.ether(b.ip4(part, 17, src, COLLECTOR, fragment=field, ident=ident)))
    return out


def capture(frames: Iterable[tuple[int, bytes]]) -> bytes:
    """A nanosecond pcap of Ethernet frames with their times, ns."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for time, frame in frames:
        out.append(struct.pack("<IIII", *divmod(time, 10**9), len(frame), len(frame)) + frame)
    return b"".join(out)


BORDER = {bytes.fromhex("02005e000101"), bytes.fromhex("02005e000201")}
"""The Ethernet addresses of the lab's border router, at whose two interfaces lab/incident.pcapng was captured."""
OUTSIDE, ACCESS, CONTROLLERS = 1, 2, 3
"""Its interfaces. At the third, where the controllers are, nothing was captured: what comes in there is seen when
it leaves."""


def came_in_by(one: Record) -> int:
    """The interface of the border by which a frame of the lab's capture came in; 0: it is seen there elsewhere."""
    if one.data[6:12] not in BORDER:
        return OUTSIDE if one.observer == "outside" else ACCESS
    from_controllers = one.data[26:29] == bytes([192, 0, 2]) or one.data[22:28] == bytes.fromhex(
        "20010db8000a"
    )
    return CONTROLLERS if from_controllers else 0


def sampled(records: Sequence[Record], rate: int = 1) -> bytes:
    """The capture of what the lab's border exports that takes each ``rate``-th frame that comes in by one of its
    interfaces: one datagram a sample, at the frame's own time."""
    taken = []
    for port in (OUTSIDE, ACCESS, CONTROLLERS):
        frames = [one for one in records if came_in_by(one) == port]
        for number, one in enumerate(frames[::rate], 1):
            assert one.link == 1
            sample = flow(
                header(one.data, wire=one.wirelen), EXTENDED_SWITCH,
                number=number, source=port, rate=rate, pool=number * rate,
                came=port, went=OUTSIDE if port == ACCESS else ACCESS,
            )  # fmt: skip
            taken.append((one.ts, sample))
    taken.sort(key=lambda pair: pair[0])
    return capture((time, export(datagram(sample, number=n))) for n, (time, sample) in enumerate(taken, 1))
