"""The policy with which a simulation is analysed: its networks, controllers, surveyors, and the sampling rate."""

from __future__ import annotations

from rearguard.simulate.day import Day

__all__ = ["policy_text"]


def policy_text(day: Day, rate: int, *, told: bool) -> str:
    """``rearguard.yaml``; the rate is in it unless the records tell it (``told``)."""
    four, six = day.stage.ground.prefixes
    lines = [
        "# Written by `rearguard simulate`: who is who on the simulated day.",
        "networks:",
        "  customers:",
        f'    prefixes: [{four}, "{six}"]',
        "    kind: native",
        "    managed: operator",
        "    delegated: 56",
        "controllers:",
        "  acs:",
        "    requests_from: [198.51.100.8/30]",
        '    sessions_at: [198.51.100.20/32, "2001:db8:ffff::20/128"]',
        "    manages: [cwmp]",
        "    enters_at: inside",
    ]
    surveyors = sorted({entry.address for entry, _ in day.stage.ledger.of("surveyor")})
    if surveyors:
        lines.append("surveyors:")
    for number, address in enumerate(surveyors, 1):
        lines += [
            f"  survey-{number}:",
            f"    prefixes: [{address}/32]",
            "    note: simulated research scanner",
        ]
    if not told:
        lines += ["sampling:", f"  default: {rate}"]
    return "\n".join(lines) + "\n"
