"""Records that are no flows: exporters and their sampling (``exporter.h``), extension maps (``nfx.h``)."""

from __future__ import annotations

import ipaddress
import struct

from rearguard.sources.nfcapd.maps import set_map
from rearguard.sources.nfcapd.state import UNKNOWN, State

__all__ = ["EXPORTER", "EXTENSION_MAP", "SAMPLER", "SAMPLER_V0", "STATISTICS", "address_text", "define"]

EXTENSION_MAP = 2
EXPORTER = 7
STATISTICS = 8
SAMPLER_V0 = 9
SAMPLER = 15

KINDS = {1: "NetFlow v1", 5: "NetFlow v5", 7: "NetFlow v7", 9: "NetFlow v9", 10: "IPFIX", 9999: "sFlow"}
AF_INET = 2
NO_FAMILY = 0
"""Later versions have no address family here, but 16 bytes in network order, IPv4 as ::ffff:0:0/96."""
STATISTICS_HEADER, STATISTICS_SIZE = 8, 24
GAPS = "gaps"
"""nfcapd counts how often a sequence number was not the one expected, not how many are missing."""


def define(record: bytes, big_endian: bool, state: State) -> None:
    """Take in one such record; one that is too short says nothing."""
    order = ">" if big_endian else "<"
    kind = struct.unpack_from(order + "H", record)[0]
    if kind == EXTENSION_MAP:
        set_map(state, struct.unpack(f"{order}{len(record) // 2}H", record[: len(record) // 2 * 2]))
    elif kind == EXPORTER and len(record) >= 32:
        _exporter(record, order, state)
    elif kind == STATISTICS and len(record) >= STATISTICS_HEADER:
        _statistics(record, order, state)
    elif kind == SAMPLER_V0 and len(record) >= 16:
        identifier, interval, _, exporter = struct.unpack_from(order + "iIHH", record, 4)
        if not _is_run(state, exporter, identifier, interval):
            _sampler(state, exporter, identifier, interval)
    elif kind == SAMPLER and len(record) >= 24:
        exporter, _, identifier, taken, passed = struct.unpack_from(order + "HHqII", record, 4)
        _sampler(state, exporter, identifier, (taken + passed) // taken if taken else 0)


def address_text(high: int, low: int) -> str:
    """An address of 128 bits as text; "" for none."""
    value = high << 64 | low
    if value >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(value & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(value)) if value else ""


def _exporter(record: bytes, order: str, state: State) -> None:
    version, high, low, family, number, domain = struct.unpack_from(order + "IQQHHI", record, 4)
    if family == NO_FAMILY:
        high, low = struct.unpack_from(">QQ", record, 8)
    elif family == AF_INET:
        high, low = 0, 0xFFFF_0000_0000 | low & 0xFFFF_FFFF
    kind = KINDS.get(version, "")
    state.tables.exporter[number] = state.number(address_text(high, low), domain, kind)


def _statistics(record: bytes, order: str, state: State) -> None:
    count = struct.unpack_from(order + "I", record, 4)[0]
    for at in range(STATISTICS_HEADER, len(record) - STATISTICS_SIZE + 1, STATISTICS_SIZE)[:count]:
        number, gaps, datagrams, _ = struct.unpack_from(order + "IIQQ", record, at)
        index = int(state.tables.exporter[number]) if number < state.tables.exporter.size else UNKNOWN
        if index != UNKNOWN:
            exporter = state.exporters[index]
            exporter.datagrams += datagrams
            exporter.lost += gaps
            exporter.lost_unit = GAPS


def _is_run(state: State, exporter: int, identifier: int, interval: int) -> bool:
    """Whether "1" may be how many packets in a row are taken instead of the rate: nfcapd 1.6.22 stores
    samplingPacketInterval (305) of an IPFIX exporter's samplers and passes over samplingPacketSpace (306)."""
    index = int(state.tables.exporter[exporter])
    ipfix = index != UNKNOWN and state.exporters[index].kind == KINDS[10]
    return ipfix and identifier >= 0 and interval == 1


def _sampler(state: State, exporter: int, identifier: int, rate: int) -> None:
    index = int(state.tables.exporter[exporter])
    if index != UNKNOWN and 0 < rate <= 0xFFFF_FFFF:
        state.sample(index, identifier, rate)
