"""What the policy wants guarded: each drop as cells of one network, family, transport and port, in its shape.

Filter and replay are both derived from the same cells. Whatever the policy lists and no cell stands for is in
``left``, with the reason; nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rearguard.catalogue import Catalogue
from rearguard.catalogue.model import Listener
from rearguard.filters.model import Left, Reason
from rearguard.model.bits import TCP, UDP
from rearguard.policy import Drop, GuardedNetwork, Policy, Port

__all__ = ["PROTOCOL", "Cell", "Guarded", "guard", "listening"]

PROTOCOL = {"tcp": TCP, "udp": UDP}
FIRST_SHARED = 1024
"""Ports from here on are also source ports of customers' own clients, so that replies go to them (rule C1)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One port of one network in one family that is guarded."""

    drop: int
    network: str
    family: int
    port: Port
    interfaces: tuple[str, ...]
    cut: bool

    @property
    def by_port(self) -> bool:
        """Whether every packet to the port is dropped; else only what can open a connection (rule C1)."""
        return self.port.transport == "udp" or self.port.number < FIRST_SHARED


@dataclass(frozen=True, slots=True)
class Guarded:
    """All that is guarded, and what is not though the policy lists it."""

    cells: tuple[Cell, ...]
    left: tuple[Left, ...]


def guard(policy: Policy, catalogue: Catalogue, drops: Iterable[Drop] | None = None) -> Guarded:
    """The cells of the policy's drops, or of others (for a what-if)."""
    cells: list[Cell] = []
    left: dict[tuple[int, str, str, Reason, int | None], list[str]] = {}
    for number, drop in enumerate(policy.drop if drops is None else drops):
        for name in drop.toward:
            wanted: dict[Port, list[str]] = {}
            for interface in sorted(drop.interfaces):
                for port, reason in _ports(interface, policy.networks[name], catalogue, drop):
                    if reason is None:
                        wanted.setdefault(port, []).append(interface)
                    else:
                        left.setdefault((number, name, interface, reason, None), []).append(str(port))
            for family, reason in _families(policy.networks[name]):
                for port, interfaces in wanted.items():
                    if reason is None:
                        cells.append(Cell(number, name, family, port, tuple(interfaces), drop.mode == "cut"))
                    else:
                        for each in interfaces:
                            left.setdefault((number, name, each, reason, family), []).append(str(port))
    return Guarded(
        tuple(cells),
        tuple(
            Left(number, name, interface, tuple(ports), reason, family)
            for (number, name, interface, reason, family), ports in left.items()
        ),
    )


def listening(policy: Policy, catalogue: Catalogue, network: str, port: Port) -> frozenset[str]:
    """The interfaces that may listen on a port in a network.

    A packet does not say which of them it means, so whoever may use one of them may send it.
    """
    known = {entry.id for entry in catalogue.listening(port.transport, port.number, "device")}
    moved = {name for name, ports in policy.networks[network].ports.items() if port in ports}
    return frozenset(known | moved)


def _ports(
    interface: str, network: GuardedNetwork, catalogue: Catalogue, drop: Drop
) -> Iterator[tuple[Port, Reason | None]]:
    """The ports of an interface in a network, moved ones included (rule A9), each with why it is left out."""
    entry = catalogue.get(interface)
    known = {Port(each.transport, each.port): each.opt_in for each in entry.ports}
    known |= dict.fromkeys(network.ports.get(interface, ()), False)
    for port, opt_in in known.items():
        if entry.listener is not Listener.DEVICE:
            yield port, Reason.CONTROLLER
        elif opt_in:
            yield port, Reason.OPT_IN
        elif port.transport == "udp" and port.number >= FIRST_SHARED and not drop.accept_collateral:
            yield port, Reason.COLLATERAL
        else:
            yield port, None


def _families(network: GuardedNetwork) -> Iterator[tuple[int, Reason | None]]:
    """The families of a network, each with why it cannot be guarded."""
    versions = {prefix.version for prefix in network.prefixes}
    if 4 in versions and network.shared:
        yield 4, Reason.SHARED if network.kind == "cgn" else Reason.SOFTWIRE
    elif 4 in versions:
        yield 4, None
    if 6 in versions:
        yield 6, None
