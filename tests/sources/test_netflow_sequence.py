"""What the numbers of datagrams say of loss, and what they do not."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from rearguard.sources.exports.tables import KEPT_DIGESTS

from . import exports_build as b

Made = Callable[[int], bytes]


@pytest.mark.parametrize(
    ("unit", "made"),
    [
        (
            "records",
            lambda n: b.v5(b.v5_record(), b.v5_record(src=n), sequence=2 * n, seconds=b.NOW + n % 10**6),
        ),
        ("datagrams", lambda n: b.v9(sequence=n, seconds=b.NOW + n % 10**6)),
        (
            "records",
            lambda n: b.ipfix(
                b.template(10, 256, b.PAIR),
                b.a_set(256, 2 * b.pair(src=n)),
                sequence=2 * n,
                seconds=b.NOW + n,
            ),
        ),
    ],
    ids=["v5", "v9", "ipfix"],
)
class TestSequence:
    """Numbers n, n + 1, ... are datagrams that follow each other."""

    def lost(self, unit: str, made: Made, *numbers: int) -> int:
        each = 2 if unit == "records" else 1
        fed = b.feed(*(made(n % ((1 << 32) // each)) for n in numbers))
        assert fed.exporter.lost_unit == unit
        assert fed.exporter.lost % each == 0
        return fed.exporter.lost // each

    def test_nothing_is_lost(self, unit: str, made: Made) -> None:
        assert self.lost(unit, made, 5, 6, 7, 8) == 0

    def test_a_gap_is(self, unit: str, made: Made) -> None:
        assert self.lost(unit, made, 5, 9, 10) == 3

    def test_what_was_overtaken_is_not(self, unit: str, made: Made) -> None:
        assert self.lost(unit, made, 5, 7, 6, 8) == 0

    def test_a_repeated_datagram_neither(self, unit: str, made: Made) -> None:
        fed = b.feed(*(made(n) for n in (5, 6, 6, 5, 7)))
        assert (fed.exporter.lost, fed.exporter.datagrams) == (0, 3)
        assert fed.skipped["duplicate-datagram"] == 2

    def test_nor_a_new_beginning(self, unit: str, made: Made) -> None:
        assert self.lost(unit, made, 1_000_000_000, 1_000_000_001, 3_900_000_000 % (1 << 31), 5, 6) == 0

    def test_nor_the_wrap(self, unit: str, made: Made) -> None:
        last = (1 << 32) // (2 if unit == "records" else 1) - 1
        seconds = [made(n) for n in (last, 0)]
        assert b.feed(*seconds).exporter.lost == 0


def test_a_gap_across_the_wrap_is_a_gap() -> None:
    fed = b.feed(b.v9(sequence=0xFFFF_FFFE), b.v9(sequence=2))
    assert fed.exporter.lost == 3


def test_exporters_of_ipfix_that_count_otherwise_lose_nothing() -> None:
    """softflowd's number does not count options, and counts the message itself."""
    learned = b.template(10, 256, b.PAIR), b.options(10, 257, ((0, 149, 4),), ((0, 34, 4),))
    sizes = (3, 3, 2, 4, 4, 1)
    for inclusive in (0, 1):
        number, made = 0, []
        for i, size in enumerate(sizes):
            sets = (*learned, b.a_set(257, struct.pack(">II", i, 9))) if i % 2 == 0 else ()
            data = b.a_set(256, b"".join(b.pair(src=i * 10 + k) for k in range(size)))
            made.append(b.ipfix(*sets, data, sequence=number + size * inclusive))
            number += size
        assert b.feed(*made).exporter.lost == 0
        assert b.feed(*made[:2], *made[3:]).exporter.lost in (1, 2, 3)


def test_a_datagram_that_comes_again_much_later_is_decoded_again() -> None:
    first = b.v5(b.v5_record())
    others = [b.v5(b.v5_record(src=n), sequence=n) for n in range(1, KEPT_DIGESTS + 1)]
    assert b.feed(first, *others, first).skipped == {}
