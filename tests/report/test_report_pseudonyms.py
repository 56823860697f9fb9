"""Pseudonyms keep the structure of our networks and nothing else."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.model.errors import UsageError
from rearguard.report.pseudonyms import RESERVED, Pseudonyms

OWN = [
    ip_network(text)
    for text in (
        "198.51.100.0/24",
        "198.51.101.0/24",
        "10.0.0.0/8",
        "192.0.2.8/30",
        "192.0.2.20/32",
        "2001:db8:c::/48",
        "2003::/19",
        "2001:db8:a::10/126",
    )
]
NAMES = Pseudonyms(OWN, b"one run")

own_v4 = st.sampled_from([net for net in OWN if net.version == 4]).flatmap(
    lambda net: st.integers(int(net[0]), int(net[-1])).map(IPv4Address)
)
own_v6 = st.sampled_from([net for net in OWN if net.version == 6]).flatmap(
    lambda net: st.integers(int(net[0]), int(net[-1])).map(IPv6Address)
)


def shared(first: int, second: int, width: int) -> int:
    """How many leading bits two numbers share."""
    return width - (first ^ second).bit_length()


@given(st.data(), st.sampled_from([own_v4, own_v6]))
@settings(max_examples=200, deadline=None)
def test_addresses_of_one_prefix_share_as_many_bits_as_before(data: st.DataObject, ours: object) -> None:
    one, other = data.draw(ours), data.draw(ours)  # type: ignore[arg-type]  # a strategy of either family
    prefix = next(net for net in OWN if one in net)
    new, old = NAMES.address(one), NAMES.address(other)
    assert (one == other) == (new == old)
    if other not in prefix:
        return
    before = shared(int(one), int(other), one.max_prefixlen)
    after = shared(int(new), int(old), one.max_prefixlen)
    whole = one.version == 4 or prefix.prefixlen > 64 or before < 64
    assert after == before if whole else after >= 64


@given(st.one_of(own_v4, own_v6))
@settings(max_examples=200, deadline=None)
def test_a_pseudonym_is_nobodys_address(ours: IPv4Address | IPv6Address) -> None:
    made = NAMES.address(ours)
    assert made in RESERVED[ours.version]
    assert made == NAMES.address(ours)
    assert NAMES.text(f"<{ours}>") == f"<{made}>"


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
@settings(max_examples=200, deadline=None)
def test_a_foreign_address_stays(address: IPv4Address | IPv6Address) -> None:
    if any(address in net for net in OWN if net.version == address.version):
        return
    assert NAMES.address(address) == address
    assert NAMES.text(f"from {address}, port 7547") == f"from {address}, port 7547"


def test_every_address_of_a_small_network_has_a_pseudonym_of_its_own() -> None:
    network = IPv4Network("198.51.100.0/24")
    made = {NAMES.address(address) for address in network}
    assert len(made) == 256
    assert len({ip_network((address, 24), strict=False) for address in made}) == 1


def test_another_run_gives_other_pseudonyms() -> None:
    address = ip_address("198.51.100.20")
    runs = {Pseudonyms(OWN, bytes([n])).address(address) for n in range(20)}
    assert len(runs) > 10


def test_neighbours_stay_neighbours() -> None:
    one, other = NAMES.network(ip_network("198.51.100.0/24")), NAMES.network(ip_network("198.51.101.0/24"))
    assert one.supernet() == other.supernet()


ADDRESS = ip_address("198.51.100.20")
V4 = str(NAMES.address(ADDRESS))
V6 = str(NAMES.address(ip_address("2001:db8:c::9")))
BACK = ".".join(V4.split(".")[::-1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("198.51.100.20", V4),
        ("[198.51.100.20]:7547", f"[{V4}]:7547"),
        ("http://198.51.100.20:7547/x", f"http://{V4}:7547/x"),
        ("wget198.51.100.20;", f"wget{V4};"),
        ("at 198.51.100.20.", f"at {V4}."),
        ("198.051.100.020", V4),
        ("::ffff:198.51.100.20", V4),
        ("198.51.100.0/24", str(NAMES.network(ip_network("198.51.100.0/24")))),
        ("2001:db8:c::9", V6),
        ("2001:DB8:C:0:0:0:0:9", V6),
        ("http://[2001:db8:c::9]:80/", f"http://[{V6}]:80/"),
        ("2001:db8:c::9.", f"{V6}."),
        ("2001:db8:c::/48", str(NAMES.network(ip_network("2001:db8:c::/48")))),
        ("ip-198-51-100-20.example", f"ip-{V4.replace('.', '-')}.example"),
        ("20_100_51_198", V4.replace(".", "_")),
        ("198%2e51%2e100%2e20", V4.replace(".", "%2e")),
        ("20.100.51.198.in-addr.arpa", f"{BACK}.in-addr.arpa"),
        (str(int(ADDRESS)), str(int(NAMES.address(ADDRESS)))),
        ("0xC6336414", str(int(NAMES.address(ADDRESS)))),
    ],
)
def test_an_own_address_is_found_however_it_is_written(text: str, told: str) -> None:
    assert NAMES.text(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "1.198.51.100.20",
        "198.51.100.20.9",
        "9198.51.100.20",
        "198.51.100.2099",
        "see2001:db8:c::9",
        "1:2001:db8:c::9:",
    ],
)
def test_characters_that_hide_an_own_address_go_too(text: str) -> None:
    assert "198.51.100" not in NAMES.text(text)
    assert "2001:db8:c" not in NAMES.text(text)


@pytest.mark.parametrize("text", ["1" * 100_000, "a:" * 50_000, "1." * 50_000, "A" * 100_000, "-1" * 50_000])
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    begun = time.process_time()
    NAMES.text(text)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10:00:00",
        "00:90:A9:12:34:56",
        "v 1.2.3.400",
        "tcp/7547",
        "1,964 devices",
        "8.8.8.8/33",
        "a::b::c",
    ],
)
def test_what_is_no_address_of_ours_stays(text: str) -> None:
    assert NAMES.text(text) == text


@pytest.mark.parametrize("network", [IPv4Network("0.0.0.0/0"), IPv4Network("0.0.0.0/3"), IPv6Network("::/3")])
def test_networks_without_room_are_refused(network: IPv4Network | IPv6Network) -> None:
    with pytest.raises(UsageError, match="too large"):
        Pseudonyms([network], b"key")
