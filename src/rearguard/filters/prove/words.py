"""A packet and what becomes of it, in words that an operator can check."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

from rearguard.filters.lines import AccessList, Line, decide
from rearguard.filters.model import UNKNOWN_PROTOCOL, Attachment, Packet, Piece, Verdict
from rearguard.model.bits import ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["by_line", "by_policy", "nicer", "packet_words"]

_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6", 47: "gre", 50: "esp", 132: "sctp", 51: "ah"}
_FLAGS = (
    (SYN, "SYN"),
    (ACK, "ACK"),
    (RST, "RST"),
    (FIN, "FIN"),
    (PSH, "PSH"),
    (URG, "URG"),
    (0x40, "ECE"),
    (0x80, "CWR"),
)
_PIECES = {
    Piece.UNREADABLE: "a first fragment too short to show its ports",
    Piece.OFFSET_ONE: "a fragment at offset 1",
    Piece.LATER: "a later fragment",
}
_CONTROLLER = re.compile(r"controller (\S+) enters here")
CLIENT_PORT = 40000


def packet_words(packet: Packet) -> str:
    """``203.0.113.7 -> 198.51.100.20 tcp/7547 (SYN)``; a client's source port is left out."""
    ends = f"{packet.source} -> {packet.destination}"
    name = "of unknown protocol" if packet.protocol == UNKNOWN_PROTOCOL else _NAMES.get(packet.protocol)
    name = name or f"protocol {packet.protocol}"
    if packet.piece is not Piece.READABLE:
        return f"{ends} {name}, {_PIECES[packet.piece]},"
    if packet.protocol in (ICMP, ICMPV6):
        return f"{ends} {name} type {packet.dport >> 8} code {packet.dport & 0xFF}"
    if packet.protocol not in (TCP, UDP):
        return f"{ends} {name}"
    leaving = packet.attachment is Attachment.LEAVING
    text = f"{ends} {name}/{packet.sport if leaving else packet.dport}"
    other = packet.dport if leaving else packet.sport
    text += f" {'to' if leaving else 'from'} port {other}" if other != CLIENT_PORT else ""
    if packet.protocol == TCP:
        flags = "+".join(word for bit, word in _FLAGS if packet.flags & bit) or "no flags"
        text += f" ({flags})"
    return text


def by_line(verdict: Verdict, line: Line | None) -> str:
    """What a text does with it, and where."""
    done = "dropped" if verdict is Verdict.DROP else "passed"
    if line is None or not line.number:
        return f"is {done} by {'the end of the list' if line is None else line.text}"
    return f"is {done} by line {line.number} ({' '.join(line.text.split())})"


def by_policy(wanted: AccessList, packet: Packet, existing: AccessList | None) -> str:
    """What should become of it, and by whose right."""
    verdict, line = decide(wanted, packet)
    rule = None if line is None else line.rule
    if verdict is Verdict.DROP:
        assert rule is not None
        return f"the policy drops it ({rule.id}: {rule.text})"
    if existing is not None:
        kept, where = decide(existing, packet)
        if kept is Verdict.DROP:
            return f"the filter in force drops it ({by_line(kept, where).removeprefix('is dropped by ')})"
    if rule is None:
        return "the policy does not touch it"
    named = _CONTROLLER.fullmatch(rule.text)
    if named:
        return f"the policy permits it as controller {named[1]}"
    return f"the policy lets it pass ({rule.id}: {rule.text})"


def nicer(packet: Packet, lists: list[AccessList]) -> Packet:
    """A packet that is judged by the same lines and reads better, where there is one."""
    deciders = [decide(each, packet)[1] for each in lists]
    for change in _changes(packet):
        candidate = replace(packet, **change)  # type: ignore[arg-type]  # names of fields with their values
        if [decide(each, candidate)[1] for each in lists] == deciders:
            packet = candidate
    return packet


def _changes(packet: Packet) -> list[dict[str, object]]:
    if packet.piece is not Piece.READABLE or packet.protocol not in (TCP, UDP):
        return []
    far = "dport" if packet.attachment is Attachment.LEAVING else "sport"
    changes: list[dict[str, object]] = [{far: CLIENT_PORT}]
    near = "source" if packet.attachment is Attachment.LEAVING else "destination"
    address = getattr(packet, near)
    if address.packed[-1] == 0:
        changes.append({near: ip_address(int(address) + 20)})
    return changes
