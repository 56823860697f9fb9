"""``cleartext-management``: passwords or commands that anybody on the way could read (rule B11).

One finding a device, interface and direction, whoever spoke: a stranger who guesses logins at a telnet console, the
owner who logs in from outside, and the operator's own controller. *Readable* is a password, a community or a typed
command. Not counted:

* Digest logins: the password itself does not cross the line (RFC 7616), though a weak one can be guessed offline;
* CWMP sessions of authorised controllers in clear in which no secret was set: they are readable too, but all of
  them alike, which is one decision of the operator and no news about a device;
* what nobody answered: a password shouted at a dead address is none of ours;
* ports where customers run services of their own, as long as no payload proves a management interface (rule B7);
* what our customers open toward others, but for their devices' management sessions; and the use of a home network.

Secrets are masked where they are read (:mod:`rearguard.dialogue`); nothing unmasked reaches a finding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rearguard.detect import wording
from rearguard.detect.heard import proving
from rearguard.detect.making import make
from rearguard.detect.said import Traffic, accepted, point, say, traffic
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.touches import PROTOCOLS
from rearguard.detect.voices import device_of
from rearguard.model import bits
from rearguard.model.finding import Evidence, Finding, Kind, Severity, Subject

if TYPE_CHECKING:
    from rearguard.detect.voices import End, Voice
    from rearguard.dialogue.exchange import Secret

__all__ = ["Cleartext"]

READABLE = {
    "basic-auth": "Basic login",
    "http-form": "password in a form",
    "telnet-login": "console login",
    "telnet-command": "console command",
    "cwmp-credentials": "credential set by a controller",
    "snmp-community": "SNMP community",
}
"""The kinds of ``Secret`` that lie open, and their names."""
SESSIONS = "cwmp-acs"
GUESSES = frozenset({"basic-auth", "http-form", "telnet-login", "snmp-community"})
"""Kinds that a stranger may have made up: they are somebody's secret only when they were let in."""


@dataclass(frozen=True)
class Cleartext:
    """Devices that are managed in clear."""

    kind: ClassVar[Kind] = Kind.CLEARTEXT_MANAGEMENT
    needs: ClassVar[frozenset[str]] = frozenset({"exchanges", "touches"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        shared, proves = _shared_ports(context), proving(context.catalogue)
        groups: dict[tuple[End, str, int], list[Voice]] = {}
        for voice in context.voices:
            interface = _interface(voice, shared, proves)
            if interface is not None and voice.exchange.answered is not None and _secrets(voice):
                groups.setdefault((_device(voice, interface, context), interface, voice.way), []).append(
                    voice
                )
        if not groups:
            return Conclusion()
        found = sorted(groups.items())
        moved = traffic([spoken for _, spoken in found], context)
        findings = [
            _finding(key, spoken, moved.get(place), context)
            for place, (key, spoken) in enumerate(found)
            if not (place in moved and moved[place].home)
        ]
        findings.sort(key=lambda one: (-one.severity.rank, -one.contacts, one.id))
        limit = context.policy.limits.findings_per_kind
        return Conclusion(tuple(findings[:limit]), max(0, len(findings) - limit))


def _secrets(voice: Voice) -> list[Secret]:
    return [secret for secret in voice.exchange.secrets if secret.kind in READABLE]


def _shared_ports(context: Context) -> frozenset[tuple[int, int]]:
    """(protocol, port) where an interface alone says nothing."""
    return frozenset(
        (PROTOCOLS[port.transport], port.port)
        for entry in context.catalogue.interfaces
        if entry.listener == "device"
        for port in entry.ports
        if port.shared
    )


def _interface(voice: Voice, shared: frozenset[tuple[int, int]], proves: frozenset[str]) -> str | None:
    """What is managed in clear here; None where it is no management of a device of ours."""
    one = voice.exchange
    if one.inform is not None or (one.rpcs and voice.client_network is not None):
        return SESSIONS if voice.client_network is not None else None
    if voice.way == bits.OUTBOUND or voice.server_network is None:
        return None
    if (one.proto, one.port) in shared and one.identity not in proves:
        return None
    return voice.interface or one.identity


def _device(voice: Voice, interface: str, context: Context) -> End:
    """Of both ends, the one that is managed."""
    if interface == SESSIONS:
        return device_of(voice.client, voice.client_network, context.policy)
    return device_of(voice.server, voice.server_network, context.policy)


def _finding(
    key: tuple[End, str, int], spoken: list[Voice], moved: Traffic | None, context: Context
) -> Finding:
    device, interface, way = key
    entry = context.catalogue.get(interface)
    outward = interface == SESSIONS
    others = [voice.server if outward else voice.client for voice in spoken]
    text = spoken[0].client_text if outward else spoken[0].server_text
    own, strange = _parties(spoken, outward)
    said = say(spoken, others, _evidence(spoken, context), moved, context)
    kinds = Counter(secret.kind for voice in spoken for secret in _secrets(voice))
    labels = ["own-controller"] if own and not strange else []
    if said.excepted or accepted((device, *others), interface, context):
        labels += ["exception", "muted"]
    let_in = any(voice.exchange.login == "succeeded" for voice in spoken)
    real = let_in or own > 0 or any(kind not in GUESSES for kind in kinds)
    words = ", ".join(f"{count} x {READABLE[kind]}" for kind, count in sorted(kinds.items()))
    listed = sorted({secret.shown for voice in spoken for secret in _secrets(voice)})
    return make(
        Kind.CLEARTEXT_MANAGEMENT,
        said,
        subject=Subject("device", text, True),
        entry=entry,
        way=way,
        severity=_severity(real, bool(own), let_in, "muted" in labels),
        confidence=0.99,
        labels=labels,
        shows=("unprotected-controller-channel",),
        reason=(
            f"On {interface} of our device {text} anybody on the way could read {words}, in sessions with"
            f" {_who(own, strange)}."
        ),
        details={
            "secrets": dict(sorted(kinds.items())),
            "shown": listed[: context.policy.limits.peers_sample],
            "own_controllers": own,
            "strangers": strange,
            "login_succeeded": let_in,
        },
    )


def _parties(spoken: list[Voice], outward: bool) -> tuple[int, int]:
    """How many of the other side are authorised, and how many are not."""
    sides: dict[End, bool] = {}
    for voice in spoken:
        other = voice.server if outward else voice.client
        rightful = voice.authorised or (outward and SESSIONS in voice.offers)
        sides[other] = sides.get(other, False) or rightful
    own = sum(sides.values())
    return own, len(sides) - own


def _who(own: int, strange: int) -> str:
    """For example ``1 controller of the policy and 2 unauthorised addresses``."""
    said = [wording.many(own, "controller") + " of the policy"] if own else []
    if strange:
        said.append(wording.many(strange, "unauthorised address"))
    return " and ".join(said)


def _evidence(spoken: list[Voice], context: Context) -> list[Evidence]:
    """The packets that hold the secrets, one a kind first."""
    shown: dict[str, list[Evidence]] = {}
    for voice in spoken:
        for secret in _secrets(voice):
            proof = point(voice.exchange, secret.proof, f"{READABLE[secret.kind]} in clear", context)
            shown.setdefault(secret.kind, []).append(proof)
    firsts = [proofs[0] for proofs in shown.values()]
    rest = [proof for proofs in shown.values() for proof in proofs[1:]]
    return [*firsts, *rest][: context.policy.limits.evidence]


def _severity(real: bool, own: bool, let_in: bool, muted: bool) -> tuple[Severity, str]:
    if muted:
        return Severity.LOW, "accepted by an exception of the policy"
    if own:
        return Severity.HIGH, "credentials or commands of the operator's own management lie open"
    if let_in:
        return Severity.HIGH, "a login that was let in can be read and used by anybody on the way"
    if real:
        return Severity.HIGH, "commands or credentials lie open"
    return Severity.MEDIUM, "it takes passwords in clear; only attempts that were not let in were seen"
