"""What a dialogue's streams are, said as plainly as possible: a dictionary from place to the earliest byte.

For conversations of one connection each, whose SYN+ACK is among the packets. No table, no arena, no spill, no
numpy; it reads the packets as a list.
"""

from __future__ import annotations

from tests.dialogue.run import Packet

COST = 32
SPELL = 2**38


def plain(packets: list[Packet], head: int) -> dict[tuple[str, int, str, int], tuple[dict[int, int], int]]:
    """(src, sport, dst, dport) of each side that sent payload -> (place -> byte, conflicting bytes)."""
    order = sorted(packets, key=lambda packet: (packet.ts, packet.rec))
    starts: dict[tuple[str, int, str, int], int] = {}
    for packet in order:
        if packet.flags & 0x17 == 0x12:
            starts.setdefault(way(packet), packet.seq + 1)
            starts.setdefault(way(packet.back()), packet.ack)
    spent: dict[tuple[object, ...], int] = {}
    found: dict[tuple[str, int, str, int], tuple[dict[int, int], int]] = {}
    for packet in order:
        opening = packet.flags & 0x17 == 0x12
        if packet.flags & 4 or not (packet.payload or opening):
            continue
        spell = (*way(packet), packet.ts // SPELL)
        payload = packet.payload[:head]
        if spent.get(spell, 0) >= 2 * head:
            continue
        spent[spell] = spent.get(spell, 0) + len(payload) + COST
        if not payload:
            continue
        first = packet.seq + (1 if packet.flags & 2 else 0) - starts[way(packet)]
        first = (first + 2**31) % 2**32 - 2**31
        stream, conflicts = found.get(way(packet), ({}, 0))
        for place, byte in enumerate(payload, first):
            if 0 <= place < head and stream.setdefault(place, byte) != byte:
                conflicts += 1
        found[way(packet)] = stream, conflicts
    return found


def way(packet: Packet) -> tuple[str, int, str, int]:
    """Who sends to whom."""
    return packet.src, packet.sport, packet.dst, packet.dport
