"""What must be found on a simulated day by the truth, what was found, and why the rest was not."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rearguard.detect.estimate import needed
from rearguard.policy.thresholds import Thresholds

__all__ = ["COULD", "KINDS", "Day", "Judged", "T", "accused", "judge"]

INTERFACES = {7547: "cwmp-cr", 30005: "cwmp-cr", 23: "telnet", 2323: "telnet", 8291: "winbox", 49152: "upnp-soap",
              37215: "tr064", 1900: "ssdp"}  # fmt: skip
"""Which interface the simulation's ports are judged as."""
UNSURE_PORTS = frozenset({80, 443, 22})
"""Ports of the surveyors on which customers run services of their own: whether a sweep counts is not asked."""
T = Thresholds()

COULD = "could be seen"
ORDER = (
    "seen, but of sampled datagrams the answer may come before its question, so who listens stays unsure (A3)"
)

Key = tuple[str, str | None]
"""Address, and interface where it matters."""


@dataclass(frozen=True, slots=True)
class Day:
    """One simulated day, and what was concluded from it."""

    rate: int
    truth: dict[str, Any]
    findings: list[dict[str, Any]]

    def subjects(self, kind: str) -> list[Key]:
        """Whom findings of a kind are about."""
        return [(one["subject"]["address"], one["interface"]) for one in self.findings if one["kind"] == kind]


@dataclass(slots=True)
class Judged:
    """One kind of finding at one rate."""

    kind: str
    wanted: int = 0
    found: int = 0
    visible: int = 0
    found_visible: int = 0
    told: int = 0
    false: list[str] = field(default_factory=list)
    missed: dict[str, list[str]] = field(default_factory=dict)

    def miss(self, why: str, who: str) -> None:
        """Note what was not found, and why."""
        self.missed.setdefault(why, []).append(who)


def scans(day: Day) -> Judged:
    """Sources, by interface: what touched enough within ten minutes, or over the whole day."""
    judged, found = Judged("scan"), set(day.subjects("scan"))
    fast, slow = needed(T.scan_targets, day.rate), needed(T.slow_scan_targets, day.rate)
    known: dict[Key, dict[str, int]] = {}
    for group in ("scanners", "surveyors", "worm_hosts"):
        for one in day.truth[group]:
            if one["port"] in UNSURE_PORTS:
                continue
            sums = known.setdefault((source(one["address"]), INTERFACES[one["port"]]), {})
            for name in ("touched", "opened_observed"):
                sums[name] = sums.get(name, 0) + one[name]
            sums["surely"] = max(sums.get("surely", 0), one["most_in_ten_minutes"])
            sums["surely_seen"] = max(sums.get("surely_seen", 0), one["most_opened_observed_in_ten_minutes"])
    found = {(source(address), interface) for address, interface in found}
    for key, sums in known.items():
        if sums["surely"] >= T.scan_targets or sums["touched"] >= T.slow_scan_targets:
            seen = sums["surely_seen"] >= fast or sums["opened_observed"] >= slow
            judged.wanted += 1
            judged.visible += seen
            judged.found += key in found
            judged.found_visible += seen and key in found
            if key not in found:
                why = (
                    COULD
                    if seen
                    else f"too few sampled: fewer than {fast} devices in ten minutes, and than {slow} in all"
                )
                judged.miss(
                    why, f"{key[0]} {key[1]}: {sums['opened_observed']} of {sums['touched']} SYNs sampled"
                )
    unsure = {source(one["address"]) for one in day.truth["surveyors"]}
    for key in found:
        sums = known.get(key, {"touched": 0})
        if sums["touched"] < T.scan_targets and key[0] not in unsure:
            judged.false.append(f"{key[0]} {key[1]}: touched {sums['touched']} devices")
    judged.told = len(found)
    return judged


def spreads(day: Day) -> Judged:
    """Infected devices, by interface: those that tried enough addresses in ten minutes."""
    judged, found = Judged("compromised-device"), set(day.subjects("compromised-device"))
    least = needed(T.compromised_targets, day.rate)
    known: dict[Key, Counter[str]] = {}
    for one in day.truth["infected"]:
        sums = known.setdefault((one["address"], INTERFACES[one["port"]]), Counter())
        sums["most"] = max(sums["most"], one["most_in_ten_minutes"])
        sums["seen"] = max(sums["seen"], one["most_opened_observed_in_ten_minutes"])
        sums.update({name: one[name] for name in ("touched", "observed", "opened_observed")})
    for key, sums in known.items():
        if sums["most"] < T.compromised_targets:
            continue
        bare = sums["opened_observed"] >= T.compromised_bare_share * sums["observed"]
        seen = bare and sums["seen"] >= least
        judged.wanted += 1
        judged.visible += seen
        judged.found += key in found
        judged.found_visible += seen and key in found
        if key not in found:
            few = f"too few sampled: fewer than {least} addresses in ten minutes"
            answered = "among the few sampled tries so many were answered that the bare share is too low (B9)"
            judged.miss(
                COULD if seen else few if sums["seen"] < least else answered,
                f"{key[0]} {key[1]}: at most {sums['seen']} of {sums['most']} tries in ten minutes sampled",
            )
    judged.false = [f"{key[0]} {key[1]}" for key in found if not known.get(key, Counter())["touched"]]
    judged.told = len(found)
    return judged


def exposures(day: Day) -> Judged:
    """Devices that answered a stranger, by interface."""
    judged = Judged("exposed-device")
    known: dict[Key, dict[str, Any]] = {}
    prefixes: dict[str, str] = {}
    for one in day.truth["exposed"]:
        known[one["address"], one["interface"]] = one
        if one["prefix"]:
            prefixes[one["prefix"]] = one["address"]
    found = {(device(address, prefixes), name) for address, name in day.subjects("exposed-device")}
    for key, one in known.items():
        if not one["answered"]:
            continue
        seen = one["lone_answers"] > 0
        judged.wanted += 1
        judged.visible += seen
        judged.found += key in found
        judged.found_visible += seen and key in found
        if key not in found:
            if seen and one["transport"] == "udp":
                why = ORDER
            elif seen:
                why = COULD
            elif one["answering_flows"]:
                why = "an answer was sampled, but no record of one packet with exactly SYN+ACK (rule B7)"
            else:
                why = "no packet of an answer was sampled"
            judged.miss(why, f"{key[0]} {key[1]}: {one['answered']} answers")
    judged.false = [f"{address} {name}" for address, name in found if (address, name) not in known]
    judged.told = len(found)
    return judged


def simple(kind: str, group: str, could: Callable[[dict[str, Any], int], bool]) -> Callable[[Day], Judged]:
    """A kind whose subjects are the truth's entries of one group; ``could`` be seen at a rate."""

    def judge_them(day: Day) -> Judged:
        judged = Judged(kind)
        found = {address for address, _ in day.subjects(kind)}
        known = {one["address"]: one for one in day.truth[group]}
        for address, one in known.items():
            if not one["sessions"]:
                continue
            seen = could(one, day.rate)
            judged.wanted += 1
            judged.visible += seen
            judged.found += address in found
            judged.found_visible += seen and address in found
            if address not in found:
                why = UNSEEN[kind] if not seen else ORDER if kind == "reflector" else COULD
                judged.miss(why, f"{address}: {one['observed']} of {one['sessions']} sampled")
        judged.false = [address for address in found if address not in known]
        judged.told = len(found)
        return judged

    return judge_them


def flood_visible(one: dict[str, Any], rate: int) -> bool:
    """Whether the mean minute of a flood of eight minutes has enough sampled requests."""
    return bool(one["opened_observed"] / 8 >= needed(T.flood_per_minute, rate))


UNSEEN = {
    "flood": "too few requests sampled in a minute to exceed the threshold surely",
    "reflector": "fewer than three requests or answers were sampled",
    "unauthorised-controller": "needs payload (an Inform, or TLS), which flow records do not have (rule B10)",
}
KINDS: tuple[Callable[[Day], Judged], ...] = (
    scans,
    spreads,
    exposures,
    simple("flood", "flooded", flood_visible),
    simple(
        "reflector",
        "reflectors",
        lambda one, rate: one["opened_observed"] >= 3 and one["answering_flows"] >= 3,
    ),
    simple("unauthorised-controller", "foreign_controllers", lambda one, rate: False),
)


def source(address: str) -> str:
    """A remote is its address, or its /64 (rule A8)."""
    at = ipaddress.ip_address(address.partition("/")[0])
    return str(at) if at.version == 4 else str(ipaddress.ip_network((at, 64), strict=False))


def device(address: str, prefixes: dict[str, str]) -> str:
    """The IPv4 address of the customer whose address or prefix this is."""
    at = ipaddress.ip_address(address.partition("/")[0])
    return (
        address
        if at.version == 4
        else prefixes.get(str(ipaddress.ip_network((at, 56), strict=False)), address)
    )


def judge(day: Day) -> list[Judged]:
    """All kinds."""
    return [judged(day) for judged in KINDS]


def accused(day: Day) -> list[str]:
    """Controllers that any finding is about: there must be none."""
    ours = {one["address"] for one in day.truth["controllers"]} | {"198.51.100.20", "2001:db8:ffff::20"}
    named = [(one["kind"], one["subject"]["address"]) for one in day.findings]
    return [f"{kind} {address}" for kind, address in named if address in ours]
