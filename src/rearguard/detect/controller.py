"""``unauthorised-controller``: devices of ours that somebody else manages (rule B10).

Only on networks that are ``managed: operator``, and grouped by server, for a campaign moves many devices to one.

* *certain*: a CWMP Inform in clear, on any port, to a server that is no ``sessions_at`` of a controller that
  manages ``cwmp``. ``0 BOOTSTRAP`` is the alarm: by TR-069 (section 3.7.1.5) a device sends it to a server that
  it has never spoken to, so its controller's address was changed, or it was reset.
* *possible*: a TLS session to such a server on the port that IANA gives to CWMP. What is inside cannot be read; a
  customer may run anything there.

A server that devices bootstrap to because the operator added it and nobody told the policy looks the same: list it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.making import make
from rearguard.detect.said import Traffic, accepted, point, say, traffic
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.voices import device_of
from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Finding, Kind, Severity, Subject

if TYPE_CHECKING:
    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.detect.voices import End, Voice

__all__ = ["Controller"]

SESSIONS = "cwmp-acs"
"""The interface that a controller of CWMP devices listens on."""
BOOTSTRAP = "0 BOOTSTRAP"
MAX_MODELS = 20
"""Models, events and methods that a finding lists; whoever sends Informs may invent any number."""
TAKES_OVER = frozenset(
    {"SetParameterValues", "Download", "ScheduleDownload", "FactoryReset", "ChangeDUState"}
)
"""Methods of TR-069 annex A by which a controller changes a device."""


@dataclass(frozen=True)
class Controller:
    """Servers that manage devices without the policy's leave."""

    kind: ClassVar[Kind] = Kind.UNAUTHORISED_CONTROLLER
    needs: ClassVar[frozenset[str]] = frozenset({"exchanges", "touches"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        ports = _own_ports(context.catalogue)
        groups: dict[tuple[End, int], list[Voice]] = {}
        for voice in context.voices:
            if _is_foreign(voice, context) and (_is_certain(voice) or _is_possible(voice, ports)):
                groups.setdefault((voice.server, voice.way), []).append(voice)
        if not groups:
            return Conclusion()
        found = [spoken for _, spoken in sorted(groups.items())]
        moved = traffic(found, context)
        findings = [_finding(spoken, moved.get(place), context) for place, spoken in enumerate(found)]
        findings.sort(key=lambda one: (-one.severity.rank, -one.contacts, one.id))
        limit = context.policy.limits.findings_per_kind
        return Conclusion(tuple(findings[:limit]), max(0, len(findings) - limit))


def _own_ports(catalogue: Catalogue) -> frozenset[int]:
    """TCP ports of sessions that are not too common to be watched everywhere."""
    return frozenset(
        port.port for port in catalogue.get(SESSIONS).ports if port.transport == "tcp" and not port.opt_in
    )


def _is_foreign(voice: Voice, context: Context) -> bool:
    """From a device that the operator manages, to a server that is none of its controllers."""
    if voice.client_network is None or SESSIONS in voice.offers:
        return False
    return context.policy.networks[voice.client_network].managed == "operator"


def _is_certain(voice: Voice) -> bool:
    return voice.exchange.inform is not None and not voice.exchange.inform.proof.from_server


def _is_possible(voice: Voice, ports: frozenset[int]) -> bool:
    one = voice.exchange
    return one.speaks == "tls" and one.answered is not None and one.proto == bits.TCP and one.port in ports


def _finding(spoken: list[Voice], moved: Traffic | None, context: Context) -> Finding:
    certain = [voice for voice in spoken if _is_certain(voice)]
    told = certain or spoken
    devices = [device_of(voice.client, voice.client_network, context.policy) for voice in told]
    server, way, entry = told[0].server, told[0].way, context.catalogue.get(SESSIONS)
    address = format_address(*server)
    said = say(told, devices, _evidence(told, context), moved, context)
    events = Counter(
        event for voice in told if voice.exchange.inform for event in voice.exchange.inform.events
    )
    labels = ["certain" if certain else "possible"]
    if said.excepted or accepted(server, devices, entry.id, context):
        labels += ["exception", "muted"]
    changed = sorted(TAKES_OVER & {name for voice in told for name in voice.exchange.rpcs})
    return make(
        Kind.UNAUTHORISED_CONTROLLER,
        said,
        subject=Subject("device" if way == bits.INTERNAL else "remote", address, said.verified),
        entry=entry,
        way=way,
        severity=_severity(bool(certain), events[BOOTSTRAP], changed, "muted" in labels),
        confidence=(0.99 if said.verified else 0.9) if certain else 0.5,
        labels=labels,
        shows=("unprotected-controller-channel",) if certain else (),
        reason=_reason(address, said.peers.count, bool(certain), events, said.ports),
        details={
            "certainty": labels[0],
            "events": dict(sorted(events.items(), key=lambda item: (-item[1], item[0]))[:MAX_MODELS]),
            "bootstraps": events[BOOTSTRAP],
            "methods": sorted({name for voice in told for name in voice.exchange.rpcs})[:MAX_MODELS],
            "models": _models(told),
        },
    )


def _models(spoken: list[Voice]) -> list[dict[str, Any]]:
    """Which devices by their own words, the most frequent first."""
    counted = Counter(
        (one.manufacturer, one.oui, one.product_class, one.software)
        for voice in spoken
        if (one := voice.exchange.inform) is not None
    )
    names = ("manufacturer", "oui", "product_class", "software")
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MAX_MODELS]
    return [dict(zip(names, model, strict=True)) | {"sessions": count} for model, count in ranked]


def _evidence(spoken: list[Voice], context: Context) -> list[Evidence]:
    """Informs, those with a bootstrap first; else the first word of each TLS session."""
    limit = context.policy.limits.evidence
    shown = []
    for voice in sorted(spoken, key=lambda voice: not _bootstraps(voice))[:limit]:
        one = voice.exchange
        if one.inform is not None:
            events = ", ".join(one.inform.events[:3]) or "no event"
            shown.append(point(one, one.inform.proof, f"Inform: {events}", context))
        elif one.asked is not None:
            shown.append(point(one, one.asked, f"TLS to tcp/{one.port}", context))
    return shown


def _bootstraps(voice: Voice) -> bool:
    return voice.exchange.inform is not None and BOOTSTRAP in voice.exchange.inform.events


def _severity(certain: bool, bootstraps: int, changed: list[str], muted: bool) -> tuple[Severity, str]:
    if muted:
        return Severity.LOW, "accepted by an exception of the policy"
    if bootstraps:
        return Severity.CRITICAL, (
            f"{wording.many(bootstraps, 'session')} with 0 BOOTSTRAP: devices were moved to this server"
        )
    if certain and changed:
        return Severity.CRITICAL, f"it changes devices ({', '.join(changed)})"
    if certain:
        return Severity.HIGH, "devices report to it, and it may change their settings and their software"
    return Severity.MEDIUM, "the sessions are encrypted; that they are management is not proven"


def _reason(address: str, devices: int, certain: bool, events: Counter[str], ports: tuple[int, ...]) -> str:
    count = wording.many(devices, "device")
    if not certain:
        listed = ", ".join(f"tcp/{port}" for port in ports[:5])
        said = f"had encrypted sessions with {address} on {listed}"
        return f"{count} of ours {said}, which is no controller of the policy."
    alarm = f", {wording.many(events[BOOTSTRAP], 'time')} with 0 BOOTSTRAP" if events[BOOTSTRAP] else ""
    said = f"opened management sessions (CWMP Inform) to {address}{alarm}"
    return f"{count} of ours {said}, which is no controller of the policy."
