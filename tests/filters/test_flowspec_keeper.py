"""The process that keeps an announcement, with the test as ExaBGP's end of its line."""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from rearguard.filters.apply.state import State, boot_clock
from rearguard.filters.flowspec import keeper
from rearguard.filters.flowspec.keeper import Keeper
from rearguard.filters.flowspec.link import Link
from rearguard.filters.flowspec.record import Order
from rearguard.filters.flowspec.speaker import Peer, Session

FIRST, SECOND = "192.0.2.2", "192.0.2.3"


def test_a_peer_that_comes_while_another_gets_its_rules_has_them_before_all_is_called_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "SETTLE", 0.4)
    session = Session(IPv4Address("192.0.2.1"), 64500, IPv4Address("192.0.2.1"))
    peers = tuple(Peer(IPv4Address(name), 64500) for name in (FIRST, SECOND))
    order = Order(
        "t", "west", "p", session, peers, None, 1, {}, (), 60, boot_clock() + 60, "2026-11-22T00:00:00Z"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept = Keeper(State(str(tmp_path / "state"), make=True), order)
        kept.link = Link(ours)
        theirs.sendall(f"neighbor {FIRST} up\n".encode())
        later = threading.Timer(0.3, theirs.sendall, [f"neighbor {SECOND} up\n".encode()])
        later.start()
        kept._first()
        later.join()
    assert kept.given == {FIRST, SECOND}
    order_of = [text.partition(" ")[2] for text in kept.status.events]
    assert order_of.index(f"session with {SECOND} is up") < order_of.index(
        f"{FIRST} was given 0 permits, then 0 drops"
    )
