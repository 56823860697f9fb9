"""Lone clients: which are listed depends on the facts alone, the others are counted, and nobody is lost."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.contacts.rows import DEVICE, SECOND, START, Row, chunk_of, numbered, packet
from tests.contacts.run import POLICY_GUARD, Conclusion, concluded, policy_with, settled
from tests.contacts.strategies import SIZES, shuffled
from tests.sources.build import ip4, pcap, tcp

from rearguard.contacts.reducer import Partials, Reducer, Sizes
from rearguard.contacts.view import SourceInfo
from rearguard.model.address import V4_MAPPED, from_halves
from rearguard.model.chunk import ROWS, Chunk, new_rows
from rearguard.report.progress import Silent
from rearguard.report.run import analyze

LIMIT = 20
LONE = 90


def crowded() -> list[Row]:
    """Lone clients on several ports, minutes and observers among others that were seen twice or answered."""
    rows = []
    for k in range(LONE):
        port = (23, 7547, 50505)[k % 3]
        source = f"100.{k}.1.9:4000" if k % 4 else f"[2001:db8:ffff:{k:x}::1]:4000"
        target = f"{DEVICE}:{port}" if k % 4 else f"[2001:db8:c::1]:{port}"
        rows.append(packet(source, target, at=k * 5, observer=k % 2, sampling=(1, 1, 100)[k % 3]))
    for k in range(10):
        twice = f"203.0.113.{k}:4000"
        rows += [
            packet(twice, f"{DEVICE}:23", at=k),
            packet(twice, f"{DEVICE}:{(23, 7547)[k % 2]}", at=k + 90),
        ]
        ours = f"198.51.100.{100 + k}"  # seen once, and ours: told one by one
        rows.append(packet(f"{ours}:4000", f"192.0.2.{k}:23", at=k))
        rows.append(packet(f"{ours}:4000", f"198.51.100.{k}:161", proto="udp", at=k) if k % 2 else packet())
    answered = packet("203.0.113.200:4000", f"{DEVICE}:23")
    return numbered([*rows, answered, packet(f"{DEVICE}:23", "203.0.113.200:4000", "SA", at=1)])


def listed(conclusion: Conclusion) -> set[str]:
    """The lone clients that are told one by one."""
    clients = {str(from_halves(row["client_hi"], row["client_lo"])) for row in conclusion.judged}
    return {text for text in clients if text.startswith(("100.", "2001:db8:ffff:"))}


@pytest.mark.parametrize("seed", range(6))
def test_the_same_clients_are_listed_for_every_order_and_spill(seed: int) -> None:
    policy = policy_with(limits={"lone_clients": LIMIT})
    rows = crowded()
    groups = [0, seed % 2]
    expected = concluded([[rows]], [SIZES[3]], groups, policy, detecting=False)
    rng = np.random.default_rng(seed)
    parts = shuffled(rows, rng, workers=1 + seed % 3, size=15)
    sizes = [SIZES[seed % 4], SIZES[(seed + 1) % 4]]
    assert concluded(parts, sizes, groups, policy, detecting=False) == expected


def test_listed_and_counted_are_all() -> None:
    policy = policy_with(limits={"lone_clients": LIMIT})
    few = concluded([[crowded()]], [SIZES[0]], policy=policy, detecting=False)
    everything = concluded([[crowded()]], [SIZES[0]], detecting=False)
    assert everything.crowd == []
    assert len(listed(everything)) == LONE
    assert len(listed(few)) == LIMIT
    for name in ("clients", "tries", "packets"):
        assert sum(row[name] for row in few.crowd) == LONE - LIMIT == few.settled["crowd_clients"]
    assert len(few.judged) + LONE - LIMIT == len(everything.judged)
    ours = {row["client_lo"] for row in few.judged if row["direction"] in ("outbound", "internal")}
    assert len(ours) == 10  # each was seen once and unanswered, and stays listed
    total = sum(row["bytes_c"] for row in everything.judged)
    assert sum(row["bytes_c"] for row in few.judged) + sum(row["bytes"] for row in few.crowd) == total


def test_the_crowd_is_told_by_interface_minute_and_earliest_record() -> None:
    policy = policy_with(limits={"lone_clients": 1})
    rows = [packet(f"100.64.0.{k}:4{k}", f"{DEVICE}:{port}", at=at) for k, (port, at) in enumerate(SEEN, 1)]
    crowd = concluded([[numbered(rows)]], [SIZES[0]], policy=policy, detecting=False).crowd
    everyone = {(port, (START + round(at * SECOND)) // (60 * SECOND)) for port, at in SEEN}
    assert {(row["port"], row["minute"]) for row in crowd} <= {
        (23, 24670080),
        (7547, 24670080),
        (0, 24670081),
    }
    assert len(everyone) == 4
    for row in crowd:
        first = rows[(row["proof_rec_c"] & 0xFFFF) - 1]
        assert (row["client_lo"], row["server_lo"]) == (first["src_lo"], first["dst_lo"])
        assert (row["proof_time_c"], row["proof_port_c"]) == (first["ts"], first["sport"])
        assert row["first"] == row["proof_time_c"] <= row["last"]
        assert row["interface"] == {23: "telnet", 7547: "cwmp-cr", 0: None}[row["port"]]
        assert (row["network"], row["direction"]) == ("customers", "inbound")
    assert sum(row["clients"] for row in crowd) == len(SEEN) - 1


SEEN = [(23, 5), (23, 2), (23, 9), (7547, 1), (7547, 3), (50505, 61), (50506, 62), (50506, 63)]


def spoofed(count: int) -> list[Chunk]:
    """SYNs from as many sources to one network, one each."""
    chunks = []
    for start in range(0, count, ROWS):
        n = min(ROWS, count - start)
        rows = new_rows(n)
        one = chunk_of([packet()]).rows
        rows[:] = one[0]
        number = np.arange(start, start + n, dtype=np.uint64)
        rows["src_lo"][:] = np.uint64(V4_MAPPED | 0x0B00_0000) + number * np.uint64(13)
        rows["dst_lo"][:] = np.uint64(V4_MAPPED | 0xC633_6400) + number % np.uint64(256)
        rows["ts"][:] = rows["end"][:] = START + number.astype(np.int64) * 1000
        rows["record"][:] = number + np.uint64(1)
        chunks.append(Chunk(rows, n))
    return chunks


def flooded(count: int) -> tuple[int, int, int]:
    """Listed contacts, counted clients, and the most memory that Python and numpy held, for a flood."""
    policy = policy_with(limits={"lone_clients": 1000})
    chunks = spoofed(count)
    sizes = Sizes(contacts=4096, hosts=1024, census_cells=1024, emitted=8192, spill=1 << 20)
    source = SourceInfo("flood.pcap", "pcap", count, 0, {}, START, START)
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        partials = Partials.new(Path(folder), sizes)
        reducer = Reducer(POLICY_GUARD, partials, sizes)
        for chunk in chunks:
            reducer.feed(chunk, 0, np.zeros(1, dtype=np.uint32))
        reducer.finish()
        view, done = settled(partials, [source], np.zeros(1, dtype=np.uint32), policy, Path(folder))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        partials.close()
        counted = int(view.con.execute("SELECT sum(clients) FROM crowd").fetchone()[0])
        view.con.close()
    assert counted == done.crowd_clients
    return done.contacts, counted, peak


def test_a_flood_of_spoofed_sources_takes_time_and_not_memory() -> None:
    flooded(40_000)  # whatever is made once
    _, _, less = flooded(100_000)
    contacts, counted, more = flooded(300_000)
    assert contacts == 1000
    assert contacts + counted == 300_000
    assert more < less * 1.05 + 1_000_000


def test_what_was_counted_and_not_listed_is_said(tmp_path: Path) -> None:
    frames = [ip4(tcp(dport=23), src=f"100.64.{k}.9", dst=DEVICE) for k in range(30)]
    capture, policy = tmp_path / "flood.pcap", tmp_path / "rearguard.yaml"
    capture.write_bytes(pcap(*frames, link=101))
    networks = {"customers": {"prefixes": ["198.51.100.0/24"]}}
    policy.write_text(json.dumps({"networks": networks, "limits": {"lone_clients": 10}}))
    analysis = analyze(
        [str(capture)],
        policy_file=str(policy),
        networks=(),
        controllers=(),
        drops=(),
        workers=1,
        progress=Silent(),
    )
    assert [
        text
        for text in analysis.approximations
        if "20 clients" in text and "limits.lone_clients is 10" in text
    ]
