"""From a dialogue to what was said in it: the one entrance to the tokenisers (rules B7, B8, B11).

The first bytes of both sides decide who reads on; most dialogues end there, since nothing but their kind can
be told. Pure: nothing is fetched, resolved or run, and the same dialogue always gives the same exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from rearguard.catalogue import Catalogue
from rearguard.catalogue.attacks import Attack, Attacks
from rearguard.dialogue import adb, snmp
from rearguard.dialogue.console import hear_console
from rearguard.dialogue.exchange import Exchange, Hit, Proof, Secret
from rearguard.dialogue.fold import Dialogue
from rearguard.dialogue.match import Matching, hits
from rearguard.dialogue.recognise import recognise
from rearguard.dialogue.spoken import Heard, Value
from rearguard.dialogue.stream import Stream
from rearguard.dialogue.text import MASK, first, proof, sewn
from rearguard.dialogue.web import hear_web
from rearguard.model.bits import TCP

__all__ = ["hear"]

RAW = 1024
"""How much of an unknown protocol patterns are shown."""
TEXT = 2048
DATAGRAMS = 64

_HTTP = re.compile(rb" HTTP/1\.[01]\r?\n|\nsoapaction:|\nhost:|envelope>", re.IGNORECASE)
_NO_TEXT = re.compile(rb"[\x01-\x06\x0e-\x1a\x80-\xf0]")
_ADB_SHELLS = (b"shell:", b"shell,", b"exec:", b"root:", b"tcpip:", b"sync:")


def hear(dialogue: Dialogue, attacks: Attacks, catalogue: Catalogue) -> Exchange:
    """What was said in a dialogue. An incidental one concerns no management interface, so nothing in it is held
    to be an attack (rule A3).
    """
    heard = _heard(dialogue, attacks, catalogue)
    return Exchange(
        client_hi=dialogue.client_hi,
        client_lo=dialogue.client_lo,
        client_port=dialogue.client_port,
        server_hi=dialogue.server_hi,
        server_lo=dialogue.server_lo,
        port=dialogue.port,
        proto=dialogue.proto,
        observer=dialogue.observer,
        sampling=dialogue.sampling,
        first=dialogue.first,
        last=dialogue.last,
        complete=dialogue.complete,
        incidental=dialogue.incidental,
        roles=dialogue.roles,
        asked=first(dialogue.client, from_server=False),
        answered=first(dialogue.server, from_server=True),
        speaks=heard.speaks,
        identity=heard.identity,
        answer=heard.answer,
        status=heard.status,
        method=heard.method,
        path=heard.path,
        login=heard.login,
        hits=heard.hits,
        secrets=heard.secrets,
        inform=heard.inform,
        rpcs=heard.rpcs,
        fetch=heard.fetch,
    )


def _heard(dialogue: Dialogue, attacks: Attacks, catalogue: Catalogue) -> Heard:
    client, server = dialogue.client, dialogue.server
    speaks, identity = recognise(_start(client), _start(server), dialogue.proto)
    if not speaks:
        speaks = _by_port(dialogue, catalogue)
    if speaks == "http":
        return hear_web(dialogue, _matching("http", dialogue, attacks, catalogue))
    if speaks == "telnet":
        return hear_console(dialogue, _matching("telnet", dialogue, attacks, catalogue))
    if speaks == "adb":
        return _adb(dialogue, _matching("adb", dialogue, attacks, catalogue))
    if speaks == "snmp":
        return _snmp(dialogue, identity, _matching("snmp", dialogue, attacks, catalogue))
    answer = "" if not server else "banner" if speaks == "ssh" else "reply"
    if speaks == "ssdp" and identity is None:  # an announcement to all answers nobody
        answer = ""
    if speaks or dialogue.incidental or not client:
        return Heard(speaks=speaks, identity=identity, answer=answer)
    payload = _Values({"payload": [Value(b"", sewn(client)[:RAW], 0)]})
    found = _hits(dialogue, payload, _matching("raw", dialogue, attacks, catalogue), answer)
    return Heard(answer=answer, hits=found)


def _matching(protocol: str, dialogue: Dialogue, attacks: Attacks, catalogue: Catalogue) -> Matching:
    def counts(attack: Attack) -> bool:
        if not attack.bound:
            return True
        transport = "tcp" if dialogue.proto == TCP else "udp"
        return any(
            interface.id in attack.interfaces
            for listener in ("device", "controller")
            for interface in catalogue.listening(transport, dialogue.port, listener)
        )

    return Matching(() if dialogue.incidental else attacks.of(protocol), counts)


def _start(stream: Stream) -> bytes:
    """The first bytes that are there."""
    return stream.data or (stream.islands[0][1] if stream.islands else b"")


def _by_port(dialogue: Dialogue, catalogue: Catalogue) -> str:
    """What a text is that begins in the middle, or whose listener was not heard."""
    if dialogue.proto != TCP:
        return ""
    said, answered = _start(dialogue.client)[:TEXT], _start(dialogue.server)[:TEXT]
    torn = not dialogue.complete or bool(dialogue.client.islands)
    if torn and (not answered or b"HTTP/1." in answered) and _HTTP.search(said):
        return "http"
    text = said or answered
    console = any(each.id == "telnet" for each in catalogue.listening("tcp", dialogue.port))
    return "telnet" if console and text and _NO_TEXT.search(text) is None else ""


def _adb(dialogue: Dialogue, matching: Matching) -> Heard:
    """Services that the client opens, and whether the device took them without authorisation."""
    asked = [packet for packet in adb.packets(sewn(dialogue.client)) if packet.command == b"OPEN"]
    answered = {packet.command for packet in adb.packets(sewn(dialogue.server))}
    opened = b"OKAY" in answered and any(packet.data.startswith(_ADB_SHELLS) for packet in asked)
    answer = "shell" if opened else "reply" if answered else ""
    services = _Values({"service": [Value(b"", packet.data.rstrip(b"\0"), packet.at) for packet in asked]})
    return Heard(
        speaks="adb",
        identity="adb" if answered else None,
        answer=answer,
        hits=_hits(dialogue, services, matching, answer),
    )


def _snmp(dialogue: Dialogue, identity: str | None, matching: Matching) -> Heard:
    answer = "reply" if dialogue.server else ""
    said = dialogue.client.data
    starts = [origin.offset for origin in dialogue.client.origins[:DATAGRAMS]]
    found: dict[bytes, int] = {}
    for start, end in pairwise([*starts, len(said)]):
        named = snmp.community(said[start:end])
        if named:
            found.setdefault(named[0], start + named[1])
    values = _Values({"community": [Value(b"", name, at) for name, at in found.items()]})
    return Heard(
        speaks="snmp",
        identity=identity,
        answer=answer,
        hits=_hits(dialogue, values, matching, answer),
        secrets=tuple(
            Secret("snmp-community", proof(dialogue.client, at, from_server=False), MASK)
            for at in found.values()
        ),
    )


def _hits(dialogue: Dialogue, asked: _Values, matching: Matching, answer: str) -> tuple[Hit, ...]:
    def prove(place: int) -> Proof:
        return proof(dialogue.client, place, from_server=False)

    return tuple(hits(asked, matching, prove, answer=answer))


@dataclass(frozen=True, slots=True)
class _Values:
    """Parts of a request that have no names, as attack patterns look at them."""

    held: Mapping[str, Sequence[Value]]

    def parts(self) -> Set[str]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        return self.held.keys()

    def values(self, part: str, name: bytes) -> Iterable[Value]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        return () if name else self.held.get(part, ())
