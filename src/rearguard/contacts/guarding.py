"""The guard of a policy and a catalogue: what reading needs to know, and nothing more."""

from __future__ import annotations

from rearguard.catalogue import Catalogue
from rearguard.model.bits import TCP, UDP
from rearguard.model.guard import Guard
from rearguard.model.prefixes import PrefixSet, PrefixTable
from rearguard.policy import Policy

__all__ = ["PROTOCOL", "build_guard", "controllers_guard"]

PROTOCOL = {"tcp": TCP, "udp": UDP}

_WEB = frozenset({("tcp", 80), ("tcp", 443)})
"""Listed for devices that offer their administration page there; toward others they are browsing."""

_SERVICES = (
    1194, 1433, 1434, 1521, 1701, 1723, 1812, 1813, 1935, 2049, 2083, 3128, 3306, 3389, 4443, 4500, 5004,
    5060, 5061, 5222, 5223, 5228, 5353, 5432, 5671, 5672, 5900, 6379, 6443, 6667, 6881, 8008, 8009, 8333, 8888,
    9000, 9092, 9100, 9200, 9418, 11211, 19302, 25565, 27015, 27017, 51820,
)  # fmt: skip
"""Server ports from 1024 up that are registered with IANA or fixed by widely used software; all ports below
1024 count as services too. Only used to doubt a guess: where both ports are services, nobody is the listener
for certain without a handshake (rule A3)."""


def build_guard(policy: Policy, catalogue: Catalogue) -> Guard:
    """Our prefixes, and the ports of all interfaces with those that the policy moves (rule A9)."""
    ports = set(catalogue.ports())
    for network in policy.networks.values():
        for moved in network.ports.values():
            ports.update((port.transport, port.number) for port in moved)
    services = [(proto, port) for proto in (TCP, UDP) for port in (*range(1, 1024), *_SERVICES)]
    return Guard.build(
        policy.network_table(),
        [(PROTOCOL[transport], port) for transport, port in sorted(ports - _WEB)],
        [(PROTOCOL[transport], port) for transport, port in sorted(ports & _WEB)],
        services,
    )


def controllers_guard(policy: Policy) -> Guard:
    """The addresses of all listed controllers, in either role."""
    nobody = PrefixSet()
    prefixes = {
        prefix
        for controller in policy.controllers.values()
        for role in (controller.requests_from, controller.sessions_at)
        for prefix in (role or nobody)
    }
    return Guard.build(PrefixTable.build((prefix, 0) for prefix in prefixes), ())
