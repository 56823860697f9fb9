"""Real captures: networks checked by hand against what each capture shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.contacts_suggest.capture import look, texts

PCAPPP = "seladb__PcapPlusPlus/Tests/Pcap++Test/PcapExamples"
CASES = {
    "initconf__scan-NG/scan-1433.pcap": ["128.3.0.0/16"],
    "initconf__scan-NG/test-for-accurate-scan-summary.pcap": ["128.3.0.0/16", "131.243.0.0/16"],
    "ncsa__bro-simple-scan/testing/pcaps/port_scan.pcap": ["192.168.2.0/24"],
    "ncsa__bro-simple-scan/testing/pcaps/scan_with_zero_windows.pcap": ["10.0.0.0/24"],
    f"{PCAPPP}/example.pcap": ["10.0.0.0/24"],
    "zeek__zeek/testing/btest/Traces/wikipedia.pcap": ["141.142.220.0/24"],
    "zeek__zeek/testing/btest/Traces/workshop_2011_browse.pcap": ["10.0.2.0/24"],
    "zeek__zeek/testing/btest/Traces/tunnels/Teredo.pcap": ["192.168.2.0/24"],
    "arkime__arkime/tests/pcap/adb.pcap": ["192.0.2.0/24"],
    "arkime__arkime/tests/pcap/single-packets.pcap": ["192.168.25.0/24"],
    "arkime__arkime/tests/pcap/v6.pcap": ["3ffe:507::/48"],
    "CESNET__ipfixprobe/tests/functional/inputs/ssdp.pcap": ["147.229.180.0/22", "fe80::/64"],
    "CESNET__ipfixprobe/tests/functional/inputs/mqtt.pcap": ["172.28.8.0/24"],
    "OISF__suricata-verify/tests/community-id-ipv6/input.pcap": ["2600:1f13:f8::/48"],
    "arkime__arkime/tests/pcap/empty.pcap": [],
}


@pytest.mark.corpus
@pytest.mark.parametrize("name", CASES)
def test_networks_of_real_captures(corpus: Path, tmp_path: Path, name: str) -> None:
    assert texts(look([str(corpus / name)], tmp_path)[0]) == CASES[name]


@pytest.mark.corpus
def test_the_scanner_of_445_is_outside_and_all_that_it_tried_is_ours(corpus: Path, tmp_path: Path) -> None:
    found = look([str(corpus / "ncsa__bro-simple-scan/testing/pcaps/445_scan.pcap")], tmp_path)[0]
    assert len(found.prefixes) == 9
    assert all(prefix.is_private for prefix in found.prefixes)


def test_the_lab_incident(project: Path, tmp_path: Path) -> None:
    truth = json.loads((project / "lab" / "truth.json").read_text())
    networks, found = look([str(project / "lab" / "incident.pcapng")], tmp_path)
    assert texts(networks) == truth["networks"]["customers"]
    controllers = {"192.0.2.9", "192.0.2.20", "2001:db8:a::10", "2001:db8:a::20"}
    requests = {str(one.address) for one in found.requests}
    sessions = {str(one.address) for one in found.sessions}
    assert "192.0.2.9" in requests
    assert "192.0.2.20" in sessions
    assert requests | sessions <= controllers
    roles = {host["address"]: host["role"] for host in truth["hosts"]}
    assert {roles[str(one.address)] for one in found.surveyors} <= {"survey"}
