"""How chosen blocks become few prefixes."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.contacts.units import NO_UNIT, area_of, is_private, merge_units, unit_of
from rearguard.model.address import halves


def units(*texts: str) -> np.ndarray:
    pairs = [halves(ipaddress.ip_address(text)) for text in texts]
    hi, lo = (np.array(side, dtype=np.uint64) for side in zip(*pairs, strict=True))
    return unit_of(hi, lo)


def merged(chosen: list[str], outside: list[str], limit: int = 64) -> list[str]:
    own = dict.fromkeys(units(*chosen).tolist(), 1)
    away = units(*outside) if outside else np.zeros(0, dtype=np.uint64)
    return [str(prefix) for prefix in merge_units(own, away, limit)[0]]


@pytest.mark.parametrize(
    ("chosen", "outside", "expected"),
    [
        (["198.51.100.7"], [], ["198.51.100.0/24"]),
        (["198.51.100.7", "198.51.101.1"], [], ["198.51.100.0/23"]),
        (["198.51.100.7", "198.51.102.1"], [], ["198.51.100.0/24", "198.51.102.0/24"]),
        (["198.51.100.1", "198.51.101.1", "198.51.102.1"], [], ["198.51.100.0/22"]),
        (["198.51.100.1", "198.51.101.1", "198.51.102.1"], ["198.51.103.9"],
         ["198.51.100.0/23", "198.51.102.0/24"]),
        ([f"20.1.{n}.1" for n in range(0, 256, 32)], [], ["20.1.0.0/16"]),
        ([f"20.1.{n}.1" for n in range(0, 224, 32)], [], [f"20.1.{n}.0/24" for n in range(0, 224, 32)]),
        (["2001:db8:c:1::1", "2001:db8:c:2::1"], [], ["2001:db8:c::/48"]),
        (["fe80::1"], [], ["fe80::/64"]),
        (["127.0.0.1"], [], ["127.0.0.0/8"]),
        (["169.254.7.7"], [], ["169.254.0.0/16"]),
        ([], [], []),
    ],
)  # fmt: skip
def test_chosen_blocks_become_the_prefixes_that_a_reader_expects(
    chosen: list[str], outside: list[str], expected: list[str]
) -> None:
    own = chosen or ["224.0.0.1"]
    assert (merged(own, outside) if chosen else []) == expected


def test_too_many_blocks_are_shortened_and_never_over_an_outside_one() -> None:
    many = [f"20.{a}.{b}.1" for a in range(0, 256, 2) for b in (3, 200)]
    prefixes = [ipaddress.ip_network(text) for text in merged(many, ["20.0.9.1"], limit=16)]
    assert 0 < len(prefixes) <= 16
    assert all(ipaddress.ip_address("20.0.9.1") not in prefix for prefix in prefixes)


def test_what_does_not_fit_is_counted() -> None:
    own = dict.fromkeys(units(*(f"{n}.0.0.1" for n in range(1, 101))).tolist(), 1)
    away = units(*(f"{n}.1.0.1" for n in range(1, 101)))
    prefixes, left_out = merge_units(own, away, 64)
    assert (len(prefixes), left_out) == (64, 36)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 4000), max_size=200), st.sets(st.integers(0, 4000), max_size=20))
def test_all_chosen_blocks_are_covered_and_no_outside_one(chosen: set[int], outside: set[int]) -> None:
    base = int(ipaddress.ip_address("20.0.0.0")) >> 8
    own = {base + unit: 1 for unit in chosen - outside}
    away = np.array([base + unit for unit in sorted(outside)], dtype=np.uint64)
    prefixes, _ = merge_units(own, away, 4096)
    covered = {unit for unit in range(4001) if any(_holds(prefix, base + unit) for prefix in prefixes)}
    assert chosen - outside <= covered
    assert not covered & outside


def _holds(prefix: ipaddress.IPv4Network | ipaddress.IPv6Network, unit: int) -> bool:
    return ipaddress.ip_address(unit << 8) in prefix


@pytest.mark.parametrize(
    ("address", "private", "nobody"),
    [
        ("10.1.2.3", True, False),
        ("172.31.255.1", True, False),
        ("172.32.0.1", False, False),
        ("100.64.0.1", True, False),
        ("fd00::1", True, False),
        ("fe80::1", True, False),
        ("2001:db8::1", False, False),
        ("192.0.2.1", False, False),
        ("239.255.255.250", False, True),
        ("255.255.255.255", False, True),
        ("0.0.0.0", False, True),
        ("ff02::c", False, True),
        ("::", False, True),
    ],
)
def test_kinds_of_addresses(address: str, private: bool, nobody: bool) -> None:
    unit = units(address)
    assert (bool(is_private(unit)[0]), bool(unit[0] == NO_UNIT)) == (private, nobody)


def test_an_area_is_the_16_or_32_around_a_block() -> None:
    one, two, three = area_of(units("20.1.2.3", "20.1.200.1", "20.2.0.1")).tolist()
    assert one == two != three
    six, seven, eight = area_of(units("2001:db8:c::1", "2001:db8:d::1", "2001:db9::1")).tolist()
    assert six == seven != eight
