"""LZ4 blocks: the kernel unpacks what the library packs, and of any bytes it makes what a plain reading makes."""

from __future__ import annotations

import random

import lz4.block
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rearguard.sources.nfcapd.lz4 import unpack_lz4
from sources.nfcapd_build import Flow, flow_v2

ROOM = 1 << 14
Sequence = tuple[bytes, int, int]
"""Literals, distance, length of the match (4 or more)."""


def unpacked(packed: bytes, room: int) -> bytes | None:
    """What the kernel makes of it, in a buffer of ``room`` bytes that held something else before."""
    out = np.full(room, 0xAA, np.uint8)
    size = unpack_lz4(np.frombuffer(packed, np.uint8), out)
    return None if size < 0 else out[:size].tobytes()


def reference(packed: bytes, room: int) -> bytes | None:
    """The format as it is written down, byte by byte; None for what is damaged or has no room."""
    data, at = bytearray(), 0

    def length(value: int) -> int:
        nonlocal at
        more = 255 if value == 15 else 0
        while more == 255:
            more = packed[at]
            at += 1
            value += more
        return value

    try:
        while True:
            token = packed[at]
            at += 1
            literals = length(token >> 4)
            if at + literals > len(packed):
                return None
            data += packed[at : at + literals]
            at += literals
            if at == len(packed):
                return bytes(data) if len(data) <= room else None
            distance = packed[at] | packed[at + 1] << 8
            at += 2
            match = length(token & 15) + 4
            if not 0 < distance <= len(data) or len(data) + match > room:
                return None
            for _ in range(match):
                data.append(data[-distance])
    except IndexError:
        return None


def more(value: int) -> bytes:
    """The bytes behind the four bits of a length."""
    return b"" if value < 15 else b"\xff" * ((value - 15) // 255) + bytes([(value - 15) % 255])


def packed_of(sequences: list[Sequence], last: bytes) -> bytes:
    """A block of these sequences, whether they can be followed or not."""
    made = b""
    for literals, distance, match in sequences:
        made += bytes([min(len(literals), 15) << 4 | min(match - 4, 15)]) + more(len(literals)) + literals
        made += distance.to_bytes(2, "little") + more(match - 4)
    return made + bytes([min(len(last), 15) << 4]) + more(len(last)) + last


sequences = st.lists(
    st.tuples(
        st.integers(0, 40).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
        st.one_of(st.integers(1, 40), st.integers(1, 600)),
        st.one_of(st.integers(4, 24), st.integers(4, 700)),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(made=sequences, last=st.binary(max_size=80), begin=st.binary(min_size=8, max_size=64))
def test_sequences_of_all_kinds_are_followed(made: list[Sequence], last: bytes, begin: bytes) -> None:
    size, kept = 0, []
    for literals, distance, match in [(begin, 1, 4), *made]:
        size += len(literals)
        kept.append((literals, 1 + (distance - 1) % size, match))
        size += match
    packed = packed_of(kept, last)
    data = reference(packed, ROOM)
    assert data is not None
    for room in (len(data), len(data) + 1, len(data) + 30, ROOM):
        assert unpacked(packed, room) == data
    assert unpacked(packed, len(data) - 1) is None


@settings(max_examples=200, deadline=None)
@given(made=sequences, last=st.binary(max_size=60), room=st.sampled_from([60, 700, ROOM]))
@example(made=[(b"abcdefgh" * 4, 0, 20)], last=b"x" * 60, room=ROOM)  # a match of nothing that came out
@example(made=[(b"abc", 65_535, 20)], last=b"x" * 60, room=ROOM)
def test_what_cannot_be_followed_is_refused(made: list[Sequence], last: bytes, room: int) -> None:
    packed = packed_of(made, last)
    assert unpacked(packed, room) == reference(packed, room)


@settings(max_examples=300, deadline=None)
@given(
    data=st.lists(st.sampled_from([b"abcd", b"\0" * 40, b"xyz" * 30, b"q"]), min_size=1, max_size=40),
    noise=st.binary(max_size=60),
    at=st.integers(0, 400),
    value=st.integers(0, 255),
    cut=st.integers(1, 400),
)
def test_damage_is_refused_or_harmless(
    data: list[bytes], noise: bytes, at: int, value: int, cut: int
) -> None:
    packed = bytearray(lz4.block.compress(noise + b"".join(data), store_size=False))
    packed[at % len(packed)] = value
    damaged = bytes(packed[:cut])
    assert unpacked(damaged, 2_000) == reference(damaged, 2_000)


@pytest.mark.parametrize("packed", [b"", b"\xf0", b"\xf0\xff", b"\x00\x00", b"\x10", b"\x1fa\x01\x00\xff"])
def test_a_block_that_ends_too_early_is_refused(packed: bytes) -> None:
    assert unpacked(packed, ROOM) is None
    assert reference(packed, ROOM) is None


@pytest.mark.parametrize("level", [0, 9])
def test_many_like_records_are_unpacked_as_by_the_library(level: int) -> None:
    """Long enough for all kinds of matches; with room for what is asked only, and with one byte less."""
    rng = random.Random(5)
    data = b"".join(
        flow_v2(Flow(sport=rng.randrange(65_536), bytes=rng.choice((44, 1500, 1 << 33)), ingress=k % 5))
        + bytes(rng.randrange(256) for _ in range(rng.choice((0, 0, 3, 40, 300))))
        + b"xyz"[: rng.randrange(1, 4)] * rng.choice((0, 3, 50, 400))
        for k in range(1_000)
    )
    mode = {"mode": "high_compression", "compression": level} if level else {}
    packed = lz4.block.compress(data, store_size=False, **mode)
    for room in (len(data), len(data) + 1, len(data) + 100):
        assert unpacked(packed, room) == data
    assert unpacked(packed, len(data) - 1) is None
