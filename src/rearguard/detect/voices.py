"""Exchanges in their place: who spoke to whom, in which direction, on which interface, with what right.

An exchange knows what was said; the policy and the catalogue say whose addresses these are (rule A4), which
interface listens there (rules A1, A9) and whether the initiator may use it. What is incidental (rule A3) or has
neither end with us is left out: no finding may rest on it. So is what holds no attack, secret or session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rearguard.contacts.interfaces import NONE, Rights
from rearguard.model import bits
from rearguard.model.address import V4_MAPPED, format_address

if TYPE_CHECKING:
    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.dialogue.exchange import Exchange
    from rearguard.policy.policy import Policy

__all__ = ["Contact", "End", "Voice", "device_of", "is_v4", "place"]

End: TypeAlias = tuple[int, int]
"""Both halves of an address."""
Contact: TypeAlias = tuple[int, int, int, int, int, int]
"""client_hi, client_lo, server_hi, server_lo, port, proto: the key of the judged view."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One exchange, and what the policy says of its ends."""

    exchange: Exchange
    way: int
    """INBOUND, OUTBOUND or INTERNAL."""
    interface: str | None
    """What listens at this port in this place; None: not a management interface by its port."""
    authorised: bool
    """The policy lets this initiator use that interface of that listener."""
    client_network: str | None
    server_network: str | None
    surveyor: str | None
    """Rule B3: the known research scanner that opened it."""
    offers: frozenset[str]
    """Interfaces of the policy's controllers that take sessions at the server's address, on whatever port."""

    @property
    def client(self) -> End:
        return self.exchange.client_hi, self.exchange.client_lo

    @property
    def server(self) -> End:
        return self.exchange.server_hi, self.exchange.server_lo

    @property
    def source(self) -> End:
        """The client as one source: its IPv4 address, or its IPv6 /64 (rule A8)."""
        high, low = self.client
        return (high, low) if is_v4(high, low) else (high, 0)

    @property
    def contact(self) -> Contact:
        one = self.exchange
        return one.client_hi, one.client_lo, one.server_hi, one.server_lo, one.port, one.proto

    @property
    def client_text(self) -> str:
        return format_address(*self.client)

    @property
    def server_text(self) -> str:
        return format_address(*self.server)


def place(exchanges: Sequence[Exchange], policy: Policy, catalogue: Catalogue) -> list[Voice]:
    """Those of the exchanges that concern us, in the order in which they were said."""
    telling = sorted((one for one in exchanges if _tells(one)), key=_order)
    if not telling:
        return []
    rights = Rights.build(policy, catalogue)
    networks, surveyors = policy.network_table(), policy.surveyor_table()
    client_hi, client_lo, server_hi, server_lo = (
        _column(telling, name, np.uint64) for name in ("client_hi", "client_lo", "server_hi", "server_lo")
    )
    port, proto = _column(telling, "port", np.uint16), _column(telling, "proto", np.uint8)
    client, server = networks.lookup(client_hi, client_lo), networks.lookup(server_hi, server_lo)
    request, session = (
        rights.requests.lookup(client_hi, client_lo),
        rights.sessions.lookup(server_hi, server_lo),
    )
    at_controller = rights.at_controller(session, proto, port)
    interface = np.where(at_controller != NONE, at_controller, rights.of_device(proto, port, server))
    surveyor = surveyors.lookup(client_hi, client_lo)
    offered = policy.controller_interfaces("sessions_at")
    names, scanners = (None, *policy.network_names), (None, *policy.surveyors)
    found = []
    for at, one in enumerate(telling):
        ours = client[at] >= 0, server[at] >= 0
        if not any(ours):
            continue
        offers = offered[session[at]] if session[at] >= 0 else frozenset[str]()
        found.append(
            Voice(
                one,
                bits.INTERNAL if all(ours) else bits.OUTBOUND if ours[0] else bits.INBOUND,
                rights.names[interface[at]] if interface[at] != NONE else None,
                _allowed(rights, int(interface[at]), int(request[at]), ours, offers),
                names[client[at] + 1],
                names[server[at] + 1],
                scanners[surveyor[at] + 1],
                offers,
            )
        )
    return found


def is_v4(high: int, low: int) -> bool:
    """Whether the halves are those of an IPv4 address."""
    return high == 0 and low >> 32 == V4_MAPPED >> 32


def device_of(end: End, network: str | None, policy: Policy) -> End:
    """What counts as one device: the address, or the delegated prefix where the policy gives its length (A8)."""
    length = policy.networks[network].delegated if network is not None else None
    if length is None or is_v4(*end):
        return end
    return end[0] & ((1 << length) - 1) << (64 - length), 0


def _tells(one: Exchange) -> bool:
    """Whether a detector asks who said it. What listeners answered is asked of all (:mod:`.heard`)."""
    if one.incidental:
        return False
    return bool(one.hits or one.secrets or one.inform or one.rpcs) or one.speaks == "tls"


def _allowed(
    rights: Rights, interface: int, request: int, ours: tuple[bool, bool], offers: frozenset[str]
) -> bool:
    """Rule A1, as the judged view has it: the initiator's role, the listener's role, and the pair."""
    if interface == NONE:
        return False
    if rights.device_listens[interface]:
        return request >= 0 and ours[1] and bool(rights.may_request[request, interface])
    return ours[0] and rights.names[interface] in offers


def _column(exchanges: Sequence[Exchange], name: str, kind: Any) -> npt.NDArray[Any]:
    return np.fromiter((getattr(one, name) for one in exchanges), dtype=kind, count=len(exchanges))


def _order(one: Exchange) -> tuple[int, ...]:
    return (
        one.first,
        one.client_hi,
        one.client_lo,
        one.client_port,
        one.server_hi,
        one.server_lo,
        one.port,
        one.proto,
        one.observer,
        one.last,
    )
