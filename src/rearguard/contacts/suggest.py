"""Which networks an input was taken in front of: what a first look suggests when nobody has said.

Theory. A capture is taken where "our" traffic passes, so almost every contact has one end that is ours. Which
one is voted on, contact by contact; the votes of a unit (an IPv4 /24, an IPv6 /48) decide about it.

    the contact                                                          ours is
    one end has private, unique local or link-local addresses            that end; with both, both
    both ends lie in one unit                                            that unit
    toward multicast or broadcast                                        the sender, who is on the link
    of a client that tries many addresses close together, or many
      ports of one address, mostly in vain or on a management interface  the ones tried
    of a client that tries addresses scattered over the Internet         the client (it scans outward, or browses)
    any other                                                            the end with more different partners:
                                                                         areas first (/16, /32), then units
    no difference                                                        on a management interface the listener,
                                                                         else the client

A unit all of whose partners are ours by stronger votes is not needed to explain anything and is left out.
Private addresses in a few packets that nobody answered are somebody's spoofing and prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.guarding import PROTOCOL, build_guard
from rearguard.contacts.slim import Rows, slim_contacts
from rearguard.contacts.suggest_pairs import (
    LOCAL,
    MANAGED,
    OUTWARD,
    PAIR_TYPE,
    PAIRS,
    SWEPT,
    pairs_of,
    sum_pairs,
)
from rearguard.contacts.units import NO_UNIT, Units, area_of, is_private, merge_units, unit_of
from rearguard.model.guard import Guard
from rearguard.model.prefixes import PrefixTable

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.contacts.reducer import Partials
    from rearguard.model.address import Network
    from rearguard.policy import Policy

__all__ = ["PREFIXES", "Suggested", "device_ports", "everything_guard", "suggest_networks"]

PREFIXES = 64
"""A suggestion has this many prefixes at most; a longer list nobody reads."""

PRIVATE_SHARE = 0.05
"""Part of all contacts from which on private addresses count without an answer."""
_WEB = frozenset({80, 81, 443, 1883, 5000, 8000, 8080, 8443, 8883})
"""Management ports that ordinary clients use toward the Internet all the time."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Prefixes that look like ours, sorted, and why: reason to the number of units that it decided."""

    prefixes: tuple[Network, ...]
    reasons: dict[str, int]
    left_out: int = 0
    """Prefixes that did not fit into the limit."""
    undecided: int = 0
    """Units that were seen and are held to be outside."""


def everything_guard(policy: Policy, catalogue: Catalogue) -> Guard:
    """A guard for which every address is ours, with the ports that matter under this policy."""
    import ipaddress

    both = [(ipaddress.ip_network("0.0.0.0/0"), 0), (ipaddress.ip_network("::/0"), 1)]
    ports = build_guard(policy, catalogue)
    return Guard.build(PrefixTable.build(both), [])._replace(tcp=ports.tcp, udp=ports.udp)


def device_ports(catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    """[protocol, port]: a device listens there for its management, and hardly anybody for anything else."""
    listed = np.zeros((256, 65536), dtype=np.bool_)
    for transport, port in catalogue.ports("device"):
        listed[PROTOCOL[transport], port] = port not in _WEB
    return listed


def suggest_networks(partials: Partials, catalogue: Catalogue) -> Suggested:
    """Decide from what :func:`everything_guard` made of the input."""
    listed = device_ports(catalogue)
    waiting: list[Rows] = [np.zeros(0, dtype=PAIR_TYPE)]
    for rows in slim_contacts(partials):
        waiting.append(pairs_of(rows, listed))
        if sum(len(part) for part in waiting) > 2 * PAIRS:
            waiting = [sum_pairs(np.concatenate(waiting))]
    pairs = sum_pairs(np.concatenate(waiting))
    lone = _host_units(partials, len(pairs) == 0)
    return _decide(pairs, lone)


def _host_units(partials: Partials, all_of_them: bool) -> Units:
    """Private units that sent anything; when there are no contacts they are all there is to go by."""
    found: Units = np.zeros(0, dtype=np.uint64)
    for batch in partials.hosts.batches(1 << 17):
        units = np.unique(unit_of(batch["addr_hi"], batch["addr_lo"]))
        found = np.union1d(found, units[is_private(units)])
    return found if all_of_them or len(found) <= PREFIXES else found[:0]


def _decide(pairs: Rows, senders: Units) -> Suggested:
    client, server = pairs["client"], pairs["server"]
    weight = pairs["weight"]
    own_c, own_s = _private(pairs)
    votes_c, reason = _votes(pairs, own_c, own_s)
    votes_s = ~votes_c
    both = (client == server) | (own_c & own_s)
    votes_c, votes_s = votes_c | both, (votes_s | both) & (server != NO_UNIT)
    units, place = np.unique(np.concatenate([client, server]), return_inverse=True)
    at_c, at_s = place[: len(client)], place[len(client) :]
    for_it = np.bincount(at_c, weight * votes_c, len(units)) + np.bincount(at_s, weight * votes_s, len(units))
    total = np.bincount(at_c, weight, len(units)) + np.bincount(at_s, weight * (client != server), len(units))
    private = np.zeros(len(units), dtype=np.bool_)
    private[at_c[own_c]] = private[at_s[own_s]] = True
    same = np.bincount(at_s, weight * (client == server), len(units))
    ours = ((2 * (for_it - same) > total) | private) & (units != NO_UNIT)
    _prune(ours, for_it, private, at_c, at_s)
    chosen = {int(unit): int(n) for unit, n in zip(units[ours], for_it[ours], strict=True)}
    if private.any() or not len(pairs):
        for unit in senders.tolist():
            chosen.setdefault(int(unit), 1)
    outside = units[~ours & (units != NO_UNIT) & ~np.isin(units, np.array(list(chosen), dtype=np.uint64))]
    prefixes, left_out = merge_units(chosen, outside, PREFIXES)
    return Suggested(
        prefixes, _told(chosen, units, ours, at_c, at_s, votes_c, reason), left_out, len(outside)
    )


def _private(pairs: Rows) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which ends are private and not spoofed: all, when there is much of it; else those that held a talk."""
    own_c, own_s = is_private(pairs["client"]), is_private(pairs["server"])
    share = int(pairs["weight"][own_c | own_s].sum())
    if share < PRIVATE_SHARE * int(pairs["weight"].sum()):
        alive = pairs["alive"] > 0
        living = np.unique(np.concatenate([pairs["client"][alive & own_c], pairs["server"][alive & own_s]]))
        own_c, own_s = own_c & np.isin(pairs["client"], living), own_s & np.isin(pairs["server"], living)
    return own_c, own_s


_REASONS = ("private", "tried", "outward", "partners", "listener", "client")


def _votes(
    pairs: Rows, own_c: npt.NDArray[np.bool_], own_s: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """For each pair whether the client's end is ours, and by which line of the table (index of _REASONS)."""
    client, server, hint = pairs["client"], pairs["server"], pairs["hint"]
    wide = _partners(area_of(client), area_of(server))
    near = _partners(client, server)
    apart = area_of(client) != area_of(server)
    lead = np.where(apart, np.sign(wide[0] - wide[1]), 0)
    lead = np.where(lead == 0, np.sign(near[0] - near[1]), lead)
    cases: list[tuple[Any, Any, int]] = [
        (own_c & (server != NO_UNIT), True, 0),
        (own_s, False, 0),
        ((hint == LOCAL) | (hint == OUTWARD), True, 2),
        (hint == SWEPT, False, 1),
        (lead != 0, lead > 0, 3),
        (hint == MANAGED, False, 4),
    ]
    votes = np.select([case[0] for case in cases], [case[1] for case in cases], True).astype(np.bool_)
    reason = np.select([case[0] for case in cases], [case[2] for case in cases], 5)
    return votes, reason


def _partners(client: Units, server: Units) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """With how many different others each end of each pair was seen."""
    names, place = np.unique(np.concatenate([client, server]), return_inverse=True)
    at_c, at_s = place[: len(client)], place[len(client) :]
    real = server != NO_UNIT
    pairs = np.unique(
        np.concatenate([at_c[real] * len(names) + at_s[real], at_s[real] * len(names) + at_c[real]])
    )
    counts = np.bincount(pairs // max(1, len(names)), minlength=len(names))
    return counts[at_c], counts[at_s]


def _prune(
    ours: npt.NDArray[np.bool_],
    weight: npt.NDArray[Any],
    private: npt.NDArray[np.bool_],
    at_c: npt.NDArray[np.intp],
    at_s: npt.NDArray[np.intp],
) -> None:
    """Take out, the weakest first, what explains no contact that the others do not explain."""
    inner = ours[at_c] & ours[at_s] & (at_c != at_s)
    partners: dict[int, set[int]] = {}
    for a, b in zip(at_c[inner].tolist(), at_s[inner].tolist(), strict=True):
        partners.setdefault(a, set()).add(b)
        partners.setdefault(b, set()).add(a)
    crossing = ours[at_c] != ours[at_s]
    needed = np.zeros(len(ours), dtype=np.bool_)
    needed[at_c[crossing & ours[at_c]]] = True
    needed[at_s[crossing & ours[at_s]]] = True
    needed[at_c[at_c == at_s]] = True
    for unit in sorted(partners, key=lambda one: (weight[one], one)):
        if not needed[unit] and not private[unit] and partners[unit]:
            ours[unit] = False
            for other in partners[unit]:
                needed[other] = True


def _told(
    chosen: dict[int, int],
    units: Units,
    ours: npt.NDArray[np.bool_],
    at_c: npt.NDArray[np.intp],
    at_s: npt.NDArray[np.intp],
    votes_c: npt.NDArray[np.bool_],
    reason: npt.NDArray[np.intp],
) -> dict[str, int]:
    """By the strongest line of the table that spoke for each chosen unit."""
    best = np.full(len(units), len(_REASONS), dtype=np.int64)
    np.minimum.at(best, at_c[votes_c], reason[votes_c])
    np.minimum.at(best, at_s[~votes_c], reason[~votes_c])
    counts = {name: int((ours & (best == number)).sum()) for number, name in enumerate(_REASONS)}
    counts["private"] += len(chosen) - int(ours.sum())
    return {name: n for name, n in counts.items() if n}
