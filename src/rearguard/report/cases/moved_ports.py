"""Ports on which devices await Connection Requests although nobody watches them there (rule A9).

A Connection Request URL names the port that a device announced to its controller. Where the policy does not give
that port to the interface, contacts with it are judged as something else, or not at all.
"""

from __future__ import annotations

import ipaddress
import re
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from rearguard.model.address import halves
from rearguard.report.cases.cells import read_prefix
from rearguard.report.cases.table import CellError
from rearguard.report.words import count

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.policy import Policy

__all__ = ["INTERFACE", "MovedPorts", "MovedPortsBuilder", "port_notes", "read_url"]

INTERFACE = "cwmp-cr"
"""The interface that a Connection Request URL is about."""

_USUAL = re.compile(r"https?://(\d{1,3}(?:\.\d{1,3}){3}):([1-9]\d{0,4})(?:/[!-~]*)?\Z", re.ASCII)
"""Read without taking the URL apart: a million lines in a third of the time."""

_DEFAULTS = {"http": 80, "https": 443}
_TOLD = 10


@dataclass(frozen=True, slots=True)
class MovedPorts:
    """Where devices listen: an address and a TCP port each."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    port: npt.NDArray[np.uint16]


class MovedPortsBuilder:
    """Collects addresses and ports while a table is read."""

    def __init__(self) -> None:
        self._high, self._low, self._port = array("Q"), array("Q"), array("H")

    def add(self, high: int, low: int, port: int) -> None:
        """One device."""
        self._high.append(high)
        self._low.append(low)
        self._port.append(port)

    def finish(self) -> MovedPorts:
        """All of them."""
        return MovedPorts(np.asarray(self._high), np.asarray(self._low), np.asarray(self._port))


def read_url(text: str) -> tuple[tuple[int, int] | None, int]:
    """The address (None: the URL has a name) and the port of a URL; raises :class:`CellError`."""
    remedy = "write http://198.51.100.7:7547/path, or leave it empty"
    usual = _USUAL.match(text)
    if usual and len(usual[2]) < 5:
        with suppress(CellError):
            return read_prefix(usual[1])[:2], int(usual[2])
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise CellError(f"{text[:100]!r} is no URL: {error}", remedy) from None
    if parts.scheme not in _DEFAULTS or not host or port == 0:
        raise CellError(f"{text[:100]!r} is no URL of a Connection Request", remedy)
    try:
        address = halves(ipaddress.ip_address(host))
    except ValueError:
        address = None
    return address, port if port is not None else _DEFAULTS[parts.scheme]


def port_notes(moved: MovedPorts, policy: Policy, catalogue: Catalogue, file: str) -> Iterator[str]:
    """One sentence for each network and port that should be in the policy, the most devices first."""
    entry = next((each for each in catalogue.interfaces if each.id == INTERFACE), None)
    if entry is None or not len(moved.port) or not policy.networks:
        return
    known = {port.port for port in entry.ports if port.transport == "tcp" and not port.opt_in}
    labels = policy.network_table().lookup(moved.high, moved.low)
    for label, (name, network) in enumerate(policy.networks.items()):
        own = network.ports.get(INTERFACE, ())
        watched = known | {port.number for port in own if port.transport == "tcp"}
        ports, counts = np.unique(moved.port[labels == label], return_counts=True)
        missing = sorted(
            (
                (int(count), int(port))
                for port, count in zip(ports, counts, strict=True)
                if port not in watched
            ),
            key=lambda each: (-each[0], each[1]),
        )[:_TOLD]
        if missing:
            listed = ", ".join(f"tcp/{port} ({count(devices, 'device')})" for devices, port in missing)
            lines = ", ".join([*(str(port) for port in own), *(f"tcp/{port}" for _, port in missing)])
            yield (
                f"{file}: devices of network {name} await Connection Requests on ports that are not watched there: "
                f"{listed}; add to the policy under networks.{name}: ports: {{{INTERFACE}: [{lines}]}}"
            )
