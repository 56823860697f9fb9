"""Real captures, hand-checked frame by frame with tshark: what payloads prove is found, with those frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.ask import Finding, assert_frames_prove, fields, findings

pytestmark = pytest.mark.corpus

ARKIME = Path("arkime__arkime/tests/pcap")
SCAN_NG = Path("initconf__scan-NG")
SURICATA = Path("OISF__suricata-verify/tests")
ZEEK = Path("zeek__zeek/testing/btest/Traces")

LAN_USE = SURICATA / "output-eve-ftp-data/input.pcap"
"""A LAN in which 192.168.0.13 has the router 192.168.0.1 map ports: POST /WANIPConnection in the frames 63, 74, 85,
508, 521, 532, 930, 941 and 953 (`tshark -Y http.request.method==POST`)."""

Key = tuple[str, str, str | None, str]


def keyed(capture: Path, *networks: str) -> dict[Key, Finding]:
    """The findings by kind, subject, interface and direction."""
    return {
        (item["kind"], item["subject"]["address"], item["interface"], item["direction"]): item
        for item in findings(capture, *networks)
    }


def frames(finding: Finding) -> list[int]:
    return [item["record"] for item in finding["evidence"]]


# exploit-attempt and exposed-device


def test_a_dropper_over_adb_is_an_exploit_attempt_on_an_exposed_device(
    corpus: Path, tool: Callable[[str], str]
) -> None:
    """Frame 4 is CNXN, 6 the device's CNXN, 7 OPEN with ``shell:`` and a download by busybox, 2 the SYN+ACK."""
    capture = corpus / ARKIME / "adb.pcap"
    found = keyed(capture, "192.0.2.2/32")
    exploit = found.pop(("exploit-attempt", "192.0.2.1", "adb", "inbound"))
    assert (exploit["severity"], exploit["contacts"], exploit["outcomes"]) == (
        "critical",
        1,
        {"conversed": 1},
    )
    assert frames(exploit) == [6, 7]
    assert exploit["subject"]["verified"]
    assert exploit["details"]["results"] == {"open": 1}
    assert "busybox" in exploit["details"]["excerpt"]
    assert "adb-miner-2018" in exploit["incidents"]
    exposed = found.pop(("exposed-device", "192.0.2.2", "adb", "inbound"))
    assert (exposed["severity"], frames(exposed)) == ("critical", [2, 6])
    assert exposed["details"]["identities"] == ["adb"]
    for item in (exploit, exposed):
        assert_frames_prove(tool, capture, item)
    assert found == {}


def test_the_same_attack_from_inside_is_internal_and_exposes_nothing(corpus: Path) -> None:
    found = keyed(corpus / ARKIME / "adb.pcap", "192.0.2.0/24")
    assert found.keys() == {("exploit-attempt", "192.0.2.1", "adb", "internal")}


def test_a_device_of_ours_that_attacks_others_is_the_subject(corpus: Path) -> None:
    found = keyed(corpus / ARKIME / "adb.pcap", "192.0.2.1/32")
    [(key, item)] = found.items()
    assert key == ("exploit-attempt", "192.0.2.1", "adb", "outbound")
    assert item["subject"]["role"] == "device"


def test_upnp_calls_from_beyond_the_border_are_attempts_and_from_the_lan_are_not(
    corpus: Path, tool: Callable[[str], str]
) -> None:
    """63 is the first POST, 65 its answer with 200 and an envelope; 60 the router's SYN+ACK."""
    capture = corpus / LAN_USE
    found = keyed(capture, "192.168.0.1/32")
    exploit = found.pop(("exploit-attempt", "192.168.0.13", "http-admin", "inbound"))
    assert exploit["details"]["attempts"] == 9
    assert exploit["severity"] == "high"
    assert {63, 65} <= set(frames(exploit)) <= {63, 65, 74, 85, 508, 521, 532, 930, 941, 953}
    exposed = found.pop(("exposed-device", "192.168.0.1", "http-admin", "inbound"))
    assert exposed["severity"] == "critical"
    assert exposed["details"]["identities"] == ["upnp-soap"]
    assert {60, 65} <= set(frames(exposed))
    for item in (exploit, exposed):
        assert_frames_prove(tool, capture, item)
    assert {kind for kind, *_ in found} <= {"probe"}
    assert keyed(capture, "192.168.0.0/24") == {}


# cleartext-management


def test_snmp_communities_in_clear_are_told_of_the_agent_without_the_community(
    corpus: Path, tool: Callable[[str], str]
) -> None:
    """Requests are the odd frames and answers the even ones. The community of the capture stands nowhere."""
    capture = corpus / ARKIME / "SNMPv2c_get_requests.pcap"
    found = keyed(capture)
    clear = found.pop(("cleartext-management", "10.144.246.161", "snmp", "internal"))
    assert (clear["severity"], clear["contacts"], frames(clear)) == ("high", 1, [1, 3, 5, 7])
    assert clear["details"]["secrets"] == {"snmp-community": 4}
    assert_frames_prove(tool, capture, clear)
    [community] = {line[0] for line in fields(tool, capture, "snmp", "snmp.community")}
    assert community not in str(clear)
    assert {kind for kind, *_ in found} == {"probe"}


def test_default_communities_are_attempts_and_what_they_open_lies_open(
    corpus: Path, tool: Callable[[str], str]
) -> None:
    """58 frames of SNMPv1 with the community ``public``; requests are odd, the agent answers."""
    capture = corpus / ZEEK / "snmp/snmpv1_get.pcap"
    found = keyed(capture, "172.31.19.73/32")
    clear = found["cleartext-management", "172.31.19.73", "snmp", "inbound"]
    attempt = found["exploit-attempt", "172.31.19.54", "snmp", "inbound"]
    assert frames(clear) == [1, 3, 5, 7, 9]
    assert not attempt["subject"]["verified"]
    for item in (clear, attempt, found["exposed-device", "172.31.19.73", "snmp", "inbound"]):
        assert_frames_prove(tool, capture, item)


@pytest.mark.parametrize(
    ("capture", "networks"),
    [
        (ARKIME / "http-basicauth.pcap", ()),  # browsing with a login
        (ARKIME / "http-digestauth.pcap", ()),
        (ARKIME / "gre-sample.pcap", ()),  # ssh inside GRE
        (ARKIME / "v6.pcap", ()),  # ssh over IPv6
        (SURICATA / "output-eve-ftp-data/input.pcap", ()),
    ],
    ids=str,
)
def test_logins_of_customers_elsewhere_are_their_business(
    corpus: Path, capture: Path, networks: tuple[str, ...]
) -> None:
    assert keyed(corpus / capture, *networks) == {}


# compromised-device


def test_a_source_with_mirais_property_is_a_compromised_device_when_it_is_ours(
    corpus: Path, tool: Callable[[str], str]
) -> None:
    """46.101.36.85: in the frames 503 and 574 tcp.seq_raw is the address of 128.3.170.122 and 131.243.191.170."""
    capture = corpus / SCAN_NG / "test-for-accurate-scan-summary.pcap"
    found = keyed(capture, "46.101.36.85/32")
    [(key, item)] = found.items()
    assert key == ("compromised-device", "46.101.36.85", "telnet", "outbound")
    assert (item["severity"], item["fingerprints"]) == ("critical", ["mirai"])
    assert {503, 574} <= set(frames(item))
    assert_frames_prove(tool, capture, item)


def test_the_property_toward_one_destination_twice_is_a_retransmission(corpus: Path) -> None:
    """36.38.48.101: both hits (537 and 541) are the same SYN to 131.243.223.125."""
    capture = corpus / SCAN_NG / "test-for-accurate-scan-summary.pcap"
    assert keyed(capture, "36.38.48.101/32") == {}
