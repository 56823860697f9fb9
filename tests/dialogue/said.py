"""Made-up dialogues for the tests of what is heard in them."""

from __future__ import annotations

from collections.abc import Sequence

from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.exchange import Exchange
from rearguard.dialogue.fold import Dialogue
from rearguard.dialogue.hear import hear
from rearguard.dialogue.stream import Packet, reassemble
from rearguard.model.bits import TCP

HEAD = 16384
ALDER = 0xFFFF_C633_640B  # 198.51.100.11
WORM = 0xFFFF_CB00_7142  # 203.0.113.66


def dialogue(
    turns: Sequence[tuple[str, bytes]],
    *,
    port: int = 7547,
    proto: int = TCP,
    listed: tuple[int, ...] | None = None,
    skip: int = 0,
) -> Dialogue:
    """Turns of "client" or "server"; one packet each, a second apart, numbered from 1. ``skip``: bytes of the
    client that nobody saw.
    """
    places = {"client": skip, "server": 0}
    packets: dict[str, list[Packet]] = {"client": [], "server": []}
    for number, (side, payload) in enumerate(turns, 1):
        packets[side].append(Packet(places[side], payload, len(payload), number * 10**9, number))
        places[side] += len(payload)
    client, server = (reassemble(packets[side], HEAD) for side in ("client", "server"))
    return Dialogue(
        0, WORM, 40001, 0, ALDER, port, proto, 0, 1, 10**9, len(turns) * 10**9, client, server,
        complete=not skip, roles="handshake", listed=(port,) if listed is None else listed,
    )  # fmt: skip


def heard(turns: Sequence[tuple[str, bytes]], **options: int) -> Exchange:
    """What the shipped catalogue hears in them."""
    return hear(dialogue(turns, **options), load_attacks(), load())  # type: ignore[arg-type]


def asked(*payloads: bytes, **options: int) -> Exchange:
    """A client that nobody answers."""
    return heard([("client", payload) for payload in payloads], **options)


def attacks(exchange: Exchange) -> list[str]:
    """The ids of its hits."""
    return [hit.attack for hit in exchange.hits]


def soap(action: str, service: str, parameters: str, path: str = "/UD/act?1", header: bool = True) -> bytes:
    """A SOAP request as worms send it; its length is right."""
    body = (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<u:{action} xmlns:u="{service}">{parameters}</u:{action}></s:Body></s:Envelope>'
    )
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:7547\r\nContent-Length: {len(body.encode())}\r\n"
    line = f"SOAPAction: {service}#{action}\r\n" if header else ""
    return (head + line + "\r\n" + body).encode()
