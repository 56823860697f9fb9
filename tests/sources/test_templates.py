"""Templates: learned, changed, withdrawn, missing, forged."""

from __future__ import annotations

import struct
import time

import pytest

from rearguard.sources.exports import Bounds
from rearguard.sources.exports.tables import EXPORTER_ALLOWANCE

from . import exports_build as b

FLOW = (*b.PAIR, *b.COUNTS)
DATA = b.pair() + b.counts()
SWAPPED = ((0, 12, 4), (0, 8, 4), *FLOW[2:])
MINUTE = 60 * b.SECOND
T0 = b.NOW * b.SECOND


@pytest.mark.parametrize("version", [9, 10])
class TestBothVersions:
    def test_data_before_its_template_is_held_and_comes_first(self, version: int) -> None:
        early = [b.message(version, b.a_set(256, b.pair(src=i) + b.counts()), sequence=i) for i in range(3)]
        late = b.message(
            version, b.template(version, 256, FLOW), b.a_set(256, b.pair(src=3) + b.counts()), sequence=3
        )
        fed = b.feed(*early, late)
        assert [row["src_lo"] & 0xFF for row in fed.rows] == [0, 1, 2, 3]
        assert [row["record"] for row in fed.rows] == [1, 2, 3, 4]
        assert (fed.skipped, fed.exporter.lost, fed.exporter.records) == ({}, 0, 4)

    def test_without_a_template_it_is_counted(self, version: int) -> None:
        fed = b.feed(
            *(b.message(version, b.a_set(256, DATA), b.a_set(300, DATA), sequence=i) for i in range(3))
        )
        assert (fed.rows, fed.skipped) == ([], {"no-template": 6})
        assert fed.exporter.without_template == 6
        assert not fed.tally.complete

    def test_a_changed_template_holds_from_then_on(self, version: int) -> None:
        fed = b.feed(
            b.message(version, b.template(version, 256, FLOW), b.a_set(256, DATA)),
            b.message(version, b.template(version, 256, SWAPPED), b.a_set(256, DATA), sequence=1),
            b.message(version, b.template(version, 256, FLOW), b.a_set(256, DATA), sequence=2),
        )
        assert [row["src_lo"] & 0xFFFF_FFFF for row in fed.rows] == [0x0A000002, 0xCB007107, 0x0A000002]

    def test_templates_belong_to_exporter_and_domain(self, version: int) -> None:
        other = {9: b.v9(b.a_set(256, DATA), source=5), 10: b.ipfix(b.a_set(256, DATA), domain=5)}[version]
        one = b.message(version, b.template(version, 256, FLOW))
        mine = b.message(version, b.a_set(256, DATA), sequence=1)
        fed = b.feed(one, other, mine, mine, sources=[b.ROUTER, b.ROUTER, b.ROUTER + 9, b.ROUTER])
        assert (fed.tally.rows, fed.skipped) == (1, {"no-template": 2})

    def test_several_templates_in_a_set_and_padding(self, version: int) -> None:
        two = b.template(version, 256, FLOW)[4:] + b.template(version, 257, SWAPPED)[4:] + bytes(4)
        sets = b.a_set(2 if version == 10 else 0, two)
        fed = b.feed(b.message(version, sets, b.a_set(257, DATA + bytes(3)), b.a_set(256, DATA)))
        assert (fed.tally.rows, fed.skipped) == (2, {})

    def test_a_broken_template_leaves_the_others(self, version: int) -> None:
        good = b.template(version, 256, FLOW)[4:]
        broken = b.a_set(2 if version == 10 else 0, good + struct.pack(">HH", 257, 40) + bytes(8))
        fed = b.feed(b.message(version, broken, b.a_set(256, DATA)))
        assert (fed.tally.rows, fed.skipped) == (1, {"bad-datagram": 1})

    def test_a_record_of_variable_length(self, version: int) -> None:
        fields = (*b.PAIR, (35_632, 110, b.VARIABLE), (0, 291, b.VARIABLE), *b.COUNTS)
        short = b.pair() + b"\x03abc" + b"\x00" + b.counts(1, 40)
        long = b.pair() + b"\xff\x01\x00" + bytes(256) + b"\x02\x00\x00" + b.counts(2, 80)
        fed = b.feed(b.message(version, b.template(version, 256, fields), b.a_set(256, short + long)))
        assert [row["bytes"] for row in fed.rows] == [40, 80]
        cut = b.a_set(256, short + b.pair() + b"\xff\xff\xff" + bytes(30))
        fed = b.feed(b.message(version, b.template(version, 256, fields), cut))
        assert (fed.tally.rows, fed.skipped) == (1, {"bad-flow-record": 1})

    def test_zero_length_fields_cost_nothing(self, version: int) -> None:
        fields = (*FLOW, *((0, 82, 0) for _ in range(300)))
        fed = b.feed(b.message(version, b.template(version, 256, fields), b.a_set(256, DATA)))
        assert fed.tally.rows == 1
        nothing = b.message(
            version, b.template(version, 256, ((0, 8, 0), (0, 12, 0))), b.a_set(256, bytes(1_000))
        )
        assert b.feed(nothing).skipped == {"no-template": 1}

    def test_a_field_longer_than_any_message(self, version: int) -> None:
        fields = (*b.PAIR, (0, 82, 65_534), *b.COUNTS)
        fed = b.feed(b.message(version, b.template(version, 256, fields), b.a_set(256, DATA)))
        assert (fed.tally.records, fed.skipped) == (0, {})

    def test_flows_without_addresses(self, version: int) -> None:
        fed = b.feed(b.message(version, b.template(version, 256, b.COUNTS), b.a_set(256, 5 * b.counts())))
        assert (fed.tally.records, fed.skipped) == (5, {"no-addresses": 5})

    def test_options_are_no_flows(self, version: int) -> None:
        told = b.options(version, 256, ((0, 10, 4),), ((0, 82, 8),))
        fed = b.feed(b.message(version, told, b.a_set(256, bytes(36))))
        assert (fed.tally.records, fed.skipped) == (0, {"option-record": 3})

    def test_a_repeated_set_is_passed_over_until_it_changes_something(self, version: int) -> None:
        one, two = (b.template(version, 256, fields) for fields in (FLOW, SWAPPED))
        fed = b.feed(
            *(
                b.message(version, each, b.a_set(256, DATA), sequence=i)
                for i, each in enumerate((one, one, two, two, one, one))
            )
        )
        assert [row["src_lo"] >> 24 & 0xFF for row in fed.rows] == [10, 10, 203, 203, 10, 10]


def test_withdrawals() -> None:
    learned = b.ipfix(
        b.template(10, 256, FLOW), b.template(10, 257, FLOW), b.options(10, 258, ((0, 10, 4),), ((0, 82, 8),))
    )
    datagrams = (
        b.ipfix(b.template(10, 256, ()), b.a_set(256, DATA), b.a_set(257, DATA)),
        b.ipfix(b.template(10, 2, ()), b.a_set(257, DATA), b.a_set(258, bytes(12))),
        b.ipfix(b.a_set(3, struct.pack(">HH", 3, 0)), b.a_set(257, DATA), b.a_set(258, bytes(12))),
    )
    found = [b.feed(learned, each) for each in datagrams]
    assert [(fed.tally.rows, fed.skipped) for fed in found] == [
        (1, {"no-template": 1}),
        (0, {"no-template": 1, "option-record": 1}),
        (1, {"no-template": 1}),
    ]


def test_what_waits_too_long_is_given_up() -> None:
    early, late = b.v9(b.a_set(256, DATA)), b.v9(b.template(9, 256, FLOW), sequence=1)
    for wait, rows in ((29, 1), (31, 0)):
        fed = b.feed(early, finish=False)
        b.more(fed, late, times=[T0 + wait * MINUTE])
        assert len(fed.rows) == rows


def test_what_waits_is_bounded_for_each_exporter() -> None:
    bounds = Bounds(held_each=40_000, held=100_000)
    flood = [b.v9(b.a_set(300, bytes(1_000) + bytes([i])), sequence=i) for i in range(200)]
    mine = b.v9(b.a_set(256, DATA))
    fed = b.feed(
        *flood, mine, b.v9(b.template(9, 256, FLOW), sequence=1),
        sources=[b.ROUTER] * 200 + [b.ROUTER + 1] * 2, bounds=bounds,
    )  # fmt: skip
    assert fed.tally.rows == 1
    assert fed.skipped == {"no-template": 200}


def test_a_template_that_nobody_uses_is_forgotten() -> None:
    bounds = Bounds(template_age=10 * MINUTE)
    for pause, rows in ((9, 1), (12, 0)):
        fed = b.feed(b.v9(b.template(9, 256, FLOW)), bounds=bounds, finish=False)
        b.more(fed, b.v9(b.a_set(256, DATA), sequence=1), times=[T0 + pause * MINUTE])
        assert len(fed.rows) == rows


def test_one_who_forges_templates_pushes_out_his_own() -> None:
    bounds = Bounds(templates=64, templates_each=32)
    mine = b.v9(b.template(9, 256, FLOW))
    forged = [b.v9(b.template(9, 256 + i, ((0, 8, 4),)), sequence=i) for i in range(500)]
    others = [b.ROUTER + 1 + i % 4 for i in range(500)]
    fed = b.feed(
        mine,
        *forged,
        b.v9(b.a_set(256, DATA), sequence=1),
        sources=[b.ROUTER, *others, b.ROUTER],
        bounds=bounds,
    )
    assert fed.tally.rows == 1
    late = b.v9(b.template(9, 256, FLOW), b.a_set(256, DATA))
    fed = b.feed(*forged, late, sources=[*others, b.ROUTER], bounds=bounds)
    assert fed.tally.rows == 1


def test_many_changing_templates_keep_the_tables_right() -> None:
    bounds = Bounds(templates=16, templates_each=16)
    datagrams = []
    for i in range(300):
        fields = (*FLOW, *((0, 82, b.VARIABLE) for _ in range(i % 90)))
        number = 256 + i * 37 % 90
        datagrams.append(
            b.v9(b.template(9, number, fields), b.a_set(number, DATA + bytes(i % 90)), sequence=i)
        )
    fed = b.feed(*datagrams, bounds=bounds, times=[T0 + i * 10 * b.SECOND for i in range(300)])
    assert (fed.tally.rows, fed.skipped) == (300, {})


def test_a_flood_of_templates_is_not_looked_at() -> None:
    forged = []
    for i in range(400):
        sets = b"".join(
            b.template(9, 256 + (i * 13 + k) % 4_000, ((0, 8 + i % 5, 4),) * 8)[4:] for k in range(38)
        )
        forged.append(b.v9(b.a_set(0, sets), sequence=i))
    b.feed(*forged[:2])
    start = time.process_time()
    fed = b.feed(*forged, b.v9(b.a_set(999, DATA), sequence=400), times=[T0] * 401)
    assert time.process_time() - start < 1.0
    assert fed.skipped["template-limit"] >= 400 - EXPORTER_ALLOWANCE // 1_300
    later = b.feed(
        *forged, b.v9(b.template(9, 9_000, FLOW), b.a_set(9_000, DATA)), times=[T0] * 400 + [T0 + MINUTE]
    )
    assert later.tally.rows == 1


def test_a_set_larger_than_a_chunk_waits_and_comes_whole() -> None:
    early = b.v9(b.a_set(256, b"".join(b.pair(src=i) + b.counts() for i in range(50))))
    fed = b.feed(early, b.v9(b.template(9, 256, FLOW), sequence=1), room=8)
    assert [row["src_lo"] & 0xFF for row in fed.rows] == list(range(50))
