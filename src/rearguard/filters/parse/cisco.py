"""Lists of Cisco IOS, IOS XR, NX-OS and Arista EOS, ours and operators' own, as they act on packets.

What an entry does to fragments (Cisco IOS IP Configuration Guide, "IP Extended Access Lists with Fragment
Control"): without ports, flags or ICMP types it takes all packets; with them, whole packets and first fragments
that show them, and if it permits also the later fragments of its addresses and protocol. ``fragments`` takes
later fragments only. Entries stand in the order of their numbers. A list ends in a deny for everything; lists of
IPv6 on IOS and IOS XR before that let neighbour solicitations and advertisements through.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rearguard.filters.lines import ALL_FLAGS, READABLE, AccessList, Line, Match, flags_with
from rearguard.filters.model import UNKNOWN_PROTOCOL, Attachment, Piece, Verdict
from rearguard.filters.parse.words import (
    ICMP_TYPES,
    FaultError,
    Words,
    failed,
    lines_of,
    number_of,
    port_of,
    prefix_of,
    protocol_of,
    wildcard_of,
)
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["LEAVES", "parse"]

MOST_NUMBER = 0xFFFF_FFFF
Order = tuple[int, int]
_Asked = tuple[frozenset[int] | None, frozenset[Piece] | None, Spans | None, Spans | None, int | None]
"""The fields of a :class:`Match` behind its addresses."""
_SEEN = 1 << 12
"""Parts of entries that are remembered, and so shared by the lines that say them."""
_ONLY_TCP = frozenset({TCP})
_PINGS = (frozenset({ICMP}), frozenset({ICMPV6}))
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_ALL_OF_IP = {4: frozenset({"ip", "ipv4"}), 6: frozenset({"ip", "ipv6"})}
_HEADINGS = {"ip access-list extended": 4, "ip access-list": 4, "ipv4 access-list": 4, "ipv6 access-list": 6}
_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG}
_ESTABLISHED = ALL_FLAGS & ~flags_with(ACK | RST, 0)
_COMPARES = frozenset({"eq", "neq", "gt", "lt", "range"})
_NO_MEANING = frozenset({"log", "log-input", "logging"})
LEAVES = re.compile(r"-leaving-v[46](-RG)?(-[0-9a-f]{8})?$")
"""How the names of our lists for what leaves end; every other list judges what enters."""
_SAYS_NOTHING = frozenset({"exit", "end", "statistics per-entry", "counters per-entry", "root"})


def parse(text: str, file: str, *, discovery: bool = True) -> tuple[AccessList, ...]:
    """All lists of a text; ``discovery``: those of IPv6 let neighbour discovery through at their end.

    ``InputError`` names the first line that is not understood.
    """
    found: dict[tuple[int, str], dict[Order, Line]] = {}
    here: tuple[int, str] | None = None
    unnumbered: set[tuple[int, str]] = set()
    removed: dict[tuple[int, str], tuple[int, str]] = {}
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith("!") or line in _SAYS_NOTHING:
            continue
        try:
            heading = _heading(line.removeprefix("no "))
            if heading is not None and line.startswith("no "):
                if heading in found:
                    raise FaultError(f"the list {heading[1]} is taken out again")
                removed[heading] = number, raw
                continue
            if heading is not None:
                here = heading
                if here in found:
                    raise FaultError(f"the list {here[1]} stands here twice")
                found[here] = {}
                continue
            words = Words(line.split())
            if words.skip("access-list"):
                here = (4, words.take("the list's number"))
                found.setdefault(here, {})
            if here is None:
                raise FaultError("this is no access list")
            order = _order(words, number)
            entry = _entry(words, here[0], number, line)
            if entry is None:
                continue
            if order in found[here]:
                raise FaultError(f"the list has an entry {order[1]} already")
            if order[0]:
                unnumbered.add(here)
            elif here in unnumbered:
                raise FaultError("an entry with a number stands behind one without")
            found[here][order] = entry
        except FaultError as fault:
            failed(file, number, raw, fault)
    for gone in removed.keys() - found.keys():
        failed(file, *removed[gone], "an interface without its list lets everything through")
    return tuple(
        _list(name, family, [line for _, line in sorted(lines.items())], discovery)
        for (family, name), lines in found.items()
    )


def _order(words: Words, line: int) -> Order:
    """Where the router puts an entry: by its number, wherever it stands; without one, at the end."""
    if not words.skip("sequence", "seq") and not words.peek().isdecimal():
        return 1, line
    number = number_of(words.take("a number"), MOST_NUMBER)
    if number is None:
        raise FaultError("this is no number of an entry")
    return 0, number


def _heading(line: str) -> tuple[int, str] | None:
    if "access-list" not in line:
        return None
    for heading, family in _HEADINGS.items():
        if line.startswith(heading + " "):
            name = line[len(heading) :].split()
            if len(name) == 1:
                return family, name[0]
            if name[0] not in ("extended", "standard"):
                raise FaultError("a list has one name")
    return None


def _list(name: str, family: int, lines: list[Line], discovery: bool) -> AccessList:
    attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
    ends = list(lines)
    if family == 6 and discovery:
        solicits = Match(protocols=frozenset({ICMPV6}), pieces=READABLE, dports=((135 << 8, (137 << 8) - 1),))
        ends.append(Line((solicits,), Verdict.PASS, 0, "neighbour discovery, which every list lets through"))
    return AccessList(name, attachment, family, tuple(ends), Verdict.DROP)


def _entry(words: Words, family: int, number: int, text: str) -> Line | None:
    verb = words.take("permit or deny")
    if verb == "remark":
        return None
    if verb not in ("permit", "deny"):
        raise FaultError(f"{verb!r} is not understood")
    name = words.take("the protocol")
    protocols = _protocols(name, family)
    ports = name in ("tcp", "udp", "6", "17")
    sources = _place(words, family)
    sports = _ports(words, name) if ports else None
    destinations = _place(words, family)
    asked = _asked(words.left(), name if ports else "", protocols, sports, verb, family)
    boxes = tuple([Match(sources, destinations, *each) for each in asked])
    return Line(boxes, _VERDICTS[verb], number, text)


_VERDICTS = {"permit": Verdict.PASS, "deny": Verdict.DROP}


@lru_cache(_SEEN)
def _asked(
    rest: tuple[str, ...],
    transport: str,
    protocols: frozenset[int] | None,
    sports: Spans | None,
    verb: str,
    family: int,
) -> tuple[_Asked, ...]:
    """What an entry asks beside addresses: ports of the destination, and options. One for each of its boxes."""
    words = Words(list(rest))
    dports = _ports(words, transport) if transport else None
    flags: int | None = None
    pieces: frozenset[Piece] | None = None
    for word in words.rest():
        if word in _NO_MEANING:
            continue
        if word == "fragments":
            pieces = _LATER
        elif word == "undetermined-transport" and verb == "deny" and protocols is None and family == 6:
            protocols, pieces = frozenset({TCP, UDP, UNKNOWN_PROTOCOL}), frozenset({Piece.UNREADABLE})
        elif protocols == _ONLY_TCP and flags is None and word == "established":
            flags = _ESTABLISHED
        elif protocols == _ONLY_TCP and flags is None and word in ("match-all", "match-any"):
            flags = _flags(words, word == "match-all")
        elif protocols == _ONLY_TCP and flags is None and word in _FLAGS:
            # One flag means that flag set; what several mean is not the same on all platforms.
            flags = flags_with(_FLAGS[word], _FLAGS[word])
        elif protocols in _PINGS and dports is None:
            dports = _icmp(word, words, 4 if protocols == _PINGS[0] else 6)
        else:
            raise FaultError(f"{word!r} is not understood")
    reads = flags is not None or sports is not None or dports is not None
    if reads and pieces is not None:
        raise FaultError("later fragments show no ports, flags or types")
    if not reads:
        return ((protocols, pieces, None, None, None),)
    readable = protocols, READABLE, sports, dports, flags
    return (readable, (protocols, _LATER, None, None, None)) if verb == "permit" else (readable,)


@lru_cache(_SEEN)
def _protocols(name: str, family: int) -> frozenset[int] | None:
    if name in _ALL_OF_IP[family]:
        return None
    if name == "icmp" and family == 6:
        return frozenset({ICMPV6})
    return frozenset({protocol_of(name)})


def _place(words: Words, family: int) -> Spans | None:
    word = words.take("an address")
    if word in ("any", f"any{family}"):
        return None
    if word == "host":
        return prefix_of(words.take("an address"), family)
    if "/" in word or family == 6:
        return prefix_of(word, family)
    return wildcard_of(word, words.take("a wildcard mask"))


def _ports(words: Words, transport: str) -> Spans | None:
    if words.peek() not in _COMPARES:
        return None
    if words.skip("eq"):
        ports = [words.take("a port")]
        while words.peek().isdecimal():
            ports.append(words.take())
        return _equal_to(tuple(ports), transport)
    if words.skip("neq"):
        port = port_of(words.take("a port"), transport)
        return tuple((a, b) for a, b in ((0, port - 1), (port + 1, 0xFFFF)) if a <= b)
    for word, low, high in (("gt", 1, 0xFFFF), ("lt", 0, -1)):
        if words.skip(word):
            port = port_of(words.take("a port"), transport)
            span = (port + low, high) if word == "gt" else (low, port + high)
            if span[0] > span[1]:
                raise FaultError(f"no port is {word} {port}")
            return (span,)
    words.take()
    first, last = (port_of(words.take("a port"), transport) for _ in range(2))
    if first > last:
        raise FaultError(f"the range {first} {last} is empty")
    return ((first, last),)


@lru_cache(_SEEN)
def _equal_to(ports: tuple[str, ...], transport: str) -> Spans:
    return merged([(port, port) for port in (port_of(word, transport) for word in ports)])


def _flags(words: Words, every: bool) -> int:
    """``match-all`` or ``match-any`` with ``+flag`` and ``-flag``."""
    named = []
    while words and words.peek()[0] in "+-" and words.peek()[1:] in _FLAGS:
        named.append(words.take())
    if not named:
        raise FaultError("no flags are named")
    return _flag_bytes(tuple(named), every)


@lru_cache(_SEEN)
def _flag_bytes(named: tuple[str, ...], every: bool) -> int:
    wanted = [
        flags_with(bit, bit if sign == "+" else 0)
        for sign, bit in ((word[0], _FLAGS[word[1:]]) for word in named)
    ]
    found = wanted[0]
    for each in wanted[1:]:
        found = found & each if every else found | each
    if not found:
        raise FaultError("no packet has these flags")
    return found


def _icmp(word: str, words: Words, family: int) -> Spans:
    """A type with or without a code, by names or numbers."""
    number = number_of(word, 255)
    code: int | None
    if number is not None:
        kind, code = number, number_of(words.peek(), 255)
        if code is not None:
            words.take()
    elif word in ICMP_TYPES[family]:
        kind, code = ICMP_TYPES[family][word]
    else:
        raise FaultError(f"{word!r} is not understood")
    return ((kind << 8, kind << 8 | 0xFF),) if code is None else ((kind << 8 | code, kind << 8 | code),)
