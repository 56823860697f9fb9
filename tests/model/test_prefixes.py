"""Prefix sets and tables against the plainest possible reference: a loop over ``ipaddress``."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.model.address import Address, Network, from_halves, halves, prefix_range
from rearguard.model.prefixes import NO_LABEL, PrefixSet, PrefixTable

# Few bits vary, so that prefixes nest, touch and share edges often; both halves of IPv6 take part.
_V4 = st.builds(
    lambda number, length: ipaddress.IPv4Network((number << 28, length), strict=False),
    st.integers(0, 15),
    st.sampled_from([1, 2, 3, 4, 8, 30, 31, 32]),
)
_V4_LOW = st.builds(
    lambda number, length: ipaddress.IPv4Network((0xC0000200 | number, length), strict=False),
    st.integers(0, 15),
    st.integers(24, 32),
)
_V6 = st.builds(
    lambda high, low, length: ipaddress.IPv6Network(((high << 62) | (low << 124), length), strict=False),
    st.integers(0, 15),
    st.sampled_from([2, 3, 15]),
    st.sampled_from([4, 60, 62, 63, 64, 65, 66, 67, 128]),
)
networks = st.one_of(_V4, _V4_LOW, _V6)


def reference_label(items: list[tuple[Network, int]], address: Address) -> int:
    """The label of the longest prefix that holds the address."""
    found = [
        (network.prefixlen, label)
        for network, label in items
        if network.version == address.version and address in network
    ]
    return max(found)[1] if found else NO_LABEL


def edges(items: list[Network]) -> list[Address]:
    """First and last address of each prefix, and the neighbours of both: where a table can be off by one."""
    found = {from_halves(0, 0), from_halves((1 << 64) - 1, (1 << 64) - 1)}
    for network in items:
        for high, low in prefix_range(network):
            number = high << 64 | low
            for near in (number - 1, number, number + 1):
                if 0 <= near < 1 << 128:
                    found.add(from_halves(near >> 64, near & ((1 << 64) - 1)))
    return sorted(found, key=halves)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(networks, st.integers(0, 3), max_size=12))
def test_lookup_agrees_with_the_longest_prefix_of_a_plain_loop(labels: dict[Network, int]) -> None:
    items = list(labels.items())
    table = PrefixTable.build(items)
    asked = edges(list(labels))
    high = np.array([halves(address)[0] for address in asked], dtype=np.uint64)
    low = np.array([halves(address)[1] for address in asked], dtype=np.uint64)
    expected = [reference_label(items, address) for address in asked]
    found = table.lookup(high, low)
    assert found.dtype == np.int32
    assert found.tolist() == expected
    assert [table.label_of(address) for address in asked] == expected


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(networks, st.integers(0, 3), max_size=12), st.randoms())
def test_ranges_are_disjoint_sorted_and_do_not_depend_on_the_order(
    labels: dict[Network, int], random: object
) -> None:
    items = list(labels.items())
    table = PrefixTable.build(items)
    starts = [int(h) << 64 | int(w) for h, w in zip(table.starts_hi, table.starts_lo, strict=True)]
    ends = [int(h) << 64 | int(w) for h, w in zip(table.ends_hi, table.ends_lo, strict=True)]
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    random.shuffle(items)  # type: ignore[attr-defined]
    again = PrefixTable.build(items)
    for name in ("starts_hi", "starts_lo", "ends_hi", "ends_lo", "labels"):
        assert getattr(again, name).tolist() == getattr(table, name).tolist()


def test_an_empty_table_knows_nobody() -> None:
    table = PrefixTable.build([])
    assert len(table) == 0
    assert table.lookup(np.zeros(2, np.uint64), np.zeros(2, np.uint64)).tolist() == [-1, -1]
    assert table.lookup(np.zeros(0, np.uint64), np.zeros(0, np.uint64)).tolist() == []


def test_neighbouring_ranges_of_one_label_become_one() -> None:
    items = [(ipaddress.ip_network("192.0.2.0/25"), 4), (ipaddress.ip_network("192.0.2.128/25"), 4)]
    assert len(PrefixTable.build(items)) == 1


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([("192.0.2.0/24", 0), ("192.0.2.0/24", 1)], "two labels"),
        ([("192.0.2.0/24", -1)], "negative"),
    ],
)
def test_a_table_that_means_two_things_is_refused(items: list[tuple[str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrefixTable.build([(ipaddress.ip_network(text), label) for text, label in items])


@settings(max_examples=100, deadline=None)
@given(st.lists(networks, max_size=8), st.lists(networks, max_size=8))
def test_sets_agree_with_a_plain_loop(mine: list[Network], theirs: list[Network]) -> None:
    left, right = PrefixSet.of(mine), PrefixSet.of(theirs)
    both = left.union(right)
    shared = False
    for address in edges(mine + theirs):
        in_left = any(address in net for net in mine if net.version == address.version)
        in_right = any(address in net for net in theirs if net.version == address.version)
        assert left.contains(address) == in_left
        assert both.contains(address) == (in_left or in_right)
        shared = shared or (in_left and in_right)
    # Two prefixes that overlap share an edge of the smaller one, so the edges decide.
    assert left.overlaps(right) == right.overlaps(left) == shared
    for network in theirs:
        inside = [net for net in left if net.version == network.version]
        assert left.covers(network) == any(network.subnet_of(net) for net in inside)  # type: ignore[arg-type]
    assert both == right.union(left) == PrefixSet.of(mine + theirs)
    assert PrefixSet.of(both.networks) == both
    assert sum(net.num_addresses for net in both) <= sum(net.num_addresses for net in mine + theirs)


def test_a_set_is_merged_and_sorted() -> None:
    assert PrefixSet.parse(
        "2001:db8:1::/48", "198.51.100.128/25", "2001:db8::/48", "198.51.100.0/25"
    ).texts() == (
        "198.51.100.0/24",
        "2001:db8::/47",
    )
