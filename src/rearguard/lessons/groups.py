"""Incidents sorted by who may manage the device from where, and by the kind of management interface.

The first is a field of the record; the second is read off the interface's name in the record, by the first of
our key words that occurs in it. Every incident falls into exactly one group of each sorting, so that shares
add up; one whose name has none of the key words is in the group ``other``, which a test keeps empty for the
base that is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearguard.lessons.model import Incident

__all__ = ["INTERFACES", "MODELS", "OTHER", "VERDICTS", "Group", "interface_of", "model_of", "year_of"]


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its id in figure names, what it is called, and the words that put an incident into it."""

    id: str
    title: str
    words: tuple[str, ...]


MODELS = (
    Group("operator", "Managed in the operator's domain", ("operator-controller",)),
    Group("home", "Managed by the owner, from inside the home", ("owner-on-lan",)),
    Group("owner", "Managed by the owner, from anywhere", ("owner-from-anywhere",)),
    Group(
        "cloud",
        "Managed from anywhere through a cloud, relay or update service",
        ("vendor-cloud", "relay", "update-service"),
    ),
    Group("nobody", "Managed by nobody", ("nobody",)),
)
"""Models of management in the order in which the article treats them; the words are values of ``management``."""

INTERFACES = (
    Group("cwmp", "TR-069 (CWMP): devices and controllers", ("cwmp", "tr-069", "acs ")),
    Group(
        "lan",
        "LAN protocols: TR-064, UPnP, HNAP, discovery",
        ("tr-064", "upnp", "hnap", "vendor discovery", "ssdp"),
    ),
    Group("console", "Consoles: telnet, SSH, ADB", ("telnet", "ssh", "android debug", "console", "adb")),
    Group(
        "cloud",
        "Clouds, relays, portals and update channels",
        (
            "cloud", "vendor device-management", "vendor management cloud", "aicloud", "relay", "heartbeat",
            "vendor update", "vendor firmware", "update", "portal", "p2p",
        ),
    ),
    Group(
        "web",
        "Web administration, remote access and VPN",
        ("web", "http", "administration", "router administration", "remote management", "vpn"),
    ),
    Group(
        "service",
        "Vendor, factory and provisioning services",
        (
            "undocumented", "vendor engineering", "snmp", "winbox", "provisioning", "firmware upload",
            "diagnostic", "daemon", "engineering", "management network", "satellite", "debug", "service",
            "protocol", "management",
        ),
    ),
)  # fmt: skip
"""Kinds of interface; the first word that occurs in the name of the interface decides."""

OTHER = Group("other", "Not sorted", ())

VERDICTS = {
    "yes": "would have stopped it",
    "partly": "would have helped in part",
    "no": "would not have helped",
    "unknown": "is not known",
}
"""What a filter at the operator's border would have done; the keys are those of the records."""


def model_of(incident: Incident) -> Group:
    """Who may manage such a device, from where."""
    return next((group for group in MODELS if incident.management in group.words), OTHER)


def interface_of(incident: Incident) -> Group:
    """The kind of interface: the group whose word stands first in the interface's name."""
    lowered = f"{incident.interface.name.casefold()} "
    found = [
        (lowered.find(word), -len(word), group)
        for group in INTERFACES
        for word in group.words
        if word in lowered
    ]
    return min(found, key=lambda each: each[:2])[2] if found else OTHER


def year_of(incident: Incident) -> int:
    """The year in which it began or became known."""
    return int(incident.date[:4])
