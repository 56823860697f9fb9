"""SR OS filters as they act on packets: MD-CLI commands below ``/configure filter``, ours and operators' own.

Entries stand in the order of their numbers. A later fragment counts as one whose ports and TCP flags are all zero
(Router Configuration Guide 22.7, "Operational note for fragmented traffic"), so it is in an entry that asks for
ports or flags exactly if zero is. ``next-header`` is read as the transport: what stands behind more extension
headers than the router goes past is a residual. What no entry holds is dropped unless ``default-action`` accepts.
The classic CLI is not read, nor is an entry without an action, which SR OS leaves inactive.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from rearguard.filters.lines import ALL_FLAGS, READABLE, AccessList, Line, Match, flags_with
from rearguard.filters.model import Attachment, Piece, Verdict
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.parse.words import (
    FaultError,
    failed,
    lines_of,
    number_of,
    port_of,
    prefix_of,
    protocol_of,
    quoted_words,
)
from rearguard.filters.spans import Spans, holds, merged
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["parse"]

MOST_NUMBER = 2_097_151
_WORD = re.compile(r'"([^"\\]*)"(?: +|$)|([A-Za-z0-9_.:/,{}-]+)(?: +|$)')
_FAMILIES = {"ip-filter": 4, "ipv6-filter": 6}
_LISTS = {"ip-prefix-list": 4, "ipv6-prefix-list": 6}
_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG, "ece": 0x40, "cwr": 0x80}
_TRUTH = {"true": True, "false": False}
_VERDICTS = {"drop": Verdict.DROP, "accept": Verdict.PASS}
_SAYS_NOTHING = frozenset({"description", "filter-id"})
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_ENDS = ("src", "dst")


@dataclass(slots=True)
class _Entry:
    """What was said of an entry so far."""

    line: int
    text: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Filter:
    entries: dict[int, _Entry] = field(default_factory=dict)
    default: Verdict = Verdict.DROP
    """What a filter does that says nothing of it."""


@dataclass(slots=True)
class _Said:
    """Everything a text says."""

    filters: dict[tuple[int, str], _Filter] = field(default_factory=lambda: defaultdict(_Filter))
    prefixes: dict[tuple[int, str], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    ports: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The filters of a text. ``InputError`` names the first line that is not understood."""
    said = _Said()
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            _take(_words(line), said, number, line)
        except FaultError as fault:
            failed(file, number, raw, fault)
    found = []
    for (family, name), given in said.filters.items():
        lines = []
        for _, entry in sorted(given.entries.items()):
            try:
                lines.append(_line(entry, family, said))
            except FaultError as fault:
                failed(file, entry.line, entry.text, fault)
        attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
        found.append(AccessList(name, attachment, family, tuple(lines), given.default))
    return tuple(found)


def _words(line: str) -> list[str]:
    found = quoted_words(_WORD, line)
    if found[:2] not in (["/configure", "filter"], ["configure", "filter"]):
        raise FaultError("only /configure filter is understood")
    return found[2:-2] if found[-2:] == ["{", "}"] else found[2:]


def _take(words: list[str], said: _Said, number: int, text: str) -> None:
    match words:
        case ["match-list", kind, name, "prefix", prefix] if kind in _LISTS:
            said.prefixes[_LISTS[kind], name] += prefix_of(prefix, _LISTS[kind])
        case ["match-list", "port-list", name, "port", port]:
            said.ports[name].append((port_of(port), port_of(port)))
        case ["match-list", "port-list", name, "range", "start", first, "end", last]:
            said.ports[name].append(_range(first, last))
        case [kind, name, "default-action", action] if kind in _FAMILIES and action in _VERDICTS:
            said.filters[_FAMILIES[kind], name].default = _VERDICTS[action]
        case [kind, name, word, _] if kind in _FAMILIES and word in _SAYS_NOTHING:
            return
        case [kind, name, "scope", "template" | "exclusive"] if kind in _FAMILIES:
            return
        case [kind, name, "entry", which, *rest] if kind in _FAMILIES and rest:
            place = number_of(which, MOST_NUMBER)
            if not place:
                raise FaultError(f"{which!r} is no number of an entry")
            entries = said.filters[_FAMILIES[kind], name].entries
            _say(entries.setdefault(place, _Entry(number, text)).values, rest)
        case _:
            raise FaultError("this is not understood")


def _say(values: dict[str, str], words: list[str]) -> None:
    """Keep what is said of an entry, by what it is said of."""
    match words:
        case ["description" | "log" | "collect-stats", _]:
            return
        case ["match", "src-port" | "dst-port" as what, "range", "start", first, "end", last]:
            found = [(f"{what} start", first), (f"{what} end", last)]
        case ["match", "src-port" | "dst-port" as what, "range", "start" | "end" as which, port]:
            found = [(f"{what} {which}", port)]
        case ["match", "src-port" | "dst-port" as what, "eq" | "lt" | "gt" | "port-list" as how, port]:
            found = [(f"{what} {how}", port)]
        case [
            "match",
            "src-ip" | "dst-ip" as what,
            "address" | "ip-prefix-list" | "ipv6-prefix-list" as how,
            to,
        ]:
            found = [(f"{what} {how}", to)]
        case ["match", "tcp-flags", *pairs] if pairs and len(pairs) % 2 == 0:
            found = [(f"flag {flag}", wanted) for flag, wanted in zip(pairs[::2], pairs[1::2], strict=True)]
        case ["match", "protocol" | "next-header" | "fragment" as what, value] | ["action" as what, value]:
            found = [(what, value)]
        case _:
            raise FaultError(f"{' '.join(words)!r} is not understood")
    for key, value in found:
        if key in values:
            raise FaultError(f"the entry says {key} twice")
        values[key] = value


def _line(entry: _Entry, family: int, said: _Said) -> Line:
    left = dict(entry.values)
    verdict = _VERDICTS.get(left.pop("action", ""))
    if verdict is None:
        raise FaultError("the entry has no action that is understood")
    protocol = left.pop("protocol" if family == 4 else "next-header", None)
    protocols = None if protocol is None else _protocols(protocol)
    sources, destinations = (_addresses(left, end, family, said) for end in _ENDS)
    sports, dports = (_ports(left, end, said) for end in _ENDS)
    flags = _asked(left)
    fragment = left.pop("fragment", None)
    if left:
        raise FaultError(f"{next(iter(left))!r} is not understood in a filter for IPv{family}")
    if fragment not in (None, "non-first-only"):
        raise FaultError("of fragments only non-first-only is understood")
    reads = flags is not None or sports is not None or dports is not None
    if not reads:
        pieces = None if fragment is None else _LATER
        return Line((Match(sources, destinations, protocols, pieces),), verdict, entry.line, entry.text)
    needs = {TCP} if flags is not None else {TCP, UDP}
    if protocols is None or not protocols <= needs:
        raise FaultError("ports and flags need tcp or udp beside them")
    boxes = []
    if fragment is None:
        boxes.append(Match(sources, destinations, protocols, READABLE, sports, dports, flags))
    if holds(sports, 0) and holds(dports, 0) and (flags is None or flags & 1):
        boxes.append(Match(sources, destinations, protocols, _LATER))
    if not boxes:
        raise FaultError("later fragments have no such ports and flags")
    return Line(tuple(boxes), verdict, entry.line, entry.text)


def _protocols(text: str) -> frozenset[int]:
    return frozenset({TCP, UDP}) if text == "tcp-udp" else frozenset({protocol_of(text)})


def _addresses(left: dict[str, str], end: str, family: int, said: _Said) -> Spans | None:
    address = left.pop(f"{end}-ip address", None)
    kind = "ip-prefix-list" if family == 4 else "ipv6-prefix-list"
    name = left.pop(f"{end}-ip {kind}", None)
    if address is not None and name is not None:
        raise FaultError(f"two {end}-ip")
    if name is None:
        return None if address is None else prefix_of(address, family)
    if (family, name) not in said.prefixes:
        raise FaultError(f"there is no prefix list {name!r} of this family")
    return merged(said.prefixes[family, name])


def _ports(left: dict[str, str], end: str, said: _Said) -> Spans | None:
    how = {
        word: left.pop(f"{end}-port {word}", None) for word in ("eq", "lt", "gt", "port-list", "start", "end")
    }
    given = {word: value for word, value in how.items() if value is not None}
    match given:
        case {"eq": port, **more} if not more:
            return ((port_of(port), port_of(port)),)
        case {"lt": port, **more} if not more and port_of(port) > 0:
            return ((0, port_of(port) - 1),)
        case {"gt": port, **more} if not more and port_of(port) < 0xFFFF:
            return ((port_of(port) + 1, 0xFFFF),)
        case {"start": first, "end": last, **more} if not more:
            return (_range(first, last),)
        case {"port-list": name, **more} if not more:
            if name not in said.ports:
                raise FaultError(f"there is no port list {name!r}")
            return merged(said.ports[name])
    if given:
        raise FaultError(f"the {end} port is not said in one way")
    return None


def _range(first: str, last: str) -> tuple[int, int]:
    low, high = port_of(first), port_of(last)
    if low > high:
        raise FaultError(f"the range {low} to {high} is empty")
    return low, high


def _asked(left: dict[str, str]) -> int | None:
    """All flags that an entry names must be as it says."""
    named = [key for key in left if key.startswith("flag ")]
    found = ALL_FLAGS
    for key in named:
        wanted, bit = _TRUTH.get(left.pop(key)), _FLAGS.get(key.removeprefix("flag "))
        if wanted is None or bit is None:
            raise FaultError(f"the {key} is not understood")
        found &= flags_with(bit, bit if wanted else 0)
    return found if named else None
