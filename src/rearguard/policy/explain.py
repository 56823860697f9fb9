"""What the policy says about one address: who may manage it, what it may do, what would stop whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pydantic_core import PydanticCustomError

from rearguard.model.address import Address
from rearguard.model.errors import UsageError
from rearguard.policy.policy import Listener, Policy, Role
from rearguard.policy.values import Port, read_port

__all__ = ["Explanation", "Right", "Service", "Verdict", "explain", "moved_to", "ports_meant"]


@dataclass(frozen=True, slots=True)
class Service:
    """A management interface that may be meant by a port."""

    interface: str
    listener: Listener
    port: str  # tcp/7547


@dataclass(frozen=True, slots=True)
class Right:
    """A controller, what it may use, and where it is."""

    controller: str
    interfaces: tuple[str, ...]
    requests_from: tuple[str, ...]
    sessions_at: tuple[str, ...]
    enters_at: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would be judged about one interface on the port that was asked for."""

    interface: str
    listener: str
    port: str
    may_open: tuple[str, ...]
    stranger: str
    itself: str
    drop: str | None
    exception: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything the policy says about an address, today."""

    address: str
    network: str | None
    kind: str | None
    managed: str | None
    device: str | None
    managed_by: tuple[Right, ...]
    controller: tuple[Right, ...]
    surveyor: str | None
    never_block: bool
    drops: tuple[str, ...]
    exceptions: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the names of the fields."""
        return asdict(self)


def ports_meant(text: str) -> tuple[Port, ...]:
    """``7547`` means both transports, ``tcp/7547`` one. ``UsageError``: it is no port."""
    for candidate in ((text,), (f"tcp/{text}", f"udp/{text}")):
        try:
            return tuple(read_port(each) for each in candidate)
        except PydanticCustomError:
            continue
    raise UsageError(
        f"{text!r} is no port", remedy="write a number from 1 to 65535, tcp/NUMBER or udp/NUMBER"
    )


def moved_to(policy: Policy, address: Address, port: Port) -> tuple[str, ...]:
    """The interfaces that the address's network has on this port by its own word (rule A9)."""
    name = policy.network_of(address)
    moved = policy.networks[name].ports if name else {}
    return tuple(interface for interface, ports in moved.items() if port in ports)


def explain(policy: Policy, address: Address, services: Iterable[Service], today: date) -> Explanation:
    """All that concerns this address; ``services`` are the interfaces that the port asked for may mean."""
    name = policy.network_of(address)
    network = policy.networks[name] if name else None
    rights = {name: _right(policy, name) for name in policy.controllers}
    roles = (*policy.controllers_at(address, "requests_from"), *policy.controllers_at(address, "sessions_at"))
    surveyor = policy.surveyor_table().label_of(address)
    return Explanation(
        address=str(address),
        network=name,
        kind=network.kind if network else None,
        managed=network.managed if network else None,
        device=_device(policy, name, address),
        managed_by=tuple(rights.values()) if network else (),
        controller=tuple(rights[name] for name in dict.fromkeys(roles)),
        surveyor=list(policy.surveyors)[surveyor] if surveyor >= 0 else None,
        never_block=any(address in net for net in policy.never_block if net.version == address.version),
        drops=tuple(_drops(policy, name)),
        exceptions=tuple(
            f"{', '.join(sorted(entry.interfaces))}: accepted until {entry.expires}: {entry.reason}"
            for entry in policy.exceptions
            if entry.covers(address) and today <= entry.expires
        ),
        verdicts=tuple(_verdict(policy, address, name, service, today) for service in services),
    )


def _right(policy: Policy, name: str) -> Right:
    entry = policy.controllers[name]
    return Right(
        controller=name,
        interfaces=tuple(sorted(entry.manages)),
        requests_from=entry.addresses("requests_from").texts(),
        sessions_at=entry.addresses("sessions_at").texts(),
        enters_at=entry.enters_at,
    )


def _device(policy: Policy, network: str | None, address: Address) -> str | None:
    """What is counted as one device: the delegated prefix where it is known (rule A8), else the address."""
    if network is None:
        return None
    return str(policy.networks[network].device(address))


def _drops(policy: Policy, network: str | None, interface: str | None = None) -> Iterator[str]:
    """The drops toward this network, of one interface or of any."""
    for index, drop in enumerate(policy.drop):
        if network in drop.toward and (interface is None or interface in drop.interfaces):
            names = ", ".join(sorted(drop.interfaces))
            yield f"drop[{index}] ({names}; {drop.mode}; {drop.basis}; review by {drop.review_by})"


def _verdict(policy: Policy, address: Address, network: str | None, service: Service, today: date) -> Verdict:
    exemption = policy.exemption(address, service.interface, today)
    drop = next(_drops(policy, network, service.interface), None)
    return Verdict(
        interface=service.interface,
        listener=service.listener,
        port=service.port,
        may_open=_may_open(policy, address, network, service),
        stranger=_stranger(network, service, bool(policy.controllers_at(address, "sessions_at"))),
        itself=_itself(policy, address, network, service),
        drop=drop if service.listener == "device" else None,
        exception=exemption.reason if exemption else None,
    )


def _may_open(policy: Policy, address: Address, network: str | None, service: Service) -> tuple[str, ...]:
    """Controllers (toward a device) or networks (toward a controller) that may open it at this address."""
    if service.listener == "device":
        return tuple(
            name
            for name, entry in policy.controllers.items()
            if network and entry.requests_from and service.interface in entry.manages
        )
    there = policy.controllers_at(address, "sessions_at")
    right = any(service.interface in policy.controllers[name].manages for name in there)
    return tuple(policy.networks) if right else ()


def _stranger(network: str | None, service: Service, is_controller: bool) -> str:
    """What is judged when somebody the policy does not know opens the port here."""
    if service.listener == "device" and network:
        return "not authorised: a probe, a scan if it tries many; an exposed device if this one answers"
    if service.listener == "controller" and is_controller:
        return "no management of own devices: devices open this port, from the networks"
    return "not judged: nobody listens here as far as the policy knows"


def _itself(policy: Policy, address: Address, network: str | None, service: Service) -> str:
    """What is judged when this address opens the port somewhere."""
    name, number = service.interface, service.port
    if service.listener == "device":
        by = _manager(policy, address, "requests_from", name)
        if by:
            return f"authorised toward devices in the networks, as {by}"
        if network:
            return (
                f"not authorised: a device that opens {number} at many addresses is compromised or scanning"
            )
        return "not authorised toward devices in the networks"
    if not network:
        return "not judged: it is in no network"
    places = [text for right in _rights_of(policy, name) for text in right.sessions_at]
    if places:
        return f"authorised toward {', '.join(places)}; elsewhere {_elsewhere(policy, network)}"
    return f"nobody is listed for it: {_elsewhere(policy, network)}"


def _manager(policy: Policy, address: Address, role: Role, interface: str) -> str | None:
    at = policy.controllers_at(address, role)
    return next((name for name in at if interface in policy.controllers[name].manages), None)


def _rights_of(policy: Policy, interface: str) -> Iterator[Right]:
    for name, entry in policy.controllers.items():
        if interface in entry.manages and entry.sessions_at:
            yield _right(policy, name)


def _elsewhere(policy: Policy, network: str) -> str:
    """A controller can be unauthorised only where the operator manages the devices (rule B10)."""
    if policy.networks[network].managed == "operator":
        return "a possible unauthorised controller"
    return "nothing is concluded, because this network is not operator-managed"
