"""``lab/incident.pcapng`` against ``lab/truth.json``, which is written from the log of what was done."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.dialogue.run import of_capture

from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.exchange import Exchange
from rearguard.dialogue.hear import hear
from rearguard.model.address import format_address
from rearguard.model.bits import TCP, UDP

Event = dict[str, Any]
LISTED = [
    ({"tcp": TCP, "udp": UDP}[transport], port) for transport, port in sorted(load().ports(opt_in=True))
]


def ends(one: Exchange) -> tuple[str, str]:
    return format_address(one.client_hi, one.client_lo), format_address(one.server_hi, one.server_lo)


@pytest.fixture(scope="module")
def found(project: Path) -> list[Exchange]:
    capture = project / "lab" / "incident.pcapng"
    return [hear(one, load_attacks(), load()) for one in of_capture(capture, listed=LISTED)]


@pytest.fixture(scope="module")
def events(project: Path) -> list[Event]:
    truth = json.loads((project / "lab" / "truth.json").read_text(encoding="utf-8"))
    return list(truth["events"])


def test_every_delivered_request_of_2016_is_named_with_its_answer(
    found: list[Exchange], events: list[Event]
) -> None:
    told = {
        (ends(one), hit.named, hit.urls, hit.status)
        for one in found
        for hit in one.hits
        if hit.attack == "tr064-newntpserver"
    }
    sent = set()
    for event in events:
        payload = event["payload"]
        if event["scene"] != "request-of-2016" or not isinstance(payload, dict) or not payload["delivered"]:
            continue
        (remote,) = event["remotes"]
        (device,) = (device for devices in event["outcomes"].values() for device in devices)
        sent.add(((remote, device), (payload["host"],), (payload["url"],), payload["status"] or 0))
    assert sent
    assert told == sent


def test_nothing_else_is_an_attack(found: list[Exchange]) -> None:
    others = Counter(
        (hit.attack, ends(one)) for one in found for hit in one.hits if hit.attack != "tr064-newntpserver"
    )
    iris, juniper = ("198.19.77.9", "198.51.100.19"), ("198.19.77.9", "198.51.100.20")
    assert set(others) == {("default-login", iris), ("mirai-loader", iris), ("default-login", juniper)}


def test_logins_and_what_came_of_them(found: list[Exchange]) -> None:
    told = {ends(one): (one.login, one.answer) for one in found if one.speaks == "telnet" and one.login}
    assert told == {
        ("198.19.77.9", "198.51.100.19"): ("succeeded", "shell"),
        ("198.19.77.9", "198.51.100.20"): ("tried", "prompt"),
    }


def test_the_identity_of_the_gate_that_speaks_tr064(found: list[Exchange]) -> None:
    proven = {one.identity: ends(one)[1] for one in found if one.identity and one.identity != "telnet"}
    assert proven["tr064"] == "198.51.100.15"
    assert set(proven) == {"tr064", "cwmp-acs", "ssdp"}


def test_every_session_and_whom_it_went_to(found: list[Exchange], events: list[Event]) -> None:
    told = Counter((ends(one)[1], one.inform.events) for one in found if one.inform)
    opened = Counter(
        (event["remotes"][0], tuple(event["payload"]["events"]))
        for event in events
        if isinstance(event["payload"], dict) and "events" in event["payload"]
    )
    assert set(told) == set(opened)
    (bootstrap,) = {ends(one) for one in found if one.inform and "0 BOOTSTRAP" in one.inform.events}
    assert bootstrap == ("198.51.100.25", "203.0.113.120")


def test_the_device_that_fell_asks_the_host_that_the_request_named(found: list[Exchange]) -> None:
    named = {
        host for one in found for hit in one.hits if ends(one)[1] == "198.51.100.15" for host in hit.named
    }
    fetched = {host for one in found if ends(one)[0] == "198.51.100.15" for host in one.fetch}
    assert "203.0.113.80" in named & fetched


def test_a_page_that_quotes_the_attack_is_none(found: list[Exchange]) -> None:
    readers = [one for one in found if one.path == "/advisory.html"]
    assert len(readers) >= 8
    assert all((one.hits, one.answer, one.identity) == ((), "page", None) for one in readers)


def test_connection_requests_are_answered_by_digest_then_accepted(found: list[Exchange]) -> None:
    calls = [
        one for one in found if ends(one)[0] in ("192.0.2.9", "2001:db8:a::10") and one.answer == "digest"
    ]
    assert calls
    assert all((one.login, one.status, one.hits, one.secrets) == ("succeeded", 401, (), ()) for one in calls)
