"""Records of layout 2 whose shape was met before, or looks like one that was: each is read for what it is."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lzallright import LZOCompressor

from rearguard.sources.nfcapd.lzo import unpack_lzo
from rearguard.sources.nfcapd.shapes import ELEMENTS, SLOTS
from sources.nfcapd_build import Block, Element, Flow, exporter, file_v2, flow_v2
from sources.nfcapd_truth import read
from sources.test_nfcapd import expected, flows, without_observer

HEADER = 12
NEXT_HOPS = 7, 9, 10, 11, 14, 20, 29
"""Elements of which no row has anything."""
NO_NAT_EVENT = {order: struct.pack(order + "HH16x", 25, 20) for order in "<>"}
"""The element that tells of NAT events, telling of none."""


def elements(record: bytes, order: str = "<") -> list[bytes]:
    """The elements of a record, each with its header."""
    found, at = [], HEADER
    while at < len(record):
        size = struct.unpack_from(order + "H", record, at + 2)[0]
        found.append(record[at : at + size])
        at += size
    return found


def rebuilt(record: bytes, parts: Sequence[bytes], order: str = "<") -> bytes:
    """The same record with other elements."""
    body = b"".join(parts)
    return struct.pack(order + "HHH", 11, HEADER + len(body), len(parts)) + record[6:HEADER] + body


def rows_of(
    tmp_path: Path, records: Sequence[bytes], order: str = "<"
) -> tuple[list[dict[str, int]], dict[str, int]]:
    path = tmp_path / "file"
    known = [exporter(k, f"192.0.2.{k}", k, 9, order) for k in (1, 2)]
    path.write_bytes(file_v2([Block([*known, *records])], "", order))
    rows, source = read(path)
    return without_observer(rows), source.tally.skipped


@pytest.mark.parametrize("order", ["<", ">"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(flows(), min_size=1, max_size=12), seed=st.integers(0, 1 << 32))
def test_elements_stand_in_any_order_among_any_others(
    tmp_path: Path, order: str, made: list[Flow], seed: int
) -> None:
    rng = random.Random(seed)
    records = []
    for flow in made:
        extra = [Element(rng.choice(NEXT_HOPS), bytes(4 * rng.randrange(4))) for _ in range(rng.randrange(3))]
        record = flow_v2(flow, order, extra)
        parts = elements(record, order)
        rng.shuffle(parts)
        records.append(rebuilt(record, parts, order))
    rows, _ = rows_of(tmp_path, records + records, order)
    assert rows == [row for record, one in enumerate(made + made, 1) for row in expected(one, record)]


@pytest.mark.parametrize("order", ["<", ">"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(flows(), min_size=1, max_size=8))
def test_a_rare_field_that_says_nothing_changes_nothing(tmp_path: Path, order: str, made: list[Flow]) -> None:
    """Records with rare fields are read by another way than those without; both give the same rows."""
    plain = [flow_v2(replace(flow, packets_back=0, bytes_back=0), order) for flow in made]
    with_nat = [rebuilt(one, [*elements(one, order), NO_NAT_EVENT[order]], order) for one in plain]
    usual, skipped = rows_of(tmp_path, plain, order)
    other, other_skipped = rows_of(tmp_path, with_nat, order)
    assert usual == other
    assert skipped == other_skipped


def test_records_of_one_size_and_number_are_told_apart_by_each_element(tmp_path: Path) -> None:
    """All of these share a row of the table, and a field that is read at another's place shows."""
    flow = Flow(exporter=1, ingress=7, egress=9, packets_back=5, bytes_back=99)
    parts = elements(flow_v2(flow))
    records = [rebuilt(flow_v2(flow), parts[k:] + parts[:k]) for k in range(len(parts))]
    assert len({len(record) for record in records}) == 1
    rows, skipped = rows_of(tmp_path, records * 3)
    assert rows == [row for record in range(1, 3 * len(records) + 1) for row in expected(flow, record)]
    assert not skipped


@pytest.mark.parametrize("at", range(HEADER, HEADER + 84, 2))
def test_a_forged_element_is_seen_behind_records_that_look_the_same(tmp_path: Path, at: int) -> None:
    """Two bytes that belong to an element's header make it another one; two that do not are a value."""
    flow = Flow(exporter=1, ingress=7, egress=9)
    good = flow_v2(flow)
    heads, position = set(), HEADER
    for part in elements(good):
        heads |= {position, position + 2}
        position += len(part)
    forged = good[:at] + b"\xee\xee" + good[at + 2 :]
    rows, skipped = rows_of(tmp_path, [good, forged, good])
    right = [row for record in (1, 3) for row in expected(flow, record)]
    others = [row for row in rows if row["record"] == 2]
    assert [row for row in rows if row["record"] != 2] == right
    if at in heads:
        # An unknown element instead of the interfaces costs no more than those.
        assert others in ([], expected(flow, 2))
        assert bool(others) == (not skipped)
    else:
        assert len(others) == (0 if skipped else 1)


@pytest.mark.parametrize("count", [ELEMENTS - 3, ELEMENTS - 2, ELEMENTS - 1, ELEMENTS, 3 * ELEMENTS])
def test_a_record_may_have_more_elements_than_are_remembered(tmp_path: Path, count: int) -> None:
    flow = Flow(exporter=1)
    record = flow_v2(flow, "<", [Element(29, b"abcd")] * count)
    rows, skipped = rows_of(tmp_path, [record] * 3)
    assert rows == [row for number in (1, 2, 3) for row in expected(flow, number)]
    assert not skipped


def test_more_shapes_than_the_table_has_rows(tmp_path: Path) -> None:
    made = [Flow(exporter=1, payload=b"abcd" * (k % (3 * SLOTS)), dport=k) for k in range(1, 6 * SLOTS)]
    rows, _ = rows_of(tmp_path, [flow_v2(flow) for flow in made])
    assert rows == [row for record, flow in enumerate(made, 1) for row in expected(flow, record)]


def test_lzo_of_many_like_records_is_unpacked_as_by_the_library() -> None:
    """Long enough for all kinds of matches; with room for what is asked only, and with one byte less."""
    rng = random.Random(5)
    data = b"".join(
        flow_v2(Flow(sport=rng.randrange(65_536), bytes=rng.choice((44, 1500, 1 << 33)), ingress=k % 5))
        + bytes(rng.randrange(256) for _ in range(rng.choice((0, 0, 3, 40, 300))))
        + b"xyz"[: rng.randrange(1, 4)] * rng.choice((0, 3, 50))
        for k in range(1_500)
    )
    packed = np.frombuffer(LZOCompressor().compress(data), np.uint8)
    for room in (len(data), len(data) + 1, len(data) + 100):
        out = np.full(room, 0xAA, np.uint8)
        assert unpack_lzo(packed, out) == len(data)
        assert out[: len(data)].tobytes() == data
    assert unpack_lzo(packed, np.zeros(len(data) - 1, np.uint8)) == -1
