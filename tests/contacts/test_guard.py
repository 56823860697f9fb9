"""What kernels ask the guard is what the prefix tables answer: whose an address is, ours or not."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts.rows import Row, chunk_of, packet
from tests.contacts.run import policy_with

from rearguard.catalogue import load
from rearguard.contacts.guarding import build_guard
from rearguard.contacts.lone import label_ends
from rearguard.contacts.place import DST_OURS, SRC_OURS
from rearguard.contacts.screen import new_picked, screen
from rearguard.contacts.single import SINGLE
from rearguard.model.address import Address, Network, halves
from rearguard.model.bits import TCP, UDP
from rearguard.model.guard import LISTED, OWN_ONLY, PAGE_ALL, PAGE_NONE, PAGE_PART, WELL_KNOWN, Guard
from rearguard.model.prefixes import PrefixTable

BASES = ["10.0.0.0", "10.0.255.0", "10.1.0.0", "10.255.255.255", "0.0.0.0", "255.255.255.255", "198.51.100.0"]
BASES6 = [
    "2001:db8::",
    "2001:db8:0:ffff:ffff:ffff:ffff:ffff",
    "::",
    "ffff::",
    "::ffff:0:0",
    "::fffe:ffff:ffff",
]


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    """Near the bases, where ranges begin and end."""
    if draw(st.booleans()):
        number = int(ipaddress.IPv4Address(draw(st.sampled_from(BASES)))) + draw(st.integers(-300, 70_000))
        return ipaddress.IPv4Address(number % 2**32)
    number = int(ipaddress.IPv6Address(draw(st.sampled_from(BASES6)))) + draw(
        st.one_of(st.integers(-3, 3), st.sampled_from([2**64, 2**64 - 1, -(2**64), 2**80]))
    )
    return ipaddress.IPv6Address(number % 2**128)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    address = draw(addresses())
    if address.version == 4:
        length = draw(st.one_of(st.integers(8, 32), st.sampled_from([0, 1, 15, 16, 17, 32])))
    else:
        length = draw(st.one_of(st.integers(8, 128), st.sampled_from([63, 64, 65, 128])))
    found = ipaddress.ip_network((address, length), strict=False)
    mapped = ipaddress.ip_network("::ffff:0:0/96")
    if found.version == 6 and found.overlaps(mapped):  # a prefix around all of IPv4 is a mistake of its own
        return ipaddress.ip_network((0x2001_0DB8 << 96, length), strict=False)
    return found


def between(src: Address, dst: Address) -> Row:
    row = packet()
    row["src_hi"], row["src_lo"] = halves(src)
    row["dst_hi"], row["dst_lo"] = halves(dst)
    return row


@settings(max_examples=80, deadline=None)
@given(st.lists(networks(), max_size=6, unique=True), st.lists(addresses(), min_size=1, max_size=12))
def test_an_address_is_ours_where_the_table_labels_it(nets: list[Network], more: list[Address]) -> None:
    table = PrefixTable.build([(net, number) for number, net in enumerate(nets)])
    edges = [edge for net in nets for edge in (net[0], net[-1])]
    asked = more + edges + [edge + step for edge in edges for step in (-1, 1) if inside(edge, step)]
    asked = [address for address in asked if address.version == 4 or address.ipv4_mapped is None]
    rows = [between(one, other) for one, other in zip(asked, asked[::-1], strict=True)]
    place = np.zeros(max(len(rows), 1), dtype=np.uint8)
    screen(chunk_of(rows).rows, len(rows), Guard.build(table, []), place, new_picked(len(rows)))
    for found, one, other in zip(place, asked, asked[::-1], strict=False):
        assert bool(found & SRC_OURS) == (table.label_of(one) >= 0), one
        assert bool(found & DST_OURS) == (table.label_of(other) >= 0), other
    singles = np.zeros(len(rows), dtype=SINGLE)
    for at, row in enumerate(rows):
        for side, end in (("client", "src"), ("server", "dst")):
            singles[at][f"{side}_hi"], singles[at][f"{side}_lo"] = row[f"{end}_hi"], row[f"{end}_lo"]
    client, server = label_ends(singles, table)
    assert client.tolist() == [table.label_of(address) for address in asked]
    assert server.tolist() == [table.label_of(address) for address in asked[::-1]]


def inside(address: Address, step: int) -> bool:
    return 0 <= int(address) + step < 2**address.max_prefixlen


@pytest.mark.parametrize(
    ("prefixes", "pages"),
    [
        (["10.1.0.0/16"], {0x0A00: PAGE_NONE, 0x0A01: PAGE_ALL, 0x0A02: PAGE_NONE}),
        (["10.1.0.0/17", "10.1.128.0/17"], {0x0A01: PAGE_ALL}),
        (["10.1.0.0/24"], {0x0A01: PAGE_PART, 0x0A02: PAGE_NONE}),
        (["10.0.0.0/15"], {0x0A00: PAGE_ALL, 0x0A01: PAGE_ALL, 0x0A02: PAGE_NONE}),
        (["10.0.255.0/24", "10.1.0.0/24"], {0x0A00: PAGE_PART, 0x0A01: PAGE_PART}),
        (["0.0.0.0/0"], {0: PAGE_ALL, 0xFFFF: PAGE_ALL}),
        (["255.255.255.255/32"], {0xFFFF: PAGE_PART, 0xFFFE: PAGE_NONE}),
    ],
)
def test_a_page_says_none_all_or_part(prefixes: list[str], pages: dict[int, int]) -> None:
    """Labels do not matter here: two networks that touch are one block of ours."""
    items = [(ipaddress.ip_network(text), label) for label, text in enumerate(prefixes)]
    page = Guard.build(PrefixTable.build(items), []).page
    assert {number: int(page[number]) for number in pages} == pages


def test_the_guard_knows_the_ports_of_catalogue_and_policy() -> None:
    network = {"prefixes": ["198.51.100.0/24"], "ports": {"cwmp-cr": ["tcp/12345"]}}
    guard = build_guard(policy_with(networks={"ours": network}, controllers={}), load())
    by_port = {TCP: guard.tcp, UDP: guard.udp}
    for proto, port, bits in (
        (TCP, 7547, LISTED),
        (TCP, 12345, LISTED),
        (TCP, 23, LISTED | WELL_KNOWN),
        (TCP, 80, OWN_ONLY | WELL_KNOWN),
        (UDP, 1900, LISTED),
        (UDP, 53, WELL_KNOWN),
        (TCP, 40001, 0),
        (UDP, 12345, 0),
    ):
        assert by_port[proto][port] == bits, (proto, port)
