"""VyOS chains as they act on packets: ``set`` commands of groups and of chains of one's own.

Rules stand in the order of their numbers. ``return`` is a pass as far as a chain is concerned; what leads into it
is not part of the text, it is the change ticket's. Flags that are listed together must all be as listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from rearguard.filters.lines import READABLE, AccessList, Line, Match, flags_with
from rearguard.filters.model import Attachment, Verdict
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
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["parse"]

MOST_NUMBER = 999_999
_WORD = re.compile(r"'([^'\\]*)'(?: +|$)|([A-Za-z0-9_.:/,-]+)(?: +|$)")
_GROUPS = {"network-group": 4, "ipv6-network-group": 6}
_FAMILIES = {"ipv4": 4, "ipv6": 6}
_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG, "ecn": 0x40, "cwr": 0x80}
_VERDICTS = {"drop": Verdict.DROP, "return": Verdict.PASS}
Groups = dict[tuple[int, str], list[tuple[int, int]]]


@dataclass(slots=True)
class _Rule:
    """What was said of a rule so far."""

    line: int
    text: str
    values: dict[str, str] = field(default_factory=dict)
    flags: dict[int, bool] = field(default_factory=dict)


@dataclass(slots=True)
class _Chain:
    rules: dict[int, _Rule] = field(default_factory=dict)
    default: Verdict = Verdict.DROP
    """What a chain does that says nothing of it."""


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The chains of a text. ``InputError`` names the first line that is not understood."""
    groups: Groups = defaultdict(list)
    chains: dict[tuple[int, str], _Chain] = defaultdict(_Chain)
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            _take(quoted_words(_WORD, line), groups, chains, number, line)
        except FaultError as fault:
            failed(file, number, raw, fault)
    found = []
    for (family, name), chain in chains.items():
        lines = []
        for _, rule in sorted(chain.rules.items()):
            try:
                lines.append(_line(rule, family, groups))
            except FaultError as fault:
                failed(file, rule.line, rule.text, fault)
        attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
        found.append(AccessList(name, attachment, family, tuple(lines), chain.default))
    return tuple(found)


def _take(
    words: list[str], groups: Groups, chains: dict[tuple[int, str], _Chain], number: int, text: str
) -> None:
    match words:
        case ["set", "firewall", "group", kind, name, "network", prefix] if kind in _GROUPS:
            groups[_GROUPS[kind], name] += prefix_of(prefix, _GROUPS[kind])
        case ["set", "firewall", family, "name", name, "default-action", action] if family in _FAMILIES:
            if action not in _VERDICTS:
                raise FaultError(f"default-action {action} is not understood in a chain of ours")
            chains[_FAMILIES[family], name].default = _VERDICTS[action]
        case ["set", "firewall", family, "name", name, "rule", which, *rest] if family in _FAMILIES and rest:
            place = number_of(which, MOST_NUMBER)
            if not place:
                raise FaultError(f"{which!r} is no number of a rule")
            rules = chains[_FAMILIES[family], name].rules
            _say(rules.setdefault(place, _Rule(number, text)), rest)
        case _:
            raise FaultError("this is not understood")


def _say(rule: _Rule, words: list[str]) -> None:
    key: str
    match words:
        case ["tcp", "flags", *flags] if flags and flags[-1] in _FLAGS and flags[:-1] in ([], ["not"]):
            bit = _FLAGS[flags[-1]]
            if rule.flags.setdefault(bit, len(flags) == 1) is not (len(flags) == 1):
                raise FaultError(f"{flags[-1]} cannot be set and unset")
            return
        case ["action" | "description" | "protocol" as only, value]:
            key = only
        case ["source" | "destination" as end, "address" | "port" as kind, value]:
            key = f"{end} {kind}"
        case ["source" | "destination" as end, "group", "network-group", value]:
            key = f"{end} group"
        case _:
            raise FaultError(f"{' '.join(words)!r} is not understood")
    if key in rule.values:
        raise FaultError(f"the rule says {key} twice")
    rule.values[key] = value


def _line(rule: _Rule, family: int, groups: Groups) -> Line:
    values = rule.values
    if values.get("action") not in _VERDICTS:
        raise FaultError(f"the action {values.get('action', '')!r} is not understood in a chain of ours")
    protocols = None
    if "protocol" in values:
        both = values["protocol"] == "tcp_udp"
        protocols = frozenset({TCP, UDP}) if both else frozenset({protocol_of(values["protocol"])})
    ends = {end: _end(values, end, family, groups) for end in ("source", "destination")}
    ports = {end: _ports(values.get(f"{end} port")) for end in ends}
    flags = None
    if rule.flags:
        mask = sum(rule.flags)
        flags = flags_with(mask, sum(bit for bit, wanted in rule.flags.items() if wanted))
    pieces = None
    if flags is not None or any(each is not None for each in ports.values()):
        needs = {TCP} if flags is not None else {TCP, UDP}
        if protocols is None or not protocols <= needs:
            raise FaultError("ports and flags need the protocol beside them")
        pieces = READABLE
    match = Match(
        ends["source"], ends["destination"], protocols, pieces, ports["source"], ports["destination"], flags
    )
    return Line((match,), _VERDICTS[values["action"]], rule.line, rule.text)


def _end(values: dict[str, str], end: str, family: int, groups: Groups) -> Spans | None:
    address, name = values.get(f"{end} address"), values.get(f"{end} group")
    if address is not None and name is not None:
        raise FaultError(f"two {end} addresses")
    if address is not None:
        return prefix_of(address, family)
    if name is None:
        return None
    if (family, name) not in groups:
        raise FaultError(f"there is no group {name!r} of this family")
    return merged(groups[family, name])


def _ports(text: str | None) -> Spans | None:
    if text is None:
        return None
    spans = []
    for part in text.split(","):
        first, dash, last = part.partition("-") if part[:1].isdigit() else (part, "", "")
        low = port_of(first)
        high = port_of(last) if dash else low
        if low > high:
            raise FaultError(f"the range {part} is empty")
        spans.append((low, high))
    return merged(spans)
