"""Argus: what ra prints of a capture against the capture's own packets, and its binary files."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sources.log_rows import read_log, rows_of

from rearguard.model.bits import ACK, FIN, RST, SYN, TCP, UDP, WHY_PACKET
from rearguard.model.errors import InputError
from rearguard.sources import open_packets
from rearguard.sources.logs.argus import FIELDS

HEAD = "StartTime,LastTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State\n"

CAPTURES = (
    "arkime__arkime/tests/pcap/v6.pcap",
    "arkime__arkime/tests/pcap/v6-http.pcap",
    "ncsa__bro-simple-scan/testing/pcaps/port_scan.pcap",
    "OISF__suricata-verify/tests/pop3-auth-01/input.pcap",
    "OISF__suricata-verify/tests/bug-6207-1/input.pcap",
    "ncsa__bro-simple-scan/testing/pcaps/445_scan.pcap",
)


@pytest.mark.parametrize(
    ("arrow", "proto", "said"),
    [
        ("   ->", "tcp", "opened"),
        ("  <- ", "tcp", "answered"),
        ("  <->", "udp", "opened"),
        ("   ?>", "tcp", ""),
        ("  <?>", "tcp", ""),
        ("   |>", "tcp", "opened"),
        ("    ", "udp", ""),
    ],
)
def test_the_arrow_says_who_opened(tmp_path: Path, arrow: str, proto: str, said: str) -> None:
    file = tmp_path / "ra.csv"
    file.write_text(f"{HEAD}1.5,2.5,{proto},203.0.113.7,1,{arrow},198.51.100.1,2,3,2,142,100,SPA_SA\n")
    rows, _ = read_log(file)
    assert rows[0]["said"] == said
    # Of its byte counts the Ethernet header of each packet is taken away.
    assert [(row["packets"], row["bytes"]) for row in rows] == [(3, 100), (2, 72)]
    assert [row["flags"] for row in rows] == ([0x1A, 0x12] if proto == "tcp" else [0, 0])


def test_states_in_words_tell_no_flags_and_records_of_management_are_no_flows(tmp_path: Path) -> None:
    file = tmp_path / "ra.csv"
    file.write_text(
        f"{HEAD}1.5,2.5,man,0,0,,0,0,1,0,0,0,STA\n"
        "1.5,2.5,tcp,203.0.113.7,1,   ->,198.51.100.1,2,1,0,54,0,REQ\n"
        "1.5,2.5,arp,203.0.113.7,,who,198.51.100.1,,1,0,54,0,INT\n"
    )
    (row,), source = read_log(file)
    assert (row["flags"], row["record"]) == (0, 2)
    assert source.tally.skipped == {"not-a-flow": 2}


@pytest.mark.corpus
@pytest.mark.parametrize("name", CAPTURES)
def test_argus_and_the_packets_say_the_same(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    argus, ra = tool("argus"), tool("ra")
    kept, table = tmp_path / "x.argus", tmp_path / "x.csv"
    subprocess.run([argus, "-r", str(corpus / name), "-w", str(kept)], check=True, capture_output=True)
    shown = [ra, "-n", "-u", "-Z", "b", "-c", ",", "-r", str(kept), "-s", FIELDS]
    table.write_bytes(subprocess.run(shown, check=True, capture_output=True).stdout)
    flows, _ = read_log(table)
    with open_packets(str(corpus / name)) as source:
        packets = [row for row in rows_of(source) if row["why"] == WHY_PACKET and row["proto"] in (TCP, UDP)]

    counted, seen, first = Counter[tuple[object, ...]](), Counter[tuple[object, ...]](), {}
    for row in packets:
        key = (row["src"], row["sport"], row["dst"], row["dport"], row["proto"])
        counted[key] += 1
        seen[key] |= row["flags"] & (SYN | ACK | FIN | RST)
        if row["flags"] & (SYN | ACK) == SYN:
            first.setdefault(frozenset((key[:2], key[2:4])), key[:2])
    told, flags = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for row in flows:
        if row["proto"] not in (TCP, UDP):
            continue
        key = (row["src"], row["sport"], row["dst"], row["dport"], row["proto"])
        told[key] += row["packets"]
        flags[key] |= row["flags"] & (SYN | ACK | FIN | RST)
        opener = first.get(frozenset((key[:2], key[2:4])))
        if row["proto"] == TCP and row["said"] and opener is not None:
            assert (row["said"] == "opened") is (key[:2] == opener), key
    assert told == counted
    assert {key: bits for key, bits in flags.items() if key[4] == TCP} == {
        key: bits for key, bits in seen.items() if key[4] == TCP
    }


@pytest.mark.corpus
def test_a_file_of_argus_itself_is_told_with_the_command(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    kept = tmp_path / "x.argus"
    command = [tool("argus"), "-r", str(corpus / CAPTURES[0]), "-w", str(kept)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(InputError, match="argus") as caught:
        read_log(kept)
    assert f"ra -n -u -Z b -c , -r {kept} -s {FIELDS}" in caught.value.remedy
