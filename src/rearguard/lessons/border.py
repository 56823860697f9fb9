"""Who may manage a device from where, and why a filter at the border helps or does not: the fixed words.

A border stands between an operator's networks and the rest of the world. What it can stop follows from the way
in: a port that nobody outside needs can be closed, a connection that the device opens itself cannot be told from
any other. Each incident names one model of management and one reason; the figures are counts of these.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["HELPS", "MANAGEMENT", "REASONS", "BorderReason", "Management"]

Management = Literal[
    "operator-controller",
    "owner-on-lan",
    "owner-from-anywhere",
    "vendor-cloud",
    "relay",
    "update-service",
    "nobody",
]

MANAGEMENT: dict[Management, str] = {
    "operator-controller": "the operator's own controller or management network",
    "owner-on-lan": "the owner, from inside the home",
    "owner-from-anywhere": "the owner, from anywhere",
    "vendor-cloud": "a cloud of the vendor, which the device calls",
    "relay": "a relay that joins owner and device",
    "update-service": "the vendor's update service, which the device calls",
    "nobody": "nobody: the interface has no legitimate user on a line in service",
}
"""The model of management that the path of an incident went through."""

BorderReason = Literal[
    "nobody-outside-needs-it",
    "only-the-controller-needs-it",
    "only-devices-need-it",
    "owner-may-want-it",
    "some-paths-inside",
    "port-varies",
    "path-inside-the-home",
    "device-calls-out",
    "order-of-the-controller",
    "service-must-be-public",
    "inside-the-management-network",
    "path-unknown",
]

REASONS: dict[BorderReason, str] = {
    "nobody-outside-needs-it": "the port has no legitimate caller outside the home: a drop removes the path",
    "only-the-controller-needs-it": "only the operator's controllers call the port: drop, with a permit for them",
    "only-devices-need-it": "a controller that only the operator's own devices must reach: close it to others",
    "owner-may-want-it": "owners may use the port from outside on purpose: a default drop needs an opt-out",
    "some-paths-inside": "one path crosses the border, another starts inside the home or among neighbours",
    "port-varies": "the listener has no fixed port, or several that also carry wanted services",
    "path-inside-the-home": "the hostile request starts inside the home: nothing crosses the border inwards",
    "device-calls-out": "the device opens the connection to its cloud, relay or controller itself",
    "order-of-the-controller": "the order came from the authorised controller, or from whoever ran it",
    "service-must-be-public": "the service that failed has to be reachable by the public",
    "inside-the-management-network": "the attacker stood inside the management network, behind every border",
    "path-unknown": "how they came in was never published",
}
"""Why a border filter helps or does not, one class an incident; the sentence in the record says it fully."""

HELPS: dict[BorderReason, tuple[str, ...]] = {
    "nobody-outside-needs-it": ("yes",),
    "only-the-controller-needs-it": ("yes",),
    "only-devices-need-it": ("yes",),
    "owner-may-want-it": ("partly",),
    "some-paths-inside": ("partly",),
    "port-varies": ("partly", "no"),
    "path-inside-the-home": ("no",),
    "device-calls-out": ("no", "partly"),
    "order-of-the-controller": ("no",),
    "service-must-be-public": ("no",),
    "inside-the-management-network": ("no",),
    "path-unknown": ("unknown",),
}
"""Which answers a reason allows: a record cannot say that a drop helps against what never crosses the border."""
