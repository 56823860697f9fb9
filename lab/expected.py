"""Which findings must follow from what the lab did.

Derived from the journal by the documented rules and default thresholds, never from the recording; a test
compares both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab import plan
from lab.journal import Event, rfc3339, stronger

__all__ = ["SCAN_TARGETS", "expected_findings", "is_authorised"]

SCAN_TARGETS = 10  # distinct devices or dark addresses by one source on one interface within ten minutes
_HEARD = ("answered", "conversed")


def is_authorised(event: Event) -> bool | None:
    """Whether the policy allows the act; None where no management interface was concerned."""
    if event.interface is None:
        return None
    return event.interface.startswith("cwmp") and set(event.remotes) <= set(plan.CONTROLLERS)


def expected_findings(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Findings that must follow. ``needs``: ``contacts``, or ``dialogues`` where payloads must be read.

    ``required`` is false where the rules leave room: the finding is right, and so is its absence.
    """
    strangers = [event for event in events if is_authorised(event) is False]
    return [
        *_scans(strangers),
        *_exposed(strangers),
        *_outward(strangers),
        *_besieged(strangers),
        *_dialogue_findings(strangers),
    ]


def _finding(
    kind: str,
    subject: str,
    role: str,
    interface: str,
    direction: str,
    events: list[Event],
    contacts: int,
    *,
    needs: str = "contacts",
    required: bool = True,
    **more: Any,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "subject": subject,
        "role": role,
        "interface": interface,
        "transport": events[0].transport,
        "ports": sorted({port for event in events for port in event.ports}),
        "direction": direction,
        "contacts": contacts,
        "first": rfc3339(min(event.first for event in events)),
        "last": rfc3339(max(event.last for event in events)),
        "needs": needs,
        "required": required,
        **more,
    }


def _fingerprints(events: list[Event]) -> list[str]:
    return sorted({name for event in events for name in event.fingerprints})


def _grouped(events: Iterable[Event], by: str) -> dict[tuple[str, str, str], list[Event]]:
    """Events by (remote or device, interface, direction)."""
    groups: dict[tuple[str, str, str], list[Event]] = {}
    for event in events:
        for name in event.remotes if by == "remote" else event.outcomes:
            groups.setdefault((name, str(event.interface), event.direction), []).append(event)
    return groups


def _scans(strangers: list[Event]) -> list[dict[str, Any]]:
    """Rule B1: by distinct targets, whatever they answered."""
    tries = [
        event
        for event in strangers
        if event.transport == "tcp" and event.direction in ("inbound", "internal") and event.interface
    ]
    found = []
    for (remote, interface, direction), events in _grouped(tries, "remote").items():
        outcomes: dict[tuple[str, int], str] = {}
        for event in events:
            for key, outcome in event.tried.items():
                outcomes[key] = stronger(outcomes.get(key), outcome)
        targets = {address for address, _ in outcomes}
        kind = "scan" if len(targets) >= SCAN_TARGETS else "probe"
        found.append(
            _finding(
                kind,
                remote,
                "device" if direction == "internal" else "remote",
                interface,
                direction,
                events,
                len(outcomes),
                required=kind == "scan" or not any(event.kind == "flood" for event in events),
                outcomes=dict(Counter(outcomes.values())),
                targets=len(targets),
                dark_targets=sum(map(plan.is_dark, targets)),
                fingerprints=_fingerprints(events),
                verified=any(
                    "connections" in event.counts and outcome in _HEARD
                    for event in events
                    for outcome in event.outcomes.values()
                ),
            )
        )
    return found


def _exposed(strangers: list[Event]) -> list[dict[str, Any]]:
    """Rule B7: a device that answered a stranger from a management port."""
    found = []
    for (device, interface, direction), events in _grouped(strangers, "device").items():
        heard = [event for event in events if event.outcomes[device] in _HEARD]
        if not heard or direction != "inbound":
            continue
        reflected = all(event.kind == "reflector" for event in heard)
        found.append(
            _finding(
                "exposed-device",
                device,
                "device",
                interface,
                direction,
                heard,
                _strangers_at(device, heard),
                required=not reflected,
                conversed=any(event.outcomes[device] == "conversed" for event in heard),
            )
        )
    return found


def _strangers_at(device: str, events: Iterable[Event]) -> int:
    """The contacts with one device: distinct pairs of a stranger and a port."""
    return len(
        {
            (remote, port)
            for event in events
            for address, port in event.tried
            if address == device
            for remote in event.remotes
        }
    )


def _outward(strangers: list[Event]) -> list[dict[str, Any]]:
    """Rule B9: a device that scans outward; contacts are its destinations."""
    events = [event for event in strangers if event.kind == "compromised-device"]
    return [
        _finding(
            "compromised-device",
            device,
            "device",
            *(interface, direction, group, sum(event.counts["destinations"] for event in group)),
            slash24=sum(event.counts["slash24"] for event in group),
            fingerprints=_fingerprints(group),
        )
        for (device, interface, direction), group in _grouped(events, "device").items()
    ]


def _besieged(strangers: list[Event]) -> list[dict[str, Any]]:
    """Rules B4 and B12: devices that reflect, and devices that are flooded.

    A flood's contacts are all strangers that tried the device, for no packet says which flow is the flood.
    """
    found = []
    for (device, interface, direction), events in _grouped(strangers, "device").items():
        for kind in ("flood", "reflector"):
            culprits = [event for event in events if event.kind == kind]
            if culprits:
                contacts = _strangers_at(device, events)
                counts = culprits[0].counts
                found.append(
                    _finding(kind, device, "device", interface, direction, culprits, contacts, counts=counts)
                )
    return found


def _dialogue_findings(strangers: list[Event]) -> list[dict[str, Any]]:
    """Rules B8, B10 and B11: what only payloads tell."""
    attempts = [
        event for event in strangers if event.kind == "exploit-attempt" and event.payload.get("delivered")
    ]
    telnet = [event for event in attempts if event.interface == "telnet"]
    foreign = [event for event in strangers if event.kind == "unauthorised-controller"]
    return [
        _finding(kind, name, role, interface, direction, group, len(group), needs="dialogues")
        for kind, role, events in (
            ("exploit-attempt", "remote", attempts),
            ("cleartext-management", "device", telnet),
            ("unauthorised-controller", "remote", foreign),
        )
        for (name, interface, direction), group in _grouped(events, role).items()
    ]
