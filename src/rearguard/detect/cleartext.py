"""``cleartext-management``: passwords or commands that anybody on the way could read (rule B11).

*Readable* is a password, a community or a typed command. What was said with strangers (guesses at a console, an
owner's login from outside) is told by device. What the operator's own controllers say in clear is one decision of
the operator and touches all devices alike, so it is one finding for a network, whose peers are the controllers. Not
counted:

* Digest logins: the password itself does not cross the line (RFC 7616), though a weak one can be guessed offline;
* CWMP sessions with an own controller in clear in which no credential was set: they should be encrypted too, but
  what lies open there opens no device;
* what nobody answered: a password shouted at a dead address is none of ours;
* ports where customers run services of their own, as long as no payload proves a management interface (rule B7);
* what our customers open toward others, but for their devices' management sessions; and the use of a home network.

Secrets are masked where they are read (:mod:`rearguard.dialogue`); nothing unmasked reaches a finding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rearguard.detect import wording
from rearguard.detect.heard import proving
from rearguard.detect.making import make
from rearguard.detect.said import Traffic, accepted, point, say, traffic, worst_first
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.touches import PROTOCOLS
from rearguard.detect.voices import device_of
from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Finding, Kind, Severity, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

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
GUESSES = frozenset({"basic-auth", "http-form", "telnet-login"})
"""Kinds that a stranger may have made up: they are somebody's secret only when they were let in. (An SNMP agent
discards a request with a community that it does not take, RFC 1157 section 4.1.)"""


@dataclass(frozen=True)
class Cleartext:
    """Devices that are managed in clear."""

    kind: ClassVar[Kind] = Kind.CLEARTEXT_MANAGEMENT
    needs: ClassVar[frozenset[str]] = frozenset({"exchanges", "touches"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        shared, proves = _shared_ports(context), proving(context.catalogue)
        groups: dict[_Key, list[Voice]] = {}
        for voice in context.voices:
            interface = _interface(voice, shared, proves)
            if interface is not None and voice.exchange.answered is not None and any(_secrets(voice)):
                groups.setdefault(_key(voice, interface, context), []).append(voice)
        if not groups:
            return Conclusion()
        found = sorted(groups.items())
        moved = traffic([spoken for _, spoken in found], context)
        cases = [
            _Case.of(key, spoken, moved.get(place), context)
            for place, (key, spoken) in enumerate(found)
            if not (place in moved and moved[place].home)
        ]
        listed = worst_first(cases, lambda one: (one.severity[0], one.contacts, str(one.key)), context)
        return Conclusion(tuple(_finding(case, context) for case in listed), len(cases) - len(listed))


@dataclass(frozen=True, slots=True, order=True)
class _Key:
    """A device, or with a ``network`` all devices in it that an own controller spoke to."""

    network: str
    device: End
    interface: str
    way: int


@dataclass(frozen=True, slots=True)
class _Case:
    """What was said with one device or in one network, judged."""

    key: _Key
    spoken: list[Voice]
    moved: Traffic | None
    others: list[End]
    """The other side, once for each exchange."""
    let_in: bool
    labels: list[str]
    severity: tuple[Severity, str]
    contacts: int

    @classmethod
    def of(cls, key: _Key, spoken: list[Voice], moved: Traffic | None, context: Context) -> _Case:
        others = [voice.server if key.interface == SESSIONS else voice.client for voice in spoken]
        labels = ["own-controller"] if key.network else []
        if (moved is not None and moved.excepted) or accepted(key.device, others, key.interface, context):
            labels += ["exception", "muted"]
        let_in = any(voice.exchange.login == "succeeded" for voice in spoken)
        real = let_in or any(secret.kind not in GUESSES for voice in spoken for secret in _secrets(voice))
        severity = _severity(bool(key.network), real, "muted" in labels)
        contacts = len({voice.contact for voice in spoken})
        return cls(key, spoken, moved, others, let_in, labels, severity, contacts)


def _secrets(voice: Voice) -> Iterator[Secret]:
    return (secret for secret in voice.exchange.secrets if secret.kind in READABLE)


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
    if one.inform is not None or one.rpcs:
        return SESSIONS if voice.client_network is not None else None
    if voice.way == bits.OUTBOUND or voice.server_network is None:
        return None
    if (one.proto, one.port) in shared and one.identity not in proves:
        return None
    interface = voice.interface or one.identity
    return interface if interface != SESSIONS else None


def _key(voice: Voice, interface: str, context: Context) -> _Key:
    """Of both ends, the one that is managed; only its network where the other one may manage it."""
    outward = interface == SESSIONS
    end, network = (voice.client, voice.client_network) if outward else (voice.server, voice.server_network)
    if voice.authorised or (outward and SESSIONS in voice.offers):
        return _Key(network or "", (0, 0), interface, voice.way)
    return _Key("", device_of(end, network, context.policy), interface, voice.way)


def _finding(case: _Case, context: Context) -> Finding:
    key, spoken, own = case.key, case.spoken, bool(case.key.network)
    devices = list(
        dict.fromkeys(voice.client if key.interface == SESSIONS else voice.server for voice in spoken)
    )
    what = f"in the network {key.network}" if own else f"of our device {format_address(*devices[0])}"
    said = say(spoken, case.others, _evidence(spoken, context), case.moved, context)
    kinds = Counter(secret.kind for voice in spoken for secret in _secrets(voice))
    words = ", ".join(f"{count:,} x {READABLE[kind]}" for kind, count in sorted(kinds.items()))
    who = "controller" if own else "unauthorised address"
    limits = context.policy.limits
    return make(
        Kind.CLEARTEXT_MANAGEMENT,
        said,
        subject=Subject("device", key.network if own else format_address(*devices[0]), True),
        entry=context.catalogue.get(key.interface),
        way=key.way,
        severity=case.severity,
        confidence=0.99,
        labels=case.labels,
        shows=("unprotected-controller-channel",),
        reason=(
            f"On {key.interface} {what} anybody on the way could read {words}, in sessions with"
            f" {wording.many(said.peers.count, who)}."
        ),
        details={
            "scope": "network" if own else "device",
            "secrets": dict(sorted(kinds.items())),
            "shown": sorted({secret.shown for voice in spoken for secret in _secrets(voice)})[
                : limits.peers_sample
            ],
            "login_succeeded": case.let_in,
            "devices": len(devices),
            "devices_sample": [format_address(*device) for device in devices[: limits.peers_sample]],
        },
    )


def _evidence(spoken: list[Voice], context: Context) -> list[Evidence]:
    """The packets that hold the secrets, one a kind first."""
    limit = context.policy.limits.evidence
    firsts = {secret.kind: (voice, secret) for voice in reversed(spoken) for secret in _secrets(voice)}
    rest = islice(((voice, secret) for voice in spoken for secret in _secrets(voice)), limit)
    shown = [
        point(voice.exchange, secret.proof, f"{READABLE[secret.kind]} in clear", context)
        for voice, secret in (*firsts.values(), *rest)
    ]
    return list(dict.fromkeys(shown))[:limit]


def _severity(own: bool, real: bool, muted: bool) -> tuple[Severity, str]:
    if muted:
        return Severity.LOW, "accepted by an exception of the policy"
    if own:
        return Severity.HIGH, "credentials or commands of the operator's own management lie open"
    if real:
        return (
            Severity.HIGH,
            "what opens the device, or what is done to it, can be read by anybody on the way",
        )
    return Severity.MEDIUM, "it takes passwords in clear; only attempts that were not let in were seen"
