"""sFlow over time and in bad hands: sequence numbers, repeated and hostile datagrams, limits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.sources.observers import MAX_EXPORTERS

from . import build as b
from . import sflow_build as s
from .sflow_outcome import Outcome, agree
from .test_sflow import FRAMES


def test_what_the_agents_tell_of_themselves() -> None:
    samples = [(1, 100, 0), (2, 300, 0), (5, 900, 4)]
    payloads = [
        s.datagram(s.flow(s.plain4(), number=number, pool=pool, drops=drops, rate=50), number=10 + i)
        for i, (number, pool, drops) in enumerate(samples)
    ]
    payloads += [s.datagram(s.flow(s.plain4(), number=1), number=3, sub=1)]
    first, second = agree(payloads).agents
    assert (first.kind, first.datagrams, first.records, first.rate, first.rate_from) == (
        "sFlow v5",
        3,
        3,
        50,
        "record",
    )
    assert (first.lost, first.lost_samples, first.pool, first.drops) == (0, 2, 800, 4)
    assert (second.address, second.domain, second.datagrams) == (s.AGENT, 1, 1)


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((1, 2, 3), 0),
        ((1, 4), 2),
        ((1, 3, 2, 4), 0),
        ((1, 5, 3), 2),
        ((0xFFFFFFFE, 0xFFFFFFFF, 0, 1), 0),
        ((0xFFFFFFFE, 1), 2),
        ((5_000_000, 1, 2), 0),
        ((1, 9_000_000, 9_000_001), 0),
        ((3, 2, 1), 0),
    ],
)
def test_gaps_between_the_numbers_of_datagrams_and_samples(numbers: Sequence[int], lost: int) -> None:
    samples = [s.datagram(s.flow(s.plain4(), number=i), number=i) for i in numbers]
    (agent,) = agree(samples).agents
    assert (agent.lost, agent.lost_samples) == (lost, lost)


def test_a_datagram_that_was_captured_twice_counts_once() -> None:
    one, two = s.datagram(s.flow(s.plain4()), number=1), s.datagram(s.flow(s.plain4()), number=2)
    outcome = agree([one, one, two, one])
    assert outcome.tally.skipped == {"duplicate-datagram": 2}
    assert outcome.agents[0].datagrams == 2


def test_agents_beyond_the_limit_are_refused_and_counted() -> None:
    payloads = [s.datagram(s.flow(s.plain4()), sub=i) for i in range(MAX_EXPORTERS + 3)]
    outcome = Outcome(payloads)
    assert outcome.tally.skipped == {"exporter-limit": 3}
    assert len(outcome.agents) == len(outcome.rows) == MAX_EXPORTERS


def test_it_stops_before_rows_are_full_and_goes_on() -> None:
    payload = [
        s.datagram(*[s.flow(s.plain4(), s.header(b.ether(b.ip4(b.tcp()))))] * 5, number=i) for i in range(40)
    ]
    small, large = Outcome(payload, rows=40), Outcome(payload)
    assert len(large.rows) == 200
    assert small.rows == large.rows
    assert small.tally == large.tally


def damaged() -> st.SearchStrategy[list[bytes]]:
    """Datagrams of all kinds of samples, with words overwritten, cut, or followed by others."""
    records = st.sampled_from([*FRAMES.values(), s.EXTENDED_SWITCH, s.EXTENDED_ROUTER])
    samples = st.one_of(
        st.builds(
            lambda found, expanded, source, rate: s.flow(*found, expanded=expanded, source=source, rate=rate),
            st.lists(records, max_size=3), st.booleans(), st.sampled_from([3, 7, 11]), st.integers(0, 2**32 - 1),
        ),
        st.sampled_from([s.counters(), s.counters(expanded=True), s.DISCARDED]),
    )  # fmt: skip
    agents = st.sampled_from([s.AGENT, "2001:db8::1", None])
    whole = st.builds(
        lambda found, agent, number: s.datagram(*found, agent=agent, number=number),
        st.lists(samples, max_size=5), agents, st.integers(0, 2**32 - 1),
    )  # fmt: skip

    def overwrite(data: bytes, places: list[tuple[int, int]]) -> bytes:
        out = bytearray(data)
        for place, value in places:
            at = place % max(len(out) // 4, 1) * 4
            out[at : at + 4] = value.to_bytes(4, "big")
        return bytes(out)

    words = st.sampled_from([0, 1, 2, 3, 4, 5, 11, 13, 16, 40, 144, 0x3FFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    spoiled = st.builds(overwrite, whole, st.lists(st.tuples(st.integers(0, 400), words), max_size=3))
    cut = st.builds(lambda data, n: data[: len(data) - n % (len(data) + 1)], spoiled, st.integers(0, 200))
    return st.lists(st.one_of(whole, spoiled, cut), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_hostile_datagrams(payloads: list[bytes]) -> None:
    agree(payloads)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200).map(lambda data: s.words(5, 1) + data), min_size=1, max_size=3))
def test_noise(payloads: list[bytes]) -> None:
    agree(payloads)


def test_counts_that_lie_cost_no_more_than_the_bytes_that_are_there() -> None:
    huge = s.words(5, 1) + IPv4Address(s.AGENT).packed + s.words(0, 1, 0, 0xFFFFFFFF)
    outcome = agree([huge, huge + s.words(1, 0) * 8_000, huge + s.words(1, 0xFFFFFFFF)])
    assert outcome.tally.skipped == {"bad-datagram": 3, "bad-flow-record": 8_000}


FAR_CLASSES = [
    s.datagram(
        *(
            s.flow(s.plain4(), kind=kind, number=number, expanded=True)
            for kind in (0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
        ),
        number=number,
    )
    for number in (1, 3)
]


def test_any_class_of_a_data_source_is_one_of_its_own() -> None:
    """Of 32 bits; gaps between samples are counted for each."""
    assert agree(FAR_CLASSES).agents[0].lost_samples == 4


def test_uncompiled_it_says_the_same(project: Path) -> None:
    """The kernels as plain Python; the only warning is that hashes wrap around, as they do compiled."""
    check = (
        "from tests.sources import test_sflow as t, test_sflow_hostile as hostile, sflow_build as s\n"
        "from tests.sources.sflow_outcome import agree\n"
        "agree([s.datagram(s.flow(one), s.counters(), number=n) for n, one in enumerate(t.FRAMES.values())])\n"
        "agree(hostile.FAR_CLASSES)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:overflow encountered:RuntimeWarning", "-c", check],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
