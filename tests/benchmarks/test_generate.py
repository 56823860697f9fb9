"""Generated captures are valid, hold what their truth says, and are the same however they are written."""

from __future__ import annotations

import hashlib
import ipaddress
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIZE = 5_000_000
SHAPES = ("mix", "syn-flood", "random-ports")
OWN = (ipaddress.ip_network("10.64.0.0/14"), ipaddress.ip_network("2001:db8:c::/48"))

Generated = Callable[[str], Any]
Tool = Callable[[str], str]


def fields(tool: Tool, path: Path, display_filter: str, *names: str) -> list[list[str]]:
    """What tshark says about the packets that pass a display filter."""
    words = [tool("tshark"), "-n", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-T", "fields"]
    words += ["-Y", display_filter, *(word for name in names for word in ("-e", name))]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def generate(project: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.generate", *words]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("shape", SHAPES)
def test_capinfos_reads_it_to_the_end(shape: str, generated: Generated, tool: Tool) -> None:
    capture = generated(shape)
    words = [tool("capinfos"), "-M", "-T", "-r", "-c", "-s", "-o", str(capture.path)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    _, records, size, in_order = answer.stdout.strip().split("\t")
    assert int(records) == capture.truth["records"]
    assert int(size) == capture.truth["bytes"] == capture.path.stat().st_size
    assert in_order == "True"
    assert SIZE - 1_600 < int(size) <= SIZE


@pytest.mark.parametrize("shape", SHAPES)
def test_tshark_finds_no_damaged_packet(shape: str, generated: Generated, tool: Tool) -> None:
    # Transport checksums are not computed and random payload may look like a broken application message, so
    # the question is put to the headers alone: IP checksum, and lengths that fit.
    damaged = "ip.checksum.status == 0 || ip.len < 28 || tcp.hdr_len < 20 || udp.length.bad || _ws.short"
    assert fields(tool, generated(shape).path, damaged, "frame.number") == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packet_has_exactly_one_end_in_the_own_networks(
    shape: str, generated: Generated, tool: Tool
) -> None:
    names = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst")
    pairs = {tuple(filter(None, row)) for row in fields(tool, generated(shape).path, "frame", *names)}
    assert len(pairs) > 1_000
    for pair in pairs:
        ends = [ipaddress.ip_address(text) for text in pair]
        assert sum(any(end in network for network in OWN) for end in ends) == 1, pair


def test_truth_of_the_mix_is_what_tshark_counts(generated: Generated, tool: Tool) -> None:
    capture = generated("mix")
    tried, answered, refused = (defaultdict[tuple[str, int], set[str]](set) for _ in range(3))
    names = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags")
    for src, dst, sport, dport, flags in fields(tool, capture.path, "ip && tcp", *names):
        match int(flags, 16):
            case 0x02:
                tried[src, int(dport)].add(dst)
            case 0x12:
                answered[dst, int(sport)].add(src)
            case 0x14:
                refused[dst, int(sport)].add(src)
    scanners = capture.truth["scanners"]
    assert len(scanners) == 500
    assert sum(scanner["tried"] for scanner in scanners) > 200
    for scanner in scanners:
        key = scanner["address"], scanner["port"]
        counted = len(tried[key]), len(answered[key]), len(refused[key])
        assert counted == (scanner["tried"], scanner["answered"], scanner["refused"]), scanner
    for port, devices in capture.truth["answering_devices"].items():
        sources = {scanner["address"] for scanner in scanners}
        sets = [who for (source, seen), who in answered.items() if seen == int(port) and source in sources]
        assert len(set().union(*sets)) == devices


def test_only_scanners_and_controllers_try_the_management_port(generated: Generated, tool: Tool) -> None:
    capture = generated("mix")
    known = {scanner["address"] for scanner in capture.truth["scanners"]} | set(capture.truth["controllers"])
    tries = fields(tool, capture.path, "tcp.dstport == 7547 && tcp.flags == 2", "ip.src")
    assert tries
    assert {source for (source,) in tries} <= known


def test_mirai_sources_and_no_others_use_the_destination_as_sequence_number(
    generated: Generated, tool: Tool
) -> None:
    capture = generated("mix")
    mirai = {scanner["address"]: scanner["mirai"] for scanner in capture.truth["scanners"]}
    assert 0.3 < sum(mirai.values()) / len(mirai) < 0.37
    seen = set()
    for src, dst, seq in fields(
        tool, capture.path, "tcp.flags == 2 && ip", "ip.src", "ip.dst", "tcp.seq_raw"
    ):
        if src in mirai:
            seen.add(mirai[src])
            assert (int(seq) == int(ipaddress.ip_address(dst))) == mirai[src], (src, dst)
    assert seen == {True, False}


def test_tcp_conversations_of_the_mix_fit_together(generated: Generated, tool: Tool) -> None:
    gaps = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.out_of_order"
    assert fields(tool, generated("mix").path, gaps, "frame.number") == []


def test_records_of_the_mix_have_a_realistic_mean_size(generated: Generated) -> None:
    truth = generated("mix").truth
    assert 550 <= truth["bytes"] / truth["records"] <= 750


def test_flood_is_nothing_but_syns_from_invented_sources(generated: Generated, tool: Tool) -> None:
    capture = generated("syn-flood")
    rows = fields(tool, capture.path, "tcp.flags == 2 && tcp.dstport == 7547", "ip.src")
    assert len(rows) == capture.truth["records"]
    assert len({source for (source,) in rows}) > 0.999 * len(rows)


def test_random_ports_are_half_udp_and_spread_over_all_ports(generated: Generated, tool: Tool) -> None:
    capture = generated("random-ports")
    rows = fields(tool, capture.path, "udp || tcp.flags == 2", "udp.dstport", "tcp.dstport")
    assert len(rows) == capture.truth["records"]
    udp = sum(bool(row[0]) for row in rows)
    assert 0.48 < udp / len(rows) < 0.52
    assert len({row[0] or row[1] for row in rows}) > 40_000


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pipe_carries_the_same_bytes_as_a_file(shape: str, generated: Generated, project: Path) -> None:
    with generate(project, "--shape", shape, "--bytes", str(SIZE)) as process:
        piped, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert hashlib.sha256(piped).digest() == hashlib.sha256(generated(shape).path.read_bytes()).digest()


def test_a_smaller_capture_is_the_beginning_of_a_larger_one(generated: Generated, project: Path) -> None:
    with generate(project, "--shape", "mix", "--bytes", "1M") as process:
        piped, _ = process.communicate(timeout=60)
    assert generated("mix").path.read_bytes().startswith(piped)


def test_another_seed_gives_other_sources(generated: Generated, project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pcap"
    with generate(project, "--bytes", "1M", "--seed", "2", "--output", str(other)) as process:
        process.communicate(timeout=60)
    assert not generated("mix").path.read_bytes().startswith(other.read_bytes())


def test_a_reader_that_goes_away_ends_the_generator_quietly(project: Path) -> None:
    with generate(project, "--bytes", "1G") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1_000_000)
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_does_not_grow_with_the_size(shape: str, project: Path) -> None:
    from benchmarks.measure import run

    peaks = []
    for size in ("60M", "240M"):
        words = [sys.executable, "-m", "benchmarks.generate", "--shape", shape, "--bytes", size]
        peaks.append(run([*words, "--output", "/dev/null"], limit=60, folder=project).largest_rss)
    assert peaks[1] < 1.15 * peaks[0]
    assert peaks[1] < 250_000_000


@pytest.mark.parametrize("text", ["", "1T", "-1", "1.5G", "G"])
def test_a_size_that_is_none_is_refused(text: str, project: Path) -> None:
    with generate(project, f"--bytes={text}") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"is no size" in errors
