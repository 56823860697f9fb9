"""What the catalogue says of one management interface: values only, no reading and no judging."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Initiator", "Interface", "Listener", "Port", "Source", "Standing"]


class Listener(StrEnum):
    """Who waits for the connection (rule A1): the managed device, or the controller that devices call."""

    DEVICE = "device"
    CONTROLLER = "controller"


class Initiator(StrEnum):
    """Who may legitimately open the interface."""

    OPERATOR_CONTROLLER = "operator-controller"
    OWNER_ON_LAN = "owner-on-lan"
    OWNER_FROM_ANYWHERE = "owner-from-anywhere"
    VENDOR_CLOUD = "vendor-cloud"
    DEVICE = "device"
    NOBODY = "nobody"


class Standing(StrEnum):
    """How a port came to the interface; the order is the order of trust."""

    REGISTERED = "registered"  # IANA gives the port to this protocol
    DEFAULT = "default"  # the product or the specification uses it unless told otherwise
    OBSERVED = "observed"  # seen in the field, in an incident or on some models

    @property
    def rank(self) -> int:
        """0 is the most certain."""
        return list(Standing).index(self)


@dataclass(frozen=True, slots=True)
class Port:
    """One port on which the interface listens.

    ``shared``: customers commonly run services of their own there, so that an open port alone proves nothing
    (rule B7). ``opt_in``: too common to be watched everywhere; it counts only where the policy names it.
    """

    transport: str  # tcp | udp
    port: int
    standing: Standing
    shared: bool
    opt_in: bool
    note: str

    def __str__(self) -> str:
        return f"{self.transport}/{self.port}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement was read: title, address, and what was read there."""

    title: str
    url: str
    note: str


@dataclass(frozen=True, slots=True)
class Interface:
    """One management interface: a protocol with its ports, one listening side and its legitimate callers."""

    id: str
    family: str
    title: str
    listener: Listener
    ports: tuple[Port, ...]  # the first one is the primary
    initiators: tuple[Initiator, ...]
    origin: str  # ``from`` in the files: from where the legitimate callers come, one sentence
    lan_only: bool  # made for the home side; reachable on the WAN it is critical (rule B7)
    amplifies: bool  # answers more than it is asked: a reflector for spoofed requests (rule B4)
    factor: str  # the published amplification, empty where none was found
    shared_port: bool  # the default of ``Port.shared``
    collateral: str  # what breaks if a border drops it
    mechanisms: tuple[str, ...]
    incidents: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def primary(self) -> Port:
        """The port that the interface is known by."""
        return self.ports[0]

    def at(self, transport: str, port: int) -> Port | None:
        """What is known of this port of the interface; None when it does not listen there."""
        return next((each for each in self.ports if (each.transport, each.port) == (transport, port)), None)

    def to_json(self) -> dict[str, Any]:
        """The entry with the keys of the YAML files, defaults filled in."""
        return {
            "id": self.id,
            "family": self.family,
            "title": self.title,
            "listener": str(self.listener),
            "ports": [
                {
                    "transport": port.transport,
                    "port": port.port,
                    "standing": str(port.standing),
                    "shared": port.shared,
                    "opt_in": port.opt_in,
                    "note": port.note,
                }
                for port in self.ports
            ],
            "initiators": [str(each) for each in self.initiators],
            "from": self.origin,
            "lan_only": self.lan_only,
            "amplifies": self.amplifies,
            "factor": self.factor,
            "shared_port": self.shared_port,
            "collateral": self.collateral,
            "mechanisms": list(self.mechanisms),
            "incidents": list(self.incidents),
            "sources": [{"title": each.title, "url": each.url, "note": each.note} for each in self.sources],
        }
