"""The one law: every split, order and repetition of the packets gives the same dialogues."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dialogue.reference import plain
from tests.dialogue.run import Packet, handshake, numbered, run, whole

from rearguard.dialogue.collector import Limits
from rearguard.dialogue.fold import Dialogue, Omitted
from rearguard.model.address import halves
from rearguard.model.bits import TCP, UDP

HEAD = 96
TINY = Limits(table=16, segments=3, arena=HEAD)
SPELL = 2**38

sequence = st.one_of(
    st.integers(0, 400), st.integers(2**32 - 200, 2**32 - 1), st.sampled_from([2**31, 2**20 + 500, 7_000_000])
)


@st.composite
def wild_packets(draw: st.DrawFn) -> list[Packet]:
    """Packets that no honest stack would send, of few addresses, so that they meet."""
    one = st.builds(
        Packet,
        ts=st.one_of(st.integers(0, 60), st.integers(SPELL - 30, SPELL + 30), st.sampled_from([3 * 10**11])),
        src=st.sampled_from(["203.0.113.7", "203.0.113.8", "198.51.100.9", "2001:db8::1"]),
        dst=st.sampled_from(["198.51.100.20", "198.51.100.21"]),
        sport=st.sampled_from([40001, 7547, 23]),
        dport=st.sampled_from([7547, 23, 161, 9999]),
        payload=st.binary(max_size=130),
        flags=st.sampled_from([0x18, 0x10, 0x02, 0x12, 0x12, 0x04, 0x11]),
        seq=sequence,
        ack=sequence,
        proto=st.sampled_from([TCP, TCP, UDP]),
        wire=st.none(),
        frag=st.sampled_from([0, 0, 0, 1]),
        lane=st.sampled_from([0, 0, 1]),
    )
    packets = draw(st.lists(one, max_size=40))
    turned = [packet.back() if draw(st.booleans()) else packet for packet in packets]
    return numbered(turned)


@st.composite
def splits(draw: st.DrawFn, packets: list[Packet]) -> list[list[list[Packet]]]:
    """The packets in any order, some more than once, over some collectors, in some chunks."""
    again = draw(st.lists(st.sampled_from(packets), max_size=5)) if packets else []
    order = draw(st.permutations(packets + again))
    workers: list[list[list[Packet]]] = [[[]] for _ in range(draw(st.integers(1, 3)))]
    for packet in order:
        chunks = workers[draw(st.integers(0, len(workers) - 1))]
        chunks[-1].append(packet)
        if draw(st.integers(0, 3)) == 0:
            chunks.append([])
    return workers


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_split_order_and_repetition_gives_the_same_dialogues(data: st.DataObject) -> None:
    packets = data.draw(wild_packets())
    expected = whole(packets, head=HEAD)
    parts = data.draw(splits(packets))
    memory = data.draw(st.sampled_from([0, 1 << 20]))
    assert run(parts, head=HEAD, limits=TINY, memory=memory) == expected


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_which_conversations_are_kept_does_not_depend_on_the_split(data: st.DataObject) -> None:
    packets = data.draw(wild_packets())
    limit = data.draw(st.integers(1, 4))
    expected_omitted, omitted = Omitted(), Omitted()
    expected = whole(packets, head=HEAD, conversations=limit, omitted=expected_omitted)
    parts = data.draw(splits(packets))
    found = run(parts, head=HEAD, limits=TINY, memory=0, conversations=limit, omitted=omitted)
    assert found == expected
    assert omitted == expected_omitted
    everything = whole(packets, head=HEAD)
    assert all(dialogue in everything for dialogue in found)
    for proto in (TCP, UDP):
        kept = {key(dialogue) for dialogue in found if dialogue.proto == proto}
        there = {key(dialogue) for dialogue in everything if dialogue.proto == proto}
        assert len(kept) == min(limit, len(there))


def key(dialogue: Dialogue) -> frozenset[tuple[int, int, int]]:
    """Both ends, whichever is the client."""
    return frozenset(
        [
            (dialogue.client_hi, dialogue.client_lo, dialogue.client_port),
            (dialogue.server_hi, dialogue.server_lo, dialogue.port),
        ]
    )


@st.composite
def connections(draw: st.DrawFn) -> list[Packet]:
    """Connections with a handshake and packets that overlap, repeat, contradict and come late."""
    packets: list[Packet] = []
    for client in range(draw(st.integers(1, 3))):
        isn, other = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([1, 2**32 - 20, 2**31]))
        begin = draw(st.integers(0, 100))
        packets += handshake(begin, isn, other, sport=40001 + client)
        for _ in range(draw(st.integers(0, 12))):
            packet = Packet(
                ts=begin + draw(st.integers(2, 60)),
                sport=40001 + client,
                seq=(isn + draw(st.integers(-5, 150))) % 2**32,
                ack=other,
                payload=draw(st.binary(min_size=1, max_size=60)),
            )
            if draw(st.booleans()):
                packet = packet.back(seq=(other + draw(st.integers(-5, 150))) % 2**32, ack=isn)
            packets.append(packet)
    return numbered(packets)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_streams_are_those_of_the_plain_reference(data: st.DataObject) -> None:
    packets = data.draw(connections())
    agree(packets, run(data.draw(splits(packets)), head=HEAD, limits=TINY))


def agree(packets: list[Packet], found: list[Dialogue]) -> None:
    """The dialogues hold the bytes and the conflicts that the reference finds."""
    expected = plain(packets, HEAD)
    seen = {}
    for dialogue in found:
        assert dialogue.complete
        assert dialogue.roles == "handshake"
        ends = [(dialogue.client_lo, dialogue.client_port), (dialogue.server_lo, dialogue.port)]
        for stream, way in ((dialogue.client, ends), (dialogue.server, ends[::-1])):
            places = {at + i: byte for at, part in stream.parts() for i, byte in enumerate(part)}
            if places:
                seen[(*way[0], *way[1])] = places, stream.conflicts
    as_numbers = {
        (low(src), sport, low(dst), dport): found
        for (src, sport, dst, dport), found in expected.items()
        if found[0]
    }
    assert seen == as_numbers


def low(address: str) -> int:
    return halves(ipaddress.ip_address(address))[1]


@pytest.mark.parametrize("order", ["as sent", "backwards"])
def test_a_flood_between_request_and_answer_evicts_and_loses_nothing(order: str) -> None:
    request = Packet(ts=10, seq=1000, ack=5000, payload=b"POST /UD/act?1 HTTP/1.1\r\n\r\n")
    answer = request.back(
        ts=10_000, seq=5000, ack=1000 + len(request.payload), payload=b"HTTP/1.1 200 OK\r\n"
    )
    flood = [
        replace(request, ts=100 + i, sport=10_000 + i, src=f"203.0.113.{i % 200}", payload=b"x")
        for i in range(3000)
    ]
    packets = numbered([*handshake(), request, *flood, answer])
    if order == "backwards":
        packets.reverse()
    found = run([[packets]], limits=TINY, head=HEAD)
    worked = [dialogue for dialogue in found if dialogue.server]
    assert len(found) == 3001
    assert [(d.client.data, d.server.data) for d in worked] == [(request.payload, answer.payload)]


def test_late_packets_of_an_earlier_spell_do_not_spend_the_budget_of_the_present_one() -> None:
    begin = Packet(ts=2 * SPELL, seq=1000, ack=5000, payload=b"hello")
    old = [
        begin.back(ts=SPELL + i, seq=3_000_000_000, ack=2_000_000_000, payload=b"o" * HEAD) for i in range(5)
    ]
    answer = begin.back(ts=2 * SPELL + 9, seq=5000, ack=1005, payload=b"answer")
    packets = numbered([begin, *old, answer])
    found = run([[packets]], head=HEAD, limits=TINY)
    assert found == run([[packets[1:]], [packets[:1]]], head=HEAD, limits=TINY)
    assert [d.server.data for d in found if d.client] == [b"answer"]


def test_uncompiled_kernels_agree_with_the_reference(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.dialogue.uncompiled"],
        cwd=project,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "agreed\n"
