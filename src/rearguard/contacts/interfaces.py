"""Which interface a contact means, and who may use it: catalogue and policy as look-up tables.

A port number alone does not name an interface (rule A1): the same tcp/7547 is ``cwmp-cr`` at a device and
``cwmp-acs`` at a controller's ``sessions_at``. Ports that a network has moved count there as well (rule A9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.catalogue import Catalogue
from rearguard.contacts.guarding import PROTOCOL
from rearguard.model.prefixes import PrefixTable
from rearguard.policy import Policy

__all__ = ["NONE", "Rights"]

NONE = -1
Index = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rights:
    """Tables by interface index (the order of ``catalogue.interfaces``) and by controller label."""

    names: tuple[str, ...]
    device_listens: npt.NDArray[np.bool_]
    requests: PrefixTable
    sessions: PrefixTable
    request_names: tuple[str, ...]
    session_names: tuple[str, ...]
    may_request: npt.NDArray[np.bool_]  # [label, interface]
    by_port: npt.NDArray[np.int32]  # [0 tcp | 1 udp, port] -> interface of a device
    moved: tuple[tuple[int, int, int, int], ...]  # (network, protocol, port, interface)
    controller_ports: dict[tuple[int, int, int], int]  # (label, protocol, port) -> interface

    @classmethod
    def build(cls, policy: Policy, catalogue: Catalogue) -> Rights:
        names = tuple(interface.id for interface in catalogue.interfaces)
        number = {name: index for index, name in enumerate(names)}
        by_port = np.full((2, 65536), NONE, dtype=np.int32)
        for transport, port in catalogue.ports("device", opt_in=True):
            best = catalogue.listening(transport, port, "device")
            by_port[0 if transport == "tcp" else 1, port] = number[best[0].id]
        moved = tuple(
            (label, PROTOCOL[port.transport], port.number, number[interface])
            for label, network in enumerate(policy.networks.values())
            for interface, ports in network.ports.items()
            for port in ports
        )
        requests = policy.controller_interfaces("requests_from")
        may = np.zeros((len(requests), len(names)), dtype=np.bool_)
        for label, managed in enumerate(requests):
            may[label, [number[name] for name in managed]] = True
        return cls(
            names,
            np.array([str(interface.listener) == "device" for interface in catalogue.interfaces]),
            policy.controller_table("requests_from"),
            policy.controller_table("sessions_at"),
            tuple(", ".join(group) for group in policy.controller_sets("requests_from")),
            tuple(", ".join(group) for group in policy.controller_sets("sessions_at")),
            may,
            by_port,
            moved,
            _controller_ports(policy, catalogue, number),
        )

    def of_device(self, proto: npt.NDArray[Any], port: npt.NDArray[Any], network: Index) -> Index:
        """The interface of a device that listens there; NONE: not a management interface."""
        kind = np.where(proto == PROTOCOL["tcp"], 0, 1)
        found: Index = self.by_port[kind, port]
        for label, at_proto, at_port, interface in self.moved:
            found = np.where((network == label) & (proto == at_proto) & (port == at_port), interface, found)
        return found

    def ports(self) -> npt.NDArray[np.uint8]:
        """uint8[0 tcp | 1 udp, port]: 1 where a device listens for an interface in some network."""
        table: npt.NDArray[np.uint8] = (self.by_port != NONE).astype(np.uint8)
        for _, proto, port, _ in self.moved:
            table[0 if proto == PROTOCOL["tcp"] else 1, port] = 1
        return table

    def at_controller(self, label: Index, proto: npt.NDArray[Any], port: npt.NDArray[Any]) -> Index:
        """The interface on which the controller with this ``sessions`` label listens there, or NONE."""
        found = np.full(len(label), NONE, dtype=np.int32)
        for (at, at_proto, at_port), interface in self.controller_ports.items():
            found[(label == at) & (proto == at_proto) & (port == at_port)] = interface
        return found


def _controller_ports(
    policy: Policy, catalogue: Catalogue, number: dict[str, int]
) -> dict[tuple[int, int, int], int]:
    """For every controller and port: the best interface that it listens on and that it manages."""
    table: dict[tuple[int, int, int], int] = {}
    for label, managed in enumerate(policy.controller_interfaces("sessions_at")):
        for transport, port in catalogue.ports("controller", opt_in=True):
            for interface in catalogue.listening(transport, port, "controller"):
                if interface.id in managed:
                    table.setdefault((label, PROTOCOL[transport], port), number[interface.id])
    return table
