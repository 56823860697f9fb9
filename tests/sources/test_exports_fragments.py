"""Exports that IP cut into fragments: put together in any order, within bounds, counted where they cannot be."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from . import build as b
from . import sflow_build as s
from .test_exports_capture import ROUTER, ROUTER6, read, v5


@pytest.mark.parametrize("sender", [ROUTER, ROUTER6])
@pytest.mark.parametrize("seed", range(4))
def test_fragments_in_any_order(tmp_path: Path, sender: str, seed: int) -> None:
    source = random.Random(seed)
    ports = list(range(1000, 1020))
    pieces = [
        *s.fragments(v5(*ports), 256, sender, ident=1),
        *s.fragments(v5(*ports, sequence=20), 256, sender, ident=2),
    ]
    source.shuffle(pieces)
    found = read(tmp_path, [*pieces, s.export(v5(9), sender)])
    assert sorted(found.ports()) == sorted([*ports, *ports, 9])
    assert found.tally.skipped == {}
    assert {row["observer"].exporter for row in found.rows} == {sender}


def test_options_in_the_ip_header_and_repeated_pieces(tmp_path: Path) -> None:
    payload = b.udp(50_000, 2055, v5(*range(1000, 1020)))
    pieces = [
        b.ether(b.ip4(payload[at : at + 400], 17, ROUTER, s.COLLECTOR, options=b"\x01" * 8,
                      fragment=at // 8 | (0x2000 if at + 400 < len(payload) else 0)))
        for at in range(0, len(payload), 400)
    ]  # fmt: skip
    found = read(tmp_path, [pieces[1], pieces[1], pieces[0], pieces[2]])
    assert len(found.rows) == 20
    assert found.tally.skipped == {}


def test_what_cannot_be_put_together_is_counted(tmp_path: Path) -> None:
    export = s.fragments(v5(*range(1000, 1020)), 256, ident=1)
    other = s.fragments(b"\xff" * 900, 256, ident=2)
    headless = s.fragments(v5(*range(20)), 256, ident=3)[1:]
    found = read(tmp_path, [*export[:-1], *other, *headless])
    assert found.rows == []
    assert found.tally.skipped == {"bad-datagram": 1, "not-an-export": len(other) + len(headless)}


def test_pieces_wait_for_half_a_minute(tmp_path: Path) -> None:
    pieces = s.fragments(v5(*range(1000, 1010)), 256)
    assert len(read(tmp_path, pieces, step=14 * 10**9).rows) == 10
    late = read(tmp_path, pieces, step=31 * 10**9)
    assert late.rows == []
    assert late.tally.skipped == {"bad-datagram": 1, "not-an-export": len(pieces) - 1}


def test_overlapping_pieces_are_not_mixed(tmp_path: Path) -> None:
    first = s.fragments(v5(*range(1000, 1010)), 256, ident=1)
    second = s.fragments(v5(*range(2000, 2010)), 256, ident=1)
    found = read(tmp_path, [first[0], *second])
    assert found.ports() == list(range(2000, 2010))
    assert found.tally.skipped == {"bad-datagram": 1}


def test_a_flood_of_first_pieces_is_bounded(tmp_path: Path) -> None:
    flood = [s.fragments(v5(*range(10)), 256, ident=1 + i)[0] for i in range(2_000)]
    found = read(tmp_path, [*flood, *s.fragments(v5(23, 22, 21, 20, 19, 18), 256, ident=0)])
    assert len(found.rows) == 6
    assert found.tally.skipped == {"bad-datagram": 2_000}
