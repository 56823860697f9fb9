"""Who is proposed as a controller: behaviour that knows its devices, and not a worm's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contacts_suggest.capture import Packet, look, refused, tcp_talk, write

from rearguard.contacts.suggest_controllers import LISTED, Candidates

ACS, FARM, STRANGER = "192.0.2.9", "192.0.2.20", "203.0.113.66"
DEVICES = [f"198.51.100.{n}" for n in range(11, 41)]
WORLD = [packet for n in range(11, 40) for packet in [Packet(f"{n}.9.9.9", 1024, DEVICES[n - 11], 23)]]
"""Strangers from everywhere, so that the devices' side is clear."""


def calls(client: str, port: int = 7547) -> list[Packet]:
    return [packet for device in DEVICES[:8] for packet in tcp_talk(client, device, port)] + [
        packet for device in DEVICES[8:12] for packet in refused(client, device, port)
    ]


def sessions(server: str, port: int = 7547) -> list[Packet]:
    return [packet for device in DEVICES[:8] for packet in tcp_talk(device, server, port)]


def worm(ipid: int = 1) -> list[Packet]:
    """Reaches three devices that answer, and many addresses where nobody is."""
    found = [packet for device in DEVICES[:3] for packet in tcp_talk(STRANGER, device, 7547)]
    return found + [Packet(STRANGER, 1025, f"198.51.100.{n}", 7547, ipid=ipid) for n in range(100, 160)]


def find(folder: Path, packets: list[Packet]) -> Candidates:
    return look([write(folder / "t.pcap", WORLD + packets)], folder)[1]


def test_who_calls_devices_that_exist_and_talks_is_proposed_with_its_evidence(tmp_path: Path) -> None:
    found = find(tmp_path, calls(ACS) + sessions(FARM))
    (caller,) = found.requests
    assert (str(caller.address), caller.transport, caller.port) == (ACS, "tcp", 7547)
    assert (caller.devices, caller.answered, caller.refused, caller.conversed) == (12, 8, 4, 8)
    assert caller.called_back == 8
    assert not caller.inside
    (server,) = found.sessions
    assert (str(server.address), server.devices, server.conversed) == (FARM, 8, 8)
    assert found.surveyors == ()


@pytest.mark.parametrize(
    ("packets", "why"),
    [
        (worm(), "most of what it tries does not exist"),
        ([p for d in DEVICES for p in refused(STRANGER, d, 7547)], "nobody answered it"),
        ([p for d in DEVICES for p in tcp_talk(STRANGER, d, 7547)[:3]], "it has nothing to say"),
        ([p for d in DEVICES[:2] for p in tcp_talk(STRANGER, d, 7547)], "two devices are no fleet"),
        ([p for d in DEVICES for p in tcp_talk(d, STRANGER, 443)], "the devices browse"),
    ],
)
def test_others_are_not(tmp_path: Path, packets: list[Packet], why: str) -> None:
    found = find(tmp_path, packets)
    assert found.requests == (), why
    assert found.sessions == ()


def test_the_fingerprint_of_a_worm_or_a_survey_rules_a_controller_out(tmp_path: Path) -> None:
    marked = [Packet(p.src, p.sport, p.dst, p.dport, p.flags, p.payload, ipid=54321) for p in calls(STRANGER)]
    assert find(tmp_path, marked).requests == ()


def test_a_survey_of_all_addresses_is_named_and_a_worm_is_none(tmp_path: Path) -> None:
    found = find(tmp_path, worm(ipid=54321))
    assert [str(one.address) for one in found.surveyors] == [STRANGER]
    assert find(tmp_path, worm()).surveyors == ()


def test_the_list_is_bounded(tmp_path: Path) -> None:
    packets = [p for n in range(30) for p in calls(f"192.0.2.{n + 100}")]
    assert len(find(tmp_path, packets).requests) == LISTED
