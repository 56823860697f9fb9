"""Which devices are concerned: one row a device, with its subscriber and model, and the models by firmware."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from rearguard.model.finding import Kind
from rearguard.report import words
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rearguard.model.finding import Finding
    from rearguard.report.analysis import Analysis
    from rearguard.report.cases.models import ModelLine
    from rearguard.report.inventory import Inventory
    from rearguard.report.subscribers import Subscribers

__all__ = ["MOST_DEVICES", "device_rows", "model_rows"]

MOST_DEVICES = 1000
MOST_MODELS = 100
AT_ONCE = 10
"""The rest unfolds."""

MOST_NAMED = 8
LONGEST = 1000

GAVE_WAY = {"taken": "let a login in", "open": "did what was asked", "spoke": "answered"}
"""What a device did when it was attacked, where that was more than to refuse; as exploit-attempt tells it."""


@dataclass(slots=True)
class _Device:
    """What was found about one address; findings come worst first."""

    findings: list[Finding] = field(default_factory=list)
    did: dict[str, None] = field(default_factory=dict)
    """What attacks on it led to."""
    attacks: list[Finding] = field(default_factory=list)


def device_rows(analysis: Analysis, findings: Sequence[Finding]) -> dict[str, Any]:
    """One row a device, worst first; ``findings`` are ranked. Devices that only refused attacks are counted."""
    devices, refused = _grouped(findings)
    shown = [
        _row(address, device, analysis.subscribers, analysis.inventory)
        for address, device in list(devices.items())[:MOST_DEVICES]
    ]
    more = len(devices) - MOST_DEVICES
    at_once = len(shown) if len(shown) <= AT_ONCE + 3 else AT_ONCE
    return {
        "first": shown[:at_once],
        "rest": shown[at_once:],
        "named": any(row["subscriber"] or row["model"] for row in shown),
        "hidden": f"And {words.count(more, 'more device')}, in findings.json." if more > 0 else "",
        "refused": _refused(refused),
    }


def model_rows(analysis: Analysis, findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Models of the inventory of which a device is concerned, the worst first."""
    if analysis.inventory is None:
        return []
    lines = analysis.inventory.models(findings, subscribers=analysis.subscribers, view=analysis.view)
    return [_model(line) for line in lines if line.affected][:MOST_MODELS]


def _grouped(findings: Sequence[Finding]) -> tuple[dict[str, _Device], list[str]]:
    devices: dict[str, _Device] = {}
    refused: dict[str, None] = {}
    for item in findings:
        if item.subject.role == "device" and item.subject.address is not None:
            devices.setdefault(item.subject.address, _Device()).findings.append(item)
        if item.kind is not Kind.EXPLOIT_ATTEMPT:
            continue
        for told in item.details.get("devices", ()):
            if told["result"] in GAVE_WAY:
                device = devices.setdefault(told["device"], _Device())
                device.did[GAVE_WAY[told["result"]]] = None
                device.attacks.append(item)
            else:
                refused[told["device"]] = None
    worst = sorted(devices.items(), key=lambda each: -_rank(each[1]))
    return dict(worst), [address for address in refused if address not in devices]


def _rank(device: _Device) -> int:
    return max(item.severity.rank for item in (*device.findings, *device.attacks))


def _row(
    address: str, device: _Device, subscribers: Subscribers | None, inventory: Inventory | None
) -> dict[str, str]:
    items = words.ranked([*device.findings, *device.attacks])
    first = min(item.first_seen for item in items)
    kinds = dict.fromkeys(str(item.kind) for item in device.findings)
    what = [*kinds, *([f"attacked: {', '.join(device.did)}"] if device.did else [])]
    subscriber, model = _named(address, first, subscribers, inventory)
    return {
        "address": _shown(address),
        "severity": str(items[0].severity),
        "kinds": _shown(", ".join(what)),
        "interfaces": _shown(", ".join(dict.fromkeys(item.interface for item in items if item.interface))),
        "subscriber": _shown(subscriber),
        "model": _shown(model),
        "first": words.time_text(first),
        "last": words.time_text(max(item.last_seen for item in items)),
    }


def _named(
    address: str, time: int, subscribers: Subscribers | None, inventory: Inventory | None
) -> tuple[str, str]:
    """Subscriber and model; empty where nothing, or more than one, is known."""
    if subscribers is None and inventory is None:
        return "", ""
    try:
        place = ip_network(address).network_address
    except ValueError:
        return "", ""
    leases = subscribers.at(place, None, time) if subscribers is not None else ()
    subscriber = leases[0].subscriber if len(leases) == 1 else None
    device = inventory.device(place, subscriber) if inventory is not None else None
    return subscriber or "", "" if device is None else f"{device.model} {device.firmware}".strip()


def _refused(addresses: list[str]) -> str:
    if not addresses:
        return ""
    many = words.count(len(addresses), "more device was", "more devices were")
    return _shown(f"{many} attacked and not seen to give way: {words.listed(addresses, MOST_NAMED)}.")


def _model(line: ModelLine) -> dict[str, str]:
    return {
        "model": _shown(line.model),
        "firmware": _shown(line.firmware),
        "devices": words.number(line.devices),
        "affected": words.number(line.affected),
        "exposed": words.number(line.exposed),
        "compromised": words.number(line.compromised),
        "fixed": _fixed(line),
    }


def _fixed(line: ModelLine) -> str:
    """``3 fixed, 2 not, 1 not told``, with a warning where fixed devices are among the affected."""
    untold = line.devices - line.fixed - line.unfixed
    parts = [(line.fixed, "fixed"), (line.unfixed, "not"), (untold, "not told")]
    text = ", ".join(f"{words.number(number)} {name}" for number, name in parts if number)
    doubt = (
        f"; {words.number(line.fixed_affected)} fixed and affected all the same"
        if line.fixed_affected
        else ""
    )
    return text + doubt


def _shown(text: str) -> str:
    return visible(text, LONGEST)
