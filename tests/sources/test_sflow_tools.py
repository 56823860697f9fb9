"""sFlow as others read it: tshark field by field, sfcapd sample by sample, and the packets that were sampled."""

from __future__ import annotations

import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from rearguard.model.bits import TCP
from rearguard.sources import Options, open_source

from . import sflow_build as s
from .containers import read

FOLDER = "the-tcpdump-group__tcpdump/tests"
CAPTURES = (
    "sflow-print-v6.pcap",
    "sflow_expanded.pcap",
    "sflow_multiple_counter_30_pdus.pcap",
    "sflow_print-segv.pcap",
)
FIELDS = (
    "sflow_245.agent", "sflow_245.agent.v6", "sflow.flow_sample.sampling_rate",
    "sflow.flow_sample.input_interface", "sflow.flow_sample.input_interface_value",
    "sflow.flow_sample.output_interface", "sflow.flow_sample.output_interface_value",
    "ip.src", "ip.dst", "ip.proto", "ip.len", "ip.ttl", "ip.id",
    "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw",
)  # fmt: skip
Row = dict[str, int | str]


def text(high: int, low: int) -> str:
    return str(
        IPv4Address(low & 0xFFFFFFFF) if not high and low >> 32 == 0xFFFF else IPv6Address(high << 64 | low)
    )


def ours(path: Path, exports: bool = True) -> tuple[list[Row], Counter[str]]:
    """Rows with addresses as text, ports, and who saw them; why the rest gave none."""
    rows: list[Row] = []
    with open_source(str(path), options=Options(exports=exports)) as source:
        for chunk in source.chunks():
            names = [name for name in chunk.rows.dtype.names if name not in ("pay_off", "pay_len")]
            for values in zip(*(chunk.column(name).tolist() for name in names), strict=True):
                row = dict(zip(names, values, strict=True))
                seen = source.observers[row.pop("observer")]
                row["src"], row["dst"] = (
                    text(row.pop(f"{end}_hi"), row.pop(f"{end}_lo")) for end in ("src", "dst")
                )
                rows.append(row | {"agent": seen.exporter, "came": seen.ingress, "went": seen.egress})
        return rows, Counter(source.tally.skipped)


def tshark_samples(tshark: str, path: Path) -> Iterator[Row]:
    """Each flow sample of an IPv4 packet as tshark dissects it; lists are in the order of the samples, and those of
    IP fields begin with the datagram's own header."""
    command = [
        tshark,
        "-r",
        str(path),
        "-Y",
        "sflow",
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=,",
    ]
    command += ["-o", "ip.defragment:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE"]
    done = subprocess.run(
        [*command, *(part for name in FIELDS for part in ("-e", name))],
        capture_output=True,
        check=True,
        text=True,
    )
    for line in done.stdout.splitlines():
        lists = dict(
            zip(FIELDS, ([one for one in cell.split(",") if one] for cell in line.split("\t")), strict=True)
        )
        rates = lists["sflow.flow_sample.sampling_rate"]
        outer = len(lists["ip.src"]) - len(rates)
        ports = iter(
            zip(*(lists[f"tcp.{name}"] for name in ("srcport", "dstport", "flags", "seq_raw")), strict=True)
        )
        came = lists["sflow.flow_sample.input_interface"] or lists["sflow.flow_sample.input_interface_value"]
        # tshark gives the whole word of a compact interface; its upper two bits are the format.
        compact = [
            one if int(one, 0) >> 30 == 0 else "0" for one in lists["sflow.flow_sample.output_interface"]
        ]
        went = compact or lists["sflow.flow_sample.output_interface_value"]
        for i, rate in enumerate(rates):
            src, dst, proto, length, ttl, ident = (lists[name][outer + i] for name in FIELDS[7:13])
            row: Row = {
                "agent": (lists["sflow_245.agent"] or lists["sflow_245.agent.v6"])[0],
                "sampling": int(rate), "came": int(came[i], 0), "went": int(went[i], 0),
                "src": src, "dst": dst, "proto": int(proto),
                "bytes": int(length), "ttl": int(ttl), "ipid": int(ident, 0),
            }  # fmt: skip
            if row["proto"] == TCP:
                sport, dport, flags, seq = next(ports)
                row |= {
                    "sport": int(sport),
                    "dport": int(dport),
                    "flags": int(flags, 0) & 0xFF,
                    "seq": int(seq),
                }
            yield row


def agrees_with_tshark(tshark: str, path: Path) -> int:
    theirs = list(tshark_samples(tshark, path))
    found, _ = ours(path)
    samples = [row for row in found if row["sampling"]]
    assert len(samples) == len(theirs)
    for mine, other in zip(samples, theirs, strict=True):
        assert {name: mine[name] for name in other} == other
    return len(theirs)


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "samples"), list(zip(CAPTURES, (13, 1, 0, 0), strict=True)))
def test_real_samples_are_what_tshark_says(
    corpus: Path, tool: Callable[[str], str], name: str, samples: int
) -> None:
    assert agrees_with_tshark(tool("tshark"), corpus / FOLDER / name) == samples


@pytest.mark.corpus
def test_counter_samples_and_what_else_is_in_real_captures(corpus: Path) -> None:
    found = {name: ours(corpus / FOLDER / name) for name in CAPTURES}
    skipped = {name: dict(reasons) for name, (_, reasons) in found.items()}
    assert skipped == {
        "sflow-print-v6.pcap": {"counter-sample": 48},
        "sflow_expanded.pcap": {},
        "sflow_multiple_counter_30_pdus.pcap": {"counter-sample": 144},
        "sflow_print-segv.pcap": {"bad-datagram": 1},
    }
    # Two routers that speak NetFlow v5 are in the same capture as sFlow's agents.
    assert len(found["sflow_multiple_counter_30_pdus.pcap"][0]) == 7


@pytest.mark.corpus
def test_a_real_counter_sample_by_itself(corpus: Path, tmp_path: Path) -> None:
    folder = corpus / "influxdata__telegraf/plugins/inputs/netflow/testcases/sflow_v5_example"
    path = tmp_path / "telegraf.pcap"
    path.write_bytes(s.capture([(0, s.export((folder / "sflow_v5.bin").read_bytes()))]))
    with open_source(str(path), options=Options(exports=True)) as source:
        assert [chunk.n for chunk in source.chunks()] == []
        (agent,) = source.exporters
    assert (agent.address, agent.domain, source.tally.skipped) == (
        "192.168.119.184",
        100_000,
        {"counter-sample": 1},
    )
    expected = (folder / "expected.out").read_text()
    assert 'agent_ip="192.168.119.184",agent_subid=100000u' in expected


@pytest.fixture(scope="module")
def lab(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The lab's capture, and what the border would have exported of it at 1:1 and at 1:10."""
    folder = tmp_path_factory.mktemp("lab")
    records = read((project / "lab" / "incident.pcapng").read_bytes()).records
    for rate in (1, 10):
        (folder / f"{rate}.pcap").write_bytes(s.sampled(records, rate))
    return project / "lab" / "incident.pcapng", folder / "1.pcap", folder / "10.pcap"


def test_a_sample_says_what_the_packet_says(lab: tuple[Path, Path, Path]) -> None:
    """All columns but those of the observer, the number, and the payload that the header cuts."""
    packets, _ = ours(lab[0], exports=False)
    samples, skipped = ours(lab[1])
    assert skipped == {"not-ip": 2}
    other = {"record", "agent", "came", "went"}

    def facts(row: Row) -> tuple[tuple[str, int | str], ...]:
        return tuple(sorted((name, value) for name, value in row.items() if name not in other))

    seen = Counter(facts(row) for row in packets)
    assert not Counter(facts(row) for row in samples) - seen
    assert len(samples) > 5_000


def test_samples_of_the_lab_are_what_tshark_says(
    lab: tuple[Path, Path, Path], tool: Callable[[str], str], tmp_path: Path
) -> None:
    records = [
        one
        for one in read(lab[0].read_bytes()).records
        if one.data[12:14] == b"\x08\0" and one.data[23] == TCP
    ]  # so that tshark's lists have as many entries as there are samples
    path = tmp_path / "tcp.pcap"
    path.write_bytes(s.sampled(records, 10))
    assert agrees_with_tshark(tool("tshark"), path) > 400


def test_sfcapd_reads_the_same_samples(
    lab: tuple[Path, Path, Path], tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Sent over loopback to nfdump's own collector: the packets of each conversation and interface are the same."""
    sfcapd, nfdump = tool("sfcapd"), tool("nfdump")
    frames = read(lab[2].read_bytes()).records
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "flows"
    folder.mkdir()
    command = [sfcapd, "-w", str(folder), "-p", str(port), "-b", "127.0.0.1", "-B", "4000000"]
    collector = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for i, one in enumerate(frames):
                out.sendto(one.data[42:], ("127.0.0.1", port))
                if i % 50 == 49:
                    time.sleep(0.01)
        time.sleep(0.5)
    finally:
        collector.terminate()
        collector.wait(timeout=20)
    listed = subprocess.run(
        [nfdump, "-R", str(folder), "-q", "-6", "-o", "fmt:%sa %da %sp %dp %pr %pkt %in"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    theirs: Counter[tuple[str, ...]] = Counter()
    for line in listed.splitlines():
        src, dst, sport, dport, proto, packets, came = line.split()
        if proto in ("TCP", "UDP"):
            theirs[src, dst, sport, dport, came] += int(packets)
    rows, _ = ours(lab[2])
    mine = Counter(
        (str(row["src"]), str(row["dst"]), str(row["sport"]), str(row["dport"]), str(row["came"]))
        for row in rows
        if row["proto"] in (6, 17) and row["why"] == 1
    )
    # nfdump 1.7.1 tells packets scaled up by the sampling rate.
    assert {key: n * 10 for key, n in mine.items()} == dict(theirs)
