"""What is kept of an announcement, in the state folder: the order that was given, and what became of it.

``announce.json`` is written once by the command that announces: rules as their bytes, peers, times.
``announced.json`` is replaced by the keeper whenever something happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Any

from rearguard.filters.flowspec.actions import Action
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.speaker import Peer, Session
from rearguard.filters.flowspec.wire import decode, encode

__all__ = [
    "ENDED",
    "IN_FORCE",
    "LOG_FILE",
    "ORDER",
    "SOCKET",
    "STATUS",
    "EndError",
    "Order",
    "PeerState",
    "Status",
    "named",
]

ORDER, STATUS = "announce", "announced"
LOG_FILE, SOCKET = "flowspec.log", "flowspec.sock"
IN_FORCE, ENDED = "in force", "ended"


@dataclass(frozen=True, slots=True)
class Order:
    """An announcement as it was asked for."""

    token: str
    edge: str
    policy: str
    session: Session
    peers: tuple[Peer, ...]
    canary: str | None
    canary_wait: float
    read_back: Mapping[str, str]
    """By peer: how it is asked."""
    routes: tuple[FlowRoute, ...]
    seconds: int
    deadline: float
    """On the clock that counts from the machine's start."""
    ends: str
    """The same, UTC, for people."""

    def to_json(self) -> dict[str, Any]:
        """For the state folder."""
        return {
            "token": self.token,
            "edge": self.edge,
            "policy": self.policy,
            "local": [str(self.session.local), self.session.number, str(self.session.router_id)],
            "password_file": self.session.password_file,
            "peers": [[str(peer.address), peer.number] for peer in self.peers],
            "canary": self.canary,
            "canary_wait": self.canary_wait,
            "read_back": dict(self.read_back),
            "routes": [
                [each.family, encode(each.rule).hex(), each.action.encode().hex(), each.id]
                for each in self.routes
            ],
            "seconds": self.seconds,
            "deadline": self.deadline,
            "ends": self.ends,
        }

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Order:
        """From the state folder. ``FlowError``: a rule is malformed."""
        local, number, router_id = given["local"]
        return cls(
            given["token"],
            given["edge"],
            given["policy"],
            Session(ip_address(local), number, IPv4Address(router_id), given["password_file"]),
            tuple(Peer(ip_address(address), each) for address, each in given["peers"]),
            given["canary"],
            given["canary_wait"],
            given["read_back"],
            tuple(_route(*each) for each in given["routes"]),
            given["seconds"],
            given["deadline"],
            given["ends"],
        )


def _route(family: int, rule: str, action: str, name: str) -> FlowRoute:
    return FlowRoute(decode(family, bytes.fromhex(rule))[0], Action.decode(bytes.fromhex(action)), name)


class EndError(Exception):
    """An announcement ends; the text says why. ``meant``: as it was asked for, and not because something failed."""

    def __init__(self, why: str, *, meant: bool = False) -> None:
        super().__init__(why)
        self.meant = meant


@dataclass(slots=True)
class PeerState:
    """One receiver."""

    session: str = "not up yet"
    rules: int = 0
    """That it was given and that were not taken back."""
    read_back: str = "the peer cannot be asked: nobody knows whether it took the rules"
    falls: int = 0


@dataclass(slots=True)
class Status:
    """What became of the announcement; the keeper's own copy changes."""

    token: str
    state: str = "starting"
    reason: str = ""
    meant: bool = False
    """It ended because its time was up, or because somebody asked for it."""
    since: str = ""
    ends: str = ""
    edge: str = ""
    policy: str = ""
    keeper: dict[str, int] = field(default_factory=dict)
    speaker: dict[str, int] = field(default_factory=dict)
    peers: dict[str, PeerState] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, order: Order, pid: int, mark: int | None, now: str) -> Status:
        """At the beginning; ``pid`` and ``mark`` are the keeper's number and when it was started."""
        return cls(
            order.token,
            since=now,
            ends=order.ends,
            edge=order.edge,
            policy=order.policy,
            keeper={"pid": pid, "started": mark or 0},
            peers={str(peer): PeerState() for peer in order.peers},
        )

    def to_json(self) -> dict[str, Any]:
        """For the state folder and for ``--json``."""
        return {
            "token": self.token,
            "state": self.state,
            "reason": self.reason,
            "meant": self.meant,
            "since": self.since,
            "ends": self.ends,
            "edge": self.edge,
            "policy": self.policy,
            "keeper": self.keeper,
            "speaker": self.speaker,
            "peers": {
                name: {
                    "session": each.session,
                    "rules": each.rules,
                    "read_back": each.read_back,
                    "falls": each.falls,
                }
                for name, each in self.peers.items()
            },
            "events": self.events,
        }


def named(routes: Sequence[FlowRoute], *, drops: bool) -> list[FlowRoute]:
    """Only the drops, or only the permits."""
    return [route for route in routes if route.action.drops is drops]
