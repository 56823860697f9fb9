"""Bytes in their places: the rules of rearguard.dialogue.stream, one by one."""

from __future__ import annotations

import pytest

from rearguard.dialogue.stream import Packet, Stream, datagrams, reassemble


def packets(*items: tuple[int, bytes]) -> list[Packet]:
    """(place, payload) in the order of time; record numbers count from 1."""
    return [Packet(at, data, len(data), number * 10, number) for number, (at, data) in enumerate(items, 1)]


@pytest.mark.parametrize(
    ("name", "items", "data", "islands", "missing", "conflicts"),
    [
        ("in order", [(0, b"GET "), (4, b"/")], b"GET /", (), 0, 0),
        ("out of order", [(4, b"/"), (0, b"GET ")], b"GET /", (), 0, 0),
        ("retransmission", [(0, b"GET "), (0, b"GET ")], b"GET ", (), 0, 0),
        ("overlap that agrees", [(0, b"GET "), (2, b"T /x")], b"GET /x", (), 0, 0),
        ("overlap that contradicts: earliest", [(0, b"GET "), (2, b"XX/x")], b"GET /x", (), 0, 2),
        ("hole filled around", [(2, b"T"), (0, b"xxxxx")], b"xxTxx", (), 0, 1),
        ("gap", [(0, b"GET"), (5, b"HTTP")], b"GET", ((5, b"HTTP"),), 2, 0),
        ("first packet lost", [(4, b"/")], b"", ((4, b"/"),), 4, 0),
        ("before the start", [(-1, b"\0GET")], b"GET", (), 0, 0),
        ("wholly before the start", [(-9, b"abc"), (0, b"x")], b"x", (), 0, 0),
    ],
)
def test_reassembly(
    name: str, items: list[tuple[int, bytes]], data: bytes, islands: object, missing: int, conflicts: int
) -> None:
    stream = reassemble(packets(*items), 100)
    assert (stream.data, stream.islands, stream.missing, stream.conflicts) == (
        data,
        islands,
        missing,
        conflicts,
    ), name
    assert not stream.truncated


def test_each_byte_names_the_packet_that_brought_it() -> None:
    stream = reassemble(packets((0, b"aa"), (4, b"cc"), (1, b"xbbx")), 100)
    assert stream.data == b"aabbcc"
    found = [stream.origin_of(place) for place in range(6)]
    assert [origin.rec for origin in found if origin] == [1, 1, 3, 3, 2, 2]


@pytest.mark.parametrize(
    "given",
    [
        [Packet(0, b"x" * 11, 11, 1, 1)],
        [Packet(10, b"x", 1, 1, 1), Packet(0, b"y", 1, 2, 2)],
        [Packet(0, b"abc", 9, 1, 1)],
        [Packet(0, b"x" * 10, 900, 1, 1)],
    ],
    ids=["longer than the head", "behind the head", "cut by the capture", "cut at the head"],
)
def test_what_is_not_here_is_said(given: list[Packet]) -> None:
    stream = reassemble(given, 10)
    assert stream.truncated
    assert len(stream.data) <= 10


def test_a_spent_budget_is_said() -> None:
    assert reassemble(packets((0, b"x")), 10, spent=True).truncated
    assert datagrams(packets((0, b"x")), 10, spent=True).truncated


def test_nothing_is_an_empty_stream() -> None:
    assert reassemble([], 10) == Stream()
    assert not Stream()


def test_datagrams_keep_their_borders_and_their_order() -> None:
    stream = datagrams(packets((0, b"abc"), (0, b"de"), (0, b"fgh")), 7)
    assert stream.data == b"abcdefg"
    assert [origin.offset for origin in stream.origins] == [0, 3, 5]
    assert stream.truncated


def test_parts_are_what_a_search_must_look_through() -> None:
    assert reassemble(packets((0, b"ab"), (5, b"cd")), 100).parts() == ((0, b"ab"), (5, b"cd"))
    assert reassemble(packets((5, b"cd")), 100).parts() == ((5, b"cd"),)
