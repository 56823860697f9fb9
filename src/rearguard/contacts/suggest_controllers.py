"""Who behaves like a controller or a surveyor: candidates for a policy, never permits (rule B2).

A controller is told from a worm by what it knows: it calls devices that exist, so nearly all of its calls come
back, answered or refused; it has something to say, so what is answered carries payload both ways; and it
leaves no fingerprint of a scanning tool. All of this a patient attacker can imitate; that is why a candidate
is always marked unsure. Where devices open sessions (``sessions_at``) is proposed from the ports that only
controllers have; a session on the web ports looks like browsing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.guarding import PROTOCOL
from rearguard.contacts.slim import (
    ANSWERED,
    CONVERSED,
    LISTENER_OPENED,
    OPENED,
    REFUSED,
    SLIM,
    Rows,
    slim_contacts,
    starts_of,
)
from rearguard.contacts.suggest import device_ports
from rearguard.model.address import Address, from_halves
from rearguard.model.prefixes import PrefixSet, PrefixTable

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.contacts.reducer import Partials

__all__ = ["Candidate", "Candidates", "suggest_controllers"]

DEVICES = 3
"""Devices that must have been called, or must have called; fewer is nobody's behaviour."""
REACHED_RATE = 0.8
"""Part of the called devices that answered or refused. Who tries dark addresses does not reach it."""
TALK_RATE = 0.75
"""Of those that answered, the part with payload both ways. Who only looks for open ports does not reach it."""
REACH = 0.5
"""A surveyor's part of our addresses that anybody tried on its port."""
LISTED = 20
"""Candidates of each kind that are proposed at most, the ones with most devices first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address on one port, and what it did; times in ns since the epoch."""

    address: Address
    transport: str
    port: int
    devices: int
    answered: int
    refused: int
    conversed: int
    tries: int
    first: int
    last: int
    inside: bool
    """Whether the address lies in our networks."""
    called_back: int = 0
    """Of the devices: how many opened a session to a candidate of ``sessions`` after the call."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What looks like controllers that call, controllers that are called, and surveys by a scanning tool."""

    requests: tuple[Candidate, ...] = ()
    sessions: tuple[Candidate, ...] = ()
    surveyors: tuple[Candidate, ...] = ()


def suggest_controllers(partials: Partials, own: PrefixSet, catalogue: Catalogue) -> Candidates:
    """Look for candidates in what was read; ``own`` are the networks, given or suggested.

    ``partials`` must have been read with a guard for which controllers and devices are both ours, else the
    sessions of devices are missing from it.
    """
    table = PrefixTable.build((net, 0) for net in own)
    listed, controller = device_ports(catalogue), _controller_ports(catalogue)
    sessions: list[Rows] = []
    tried: Rows = np.zeros(0, dtype=SLIM)
    for rows in slim_contacts(partials):
        from_own = table.lookup(rows["client_hi"], rows["client_lo"]) >= 0
        to_own = table.lookup(rows["server_hi"], rows["server_lo"]) >= 0
        opened = rows["bits"] & (OPENED | ANSWERED) == OPENED | ANSWERED
        sessions.append(rows[opened & from_own & ~to_own & controller[rows["proto"], rows["port"]]])
        tried = _distinct(np.concatenate([tried, _calls(rows, table, listed)]))
    opened_by = np.concatenate(sessions)
    servers = [
        one
        for one in _candidates(opened_by, "server", table)
        if one.answered >= DEVICES and one.conversed >= TALK_RATE * one.answered
    ]
    back, reach = _calls_back(opened_by, servers), _counts(tried)
    callers: list[Candidate] = []
    surveyors: list[Candidate] = []
    for rows in slim_contacts(partials):
        called = _calls(rows, table, listed)
        surveys, worms = _marked(called, "survey"), _marked(called, "worm")
        for one in _candidates(called, "client", table, back):
            if _key(one) in surveys - worms:
                if one.devices >= REACH * reach[one.transport, one.port] and not one.inside:
                    surveyors.append(one)
            elif _key(one) not in worms and _like_controller(one):
                callers.append(one)
    return Candidates(_best(callers), _best(servers), _best(surveyors))


def _calls(rows: Rows, own: PrefixTable, listed: npt.NDArray[np.bool_]) -> Rows:
    """Contacts toward a management interface of our devices; all of a client's are in one partition."""
    rows = rows[(rows["bits"] & LISTENER_OPENED == 0) & listed[rows["proto"], rows["port"]]]
    return rows[own.lookup(rows["server_hi"], rows["server_lo"]) >= 0]


def _like_controller(one: Candidate) -> bool:
    return (
        one.answered >= DEVICES
        and one.answered + one.refused >= REACHED_RATE * one.devices
        and one.conversed >= TALK_RATE * one.answered
    )


def _key(one: Candidate) -> tuple[Address, str, int]:
    return one.address, one.transport, one.port


def _best(found: list[Candidate]) -> tuple[Candidate, ...]:
    ranked = sorted(found, key=lambda one: (-one.devices, one.address.version, one.address, one.port))
    return tuple(ranked[:LISTED])


def _candidates(
    rows: Rows, side: str, own: PrefixTable, back: dict[tuple[int, int], int] | None = None
) -> list[Candidate]:
    """One candidate an address on this side and port, over the devices on the other."""
    names = (f"{side}_hi", f"{side}_lo", "proto", "port")
    rows = rows[np.lexsort(tuple(rows[name] for name in reversed(names)))]
    starts = starts_of(rows, names)
    found = []
    ends = np.append(starts, len(rows))[1:]
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        if b - a < DEVICES:
            continue
        part = rows[a:b]
        hi, lo = part[f"{side}_hi"][:1], part[f"{side}_lo"][:1]
        found.append(
            Candidate(
                from_halves(int(hi[0]), int(lo[0])),
                _transport(int(part["proto"][0])),
                int(part["port"][0]),
                b - a,
                int((part["bits"] & ANSWERED > 0).sum()),
                int((part["bits"] & (REFUSED | ANSWERED) == REFUSED).sum()),
                int((part["bits"] & CONVERSED == CONVERSED).sum()),
                int(part["tries"].sum()),
                int(part["first"].min()),
                int(part["last"].max()),
                bool(own.lookup(hi, lo)[0] >= 0),
                _called_back(part, back or {}),
            )
        )
    return found


def _calls_back(sessions: Rows, servers: list[Candidate]) -> dict[tuple[int, int], int]:
    """Device to the last packet of its sessions at one of the candidates."""
    at = {(one.address, one.port) for one in servers}
    last: dict[tuple[int, int], int] = {}
    for row in sessions:
        server = from_halves(int(row["server_hi"]), int(row["server_lo"]))
        if (server, int(row["port"])) in at:
            device = int(row["client_hi"]), int(row["client_lo"])
            last[device] = max(last.get(device, 0), int(row["last"]))
    return last


def _called_back(calls: Rows, back: dict[tuple[int, int], int]) -> int:
    if not back:
        return 0
    devices = zip(
        calls["server_hi"].tolist(), calls["server_lo"].tolist(), calls["first"].tolist(), strict=True
    )
    return sum(back.get((hi, lo), -1) > first for hi, lo, first in devices)


def _marked(calls: Rows, tool: str) -> set[tuple[Address, str, int]]:
    """Clients most of whose SYNs toward a port carry this kind of fingerprint."""
    names = ("client_hi", "client_lo", "proto", "port")
    rows = calls[np.lexsort(tuple(calls[name] for name in reversed(names)))]
    starts = starts_of(rows, names)
    if not len(rows):
        return set()
    found = np.add.reduceat(rows[tool].astype(np.uint64), starts)
    tries = np.add.reduceat(rows["tries"], starts)
    marked = rows[starts][(2 * found >= tries) & (found >= DEVICES)]
    return {(_address(one), _transport(int(one["proto"])), int(one["port"])) for one in marked}


_TRIED = ("proto", "port", "server_hi", "server_lo")


def _distinct(calls: Rows) -> Rows:
    """One row an address and port that was tried."""
    rows = calls[np.lexsort(tuple(calls[name] for name in reversed(_TRIED)))]
    return rows[starts_of(rows, _TRIED)]


def _counts(tried: Rows) -> dict[tuple[str, int], int]:
    """How many own addresses were tried on each port."""
    starts = starts_of(tried, _TRIED[:2])
    counts = np.diff(np.append(starts, len(tried)))
    return {
        (_transport(int(one["proto"])), int(one["port"])): int(count)
        for one, count in zip(tried[starts], counts, strict=True)
    }


def _address(row: Any) -> Address:
    return from_halves(int(row["client_hi"]), int(row["client_lo"]))


def _transport(proto: int) -> str:
    return next(name for name, number in PROTOCOL.items() if number == proto)


def _controller_ports(catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    """[protocol, port]: only a controller of the CWMP family listens there for sessions."""
    ports = np.zeros((256, 65536), dtype=np.bool_)
    for interface in catalogue.family("cwmp"):
        if interface.listener == "controller":
            for port in interface.ports:
                ports[PROTOCOL[port.transport], port.port] |= not port.opt_in
    return ports
