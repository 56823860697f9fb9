"""A policy from the flags of a command line, alone and on top of a file."""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Any

import pytest

from rearguard.model.errors import PolicyError, UsageError
from rearguard.policy import Policy, policy_from_flags

ip = ipaddress.ip_address


def test_flags_alone_make_a_policy(known: Any, today: date) -> None:
    policy = policy_from_flags(
        ["198.51.100.0/24", "2001:db8:c::/48"], ["192.0.2.8/32"], ["telnet,cwmp-cr"], None, known, today=today
    )
    assert policy.network_names == ("command-line-1",)
    assert policy.networks["command-line-1"].managed == "unknown"
    assert policy.authorised(ip("192.0.2.8"), ip("198.51.100.7"), "cwmp-cr", "device").allowed
    assert policy.authorised(ip("198.51.100.7"), ip("192.0.2.8"), "cwmp-acs", "controller").allowed
    assert not policy.authorised(ip("192.0.2.8"), ip("198.51.100.7"), "telnet", "device").allowed
    (drop,) = policy.drop
    assert drop.interfaces == {"telnet", "cwmp-cr"}
    assert drop.toward == ("command-line-1",)
    assert drop.review_by == date(2026, 12, 22)
    assert not policy.assumed
    assert policy.warnings == ()


def test_a_controller_flag_may_name_its_interfaces(known: Any) -> None:
    policy = policy_from_flags(["198.51.100.0/24"], ["192.0.2.8/32=telnet,tr064"], [], None, known)
    assert policy.controllers["command-line-1"].manages == {"telnet", "tr064"}


def test_flags_add_to_a_file(full: Policy, known: Any, today: date) -> None:
    policy = policy_from_flags(["100.64.0.0/16"], ["192.0.2.40/32"], ["telnet"], full, known, today=today)
    assert policy.network_names == ("customers", "shops", "command-line-1")
    assert list(policy.controllers) == ["acs", "desk", "command-line-1"]
    assert policy.drop[2].toward == ("customers", "shops", "command-line-1")
    assert policy.drop[:2] == full.drop
    assert [str(notice.place) for notice in policy.warnings] == [
        str(notice.place) for notice in full.warnings
    ]


def test_no_flags_leave_the_meaning_of_a_file(full: Policy, known: Any, today: date) -> None:
    assert policy_from_flags([], [], [], full, known, today=today).digest == full.digest


def test_what_was_guessed_stays_marked(known: Any) -> None:
    guessed = policy_from_flags(["198.51.100.0/24"], [], [], None, known, assumed=True)
    assert guessed.assumed
    assert policy_from_flags([], ["192.0.2.8/32"], [], guessed, known).assumed


@pytest.mark.parametrize(
    ("networks", "controllers", "drops", "key", "problem"),
    [
        (["198.51.100.0/24", "192.0.2.9/24"], [], [], "--network 192.0.2.9/24", "host bits"),
        (["198.51.100.0/24"], ["192.0.2.8"], [], "--controller 192.0.2.8", "no prefix length"),
        (
            ["198.51.100.0/24"],
            ["192.0.2.8/32=smtp"],
            [],
            "--controller 192.0.2.8/32=smtp",
            "unknown interface",
        ),
        (["198.51.100.0/24"], [], ["telnet,smtp"], "--drop telnet,smtp", "unknown interface 'smtp'"),
    ],
)
def test_a_mistake_names_its_flag(
    networks: list[str], controllers: list[str], drops: list[str], key: str, problem: str, known: Any
) -> None:
    with pytest.raises(PolicyError, match=problem) as caught:
        policy_from_flags(networks, controllers, drops, None, known)
    assert caught.value.place.key == key
    assert caught.value.remedy


def test_a_flag_that_overlaps_the_file_is_told(full: Policy, known: Any) -> None:
    with pytest.raises(PolicyError, match="overlaps") as caught:
        policy_from_flags(["198.51.100.0/25"], [], [], full, known)
    assert caught.value.place.key == "--network"


def test_a_drop_without_networks_guards_nothing(known: Any) -> None:
    with pytest.raises(UsageError, match="guards nothing"):
        policy_from_flags([], [], ["telnet"], None, known)
