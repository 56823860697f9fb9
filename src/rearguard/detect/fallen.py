"""What a fall means for the finding about the device: which attack felled it, and the proof of both (rule B9a)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rearguard.detect.making import make
from rearguard.detect.said import Said, accepted, point
from rearguard.detect.sources import SECOND
from rearguard.detect.voices import is_v4
from rearguard.model import bits
from rearguard.model.address import format_address, from_halves
from rearguard.model.finding import Evidence, Finding, Kind, Peers, Severity, Subject

if TYPE_CHECKING:
    from rearguard.catalogue.attacks import Attack
    from rearguard.detect.falls import Fall
    from rearguard.detect.shape import Context
    from rearguard.detect.voices import End

__all__ = ["attacks_of", "by_device", "felled_by", "fetches", "shared_label", "with_attack"]

MAX_LINKS = 20
"""Attempts that a finding lists as the cause; many attackers name the same host."""


def by_device(context: Context) -> dict[End, tuple[Fall, ...]]:
    """All falls by their device as a source (an IPv6 device by its /64), in the order of time."""
    found: dict[End, list[Fall]] = {}
    for fall in context.falls:
        high, low = fall.device
        found.setdefault((high, low if is_v4(high, low) else 0), []).append(fall)
    return {key: tuple(sorted(fell, key=_order)) for key, fell in sorted(found.items())}


def _order(fall: Fall) -> tuple[int, int, str]:
    return fall.time, fall.evidence.record, fall.host


def felled_by(fell: Sequence[Fall]) -> dict[str, Any]:
    """Details that link the device to the findings about its attackers; empty when nobody felled it."""
    links = [
        {
            "finding": campaign.finding,
            "attack": attempt.attack.id,
            "attacker": campaign.address,
            "named": fall.host,
            "seconds_before": round((fall.time - attempt.hit.proof.ts) / SECOND, 3),
        }
        for fall in fell
        for campaign, attempt in fall.felled_by
    ]
    return {"felled_by": links[:MAX_LINKS]} if links else {}


def attacks_of(fell: Sequence[Fall]) -> tuple[Attack, ...]:
    """The attacks that came last before each fall."""
    return tuple({one.id: one for one in (fall.felled_by[0][1].attack for fall in fell)}.values())


def with_attack(evidence: Sequence[Evidence], fell: Sequence[Fall], context: Context) -> tuple[Evidence, ...]:
    """The evidence, with the attack and the contact that followed it before all else; in the order of time."""
    limit = context.policy.limits.evidence
    chosen = list(dict.fromkeys([*_proofs(fell[:1], context), *evidence]))[:limit]
    return tuple(sorted(chosen, key=lambda one: (one.time, one.source, one.record)))


def _proofs(fell: Sequence[Fall], context: Context) -> list[Evidence]:
    shown = []
    for fall in fell:
        _, attempt = fall.felled_by[0]
        shown.append(point(attempt.voice.exchange, attempt.hit.proof, f"attack {attempt.attack.id}", context))
        shown.append(fall.evidence)
    return shown


def fetches(fell: Sequence[Fall], context: Context) -> list[Finding]:
    """One finding a device and direction: that it contacted what its attackers named."""
    found = []
    for device in sorted({fall.device for fall in fell}):
        for way in (bits.OUTBOUND, bits.INTERNAL):
            those = [fall for fall in fell if fall.device == device and _way(fall, context) == way]
            if those:
                found.append(_fetch(device, way, those, context))
    return found


def shared_label(network: str | None, context: Context) -> tuple[str, ...]:
    """``shared-address`` where several subscribers have one: port and time of the evidence tell which (A7)."""
    return ("shared-address",) if network is not None and context.policy.networks[network].shared else ()


def _way(fall: Fall, context: Context) -> int:
    inside = context.policy.network_of(from_halves(*fall.address)) is not None
    return bits.INTERNAL if inside else bits.OUTBOUND


def _fetch(device: End, way: int, fell: list[Fall], context: Context) -> Finding:
    address = format_address(*device)
    network = context.policy.network_of(from_halves(*device))
    first = fell[0]
    _, attempt = first.felled_by[0]
    seconds = (first.time - attempt.hit.proof.ts) / SECOND
    asked = any(fall.asked for fall in fell)
    hosts = [format_address(*end) for end in dict.fromkeys(fall.address for fall in fell)]
    limits = context.policy.limits
    evidence = sorted(
        dict.fromkeys(_proofs(fell, context)), key=lambda one: (one.time, one.source, one.record)
    )
    interfaces = {campaign.interface for fall in fell for campaign, _ in fall.felled_by}
    muted = all(accepted(device, [fall.address for fall in fell], name, context) for name in interfaces)
    said = Said(
        peers=Peers(len(hosts), (len(hosts),) * 2, tuple(hosts[: limits.peers_sample])),
        contacts=len({(fall.address, fall.port, fall.proto) for fall in fell}),
        packets=len({fall.evidence for fall in fell}),
        bytes=0,
        first=first.time,
        last=max(fall.time for fall in fell),
        proto=first.proto,
        ports=tuple(sorted({fall.port for fall in fell})),
        outcomes={},
        evidence=tuple(evidence[: limits.evidence]),
        verified=True,
        excepted=muted,
    )
    severity = (Severity.CRITICAL, "it did what an attacker had told it to")
    if muted:
        severity = (Severity.LOW, "accepted by an exception of the policy")
    return make(
        Kind.COMPROMISED_DEVICE,
        said,
        subject=Subject("device", address, True),
        entry=None,
        way=way,
        severity=severity,
        confidence=0.99 if asked else 0.95,
        labels=(*(("exception", "muted") if muted else ()), *shared_label(network, context)),
        attacks=attacks_of(fell),
        reason=(
            f"Our device {address} {'asked' if first.asked else 'contacted'} {first.host} {seconds:.1f} s after an"
            f" attack ({attempt.attack.title}) had named that host to it, and never before."
        ),
        details={
            "signs": ["fetch"],
            "hosts": [fall.host for fall in fell][:MAX_LINKS],
            "asked_by_http": asked,
        }
        | felled_by(fell),
    )
