"""What was said in one dialogue: the values that detectors, reports and cases reason about.

An exchange holds conclusions from payloads only (what the bytes are, which attack they contain, how the
listener answered), never a verdict: whether somebody was allowed to say it, and whether the listener is a
device of ours, is judged by the detectors, which know the policy. Every statement points to the packet that
shows it. Texts come from hostile senders and are raw; the sinks escape them.
"""

from __future__ import annotations

from dataclasses import dataclass

from rearguard.dialogue.fold import Roles

__all__ = ["Exchange", "Hit", "Inform", "Proof", "Secret"]


@dataclass(frozen=True, slots=True)
class Proof:
    """The packet that shows it."""

    ts: int
    """Nanoseconds since the epoch, UTC."""
    rec: int
    """Record pointer: source and record number (model.fields)."""
    from_server: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that an attack pattern of ``catalogue/attacks`` describes (rule B8)."""

    attack: str
    """Its id in the catalogue."""
    proof: Proof
    excerpt: str
    """The part that matched, at most 200 characters, latin-1, raw."""
    named: tuple[str, ...]
    """Hosts that the payload named: an address as text or a DNS name, lower case. Never contacted."""
    urls: tuple[str, ...]
    status: int = 0
    """HTTP status of the answer to this very request; 0 when none was seen."""
    answer: str = ""
    """What the listener said to this very request; the words are those of :attr:`Exchange.answer`."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential or a command that was readable on the wire (rule B11)."""

    kind: str
    """basic-auth | http-form | telnet-login | telnet-command | cwmp-credentials |
    snmp-community."""
    proof: Proof
    shown: str
    """What may be shown: names are kept, secrets are replaced by asterisks."""


@dataclass(frozen=True, slots=True)
class Inform:
    """What a device told a controller in a CWMP Inform that was not encrypted (TR-069 A.3.3.1)."""

    manufacturer: str
    oui: str
    product_class: str
    serial: str
    software: str
    events: tuple[str, ...]
    """Event codes such as ``0 BOOTSTRAP``, ``6 CONNECTION REQUEST``."""
    url: str
    """ConnectionRequestURL, or empty."""
    proof: Proof


@dataclass(frozen=True, slots=True)
class Exchange:
    """One dialogue, understood. Keys are those of the dialogue; times in ns since the epoch."""

    client_hi: int
    client_lo: int
    client_port: int
    server_hi: int
    server_lo: int
    port: int
    proto: int
    observer: int
    sampling: int
    first: int
    last: int
    complete: bool
    incidental: bool
    roles: Roles
    speaks: str
    """What the bytes are: http, telnet, tls, ssh, adb, ssdp, snmp ...; empty when unknown."""
    identity: str | None
    """The interface of the catalogue that the payload proves (rule B7); None when it proves none."""
    answer: str
    """What the listener said: "" (nothing) | digest | basic | page | soap | fault | refused | no-content |
    prompt | shell | banner | reply."""
    status: int
    """HTTP status of the first answer; 0 when there is none."""
    method: str
    path: str
    """Of the first request; at most 200 characters."""
    login: str
    """"" | tried | succeeded."""
    hits: tuple[Hit, ...]
    secrets: tuple[Secret, ...]
    inform: Inform | None
    rpcs: tuple[str, ...]
    """CWMP methods that were seen, either side, in order of their first appearance."""
    fetch: tuple[str, ...]
    """Hosts that HTTP requests of the client asked for (Host header, absolute URI), lower case, no port."""
    asked: Proof | None
    """The first packet with payload of the client."""
    answered: Proof | None
    """The first packet with payload of the server."""
