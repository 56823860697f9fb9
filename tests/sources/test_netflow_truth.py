"""What others say of the same datagrams: tshark, nfdump, and who published them."""

from __future__ import annotations

import csv
import os
import re
import socket
import struct
import subprocess
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from rearguard.model.address import format_address

from . import exports_build as b

CODECS = "logstash-plugins__logstash-codec-netflow/spec/codecs"
TELEGRAF = "influxdata__telegraf/plugins/inputs/netflow/testcases"
VENDORS = {
    "ipfix_test_barracuda": ("tpl", "data256"),
    "ipfix_test_barracuda_extended_uniflow": ("tpl256", "data256"),
    "ipfix_test_juniper_mx240_junos151r6s3": ("opttpl512", "data512"),
    "ipfix_test_mikrotik": ("tpl", "data258", "data259"),
    "ipfix_test_openbsd_pflow": ("tpl", "data"),
    "ipfix_test_vmware_vds": ("tpl", "data264", "data266", "data266_267"),
    "netflow9_test_cisco_asa_1": ("tpl", "data"),
    "netflow9_test_cisco_asr9k": (
        "opttpl256",
        "opttpl257",
        "opttpl334",
        "tpl260",
        "tpl266",
        "data256",
        "data260",
    ),
    "netflow9_test_fortigate_fortios_521": ("tpl", "data256", "data257"),
    "netflow9_test_nprobe": ("tpl", "data"),
    "netflow9_test_paloalto_81": ("tpl256-263", "data257_1flowset_in_large_zerofilled_packet"),
    "netflow9_test_ubnt_edgerouter": ("tpl", "data1024", "data1025"),
    "ipfix": (),
    "netflow5": (),
    "netflow5_test_juniper_mx80": (),
    "netflow5_test_microtik": (),
    "netflow9_cisco_asr1001x_tpl259": (),
    "netflow9_test_0length_fields_tpl_data": (),
    "netflow9_test_cisco_1941K9": (),
    "netflow9_test_invalid01": (),
    "netflow9_test_iptnetflow_reduced_size_encoding_tpldata260": (),
    "netflow9_test_softflowd_tpl_data": (),
    "netflow9_test_valid01": (),
}
OTHER_TIMES = {
    "ipfix",  # nfdump 1.7.1 takes the start for the end
    "ipfix_test_barracuda",  # in these nfdump finds no times, or no end
    "ipfix_test_mikrotik",
    "netflow9_test_cisco_1941K9",
    "netflow9_test_cisco_asa_1",
}
SCANS = "initconf__scan-NG/scan-1433.pcap"
TELEGRAFS = ("ipfix_example", "issue_13305", "netflow_v5_example", "netflow_v9_example")
Tuple = tuple[str, int, str, int, int, int, int]
"""Source, its port, destination, its port, protocol, packets, octets."""


def datagrams_of(corpus: Path, vendor: str) -> list[bytes]:
    """The datagrams of one device, templates first."""
    parts = [f"_{part}" for part in VENDORS[vendor]] or [""]
    return [(corpus / CODECS / f"{vendor}{part}.dat").read_bytes() for part in parts]


def said(row: dict[str, int]) -> Tuple:
    """A row in the words that all tools have."""
    src, dst = (format_address(row[f"{side}_hi"], row[f"{side}_lo"]) for side in ("src", "dst"))
    return src, row["sport"], dst, row["dport"], row["proto"], row["packets"], row["bytes"]


def capture(datagrams: list[bytes]) -> bytes:
    """A pcap file (raw IP) with one packet for each."""
    made = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
    for i, data in enumerate(datagrams):
        udp = struct.pack(">HHHH", 4_000, 2_055, 8 + len(data), 0) + data
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 0x0A000001, 0x0A000009) + udp
        made += struct.pack("<IIII", b.NOW + i, 0, len(ip), len(ip)) + ip
    return made


def tshark_flows(program: str, path: Path) -> Iterator[dict[str, str]]:
    """The fields of each flow record that tshark finds, by name; of fields with one name, the first."""
    shown = subprocess.run(
        [program, "-r", str(path), "-d", "udp.port==2055,cflow", "-T", "pdml"],
        capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    for element in ET.fromstring(shown).iter("field"):
        if re.match(r"(Flow|pdu) \d+", element.get("show") or "") or element.get("name") == "cflow.pdu":
            values: dict[str, str] = {}
            for part in element.iter("field"):
                values.setdefault(part.get("name") or "", part.get("show") or "")
            yield values


def tshark_says(values: dict[str, str]) -> Tuple:
    """The same words; ICMP has no ports."""

    def first(*names: str) -> str:
        return next((values[f"cflow.{name}"] for name in names if f"cflow.{name}" in values), "0")

    proto = int(first("protocol"))
    sport, dport = (0, 0) if proto in (1, 58) else (int(first("srcport")), int(first("dstport")))
    src, dst = first("srcaddr", "srcaddrv6"), first("dstaddr", "dstaddrv6")
    return src, sport, dst, dport, proto, int(first("packets", "packets64")), int(first("octets", "octets64"))


@pytest.mark.corpus
@pytest.mark.parametrize(
    "vendor", sorted(set(VENDORS) - {"netflow9_test_cisco_asa_1", "netflow9_test_invalid01"})
)
def test_flows_are_those_of_tshark(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path, vendor: str
) -> None:
    datagrams = datagrams_of(corpus, vendor)
    path = tmp_path / "capture"
    path.write_bytes(capture(datagrams))
    theirs = [tshark_says(flow) for flow in tshark_flows(tool("tshark"), path)]
    rows = b.feed(*datagrams).rows
    counted = [flow for flow in theirs if flow[5] or flow[6]]
    print(vendor, len(rows), len(counted), len(theirs))
    assert [said(row) for row in rows] == counted


@pytest.mark.corpus
@pytest.mark.parametrize("case", TELEGRAFS)
def test_flows_are_those_that_telegraf_expects(corpus: Path, case: str) -> None:
    folder = corpus / TELEGRAF / case
    fed = b.feed(*(path.read_bytes() for path in sorted(folder.glob("*.bin"))))
    lines = (folder / "expected.out").read_text().splitlines()
    theirs = [flow for line in lines for flow in telegraf_says(line)]
    print(case, len(fed.rows), len(theirs), fed.tally.records)
    assert Counter(said(row) for row in fed.rows) == Counter(theirs)
    assert fed.skipped.get("no-template", 0) == 0


def telegraf_says(line: str) -> Iterator[Tuple]:
    """The flows of a line of its expected output: one, or two of a biflow."""
    found = re.findall(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^,\s]+)', line)
    values = {name: value.strip('"').removesuffix("u") for name, value in found}
    if "src" not in values:
        return
    names = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}
    proto = names.get(values["protocol"].lower(), -1)
    ports = [0 if proto in (1, 58) else int(values.get(name, 0)) for name in ("src_port", "dst_port")]
    ends = ((values["src"], ports[0]), (values["dst"], ports[1]))
    there = (values.get("in_packets"), values.get("in_bytes"))
    if "in_total_packets" in values:
        there = (values["in_total_packets"], values["in_total_bytes"])
    back = (values.get("type_29305_86", "0"), values.get("type_29305_85", "0"))
    for (src, sport), (dst, dport), (packets, octets) in ((*ends, there), (*ends[::-1], back)):
        if int(packets or "0", 0) or int(octets or "0", 0):
            yield src, sport, dst, dport, proto, int(packets or "0", 0), int(octets or "0", 0)


@contextmanager
def nfcapd(program: str, folder: Path) -> Iterator[Callable[[list[bytes]], None]]:
    """A collector on loopback; what it is called with is sent to it. At the end it has written its file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = subprocess.Popen(
        [program, "-w", str(folder), "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-B", "8388608"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:

        def send(datagrams: list[bytes]) -> None:
            for datagram in datagrams:
                out.sendto(datagram, ("127.0.0.1", port))
                time.sleep(0.0005)

        try:
            deadline = time.monotonic() + 10
            while f":{port:04X}" not in Path("/proc/net/udp").read_text():
                assert time.monotonic() < deadline
                assert running.poll() is None
                time.sleep(0.02)
            yield send
            time.sleep(0.3)
        finally:
            running.terminate()
            running.wait(timeout=20)


def nfdump_says(program: str, folder: Path) -> list[tuple[Tuple, int, int]]:
    """All flows of a folder: the usual words, start and end in ms."""
    shown = subprocess.run(
        [program, "-R", str(folder), "-q", "-6", "-N", "-o", "fmt:%sa|%sp|%da|%dp|%pr|%pkt|%byt|%ts|%te"],
        capture_output=True, check=True, timeout=60, text=True, env=os.environ | {"TZ": "UTC"},
    ).stdout  # fmt: skip
    found = []
    for cells in csv.reader(shown.splitlines(), delimiter="|"):
        if len(cells) != 9:
            continue  # "No matching flows"
        src, sport, dst, dport, proto, packets, octets, start, end = (cell.strip() for cell in cells)
        names = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMP6": 58, "IGMP": 2, "ESP": 50, "GRE": 47}
        number = names[proto] if proto in names else int(proto)
        ports = (0, 0) if number in (1, 58) else (int(sport), int(dport))
        words = (
            str(ip_address(src)), ports[0], str(ip_address(dst)), ports[1], number, int(packets), int(octets),
        )  # fmt: skip
        found.append((words, milliseconds(start), milliseconds(end)))
    return found


def milliseconds(shown: str) -> int:
    """A time as nfdump writes it (UTC)."""
    return round(datetime.fromisoformat(f"{shown}+00:00").timestamp() * 1000)


def rows_say(rows: list[dict[str, int]], *, scaled: bool) -> list[tuple[Tuple, int, int]]:
    """Rows likewise; nfdump multiplies the counts by the sampling rate that it knows."""
    return [
        (
            (
                *said(row)[:5],
                *(row[name] * (max(1, row["sampling"]) if scaled else 1) for name in ("packets", "bytes")),
            ),
            row["ts"] // 10**6,
            row["end"] // 10**6,
        )
        for row in rows
    ]


@pytest.mark.corpus
def test_flows_and_their_times_are_those_of_nfdump(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Events and records that count nothing are left out: nfdump keeps them, and they are no contacts."""
    for vendor in sorted(
        set(VENDORS) - {"netflow5"}
    ):  # two datagrams in one file: nfdump reads on behind the first
        datagrams = datagrams_of(corpus, vendor)
        folder = tmp_path / vendor
        folder.mkdir()
        with nfcapd(tool("nfcapd"), folder) as send:
            send(datagrams)
        theirs = [flow for flow in nfdump_says(tool("nfdump"), folder) if flow[0][5] or flow[0][6]]
        ours = rows_say(
            b.feed(*datagrams).rows, scaled=vendor != "netflow9_test_invalid01"
        )  # softflowd 1:100
        print(vendor, len(ours), len(theirs))
        timed = vendor not in OTHER_TIMES
        assert Counter(flow if timed else flow[0] for flow in ours) == Counter(
            flow if timed else flow[0] for flow in theirs
        ), vendor


@pytest.mark.corpus
@pytest.mark.parametrize("version", [5, 9, 10])
def test_an_exporter_and_a_collector_agree_with_us(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path, version: int
) -> None:
    """softflowd makes flows of a capture of scans; nfcapd and the decoder read what it sent."""
    source = corpus / SCANS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(2)
        subprocess.run(
            [tool("softflowd"), "-a", "-r", str(source), "-v", str(version), "-c", "none",
             "-p", str(tmp_path / "pid"), "-n", f"127.0.0.1:{heard.getsockname()[1]}"],
            check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        datagrams = []
        while True:
            try:
                datagrams.append(heard.recv(65_536))
            except TimeoutError:
                break
    with nfcapd(tool("nfcapd"), tmp_path) as send:
        send(datagrams)
    theirs = [flow[0] for flow in nfdump_says(tool("nfdump"), tmp_path)]
    fed = b.feed(*datagrams)
    print(version, len(datagrams), len(fed.rows), len(theirs))
    assert len(fed.rows) > 50
    assert Counter(said(row) for row in fed.rows) == Counter(theirs)
    assert (fed.exporter.lost, fed.skipped.get("no-template", 0)) == (0, 0)
