"""Writes the truth: who is who, what was done, and which findings must follow from it."""

from __future__ import annotations

from typing import Any

from lab import plan
from lab.expected import expected_findings, is_authorised
from lab.journal import Event, Journal, rfc3339

__all__ = ["truth"]


def truth(journal: Journal, *, packets: int, capture: str) -> dict[str, Any]:
    """The whole of ``truth.json``; names as in docs/lab.md."""
    findings = expected_findings(journal.events)
    subjects = {item["subject"] for item in findings}
    innocent = [
        {"address": item["address"], "why": item["role"]}
        for item in _hosts()
        if item["address"] not in subjects and item["role"] != "victim"
    ]
    return {
        "schema": "1",
        "capture": {
            "file": capture,
            "packets": packets,
            "interfaces": [
                {"id": 0, "name": "outside", "sees": "the border's side toward the Internet"},
                {"id": 1, "name": "access", "sees": "the border's side toward customers and controller"},
            ],
            "first": rfc3339(min(event.first for event in journal.events)),
            "last": rfc3339(max(event.last for event in journal.events)),
        },
        "networks": {
            "customers": [str(plan.CUSTOMERS_V4), str(plan.CUSTOMERS_V6)],
            "outside": [*map(str, plan.OUTSIDE_V4), str(plan.OUTSIDE_V6)],
        },
        "controllers": {
            "acs": {
                "requests_from": ["192.0.2.8/30", f"{plan.ACS_CALLS_FROM_V6}/128"],
                "sessions_at": [f"{plan.ACS_SESSIONS_V4}/32", f"{plan.ACS_SESSIONS_V6}/128"],
            }
        },
        "hosts": _hosts(),
        "dark": [str(item) for item in plan.CUSTOMERS_V4 if plan.is_dark(str(item))],
        "events": [_event(event) for event in journal.events],
        "expected_findings": findings,
        "innocent": innocent,
    }


def _hosts() -> list[dict[str, Any]]:
    hosts: list[dict[str, Any]] = []
    for item in plan.DEVICES:
        for address in (item.v4, item.v6):
            hosts.append(
                {
                    "address": address,
                    "role": "device",
                    "name": item.name,
                    "gate": str(item.gate),
                    "prefix": str(item.prefix) if ":" in address else f"{address}/32",
                    "telnet": item.telnet is not None,
                    "ssdp": item.ssdp and ":" not in address,
                }
            )
    hosts += [{"address": address, "role": "controller"} for address in plan.CONTROLLERS]
    hosts += [{"address": address, "role": role} for address, role in plan.REMOTES.items()]
    return hosts


def _event(event: Event) -> dict[str, Any]:
    return {**event.to_json(), "authorised": is_authorised(event)}
