"""Who may manage what, from where: the answers of a policy, one by one and as tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from rearguard.model.address import halves
from rearguard.policy import Policy, Port

ip = ipaddress.ip_address

# initiator, listener, interface, who listens: allowed by whom, words of the reason
ASKED = {
    "a controller calls its device": (
        "192.0.2.8",
        "198.51.100.7",
        "cwmp-cr",
        "device",
        "acs",
        "manages cwmp-cr",
    ),
    "by IPv6": ("2001:db8:a::10", "2001:db8:c::7", "cwmp-cr", "device", "acs", "manages"),
    "another address of the farm": (
        "192.0.2.20",
        "198.51.100.7",
        "cwmp-cr",
        "device",
        None,
        "of no controller",
    ),
    "a stranger": (
        "192.0.2.250",
        "198.51.100.7",
        "cwmp-cr",
        "device",
        None,
        "requests_from of no controller",
    ),
    "a neighbour": ("198.51.100.8", "198.51.100.7", "telnet", "device", None, "of no controller"),
    "the wrong interface": (
        "192.0.2.8",
        "198.51.100.7",
        "telnet",
        "device",
        None,
        "belongs to acs, without telnet",
    ),
    "an address of two controllers, first right": (
        "192.0.2.9",
        "198.51.100.7",
        "cwmp-cr",
        "device",
        "acs",
        "",
    ),
    "an address of two controllers, second right": (
        "192.0.2.9",
        "198.51.100.7",
        "telnet",
        "device",
        "desk",
        "",
    ),
    "an address of two controllers, no right": (
        "192.0.2.9",
        "198.51.100.7",
        "tr064",
        "device",
        None,
        "acs, desk, without tr064",
    ),
    "a controller calls somebody else": (
        "192.0.2.8",
        "192.0.2.250",
        "cwmp-cr",
        "device",
        None,
        "in no network",
    ),
    "a device opens its session": (
        "198.51.100.7",
        "192.0.2.20",
        "cwmp-acs",
        "controller",
        "acs",
        "sessions_at",
    ),
    "a device opens it elsewhere": (
        "198.51.100.7",
        "192.0.2.250",
        "cwmp-acs",
        "controller",
        None,
        "sessions_at of no controller",
    ),
    "a device calls where requests come from": (
        "198.51.100.7",
        "192.0.2.8",
        "cwmp-acs",
        "controller",
        None,
        "sessions_at of no controller",
    ),
    "a stranger calls the controller": (
        "192.0.2.250",
        "192.0.2.20",
        "cwmp-acs",
        "controller",
        None,
        "in no network",
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_authorisation_is_judged_on_roles_and_pair(case: str, full: Policy) -> None:
    initiator, listener, interface, who, by, reason = ASKED[case]
    answer = full.authorised(ip(initiator), ip(listener), interface, who)  # type: ignore[arg-type]
    assert (answer.allowed, answer.by) == (by is not None, by)
    assert reason in answer.reason


def test_nobody_may_anything_by_omission(read: Callable[[str], Policy]) -> None:
    policy = read("networks:\n  n: {prefixes: [198.51.100.0/24]}\n")
    assert not policy.authorised(ip("192.0.2.8"), ip("198.51.100.7"), "cwmp-cr", "device").allowed
    assert not policy.authorised(ip("198.51.100.7"), ip("192.0.2.8"), "cwmp-acs", "controller").allowed
    assert len(policy.controller_table("requests_from")) == 0


ADDRESSES = [
    *("198.51.100.0", "198.51.100.255", "198.51.101.0", "203.0.113.127", "203.0.113.128", "192.0.2.8"),
    *("192.0.2.9", "192.0.2.10", "192.0.2.12", "192.0.2.20", "192.0.2.64", "192.0.2.127", "0.0.0.0"),
    *("2001:db8:c::", "2001:db8:c:ffff::1", "2001:db8:d::", "2001:db8:a::10", "2001:db8:a::11", "::"),
]


def test_tables_say_the_same_as_single_questions(full: Policy) -> None:
    addresses = [ip(text) for text in ADDRESSES]
    high, low = (np.array(half, dtype=np.uint64) for half in zip(*map(halves, addresses), strict=True))
    networks = full.network_table().lookup(high, low)
    for address, label in zip(addresses, networks, strict=True):
        assert (full.network_names[label] if label >= 0 else None) == full.network_of(address)
    for role in ("requests_from", "sessions_at"):
        labels = full.controller_table(role).lookup(high, low)
        names, rights = full.controller_sets(role), full.controller_interfaces(role)
        assert names[: len(full.controllers)] == (("acs",), ("desk",))
        for address, label in zip(addresses, labels, strict=True):
            expected = full.controllers_at(address, role)
            assert (names[label] if label >= 0 else ()) == expected
            if label >= 0:
                assert rights[label] == frozenset().union(
                    *(full.controllers[name].manages for name in expected)
                )
    surveyors = full.surveyor_table().lookup(high, low)
    assert [text for text, label in zip(ADDRESSES, surveyors, strict=True) if label == 0] == [
        "192.0.2.64",
        "192.0.2.127",
    ]


def test_controllers_that_share_an_address_have_a_label_together(full: Policy) -> None:
    assert full.controller_sets("requests_from") == (("acs",), ("desk",), ("acs", "desk"))
    assert full.controller_sets("sessions_at") == (("acs",), ("desk",))
    assert full.controller_table("requests_from").label_of(ip("192.0.2.9")) == 2
    assert full.controller_interfaces("requests_from")[2] == {"cwmp-cr", "cwmp-acs", "telnet"}


@pytest.mark.parametrize(
    ("subject", "interface", "day", "holds"),
    [
        ("198.51.100.77", "telnet", date(2027, 1, 1), True),
        ("198.51.100.77", "telnet", date(2027, 1, 2), False),
        ("198.51.100.77", "tr064", date(2026, 12, 1), False),
        ("198.51.100.78", "telnet", date(2026, 12, 1), False),
        ("2001:db8:c::7", "telnet", date(2026, 12, 1), False),
    ],
)
def test_an_exception_holds_for_its_subject_interface_and_time(
    subject: str, interface: str, day: date, holds: bool, full: Policy
) -> None:
    assert (full.exemption(ip(subject), interface, day) is not None) == holds


def test_an_exception_makes_nobody_authorised(full: Policy) -> None:
    assert not full.authorised(ip("192.0.2.250"), ip("198.51.100.77"), "telnet", "device").allowed


@pytest.mark.parametrize(
    ("address", "device"),
    [
        ("198.51.100.7", "198.51.100.7/32"),
        ("2001:db8:c:1234::1", "2001:db8:c:1200::/56"),
    ],
)
def test_a_device_is_its_delegated_prefix(address: str, device: str, full: Policy) -> None:
    assert str(full.networks["customers"].device(ip(address))) == device


def test_without_a_delegated_length_an_address_is_a_device(full: Policy) -> None:
    assert str(full.networks["shops"].device(ip("2001:db8::1"))) == "2001:db8::1/128"


def test_values_are_read_as_written(full: Policy) -> None:
    assert full.networks["customers"].ports == {"cwmp-cr": (Port("tcp", 30005), Port("udp", 30005))}
    assert full.controllers["acs"].manages == {"cwmp-cr", "cwmp-acs"}
    assert full.observers["border"].external == ("xe-0/0/1", "12")
    assert (full.drop[0].mode, full.drop[1].mode) == ("new-only", "cut")
    assert full.drop[1].review_by == date(2027, 1, 31)
    assert full.thresholds.scan_targets == 30
    assert full.thresholds.scan_window == 600
    assert [str(net) for net in full.own()] == ["198.51.100.0/24", "203.0.113.0/25", "2001:db8:c::/48"]
