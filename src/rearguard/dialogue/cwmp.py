"""CWMP (TR-069) in clear, on whatever port: who informs whom, which methods are called, which secrets pass.

The device is the HTTP client; it sends ``Inform`` and the answers to the controller's questions as requests,
the controller's questions come as responses (TR-069 3.4). So a method may appear on either side.
"""

from __future__ import annotations

from itertools import pairwise

from rearguard.dialogue.exchange import Inform, Proof
from rearguard.dialogue.soap import Leaf, Message
from rearguard.dialogue.text import shown

__all__ = ["credentials", "inform", "method"]

EVENTS = 64
"""TR-069 A.3.3.1: an Inform carries at most 64 events."""

_SECRET = (b"password", b"passphrase", b"presharedkey", b"wepkey", b"sharedsecret", b"pinvalue")
"""Ends of parameter names whose values are secrets (TR-181: ManagementServer.Password,
ConnectionRequestPassword, KeyPassphrase, PreSharedKey, WEPKey ...), and of arguments such as Download's."""


def method(message: Message) -> str:
    """The method that the message calls or answers; empty when it is no CWMP message."""
    if not message.cwmp:
        return ""
    return shown(message.action, 64)


def inform(message: Message, proof: Proof) -> Inform | None:
    """What an Inform says of its sender; None when the message is none."""
    if not message.cwmp or message.action != b"Inform":
        return None
    first: dict[bytes, str] = {}
    for leaf in message.leaves:
        first.setdefault(leaf.name, shown(leaf.value.strip(), 100))
    software = url = ""
    for name, leaf in _values(message.leaves):
        if name.endswith(b"deviceinfo.softwareversion"):
            software = shown(leaf.value.strip(), 100)
        elif name.endswith(b"managementserver.connectionrequesturl"):
            url = shown(leaf.value.strip())
    events = [shown(leaf.value.strip(), 64) for leaf in message.leaves if leaf.name == b"EventCode"]
    return Inform(
        manufacturer=first.get(b"Manufacturer", ""),
        oui=first.get(b"OUI", ""),
        product_class=first.get(b"ProductClass", ""),
        serial=first.get(b"SerialNumber", ""),
        software=software,
        events=tuple(events[:EVENTS]),
        url=url,
        proof=proof,
    )


def credentials(message: Message) -> list[tuple[str, int]]:
    """Names of the parameters and arguments whose secret values the message shows, with their offsets."""
    if not message.cwmp or not _mentions_secret(message.text.lower()):
        return []
    named = [(shown(name, 100), leaf.at) for name, leaf in _values(message.leaves) if name.endswith(_SECRET)]
    return named + [
        (shown(leaf.name, 100), leaf.at)
        for leaf in message.leaves
        if leaf.name.lower().endswith(_SECRET) and leaf.value.strip()
    ]


def _mentions_secret(text: bytes) -> bool:
    return any(word in text for word in _SECRET)


def _values(leaves: tuple[Leaf, ...]) -> list[tuple[bytes, Leaf]]:
    """Each ``Name`` (in lower case) with the ``Value`` that follows it (ParameterValueStruct)."""
    return [
        (name.value.strip().lower(), value)
        for name, value in pairwise(leaves)
        if name.name == b"Name" and value.name == b"Value"
    ]
