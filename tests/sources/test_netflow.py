"""What the decoder of flow exports says of records, headers, losses and repetitions."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from rearguard.model.bits import (
    KNOWN_BIFLOW,
    KNOWN_FLAGS,
    KNOWN_ONE_PACKET,
    WHY_INITIATOR,
    WHY_NO_PORTS,
    WHY_PACKET,
    WHY_RESPONDER,
)
from rearguard.model.chunk import new_rows
from rearguard.sources.exports import speaks
from rearguard.sources.exports.fields import CERT, REVERSE
from rearguard.sources.observers import MAX_EXPORTERS

from . import exports_build as b

MS = 1_000_000


def one(*datagrams: bytes) -> dict[str, int]:
    """The only row of these datagrams."""
    fed = b.feed(*datagrams)
    assert len(fed.rows) == 1, fed.skipped
    return fed.rows[0]


def flow(fields: tuple[b.Field, ...], values: bytes, version: int = 10) -> dict[str, int]:
    """The only row of a record of PAIR, COUNTS and further fields."""
    both = (*b.PAIR, *b.COUNTS, *fields)
    record = b.pair() + b.counts() + values
    return one(b.message(version, b.template(version, 256, both), b.a_set(256, record)))


@pytest.mark.parametrize(
    "datagram", [b.v1(b.v1_record()), b.v5(b.v5_record()), b.v5(b.v5_record() + bytes(4), version=7)]
)
def test_the_fixed_versions_say_the_same(datagram: bytes) -> None:
    row = one(datagram)
    assert (row["src_lo"], row["dst_lo"]) == (0xFFFF_0A00_0002, 0xFFFF_CB00_7107)
    assert (row["sport"], row["dport"], row["proto"], row["flags"]) == (40_000, 7547, 6, 2)
    assert (row["packets"], row["bytes"], row["record"], row["sampling"]) == (3, 180, 1, 0)
    assert (row["known"], row["why"]) == (KNOWN_FLAGS, WHY_PACKET)
    assert row["ts"] == b.NOW * b.SECOND - 49_000 * MS
    assert row["end"] == b.NOW * b.SECOND - 48_000 * MS


def test_an_uptime_that_wrapped_is_the_nearest_moment() -> None:
    before, after = 0xFFFF_FFFF - 999, 500
    row = one(b.v5(b.v5_record(first=before, last=after), up=1_000, nanoseconds=5))
    assert row["ts"] == b.NOW * b.SECOND + 5 - 2_000 * MS
    assert row["end"] == b.NOW * b.SECOND + 5 - 500 * MS


def test_icmp_has_no_ports_and_a_fragment_flow_says_so() -> None:
    icmp = one(b.v5(b.v5_record(proto=1, ports=(0, 0x0303))))
    assert (icmp["sport"], icmp["dport"], icmp["why"]) == (0, 0, WHY_PACKET)
    fragments = one(b.v5(b.v5_record(proto=17, ports=(0, 0), packets=1)))
    assert fragments["why"] == WHY_PACKET | WHY_NO_PORTS
    assert fragments["known"] == KNOWN_ONE_PACKET


def test_a_record_that_counts_nothing_is_counted_and_numbered() -> None:
    fed = b.feed(b.v5(b.v5_record(packets=0, octets=0), b.v5_record()))
    assert fed.skipped == {"empty-flow": 1}
    assert [row["record"] for row in fed.rows] == [2]
    assert (fed.tally.records, fed.tally.rows, fed.exporter.records) == (2, 1, 2)
    assert (fed.tally.first, fed.tally.last) == (fed.rows[0]["ts"], fed.rows[0]["ts"])


def test_a_v5_header_tells_the_rate_in_its_last_14_bits() -> None:
    fed = b.feed(b.v5(b.v5_record(), sampling=0x4000 | 1_000))
    assert fed.rows[0]["sampling"] == 1_000
    assert (fed.exporter.rate, fed.exporter.rate_from) == (1_000, "record")


def test_a_count_that_is_not_true_is_a_bad_datagram() -> None:
    fed = b.feed(b.v5(b.v5_record(), b.v5_record(), count=30), b.v5(b.v5_record(), b.v5_record(), count=1))
    assert fed.tally.rows == 3
    assert fed.skipped == {"bad-datagram": 1}


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "bad-datagram"),
        (b"\x00", "bad-datagram"),
        (b"\x00\x05", "bad-datagram"),
        (b.v9()[:19], "bad-datagram"),
        (b"\x00\x08" + bytes(40), "unknown-version"),
        (b"GET / HTTP/1.1\r\n\r\n", "unknown-version"),
    ],
)
def test_what_is_no_datagram_of_ours(datagram: bytes, reason: str) -> None:
    assert b.feed(datagram).skipped == {reason: 1}


def test_a_message_filled_up_with_zeros_is_whole() -> None:
    both = (*b.PAIR, *b.COUNTS)
    fed = b.feed(b.v9(b.template(9, 256, both), b.a_set(256, b.pair() + b.counts()), bytes(900)))
    assert (fed.tally.rows, fed.skipped) == (1, {})


def test_exporters_are_told_apart_by_address_domain_and_version() -> None:
    fed = b.feed(
        b.v5(b.v5_record()), b.v5(b.v5_record()), b.v5(b.v5_record(), engine=7), b.v9(source=9), b.ipfix(domain=9),
        sources=[b.ROUTER, b.ROUTER + 1, b.ROUTER, b.ROUTER, b.ROUTER],
    )  # fmt: skip
    assert [(one.address, one.domain, one.kind) for one in fed.decoder.exporters] == [
        ("10.0.0.1", 0, "NetFlow v5"),
        ("10.0.0.2", 0, "NetFlow v5"),
        ("10.0.0.1", 7, "NetFlow v5"),
        ("10.0.0.1", 9, "NetFlow v9"),
        ("10.0.0.1", 9, "IPFIX"),
    ]
    assert fed.skipped == {}
    assert len({row["observer"] for row in fed.rows}) == 3


def test_too_many_exporters_are_refused_and_counted() -> None:
    n = MAX_EXPORTERS + 5
    fed = b.feed(*[b.v5(b.v5_record())] * n, sources=[b.ROUTER + i for i in range(n)])
    assert fed.skipped == {"exporter-limit": 5}
    assert len(fed.decoder.exporters) == fed.tally.rows == MAX_EXPORTERS


def test_interfaces_and_ways_are_observers() -> None:
    fields = (*b.PAIR, *b.COUNTS, (0, 10, 2), (0, 14, 4), (0, 61, 1))
    records = b"".join(b.pair() + b.counts() + struct.pack(">HIB", 7, 9, way) for way in (0, 1, 5, 0))
    fed = b.feed(b.v9(b.template(9, 300, fields), b.a_set(300, records)))
    places = [fed.decoder.observers[row["observer"]] for row in fed.rows]
    assert [(one.exporter, one.ingress, one.egress, one.way) for one in places] == [
        ("10.0.0.1", 7, 9, "in"),
        ("10.0.0.1", 7, 9, "out"),
        ("10.0.0.1", 7, 9, ""),
        ("10.0.0.1", 7, 9, "in"),
    ]


def test_a_biflow_has_two_rows_of_one_number() -> None:
    fields = ((0, 6, 1), (REVERSE, 6, 1), (REVERSE, 2, 8), (REVERSE, 1, 8), (0, 239, 1))
    record = b.pair() + b.counts() + struct.pack(">BBQQB", 2, 0x12, 2, 120, 1)
    fed = b.feed(b.ipfix(b.template(10, 256, (*b.PAIR, *b.COUNTS, *fields)), b.a_set(256, record)))
    there, back = fed.rows
    assert (there["src_lo"], there["dport"], there["flags"]) == (back["dst_lo"], back["sport"], 2)
    assert (back["packets"], back["bytes"], back["flags"]) == (2, 120, 0x12)
    assert (there["why"], back["why"]) == (WHY_PACKET | WHY_INITIATOR, WHY_PACKET | WHY_RESPONDER)
    assert there["known"] == back["known"] == KNOWN_FLAGS | KNOWN_BIFLOW
    assert there["record"] == back["record"] == fed.tally.records == 1


@pytest.mark.parametrize(
    ("direction", "initial", "opened"),
    [
        (1, 0, WHY_INITIATOR),
        (2, 0, WHY_RESPONDER),
        (0, 0, 0),
        (3, 0, 0),
        (0, 0x02, WHY_INITIATOR),
        (0, 0xC2, WHY_INITIATOR),
        (0, 0x12, WHY_RESPONDER),
        (0, 0x10, 0),
        (0, 0x04, 0),
    ],
)
def test_who_opened_is_told_by_biflow_direction_or_yafs_first_flags(
    direction: int, initial: int, opened: int
) -> None:
    row = flow(((0, 239, 1), (CERT, 14, 1), (CERT, 15, 1)), bytes((direction, initial, 0x18)))
    assert row["why"] == WHY_PACKET | opened
    assert bool(row["known"] & KNOWN_BIFLOW) == bool(opened)
    assert row["flags"] == initial | 0x18


def test_a_firewalls_session_has_an_initiator_and_payload_octets() -> None:
    fields = (*b.PAIR, (0, 298, 8), (0, 231, 8), (0, 299, 8), (0, 232, 8), (0, 233, 1))
    record = b.pair() + struct.pack(">QQQQB", 5, 300, 4, 0, 2)
    fed = b.feed(b.v9(b.template(9, 256, fields), b.a_set(256, record)))
    there, back = fed.rows
    assert (there["packets"], there["bytes"], there["pay_wire"]) == (5, 300, 300)
    assert (back["packets"], back["bytes"], back["pay_wire"]) == (4, 0, 0)
    assert (there["why"], back["why"]) == (WHY_PACKET | WHY_INITIATOR, WHY_PACKET | WHY_RESPONDER)


@pytest.mark.parametrize(("element", "reason"), [(230, "nat-event"), (233, "event"), (176, "empty-flow")])
def test_events_are_no_contacts(element: int, reason: str) -> None:
    fields = (*b.PAIR, (0, element, 1), (0, 225, 4))
    fed = b.feed(b.v9(b.template(9, 256, fields), b.a_set(256, b.pair() + b"\x01" + bytes(4))))
    assert (fed.rows, fed.skipped, fed.tally.records) == ([], {reason: 1}, 1)


def test_translated_addresses_are_ignored() -> None:
    row = flow(((0, 225, 4), (0, 226, 4), (0, 227, 2), (0, 228, 2)), b"\xff" * 12)
    assert (row["src_lo"], row["dst_lo"], row["sport"]) == (0xFFFF_0A00_0002, 0xFFFF_CB00_7107, 40_000)


@pytest.mark.parametrize(
    ("version", "four", "six"),
    [(4, 1, 1), (6, 1, 1), (0, 1, 1), (0, 0, 1)],
    ids=["4", "6", "v4 there", "v6 only"],
)
def test_a_template_for_both_families(version: int, four: int, six: int) -> None:
    fields = ((0, 60, 1), (0, 8, 4), (0, 12, 4), (0, 27, 16), (0, 28, 16), (0, 4, 1), *b.COUNTS)
    record = bytes([version]) + bytes([10, 0, 0, 1]) * 2 * four + bytes(8) * (1 - four) + bytes([0x20] * 32)
    row = one(b.ipfix(b.template(10, 256, fields), b.a_set(256, record + b"\x06" + b.counts())))
    assert (row["src_hi"] != 0) == (version == 6 or not four)
    assert six


def test_fields_may_be_shorter_or_longer_than_usual() -> None:
    fields = ((0, 8, 4), (0, 12, 4), (0, 4, 2), (0, 7, 1), (0, 11, 4), (0, 2, 1), (0, 1, 3), (0, 6, 2))
    record = bytes(range(1, 9)) + struct.pack(">HBIB3sH", 6, 53, 7547, 9, b"\x01\x00\x00", 0x0112)
    row = one(b.ipfix(b.template(10, 256, fields), b.a_set(256, record)))
    assert (row["sport"], row["dport"], row["packets"], row["bytes"]) == (53, 7547, 9, 65_536)
    assert (row["proto"], row["flags"]) == (6, 0x12)


def test_delta_counters_before_totals_before_the_others() -> None:
    fields = (*b.PAIR, (0, 85, 4), (0, 24, 4), (0, 1, 4), (0, 86, 4), (0, 23, 4))
    row = one(b.v9(b.template(9, 256, fields), b.a_set(256, b.pair() + struct.pack(">5I", 1, 2, 3, 4, 5))))
    assert (row["packets"], row["bytes"]) == (4, 3)


def test_ports_named_by_their_protocol() -> None:
    fields = ((0, 8, 4), (0, 12, 4), (0, 182, 2), (0, 183, 2), *b.COUNTS)
    row = one(
        b.ipfix(b.template(10, 256, fields), b.a_set(256, bytes(range(8)) + b"\x00\x07\x00\x09" + b.counts()))
    )
    assert (row["proto"], row["sport"], row["dport"], row["why"]) == (6, 7, 9, WHY_PACKET)


def test_a_huge_record_is_no_overflow() -> None:
    row = flow(((0, 231, 8),), b"\xff" * 8)
    assert row["bytes"] == 180
    both = ((0, 8, 4), (0, 12, 4), (0, 2, 8), (0, 1, 8))
    row = one(b.ipfix(b.template(10, 256, both), b.a_set(256, b"\x01" * 8 + b"\xff" * 16)))
    assert row["packets"] == row["bytes"] == (1 << 63) - 1


def test_chunks_of_any_size_give_the_same() -> None:
    fields = (*b.PAIR, *b.COUNTS, (REVERSE, 2, 4), (REVERSE, 1, 4))
    records = [b.pair(src=i) + b.counts(i % 3, i % 3) + b.counts(i % 2, i % 2) for i in range(40)]
    datagrams = [
        b.ipfix(b.a_set(256, b"".join(records[:10]))),
        b.ipfix(b.template(10, 256, fields), b.a_set(256, b"".join(records[10:30])), sequence=10),
        b.v5(*(b.v5_record(src=i) for i in range(30))),
        b.ipfix(b.a_set(256, b"".join(records[30:])), sequence=30),
    ]
    whole = b.feed(*datagrams)
    assert {row["record"] for row in whole.rows if row["proto"]} <= set(range(1, 71))
    for room in (2, 3, 7, 64):
        part = b.feed(*datagrams, room=room)
        assert part.rows == whole.rows
        assert part.skipped == whole.skipped
        assert part.decoder.exporters == whole.decoder.exporters


def test_what_speaks() -> None:
    assert speaks(b.v5(b.v5_record()))
    assert speaks(b.v9(b.template(9, 256, b.PAIR)))
    assert speaks(b.ipfix())
    assert not speaks(b"\x00\x05\x00\x01")
    assert not speaks(b"\x12\x34" + bytes(40))
    assert not speaks(struct.pack(">HH", 10, 3) + bytes(40))


def test_offsets_beyond_the_buffer_are_refused() -> None:
    fed = b.Fed(b.feed().decoder)
    buffer, table = b.table([b.v5(b.v5_record())], [0], [b.ROUTER])
    table.len[0] = 5_000
    assert fed.decoder.feed(np.ascontiguousarray(buffer), table, 0, 1, new_rows(8), 0, fed.tally) == (1, 0)
    assert fed.skipped == {"bad-datagram": 1}
