"""The reader beside nfdump: every flow of every file with all its fields, in every layout and compression."""

from __future__ import annotations

import itertools
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sources.nfcapd_build import (
    Block,
    Element,
    Flow,
    exporter,
    extension_map,
    file_v1,
    file_v2,
    flow_v1,
    flow_v2,
    sampler,
    sampler_v0,
    statistics,
)
from sources.nfcapd_truth import compare

Tool = Callable[[str], str]
EXPORTERS = [exporter(1, "192.0.2.1", 3, 5), exporter(2, "2001:db8::fe", 77, 10)]
FLOWS = (
    Flow(exporter=1),
    Flow(
        src="2001:db8:5::7",
        dst="2001:db8:c::9",
        exporter=2,
        packets=9,
        bytes=1 << 33,
        flags=0x1B,
        last=1_500_000_009_999,
    ),
    Flow(proto=17, sport=53, dport=53, exporter=1, ingress=70_000, egress=2, flags=0),
    Flow(proto=1, sport=0, dport=8 << 8, exporter=1, ingress=3, egress=4, direction=1, flags=0),
    Flow(proto=58, src="fe80::1", dst="2001:db8:c::9", sport=0, dport=128 << 8, exporter=2, flags=0),
    Flow(proto=47, sport=0, dport=0, exporter=2, flags=0, packets=1 << 40, bytes=1 << 44),
    Flow(exporter=1, first=1_500_000_005_000, last=1_500_000_001_000, flags=0xFF),
    Flow(exporter=1, packets_back=3, bytes_back=300),
    Flow(exporter=2, router="192.0.2.77"),
)


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    [
        "lbl-scan-summary.bz2.nfcapd",
        "lbl-scan-summary.lz4.nfcapd",
        "lbl-scan-summary.lzo.nfcapd",
        "lbl-scan-summary.nfcapd.201803260000",
        "lbl-scan-summary.nfcapd.201803290000",
    ],
)
def test_files_of_the_corpus(corpus: Path, tool: Tool, name: str) -> None:
    source = compare(tool("nfdump"), corpus / "derived" / name)
    assert source.tally.complete


@pytest.mark.parametrize("compression", ["", "lzo", "lz4", "bzip2"])
def test_layout_2(tmp_path: Path, tool: Tool, compression: str) -> None:
    flows = [*EXPORTERS, *(flow_v2(one) for one in FLOWS)]
    many = [
        flow_v2(Flow(dst=f"198.51.100.{k % 250}", dport=k, packets=1 + k, exporter=1)) for k in range(900)
    ]
    path = tmp_path / "nfcapd.202601010000"
    path.write_bytes(
        file_v2(
            [Block(flows), Block(many), Block([statistics([(1, 2, 30, 905), (2, 0, 9, 4)])])], compression
        )
    )
    source = compare(tool("nfdump"), path)
    assert [(one.address, one.domain, one.kind) for one in source.exporters] == [
        ("192.0.2.1", 3, "NetFlow v5"),
        ("2001:db8::fe", 77, "IPFIX"),
    ]
    assert [(one.datagrams, one.lost, one.records) for one in source.exporters] == [(30, 2, 905), (9, 0, 4)]
    assert source.tally.complete


EXTENSIONS = (
    [],
    [4],
    [5, 8, 13, 6],
    [8, 5, 7, 9, 23, 25, 27],
    [10, 12, 14, 16, 18, 24],
    [15, 17, 19, 20, 21, 22, 26, 45],
)


@pytest.mark.parametrize("compression", ["", "lzo", "lz4", "bzip2"])
def test_layout_1(tmp_path: Path, tool: Tool, compression: str) -> None:
    records = [*EXPORTERS, *(extension_map(number, one) for number, one in enumerate(EXTENSIONS))]
    for flow, (number, extensions) in itertools.product(FLOWS, enumerate(EXTENSIONS)):
        told = {4, 5} & set(extensions)
        fitting = Flow(
            **{field: getattr(flow, field) for field in Flow.__dataclass_fields__}
            | ({} if told else {"ingress": 0, "egress": 0})
            | ({} if 4 not in extensions else {"ingress": flow.ingress & 0xFFFF})
            | ({} if 8 in extensions else {"direction": 0})
            | {"router": "2001:db8::77" if 24 in extensions else "192.0.2.77"}
            | {"packets_back": 0 if not {14, 15} & set(extensions) else 5}
        )
        records.append(flow_v1(fitting, extensions, number))
    path = tmp_path / "nfcapd.201601010000"
    path.write_bytes(file_v1([Block(records)], compression))
    source = compare(tool("nfdump"), path)
    assert source.tally.complete


def test_sampled_flows_are_counted_as_they_were_before_nfcapd_multiplied_them(
    tmp_path: Path, tool: Tool
) -> None:
    flows = [Flow(exporter=1, sampled=True, packets=300, bytes=13_200), Flow(exporter=2, packets=2, bytes=88)]
    path = tmp_path / "two"
    path.write_bytes(file_v2([Block([*EXPORTERS, sampler(1, -1, 1, 99), *(flow_v2(one) for one in flows)])]))
    assert [one.rate for one in compare(tool("nfdump"), path).exporters] == [100, 0]
    path.write_bytes(
        file_v1(
            [
                Block(
                    [
                        *EXPORTERS,
                        sampler_v0(1, -1, 100),
                        extension_map(0, []),
                        *(flow_v1(one) for one in flows),
                    ]
                )
            ]
        )
    )
    assert [one.rate for one in compare(tool("nfdump"), path).exporters] == [100, 0]


def test_payload_and_unknown_elements_do_no_harm(tmp_path: Path, tool: Tool) -> None:
    path = tmp_path / "payload"
    extra = [Element(29, b"GET / HTTP/1.1\r\n\r\n\0\0"), Element(6, struct.pack("<II", 5, 6))]
    path.write_bytes(file_v2([Block([flow_v2(Flow(), extra=extra), flow_v2(Flow(dport=23))])]))
    compare(tool("nfdump"), path)


def _from_capture(tool: Tool, capture: Path, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [tool("nfpcapd"), "-r", str(capture), "-l", str(folder)], capture_output=True, check=True, timeout=60
    )
    return sorted(path for path in folder.iterdir() if path.name.startswith("nfcapd.2"))


CAPTURES = (
    "zeek__zeek/testing/btest/Traces/wikipedia.pcap",
    "zeek__zeek/testing/btest/Traces/ipv6-http-atomic-frag.pcap",
    "zeek__zeek/testing/btest/Traces/mixed-vlan-mpls.pcap",
    "zeek__zeek/testing/btest/Traces/snmp/snmpv1_get.pcap",
)


@pytest.mark.corpus
@pytest.mark.parametrize("capture", CAPTURES)
def test_what_nfpcapd_makes_of_captures(corpus: Path, tool: Tool, tmp_path: Path, capture: str) -> None:
    """Uncompressed, and as nfdump itself compresses them."""
    if not (corpus / capture).exists():
        pytest.skip(f"{capture} is not in the corpus")
    files = _from_capture(tool, corpus / capture, tmp_path / "flows")
    assert files
    total = 0
    for path in files:
        total += compare(tool("nfdump"), path).tally.records
        for number in ("1", "2", "3"):
            other = tmp_path / f"compressed-{number}"
            shutil.copy(path, other)
            subprocess.run([tool("nfdump"), "-J", number, "-r", str(other)], capture_output=True, check=True)
            assert compare(tool("nfdump"), other).tally.complete
    assert total


@pytest.fixture
def collect(tool: Tool, tmp_path: Path) -> Callable[..., Path]:
    """Send datagrams to a collector of its own on the loopback; the file that it writes."""

    def run(datagrams: Sequence[bytes], *options: str) -> Path:
        folder = tmp_path / f"collected{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            port = sender.getsockname()[1]
        program = subprocess.Popen(
            [tool("nfcapd"), "-w", str(folder), "-b", "127.0.0.1", "-p", str(port), "-t", "3600", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            _wait_for_port(port)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for datagram in datagrams:
                    sender.sendto(datagram, ("127.0.0.1", port))
                    time.sleep(0.02)
            time.sleep(0.3)
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=20)
        (found,) = (path for path in folder.iterdir() if path.name.startswith("nfcapd.2"))
        return found

    return run


def _wait_for_port(port: int) -> None:
    for _ in range(100):
        if any(
            line.split()[1].endswith(f":{port:04X}")
            for line in Path("/proc/net/udp").read_text().splitlines()[1:]
        ):
            return
        time.sleep(0.05)
    raise AssertionError("nfcapd does not listen")


def _v5(count: int, sequence: int, engine: int, sampling: int = 0) -> bytes:
    now = int(time.time())
    head = struct.pack(">HHIIIIBBH", 5, count, 100_000, now, 0, sequence, 0, engine, sampling)
    return head + b"".join(
        struct.pack(">IIIHHIIIIHHBBBBHHBBH", 0x0A000001 + k, 0xC0000201, 0, 1, 2, 3 + k, 200 + k * 3, 90_000,
                    95_000, 4000 + k, 7547, 0, 0x1B, 6, 0, 65_001, 65_002, 24, 16, 0)
        for k in range(count)
    )  # fmt: skip


def _v9(sets: Sequence[bytes], sequence: int) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), 100_000, int(time.time()), sequence, 77) + b"".join(sets)


def _set(number: int, body: bytes) -> bytes:
    padding = -len(body) % 4
    return struct.pack(">HH", number, 4 + len(body) + padding) + body + bytes(padding)


def test_what_a_collector_makes_of_netflow_v5_and_its_sampling(
    collect: Callable[..., Path], tool: Tool
) -> None:
    sampled = (1 << 14) | 100
    for options in ((), ("-z",), ("-y",), ("-j",)):
        path = collect([_v5(3, 0, 3), _v5(5, 0, 4, sampled), _v5(2, 9, 3)], *options)
        source = compare(tool("nfdump"), path)
        assert [(one.domain, one.records, one.datagrams, one.rate) for one in source.exporters] == [
            (3, 5, 2, 0),
            (4, 5, 1, 100),
        ]
        assert source.exporters[0].lost == 1


def test_a_rate_that_the_operator_of_the_collector_set(collect: Callable[..., Path], tool: Tool) -> None:
    source = compare(tool("nfdump"), collect([_v5(3, 0, 3)], "-s", "500"))
    assert source.exporters[0].rate == 500


def test_what_a_collector_makes_of_netflow_v9_with_directions_ipv6_and_nat_events(
    collect: Callable[..., Path], tool: Tool
) -> None:
    fields = [
        (27, 16),
        (28, 16),
        (1, 4),
        (2, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (6, 1),
        (22, 4),
        (21, 4),
        (10, 4),
        (14, 4),
        (61, 1),
    ]
    nat = [
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (225, 4),
        (226, 4),
        (227, 2),
        (228, 2),
        (4, 1),
        (230, 1),
        (323, 8),
    ]
    templates = b"".join(
        struct.pack(">HH", number, len(one)) + b"".join(struct.pack(">HH", *pair) for pair in one)
        for number, one in ((300, fields), (301, nat))
    )
    six = b"".join(
        bytes.fromhex("20010db8000500000000000000000001")
        + bytes.fromhex("20010db8000c000000000000000000")
        + bytes([k])
        + struct.pack(">IIHHBBIIIIB", 60, 1 + k, 5000 + k, 23, 6, 2, 90_000, 91_000, 70_000, 9, k & 1)
        for k in range(4)
    )
    event = struct.pack(
        ">IIHHIIHHBBQ", 0x0A000001, 0xC0000201, 1, 2, 0xC0000209, 0xC0000201, 3, 4, 6, 1, 1_500_000_000_000
    )
    path = collect([_v9([_set(0, templates)], 0), _v9([_set(300, six), _set(301, event)], 1)])
    source = compare(tool("nfdump"), path)
    assert source.tally.skipped == {"nat-event": 1}
    assert {one.way for one in source.observers} == {"", "out"}


@pytest.mark.corpus
def test_what_softflowd_exports_of_a_capture(
    corpus: Path, collect: Callable[..., Path], tool: Tool, tmp_path: Path
) -> None:
    program = tool("softflowd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.5)
        target = f"127.0.0.1:{receiver.getsockname()[1]}"
        capture = corpus / "zeek__zeek/testing/btest/Traces/wikipedia.pcap"
        subprocess.run([program, "-r", str(capture), "-n", target, "-v", "9", "-p", str(tmp_path / "pid"), "-c",
                        "none"], capture_output=True, check=False, timeout=30)  # fmt: skip
        datagrams = []
        try:
            while True:
                datagrams.append(receiver.recv(65_535))
        except TimeoutError:
            pass
    assert datagrams
    source = compare(tool("nfdump"), collect(datagrams, "-y"))
    assert source.tally.records > 10
