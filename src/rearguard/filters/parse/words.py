"""Numbers, ports, protocols and prefixes as router texts write them; whatever is not understood is an error.

``Fault`` carries what is wrong; whoever knows file and line turns it into an :class:`InputError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from typing import NoReturn

from rearguard.filters.spans import Spans
from rearguard.model.errors import InputError, Place

__all__ = [
    "ICMP_TYPES",
    "PROTOCOLS",
    "FaultError",
    "Words",
    "failed",
    "lines_of",
    "number_of",
    "port_of",
    "prefix_of",
    "protocol_of",
    "quoted_words",
    "wildcard_of",
]

_PREFIX = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?")
_SEEN = 1 << 15
"""Prefixes that are remembered: a list without sets says each of a few thousand over and over."""
_DIGITS = 10

PROTOCOLS = {
    "ah": 51, "ahp": 51, "egp": 8, "eigrp": 88, "esp": 50, "gre": 47, "icmp": 1, "icmp6": 58, "icmpv6": 58,
    "igmp": 2, "igrp": 9, "ipinip": 4, "ipip": 4, "ipv6-icmp": 58, "ospf": 89, "pim": 103, "rsvp": 46, "sctp": 132,
    "tcp": 6, "udp": 17, "vrrp": 112,
}  # fmt: skip
"""IANA protocol numbers by the names that the dialects use."""

_PORTS = {
    "bgp": 179, "bootpc": 68, "bootps": 67, "cmd": 514, "discard": 9, "domain": 53, "echo": 7, "exec": 512,
    "finger": 79, "ftp": 21, "ftp-data": 20, "http": 80, "https": 443, "ident": 113, "imap": 143, "isakmp": 500,
    "ldp": 646, "login": 513, "lpd": 515, "msdp": 639, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ss": 139,
    "netbios-ssn": 139, "nntp": 119, "non500-isakmp": 4500, "ntp": 123, "pop3": 110, "pptp": 1723, "radius": 1812,
    "rip": 520, "smtp": 25, "snmp": 161, "snmptrap": 162, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49,
    "telnet": 23, "tftp": 69, "time": 37, "whois": 43, "www": 80, "xdmcp": 177,
}  # fmt: skip
_BY_TRANSPORT = {("tcp", "syslog"): 601, ("udp", "who"): 513, ("udp", "biff"): 512}

ICMP_TYPES: dict[int, dict[str, tuple[int, int | None]]] = {
    4: {
        "echo-reply": (0, None), "unreachable": (3, None), "net-unreachable": (3, 0), "host-unreachable": (3, 1),
        "port-unreachable": (3, 3), "packet-too-big": (3, 4), "administratively-prohibited": (3, 13),
        "source-quench": (4, None), "redirect": (5, None), "echo": (8, None), "echo-request": (8, None),
        "time-exceeded": (11, None), "ttl-exceeded": (11, 0), "parameter-problem": (12, None),
        "timestamp-request": (13, None), "timestamp-reply": (14, None), "mask-request": (17, None),
        "mask-reply": (18, None),
    },
    6: {
        "unreachable": (1, None), "destination-unreachable": (1, None), "port-unreachable": (1, 4),
        "packet-too-big": (2, None), "time-exceeded": (3, None), "hop-limit": (3, 0),
        "parameter-problem": (4, None),
        "echo": (128, None), "echo-request": (128, None), "echo-reply": (129, None),
        "router-solicitation": (133, None),
        "router-advertisement": (134, None), "nd-ns": (135, None), "neighbor-solicit": (135, None),
        "nd-na": (136, None), "neighbor-advertisement": (136, None), "neighbor-advert": (136, None),
        "neighbor-solicitation": (135, None), "router-advert": (134, None), "router-solicit": (133, None),
        "mld-query": (130, None), "mld-report": (131, None), "mld-reduction": (132, None),
    },
}  # fmt: skip
"""Type and code by name (IANA ICMP and ICMPv6 parameters); no code means all of them."""


class FaultError(Exception):
    """Something in a line that is not understood; the text says what."""


class Words:
    """The words of one line, read from left to right."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def peek(self) -> str:
        """The next word; empty at the end."""
        try:
            return self._words[self._at]
        except IndexError:
            return ""

    def take(self, what: str = "a word") -> str:
        """The next word, which must be there."""
        try:
            word = self._words[self._at]
        except IndexError:
            raise FaultError(f"{what} is missing at the end") from None
        self._at += 1
        return word

    def skip(self, *words: str) -> bool:
        """Go past the next word if it is one of these."""
        found = bool(self) and self._words[self._at] in words
        self._at += found
        return found

    def left(self) -> tuple[str, ...]:
        """All words that are left, at once."""
        found = tuple(self._words[self._at :])
        self._at = len(self._words)
        return found

    def rest(self) -> Iterator[str]:
        """All words that are left."""
        while self:
            yield self.take()


def failed(file: str, number: int, text: str, problem: object) -> NoReturn:
    """Refuse a line: it is shown, and never ignored."""
    shown = text.strip()
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    raise InputError(
        f"{problem}: {shown!r}",
        remedy="what is not understood cannot be proven: leave it out, or tell what platform it is with --platform",
        place=Place(file=file, line=number),
    ) from None


def lines_of(text: str, file: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, as a router divides the text: at line feeds, and nowhere else.

    Characters that a terminal or a router might take for something else are refused (``InputError``).
    """
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.removesuffix("\r").replace("\t", " ")
        if not line.isprintable():
            strange = next(each for each in line if not each.isprintable())
            failed(file, number, line, f"the character U+{ord(strange):04X} has no place in a filter")
        yield number, line


def number_of(word: str, most: int) -> int | None:
    """A number in digits up to ``most``; None if it is none."""
    if not (word.isascii() and word.isdigit()) or len(word) > _DIGITS:
        return None
    found = int(word)
    return found if found <= most else None


def protocol_of(word: str) -> int:
    """A protocol by number or name."""
    number = number_of(word, 255)
    if number is None:
        number = PROTOCOLS.get(word)
    if number is None:
        raise FaultError(f"{word!r} is no protocol")
    return number


def port_of(word: str, transport: str = "") -> int:
    """A port by number or name."""
    number = number_of(word, 0xFFFF)
    if number is not None:
        return number
    found = _BY_TRANSPORT.get((transport, word), _PORTS.get(word))
    if found is None:
        raise FaultError(f"{word!r} is no port")
    return found


@lru_cache(_SEEN)
def prefix_of(word: str, family: int) -> Spans:
    """A prefix or a single address of the family, without host bits."""
    try:
        if not _PREFIX.fullmatch(word):
            raise ValueError
        network = ip_network(word)
    except ValueError:
        raise FaultError(f"{word!r} is no prefix, or has host bits set") from None
    if network.version != family:
        raise FaultError(f"{word} is IPv{network.version} in a list for IPv{family}")
    return ((int(network.network_address), int(network.broadcast_address)),)


@lru_cache(_SEEN)
def wildcard_of(address: str, mask: str) -> Spans:
    """Cisco's address and wildcard mask: the bits of the mask are free; they must be the low ones."""
    try:
        low, free = int(IPv4Address(address)), int(IPv4Address(mask))
    except ValueError:
        raise FaultError(f"{address} {mask} is no address with a wildcard mask") from None
    if free & (free + 1):
        raise FaultError(f"the wildcard mask {mask} has holes")
    # The router ignores what stands in the address where the mask is free.
    return ((low & ~free, low | free),)


def quoted_words(word: re.Pattern[str], line: str) -> list[str]:
    """The words of a line, each of which ``word`` matches: quoted as its first group, or bare as its second."""
    found = []
    at = 0
    while at < len(line):
        match = word.match(line, at)
        if match is None:
            raise FaultError(f"{line[at:]!r} is not understood")
        found.append(match[1] if match[2] is None else match[2])
        at = match.end()
    return found
