"""The lab's incident against the lab's filter: replayed from contacts, and packet by packet in the kernel."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.filters.net import Border as Net
from tests.filters.net import Wire

from rearguard.filters.border import Border, border
from rearguard.filters.render.nftables import render
from rearguard.model.bits import ACK, RST, SYN, TCP
from rearguard.report.analysis import Analysis
from rearguard.report.progress import Silent
from rearguard.report.run import analyze

OUTSIDE = 0  # the interface of the capture that faces the Internet


@pytest.fixture(scope="module")
def analysis(project: Path) -> Analysis:
    return analyze(
        [str(project / "lab" / "incident.pcapng")],
        policy_file=str(project / "lab" / "rearguard.yaml"),
        networks=[],
        controllers=[],
        drops=[],
        workers=1,
        progress=Silent(),
    )


@pytest.fixture(scope="module")
def made(analysis: Analysis) -> Border:
    return border(
        analysis.view, analysis.policy, analysis.catalogue, analysis.findings, made=date(2026, 11, 22)
    )


@pytest.fixture(scope="module")
def expected(project: Path) -> list[dict[str, Any]]:
    truth = json.loads((project / "lab" / "truth.json").read_text())
    found: list[dict[str, Any]] = truth["expected_findings"]
    return found


def test_every_attack_on_what_is_dropped_would_have_been_stopped(
    analysis: Analysis, made: Border, expected: list[dict[str, Any]]
) -> None:
    assert made.replay is not None
    ids = {
        (str(item.kind), item.subject.address, item.interface, item.direction): item.id
        for item in analysis.findings
    }
    attacks = [item for item in expected if item["required"] and item["kind"] in ("scan", "probe", "flood")]
    assert attacks
    for item in attacks:
        key = (item["kind"], item["subject"], item["interface"], item["direction"])
        dropped, passed = made.replay.by_finding[ids[key]]
        stopped = item["direction"] == "inbound" and item["interface"] in ("cwmp-cr", "telnet")
        assert (dropped >= item["contacts"], passed) == (True, 0) if stopped else dropped == 0, key


def test_nothing_else_would_have_been_hit(made: Border) -> None:
    """The controller is inside; customers' clients used 7547 and 5555 as their own ports."""
    assert made.replay is not None
    assert made.replay.authorised_dropped == 0
    assert made.replay.collateral_dropped == 0
    assert made.replay.unjudged == 0


def test_what_the_border_cannot_stop_is_told(made: Border) -> None:
    reasons = {item.reason for item in made.not_stoppable}
    assert {"internal", "outbound", "not-listed"} <= reasons
    assert [item.interface for item in made.what_ifs] == ["ssdp"]


@pytest.mark.netns
def test_the_kernel_drops_what_the_replay_says(
    net: Net, analysis: Analysis, made: Border, project: Path
) -> None:
    """Each packet that came in from outside goes through the filter once more; the counts are the same."""
    assert made.filter is not None
    assert made.replay is not None
    net.clear()
    net.nft("-D", "outside=wan0", "-f", "-", text=render(made.filter, made=date(2026, 11, 22)))
    packets = list(entering(project / "lab" / "incident.pcapng", analysis))
    arrived: set[int] = set()
    with Wire(net, "outside") as wire:
        for start in range(0, len(packets), 500):
            for number, data in enumerate(packets[start : start + 500], start):
                wire.send(numbered(data, number))
            arrived |= {number for data in wire.receive(0.2) if (number := number_of(data)) is not None}
    counters = net.counters()
    net.clear()
    dropped = [data for number, data in enumerate(packets) if number not in arrived]
    initiations = [data for data in dropped if flags(data) & (SYN | ACK | RST) == SYN]
    assert len(initiations) == made.replay.initiations_dropped
    assert sum(counters[name] for name in counters if name.startswith("drop0")) == len(dropped)
    assert {port(data) for data in dropped if flags(data) & (ACK | RST)} == {23}, "only below 1024 by port"


def entering(capture: Path, analysis: Analysis) -> Iterator[bytes]:
    """The IP packets that entered at the outside: from elsewhere to the networks."""
    own = analysis.policy.own()
    data = capture.read_bytes()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:  # an Enhanced Packet Block
            interface, _, _, size, _ = struct.unpack_from("<IIIII", data, at + 8)
            packet = data[at + 28 + 14 : at + 28 + size]
            if interface == OUTSIDE and packet and packet[0] >> 4 in (4, 6):
                source, target = ends(packet)
                if own.contains(target) and not own.contains(source):
                    yield packet
        at += length


def ends(packet: bytes) -> tuple[Any, Any]:
    from ipaddress import ip_address

    if packet[0] >> 4 == 4:
        return ip_address(packet[12:16]), ip_address(packet[16:20])
    return ip_address(packet[8:24]), ip_address(packet[24:40])


def numbered(packet: bytes, number: int) -> bytes:
    """The packet under a number: its IPv4 identification, or its IPv6 flow label."""
    if packet[0] >> 4 == 6:
        return struct.pack(">I", 6 << 28 | number) + packet[4:]
    header = bytearray(packet[: (packet[0] & 15) * 4])
    header[4:6] = struct.pack(">H", number)
    header[8] = 64
    header[10:12] = b"\0\0"
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = struct.pack(">H", ~total & 0xFFFF)
    return bytes(header) + packet[len(header) :]


def number_of(packet: bytes) -> int | None:
    if packet[0] >> 4 == 4:
        return int.from_bytes(packet[4:6], "big")
    return int.from_bytes(packet[1:4], "big") & 0xFFFFF if packet[0] >> 4 == 6 else None


def flags(packet: bytes) -> int:
    """TCP flags; 0 of anything else."""
    start = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
    return packet[start + 13] if protocol == TCP else 0


def port(packet: bytes) -> int:
    start = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    return int.from_bytes(packet[start + 2 : start + 4], "big")
