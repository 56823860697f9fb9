"""From sessions to packets, for captures: chosen as in :mod:`rearguard.simulate.walk`.

A packet is a row of numbers first (:func:`spread`), so that rows can be put in time order; then its bytes
(:func:`render`): a classic pcap record, Ethernet II, IPv4 or IPv6, TCP or UDP, and the text where it has one.
Other payload is a length only, as if the capture had been cut behind the headers. IPv4 header checksums are right;
TCP and UDP checksums are zero (ffff over IPv6 UDP, where zero is forbidden), as on a host that leaves them to its
card.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import ACK, SYN, TCP, UDP
from rearguard.model.compiled import inlined, kernel, wide
from rearguard.simulate.sessions import MIRAI, UPSTREAM, ZMAP
from rearguard.simulate.walk import account, direct, next_packet, packet_time, row_of, turns_of

__all__ = ["LARGEST", "PACKET_TYPE", "render", "spread"]

PACKET_TYPE = np.dtype(
    [
        ("leaves", "i8"),
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("sport", "u2"),
        ("dport", "u2"),
        ("octets", "u2"),
        ("ident", "u2"),
        ("text", "i2"),
        ("proto", "u1"),
        ("flags", "u1"),
        ("options", "u1"),
        ("outside", "u1"),
    ],
    align=True,
)
"""``leaves`` is the packet's time; ``octets`` all behind the IP header; ``outside``: it comes from the Internet."""
LARGEST = 16 + 14 + 40 + 32 + 2_048
"""Bytes of the largest record: headers with options, and a text."""
_MIX = 0x9E37_79B9
_ETHERNET = 14


@kernel
def spread(
    sessions: Any,
    ends: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rows: Any,
    kinds: Any,
    setting: Any,
    packets: Any,
    counts: Any,
    ports: NDArray[np.int64],
    begin: int,
    place: int,
) -> tuple[int, int, int]:
    """Packets of the sessions from ``begin`` on; arguments and result as of :func:`rearguard.simulate.meter.meter`.

    A packet counts as a flow of its own in the ledger.
    """
    every, written = setting["every"], 0
    for at in range(begin, sessions.size):
        session = sessions[at]
        kind = kinds[session["kind"]]
        base = ends[at - 1] if at else 0
        size = ends[at] - base
        if written + size > packets.size:
            return at, place, written
        turns = turns_of(session, kind)
        datagrams = kind["proto"] != TCP
        start, trip = session["start"], session["trip"]
        up_seen = down_seen = proofs = 0
        opened = False
        step = -1
        while True:
            step, place = next_packet(chosen, every, place, step, base, ends[at])
            if step < 0:
                break
            number, turn, waits = row_of(kind, step, turns)
            row = rows[number]
            up = row["up"] != 0
            side = session["client_side"] if up else session["server_side"]
            tells = not setting["inbound_only"] or side == UPSTREAM
            if not tells:
                continue
            packet = packets[written]
            written += 1
            packet["leaves"] = packet_time(kind, row["after"], turn, waits, start, trip)
            _fill(packet, session, kind, row, turn, up)
            if up:
                up_seen += 1
                opened = opened or datagrams or row["flags"] & (SYN | ACK) == SYN
            else:
                down_seen += 1
                proofs += datagrams or row["flags"] == SYN | ACK
        seen = (up_seen, up_seen, down_seen, down_seen, proofs, opened)
        account(session, kind, size, setting["bucket"], seen, counts, ports)
    return sessions.size, place, written


@inlined
def _fill(packet: Any, session: Any, kind: Any, row: Any, turn: int, up: bool) -> None:
    """Addresses, ports and TCP numbers of a packet."""
    direct(packet, session, up)
    packet["outside"] = (session["client_side"] if up else session["server_side"]) == UPSTREAM
    packet["proto"], packet["flags"], packet["octets"] = kind["proto"], row["flags"], row["octets"]
    packet["text"] = row["text"]
    packet["options"] = row["options"]
    # The initial sequence numbers follow from the session, so that they need no room in it.
    salt = (
        (wide(session["start"]) // 1_000) ^ wide(session["cport"]) << 16 ^ wide(session["own"])
    ) & 0xFFFF_FFFF
    isn_up, isn_down = (salt * _MIX) & 0xFFFF_FFFF, (salt * 0x85EB_CA6B + 77) & 0xFFFF_FFFF
    if session["mark"] == MIRAI:
        isn_up = wide(session["server_lo"] & np.uint64(0xFFFF_FFFF))
        if row["flags"] == SYN:
            packet["options"] = 0
            packet["octets"] = 20
    own, other = (isn_up, isn_down) if up else (isn_down, isn_up)
    moved, back = (kind["loop_up"], kind["loop_down"]) if up else (kind["loop_down"], kind["loop_up"])
    flags = row["flags"]
    packet["seq"] = own if flags & SYN else (own + wide(row["seq"]) + turn * wide(moved)) & 0xFFFF_FFFF
    packet["ack"] = (other + wide(row["ack"]) + turn * wide(back)) & 0xFFFF_FFFF if flags & ACK else 0
    packet["ident"] = 54_321 if session["mark"] == ZMAP and up else ((salt * 31 + wide(row["seq"])) & 0xFFFF)


@inlined
def _be(out: NDArray[np.uint8], at: int, size: int, value: int) -> None:
    for place in range(size):
        out[at + place] = (value >> (8 * (size - 1 - place))) & 0xFF


@inlined
def _le32(out: NDArray[np.uint8], at: int, value: int) -> None:
    for place in range(4):
        out[at + place] = (value >> (8 * place)) & 0xFF


@inlined
def _half(value: Any) -> tuple[int, int]:
    """Two 32-bit halves of an unsigned 64-bit number, as signed 64-bit ones."""
    return wide(value >> np.uint64(32)), wide(value & np.uint64(0xFFFF_FFFF))


@inlined
def _address(out: NDArray[np.uint8], at: int, high: Any, low: Any, six: bool) -> None:
    if six:
        first, second = _half(high)
        _be(out, at, 4, first)
        _be(out, at + 4, 4, second)
        third, fourth = _half(low)
        _be(out, at + 8, 4, third)
        _be(out, at + 12, 4, fourth)
    else:
        _be(out, at, 4, _half(low)[1])


@kernel
def render(
    packets: Any,
    blob: NDArray[np.uint8],
    text_at: NDArray[np.int64],
    options: NDArray[np.uint8],
    out: NDArray[np.uint8],
    begin: int,
) -> tuple[int, int]:
    """Write capture records from packet ``begin`` on: (next packet, bytes written). ``text_at``: where each text of
    ``blob`` begins, and the last one ends."""
    at = 0
    for number in range(begin, packets.size):
        if at + LARGEST > out.size:
            return number, at
        packet = packets[number]
        six = packet["src_hi"] != 0
        udp = packet["proto"] == UDP
        text = wide(packet["text"])
        length = text_at[text + 1] - text_at[text] if text >= 0 else 0
        layer3 = 40 if six else 20
        layer4 = 8 if udp else (20 + options.size if packet["options"] else 20)
        octets = wide(packet["octets"])
        second, rest = packet["leaves"] // 1_000_000_000, packet["leaves"] % 1_000_000_000
        captured = _ETHERNET + layer3 + layer4 + length
        _le32(out, at, second)
        _le32(out, at + 4, rest // 1_000)
        _le32(out, at + 8, captured)
        _le32(out, at + 12, _ETHERNET + layer3 + octets)
        at += 16
        side = 1 if packet["outside"] else 2
        _be(out, at, 6, 0x0200_0000_0000 + 3 - side)
        _be(out, at + 6, 6, 0x0200_0000_0000 + side)
        _be(out, at + 12, 2, 0x86DD if six else 0x0800)
        at += _ETHERNET
        hops = 40 + wide(packet["ident"]) % 16 if packet["outside"] else 63
        if six:
            _be(out, at, 4, 0x6000_0000)
            _be(out, at + 4, 2, octets)
            out[at + 6], out[at + 7] = packet["proto"], hops
            _address(out, at + 8, packet["src_hi"], packet["src_lo"], True)
            _address(out, at + 24, packet["dst_hi"], packet["dst_lo"], True)
        else:
            _be(out, at, 4, 0x4500_0000 + 20 + octets)
            _be(out, at + 4, 4, wide(packet["ident"]) << 16)
            _be(out, at + 8, 4, hops << 24 | wide(packet["proto"]) << 16)
            _address(out, at + 12, packet["src_hi"], packet["src_lo"], False)
            _address(out, at + 16, packet["dst_hi"], packet["dst_lo"], False)
            total = 0
            for place in range(0, 20, 2):
                total += wide(out[at + place]) << 8 | wide(out[at + place + 1])
            total = (total & 0xFFFF) + (total >> 16)
            total = (total & 0xFFFF) + (total >> 16)
            _be(out, at + 10, 2, ~total & 0xFFFF)
        at += layer3
        _be(out, at, 4, wide(packet["sport"]) << 16 | wide(packet["dport"]))
        if udp:
            _be(out, at + 4, 4, octets << 16 | (0xFFFF if six else 0))
        else:
            _be(out, at + 4, 4, wide(packet["seq"]))
            _be(out, at + 8, 4, wide(packet["ack"]))
            _be(out, at + 12, 4, layer4 // 4 << 28 | wide(packet["flags"]) << 16 | 64_240)
            _be(out, at + 16, 4, 0)
            for place in range(layer4 - 20):
                out[at + 20 + place] = options[place]
        at += layer4
        for place in range(length):
            out[at + place] = blob[text_at[text] + place]
        at += length
    return packets.size, at
