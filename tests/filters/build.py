"""Small policies, and packets in the words of the model."""

from __future__ import annotations

import ipaddress
from typing import Any

from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter
from rearguard.filters.model import Attachment, Filter, Packet, Piece
from rearguard.model.bits import ACK, FIN, RST, SYN, TCP, UDP
from rearguard.policy import Policy, parse_policy

NETWORKS = """\
networks:
  customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], managed: operator}
  moved: {prefixes: [203.0.113.0/25, "2001:db8:d::/48"], ports: {cwmp-cr: [tcp/51005]}}
  shared: {prefixes: [100.64.0.0/16, "2001:db8:e::/48"], kind: cgn}
  softwire: {prefixes: [192.0.2.64/26], kind: dslite}
"""
CONTROLLERS = """\
controllers:
  acs:
    requests_from: [192.0.2.8/30, "2001:db8:a::10/128"]
    sessions_at: [192.0.2.20/32]
    manages: [cwmp]
    enters_at: west
  desk: {requests_from: [192.0.2.40/32, "2001:db8:a::40/128"], manages: [telnet, cwmp]}
"""
DUE = "basis: worm, review_by: 2027-06-01"
EVERYTHING = (
    NETWORKS
    + CONTROLLERS
    + f"""\
edges:
  west: {{outside: [wan0]}}
  east: {{outside: [wan0]}}
drop:
  - {{interfaces: [cwmp-cr, telnet, snmp], toward: [customers, moved, shared, softwire], {DUE}}}
  - {{interfaces: [ssdp], toward: [customers], accept_collateral: true, {DUE}}}
  - {{interfaces: [tr064], toward: [moved], mode: cut, {DUE}}}
never_block: [198.51.100.200/29, 198.18.0.0/24, "2001:db8:c:ffff::/64", "2001:db8:f:7::/64"]
"""
)

_FLAGS = {"S": SYN, "A": ACK, "R": RST, "F": FIN, "E": 0x40, "C": 0x80, "P": 0x08, "-": 0}


def policy(text: str) -> Policy:
    """A policy in YAML, checked."""
    return parse_policy(text, load())


def compiled(text: str, edge: str = "border") -> Filter:
    """The filter of one edge of that policy."""
    return compile_filter(policy(text), load(), edge)


def tcp(source: str, destination: str, dport: int = 7547, flags: str = "S", **more: Any) -> Packet:
    """A TCP packet; flags by their first letters (``E`` ECE, ``C`` CWR, ``-`` none)."""
    bits = 0
    for letter in flags:
        bits |= _FLAGS[letter]
    return packet(source, destination, TCP, dport, flags=bits, **more)


def udp(source: str, destination: str, dport: int, **more: Any) -> Packet:
    """A datagram."""
    return packet(source, destination, UDP, dport, **more)


def packet(
    source: str,
    destination: str,
    protocol: int,
    dport: int = 0,
    *,
    sport: int = 40000,
    flags: int = 0,
    piece: Piece = Piece.READABLE,
    attachment: Attachment = Attachment.ENTERING,
) -> Packet:
    """Any packet."""
    return Packet(
        attachment,
        ipaddress.ip_address(source),
        ipaddress.ip_address(destination),
        protocol,
        piece,
        sport,
        dport,
        flags,
    )
