"""Real captures, default thresholds: what is known to be in them is found, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from corpus.ask import assert_frames_prove, fields, findings

pytestmark = pytest.mark.corpus

SCAN_NG = Path("initconf__scan-NG")
SIMPLE_SCAN = Path("ncsa__bro-simple-scan/testing/pcaps")
SURICATA = Path("OISF__suricata-verify/tests")
ZEEK = Path("zeek__zeek/testing/btest/Traces")
PCAP_PLUS_PLUS = Path("seladb__PcapPlusPlus/Tests/Pcap++Test/PcapExamples")
IPFIXPROBE = Path("CESNET__ipfixprobe/tests/functional/inputs")

LBL = ("128.3.0.0/16", "131.243.0.0/16")


def test_one_source_that_tries_7307_hosts_is_one_scan(corpus: Path, tool: Callable[[str], str]) -> None:
    capture = corpus / SCAN_NG / "scan-1433.pcap"
    [scan] = findings(capture, "128.3.0.0/16")
    assert (scan["kind"], scan["subject"]["address"], scan["direction"]) == (
        "scan",
        "122.224.112.162",
        "inbound",
    )
    assert (scan["peers"]["count"], scan["peers"]["interval"], scan["ports"]) == (7307, [7307, 7307], [1433])
    assert not scan["subject"]["verified"]
    assert_frames_prove(tool, capture, scan)


def test_among_six_hundred_syns_the_scan_is_found(corpus: Path, tool: Callable[[str], str]) -> None:
    capture = corpus / SCAN_NG / "test-for-accurate-scan-summary.pcap"
    [scan] = [item for item in findings(capture, *LBL) if item["kind"] == "scan"]
    assert (scan["subject"]["address"], scan["peers"]["count"]) == ("122.224.112.162", 500)
    assert_frames_prove(tool, capture, scan)


def test_mirais_property_is_told_of_exactly_its_sources(corpus: Path, tool: Callable[[str], str]) -> None:
    """44 SYNs of 38 sources carry it. One hit may be chance and is counted; two name the family."""
    capture = corpus / SCAN_NG / "test-for-accurate-scan-summary.pcap"
    syns = fields(tool, capture, "tcp.flags == 2", "ip.src", "ip.dst", "tcp.seq_raw")
    hits = Counter(src for src, dst, sequence in syns if int(IPv4Address(dst)) == int(sequence))
    assert (hits.total(), len(hits)) == (44, 38)
    found = findings(capture, *LBL)
    probes = {item["subject"]["address"]: item for item in found if item["kind"] == "probe"}
    assert hits.keys() <= probes.keys()
    for source, item in probes.items():
        weak = item["details"].get("fingerprint_hits", {})
        assert ("mirai" in item["fingerprints"]) == (hits[source] >= 2), source
        assert weak.get("mirai", 0) == (hits[source] if hits[source] < 2 else 0), source
        assert_frames_prove(tool, capture, item)


def test_many_networks_on_one_port_after_days_of_nothing_are_a_surge(corpus: Path) -> None:
    """The same capture from the ports' side: the 99 SYNs to tcp/23 come from 89 sources in one minute."""
    found = findings(corpus / SCAN_NG / "test-for-accurate-scan-summary.pcap", *LBL)
    [surge] = [item for item in found if item["kind"] == "port-surge"]
    low, high = surge["peers"]["interval"]
    assert (surge["subject"]["address"], surge["interface"]) == ("tcp/23", "telnet")
    assert low <= 89 <= high
    assert {item["kind"] for item in found} == {"scan", "probe", "port-surge"}


@pytest.mark.parametrize("networks", [("10.0.0.0/8", "192.168.0.0/16"), ()])
def test_a_slow_scan_of_nine_hosts_out_of_time_order(
    corpus: Path, tool: Callable[[str], str], networks: tuple[str, ...]
) -> None:
    capture = corpus / SIMPLE_SCAN / "445_scan.pcap"
    [scan] = findings(capture, *networks)
    assert (scan["kind"], scan["subject"]["address"], scan["ports"]) == ("scan", "176.192.150.3", [445])
    assert scan["peers"]["count"] == 9
    assert scan["first_seen"] < scan["last_seen"]
    assert_frames_prove(tool, capture, scan)


@pytest.mark.parametrize(("networks", "direction"), [(("192.168.2.22/32",), "inbound"), ((), "internal")])
def test_ten_ports_of_one_device_are_a_vertical_scan(
    corpus: Path, tool: Callable[[str], str], networks: tuple[str, ...], direction: str
) -> None:
    capture = corpus / SIMPLE_SCAN / "port_scan.pcap"
    [scan] = findings(capture, *networks)
    assert (scan["kind"], scan["subject"]["address"], scan["direction"]) == (
        "scan",
        "192.168.2.154",
        direction,
    )
    assert (scan["details"]["shape"], scan["peers"]["sample"]) == (["vertical"], ["192.168.2.22"])
    assert scan["ports"] == [21, 22, 23, 111, 113, 135, 143, 445, 554, 995]
    assert_frames_prove(tool, capture, scan)


@pytest.mark.parametrize("networks", [("10.0.0.0/24",), ()])
def test_syns_without_a_window_are_a_scan_like_others(
    corpus: Path, tool: Callable[[str], str], networks: tuple[str, ...]
) -> None:
    capture = corpus / SIMPLE_SCAN / "scan_with_zero_windows.pcap"
    [scan] = findings(capture, *networks)
    assert (scan["kind"], scan["subject"]["address"], scan["interface"]) == ("scan", "10.0.0.1", "telnet")
    assert (scan["peers"]["count"], scan["ports"], scan["direction"]) == (10, [23], "internal")
    assert_frames_prove(tool, capture, scan)


@pytest.mark.parametrize(
    "capture",
    [
        # a client whose own port is 5555 (rule A3)
        SURICATA / "bug-6207-1/input.pcap",
        SURICATA / "entropy/entropy-03/input.pcap",
        SURICATA / "ldap-add/ldap.pcap",
        SURICATA / "pop3-auth-01/input.pcap",
        SURICATA / "ftp/ftp-too-long-command/ftp-too-long-command.pcap",
        SURICATA / "sip-sdp/sdp.pcap",
        # browsing, mail, file transfer, name service
        PCAP_PLUS_PLUS / "example.pcap",
        PCAP_PLUS_PLUS / "example2.pcap",
        ZEEK / "wikipedia.pcap",
        ZEEK / "workshop_2011_browse.pcap",
        IPFIXPROBE / "mixed.pcap",
        # a home network's own use of its router, and discovery by multicast
        SURICATA / "output-eve-ftp-data/input.pcap",
        ZEEK / "raw_packets.pcap",
        IPFIXPROBE / "ssdp.pcap",
    ],
    ids=str,
)
def test_ordinary_traffic_has_no_findings(corpus: Path, capture: Path) -> None:
    assert findings(corpus / capture) == []
