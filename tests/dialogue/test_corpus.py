"""Real captures: the same bytes as tshark's "follow stream", and what is known of each by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.dialogue.follow import followed
from tests.dialogue.run import of_capture

from rearguard.dialogue.collector import HEAD
from rearguard.dialogue.fold import Dialogue
from rearguard.model.address import format_address

pytestmark = pytest.mark.corpus

ZEEK = "zeek__zeek/testing/btest/Traces"
PACKET = "seladb__PcapPlusPlus/Tests/Packet++Test/PacketExamples"
PCAP = "seladb__PcapPlusPlus/Tests/Pcap++Test/PcapExamples"

SAME_AS_TSHARK = [
    "arkime__arkime/tests/pcap/adb.pcap",
    "CESNET__ipfixprobe/tests/functional/inputs/mqtt.pcap",
    "CESNET__ipfixprobe/tests/functional/inputs/rtsp.pcap",
    f"{ZEEK}/mqtt.pcap",
    f"{ZEEK}/mixed-vlan-mpls.pcap",
    f"{ZEEK}/erspan.pcap",
    f"{ZEEK}/tcp/missing-syn.pcap",
    f"{ZEEK}/tcp/payload-syn.pcap",
    f"{PACKET}/telnet.pcap",
    f"{PCAP}/null_loopback.pcap",
]


def conversation(dialogue: Dialogue) -> frozenset[tuple[str, bytes]]:
    """Who sent what, whoever is the client."""
    return frozenset(
        [
            (end(dialogue.client_hi, dialogue.client_lo, dialogue.client_port), dialogue.client.data),
            (end(dialogue.server_hi, dialogue.server_lo, dialogue.port), dialogue.server.data),
        ]
    )


def end(high: int, low: int, port: int) -> str:
    address = format_address(high, low)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@pytest.mark.parametrize("name", SAME_AS_TSHARK)
def test_both_sides_are_those_that_tshark_follows(
    corpus: Path, tool: Callable[[str], str], name: str
) -> None:
    found = Counter(conversation(dialogue) for dialogue in of_capture(corpus / name) if dialogue.proto == 6)
    expected = Counter(
        frozenset(zip(stream.ends, (side[:HEAD] for side in stream.sent), strict=True))
        for stream in followed(tool("tshark"), corpus / name)
    )
    assert found == expected
    assert found


def test_an_attack_on_adb_names_the_packet_that_brought_the_command(corpus: Path) -> None:
    (dialogue,) = of_capture(corpus / SAME_AS_TSHARK[0])
    assert (dialogue.port, dialogue.roles, dialogue.complete) == (5555, "handshake", True)
    assert dialogue.client.data.startswith(b"CNXN")
    origin = dialogue.client.origin_of(dialogue.client.data.index(b"busybox"))
    assert origin is not None
    assert origin.rec == 7


@pytest.mark.parametrize("name", ["bug-6207-1", "entropy/entropy-03", "ldap-add", "pop3-auth-01"])
def test_a_client_whose_own_port_is_5555_is_incidental(corpus: Path, name: str) -> None:
    (capture,) = (corpus / "OISF__suricata-verify/tests" / name).glob("*.pcap")
    found = of_capture(capture)
    assert found
    assert all(dialogue.incidental == (dialogue.roles == "handshake") for dialogue in found)
    assert all(dialogue.client_port == 5555 for dialogue in found if dialogue.roles == "handshake")


def test_what_the_capture_cut_off_is_a_gap(corpus: Path) -> None:
    """Frames 139 and 141 were captured with 128 of 1,296 and 518 bytes (tshark joins what is left)."""
    (dialogue,) = [found for found in of_capture(corpus / PCAP / "pcapng-example.pcapng") if found.server]
    assert dialogue.server.data == b"HTTP/1.1 200 OK\r\nDate: Thu, 10 Mar 2011 "
    ((place, island),) = dialogue.server.islands
    assert (place, len(island)) == (1208, 40)
    assert dialogue.server.missing == 1168
    assert dialogue.server.truncated


def test_an_ip_fragment_is_said_to_be_cut(corpus: Path) -> None:
    (dialogue,) = of_capture(corpus / PCAP / "frag_http_req.pcap")
    assert dialogue.client.data.startswith(b"GET /convert_data.js")
    assert dialogue.client.truncated
