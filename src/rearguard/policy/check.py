"""What no single entry can tell: overlaps, names that must exist elsewhere, dates that have passed.

An error is whatever would make two readings of the policy possible; a warning is what is clear but
probably not meant. Neither ever widens what is permitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING

from rearguard.policy.entries import INSIDE
from rearguard.policy.places import Path, nearest

if TYPE_CHECKING:
    from rearguard.policy.policy import Policy, Role

__all__ = ["Remark", "errors", "warnings"]

_ROLES: tuple[Role, Role] = ("requests_from", "sessions_at")
_WIDE = {4: 16, 6: 32}
"""A controller with a prefix shorter than this is probably a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about the policy, and the path of the key it is about."""

    path: Path
    problem: str
    remedy: str


def errors(policy: Policy) -> Iterator[Remark]:
    """Why the policy cannot be used."""
    yield from _overlapping_networks(policy)
    yield from _unknown_networks(policy)
    yield from _unknown_observers(policy)
    yield from _unknown_edges(policy)
    yield from _own_addresses_through_an_edge(policy)


def warnings(policy: Policy, today: date) -> Iterator[Remark]:
    """What its writer should look at."""
    if not policy.networks:
        yield Remark((), "no networks: nothing can be told to be inside", "add your prefixes under networks")
    yield from _shared_addresses(policy)
    yield from _controllers(policy)
    yield from _surveyors(policy)
    yield from _dates(policy, today)


def _overlapping_networks(policy: Policy) -> Iterator[Remark]:
    for (name, network), (other, second) in combinations(policy.networks.items(), 2):
        pair = network.prefixes.first_overlap(second.prefixes)
        if pair:
            yield Remark(
                ("networks", other, "prefixes"),
                f"{pair[1]} overlaps {pair[0]} of network {name!r}",
                "an address can be in one network only: split the wider prefix",
            )


def _unknown_networks(policy: Policy) -> Iterator[Remark]:
    for index, drop in enumerate(policy.drop):
        for position, name in enumerate(drop.toward):
            if name not in policy.networks:
                path = ("drop", index, "toward", position)
                yield Remark(path, f"unknown network {name!r}", _meant(name, policy.networks, "networks"))


def _unknown_observers(policy: Policy) -> Iterator[Remark]:
    for name in policy.sampling.observers:
        if name not in policy.observers:
            path = ("sampling", "observers", name)
            yield Remark(path, f"unknown observer {name!r}", _meant(name, policy.observers, "observers"))


def _meant(name: str, known: Iterable[str], where: str) -> str:
    names = list(known)
    close = nearest(name, names)
    if close:
        return f"did you mean {close!r}?"
    return f"use one of {', '.join(names)}" if names else f"add it under {where}"


def _unknown_edges(policy: Policy) -> Iterator[Remark]:
    """As long as no edge is listed, ``enters_at`` alone makes one."""
    if INSIDE in policy.edges:
        yield Remark(("edges", INSIDE), f"{INSIDE!r} is no edge", "give the edge another name")
    for name, controller in policy.controllers.items():
        edge = controller.enters_at
        if policy.edges and edge != INSIDE and edge not in policy.edges:
            path = ("controllers", name, "enters_at")
            yield Remark(path, f"unknown edge {edge!r}", _meant(edge, policy.edges, "edges"))


def _own_addresses_through_an_edge(policy: Policy) -> Iterator[Remark]:
    own = policy.own()
    for name, controller in policy.controllers.items():
        if controller.enters_at == INSIDE or controller.requests_from is None:
            continue
        pair = controller.requests_from.first_overlap(own)
        if pair:
            yield Remark(
                ("controllers", name, "enters_at"),
                f"{pair[0]} lies in {pair[1]} of the networks, so from outside it can only be "
                "forged (rule C2)",
                f"write enters_at: {INSIDE}, or take the controller's addresses out of the networks",
            )


def _shared_addresses(policy: Policy) -> Iterator[Remark]:
    for index, drop in enumerate(policy.drop):
        for position, name in enumerate(drop.toward):
            network = policy.networks.get(name)
            if network and network.shared and any(net.version == 4 for net in network.prefixes):
                yield Remark(
                    ("drop", index, "toward", position),
                    f"IPv4 addresses of {name!r} ({network.kind}) are shared, nothing may be "
                    "dropped there by port (rule A7)",
                    "put the IPv6 prefixes in a network of their own and name that one",
                )


def _controllers(policy: Policy) -> Iterator[Remark]:
    own = policy.own()
    for name, controller in policy.controllers.items():
        for role in _ROLES:
            path: Path = ("controllers", name, role)
            for prefix in controller.addresses(role):
                if prefix.prefixlen < _WIDE[prefix.version]:
                    yield Remark(
                        path,
                        f"{prefix} is a wide place for a controller: all of it may manage devices",
                        "name the controller's own addresses",
                    )
            pair = controller.addresses(role).first_overlap(own)
            if pair and controller.enters_at == INSIDE:
                yield Remark(
                    path,
                    f"{pair[0]} lies in {pair[1]} of the networks, among the devices it manages",
                    "take it out of the networks, or accept that its neighbours can pretend to be it",
                )
    for (name, first), (other, second) in combinations(policy.controllers.items(), 2):
        for role in _ROLES:
            pair = first.addresses(role).first_overlap(second.addresses(role))
            if pair:
                yield Remark(
                    ("controllers", other, role),
                    f"{pair[1]} overlaps {pair[0]} of controller {name!r}: who is there may do what both may",
                    "give each its own addresses, or make them one controller",
                )


def _surveyors(policy: Policy) -> Iterator[Remark]:
    own = policy.own()
    for name, surveyor in policy.surveyors.items():
        path = ("surveyors", name, "prefixes")
        pair = surveyor.prefixes.first_overlap(own)
        if pair:
            yield Remark(
                path,
                f"{pair[0]} overlaps {pair[1]} of the networks: a device there would be muted as a surveyor",
                "surveyors are outside; accept findings about own devices under exceptions",
            )
    for (name, first), (other, second) in combinations(policy.surveyors.items(), 2):
        pair = first.prefixes.first_overlap(second.prefixes)
        if pair:
            yield Remark(
                ("surveyors", other, "prefixes"),
                f"{pair[1]} overlaps {pair[0]} of surveyor {name!r}",
                "the longer prefix names the surveyor, of equal ones the first; remove one",
            )


def _dates(policy: Policy, today: date) -> Iterator[Remark]:
    for index, drop in enumerate(policy.drop):
        if drop.review_by < today:
            yield Remark(
                ("drop", index, "review_by"),
                f"the review was due on {drop.review_by}; the drop still holds (rule C7)",
                "look whether it is still necessary, then set a new date or remove it",
            )
    for index, entry in enumerate(policy.exceptions):
        if entry.expires < today:
            yield Remark(
                ("exceptions", index, "expires"),
                f"the exception for {entry.subject} expired on {entry.expires} and is ignored",
                "remove it, or set a new date if the reason still holds",
            )
