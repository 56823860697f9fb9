"""Huawei VRP advanced access lists as they act on packets through a traffic policy, ours and operators' own.

What a rule does to fragments (CloudEngine 6800 Command Reference, "rule (Advanced ACL view) (TCP)"): without ports
or flags it takes all packets; with them, whole packets and first fragments that show them, and if it permits also
the later fragments of its addresses and protocol. ``fragment-type fragment-subseq`` takes later fragments only,
``non-subseq`` all others. Rules stand in the order of their numbers; one without a number gets the next multiple of
the step. A pool is a set of addresses, wherever it stands. What no rule holds passes. Lists that sort by depth
(``match-order auto``), pools of ports, VPN instances and time ranges are not understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rearguard.filters.lines import ALL_FLAGS, READABLE, AccessList, Line, Match, flags_with
from rearguard.filters.model import Attachment, Piece, Verdict
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.parse.words import (
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
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["parse"]

MOST_NUMBER = 4_294_967_294
_ALL_OF_IP = {4: "ip", 6: "ipv6"}
_HEADING = re.compile(
    r"acl( ipv6)?(?: number)? (3[0-9]{3})|acl( ipv6)? name (\S+)(?: advance)?(?: number 3[0-9]{3})?"
)
_POOL = re.compile(r"acl (ip|ipv6)-pool (\S+)")
_ADDRESS = re.compile(r"(ip|ipv6) address (\S+) ([0-9]{1,3})")
_VERDICTS = {"permit": Verdict.PASS, "deny": Verdict.DROP}
_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG}
_SIX = 0x3F
_ESTABLISHED = ALL_FLAGS & ~flags_with(ACK | RST, 0)
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_FRAGMENTS = {
    "fragment-subseq": _LATER,
    "non-subseq": frozenset({Piece.READABLE, Piece.UNREADABLE}),
}
_SAYS_NOTHING = frozenset({"quit", "return", "commit"})


Pools = dict[tuple[int, str], list[tuple[int, int]]]


@dataclass(slots=True)
class _List:
    """One list, while it is read: its rules by number, each with its line and its words."""

    name: str
    family: int
    step: int = 5
    rules: dict[int, tuple[int, str]] = field(default_factory=dict)


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The advanced lists of a text. ``InputError`` names the first line that is not understood."""
    found: dict[tuple[int, str], _List] = {}
    pools: Pools = {}
    here: _List | tuple[int, str] | None = None
    for number, raw in lines_of(text, file):
        line = " ".join(raw.split())
        if not line or line.startswith(("#", "!")) or line in _SAYS_NOTHING:
            continue
        try:
            head = _head(line, found, pools)
            if head is not None:
                here = head
            elif isinstance(here, tuple):
                pools[here] += _address(line, here[0])
            elif here is None:
                raise FaultError("this is no advanced access list")
            else:
                _take(Words(line.split()), here, number)
        except FaultError as fault:
            failed(file, number, raw, fault)
    return tuple(
        AccessList(
            each.name,
            Attachment.LEAVING if LEAVES.search(each.name) else Attachment.ENTERING,
            each.family,
            tuple(_read(each.family, pools, *rule, file) for _, rule in sorted(each.rules.items())),
        )
        for each in found.values()
    )


def _head(line: str, found: dict[tuple[int, str], _List], pools: Pools) -> _List | tuple[int, str] | None:
    """The list or pool that begins with this line."""
    pool = _POOL.fullmatch(line)
    if pool is not None:
        key = 6 if pool[1] == "ipv6" else 4, pool[2]
        pools.setdefault(key, [])
        return key
    heading = _HEADING.fullmatch(line)
    if heading is None:
        return None
    made = _List(heading[2] or heading[4], 6 if heading[1] or heading[3] else 4)
    if (made.family, made.name) in found:
        raise FaultError(f"the list {made.name} stands here twice")
    found[made.family, made.name] = made
    return made


def _address(line: str, family: int) -> Spans:
    said = _ADDRESS.fullmatch(line)
    if said is None or (said[1] == "ipv6") is not (family == 6):
        raise FaultError("in a pool an address with the length of its prefix is understood")
    return prefix_of(f"{said[2]}/{said[3]}", family)


def _take(words: Words, here: _List, number: int) -> None:
    if words.skip("description"):
        return
    if words.skip("step"):
        step = number_of(words.take("the step"), 20)
        if not step or here.rules:
            raise FaultError("a step from 1 to 20 stands before the rules")
        here.step = step
        return
    if not words.skip("rule"):
        raise FaultError("this is not understood")
    place = None
    if words.peek().isdecimal():
        place = number_of(words.take(), MOST_NUMBER)
        if place is None:
            raise FaultError("this is no number of a rule")
    if words.skip("description"):
        return
    if words.skip("name"):
        words.take("the name of the rule")
    if place is None:
        place = (max(here.rules, default=0) // here.step + 1) * here.step
    if place in here.rules:
        raise FaultError(f"the list has a rule {place} already")
    here.rules[place] = number, " ".join(words.rest())


def _read(family: int, pools: Pools, number: int, text: str, file: str) -> Line:
    try:
        return _rule(Words(text.split()), family, pools, number, text)
    except FaultError as fault:
        failed(file, number, text, fault)


def _rule(words: Words, family: int, pools: Pools, number: int, text: str) -> Line:
    verb = words.take("permit or deny")
    if verb not in _VERDICTS:
        raise FaultError(f"{verb!r} is not understood")
    word = words.take("the protocol")
    protocols = None if word == _ALL_OF_IP[family] else frozenset({protocol_of(word)})
    asked: dict[str, Spans] = {}
    flags: int | None = None
    pieces: frozenset[Piece] | None = None
    said: set[str] = set()
    for what in words.rest():
        about = what.removesuffix("-pool")
        if about in said:
            raise FaultError(f"the rule says {about} twice")
        said.add(about)
        if what in ("source", "destination"):
            place = _place(words, family)
            if place is not None:
                asked[what] = place
        elif what in ("source-pool", "destination-pool"):
            pool = words.take("the name of a pool")
            if not pools.get((family, pool)):
                raise FaultError(f"there is no pool {pool!r} of this family, or nothing in it")
            asked[about] = merged(pools[family, pool])
        elif what in ("source-port", "destination-port"):
            asked[what] = _ports(words, word)
        elif what in ("tcp-flag", "syn-flag") and protocols == frozenset({TCP}):
            flags = _flags(words)
        elif what == "fragment-type" and family == 4:
            kind = words.take("the kind of fragments")
            if kind not in _FRAGMENTS:
                raise FaultError(
                    f"fragment-type {kind} is not understood: first fragments are not told from whole packets"
                )
            pieces = _FRAGMENTS[kind]
        elif what != "logging":
            raise FaultError(f"{what!r} is not understood")
    ends = asked.get("source"), asked.get("destination")
    sports, dports = asked.get("source-port"), asked.get("destination-port")
    if flags is None and sports is None and dports is None:
        return Line((Match(*ends, protocols, pieces),), _VERDICTS[verb], number, text)
    if pieces == _LATER:
        raise FaultError("later fragments show no ports or flags")
    if not (protocols or frozenset()) or not (protocols or frozenset()) <= {TCP, UDP}:
        raise FaultError("ports and flags need tcp or udp beside them")
    readable = Match(*ends, protocols, READABLE, sports, dports, flags)
    later = Match(*ends, protocols, _LATER)
    both = verb == "permit" and pieces is None
    return Line((readable, later) if both else (readable,), _VERDICTS[verb], number, text)


def _place(words: Words, family: int) -> Spans | None:
    """``any``, or an address with a wildcard mask, with 0 for one host, or with the length of a prefix."""
    word = words.take("an address")
    if word == "any":
        return None
    if "/" in word:
        return prefix_of(word, family)
    mask = words.take("a wildcard mask or a length")
    if family == 4 and mask == "0":
        return prefix_of(word, 4)
    if mask.isdecimal():
        return prefix_of(f"{word}/{mask}", family)
    if family == 6:
        raise FaultError(f"{mask!r} is no length of a prefix")
    return wildcard_of(word, mask)


def _ports(words: Words, transport: str) -> Spans:
    how = words.take("eq, neq, gt, lt or range")
    port = port_of(words.take("a port"), transport)
    spans: Spans
    if how == "range":
        spans = ((port, port_of(words.take("a port"), transport)),)
    elif how == "eq":
        spans = ((port, port),)
    elif how == "neq":
        spans = ((0, port - 1), (port + 1, 0xFFFF))
    elif how in ("gt", "lt"):
        spans = ((port + 1, 0xFFFF),) if how == "gt" else ((0, port - 1),)
    else:
        raise FaultError(f"{how!r} is not understood")
    spans = tuple((first, last) for first, last in spans if first <= last)
    if not spans:
        raise FaultError("no port is meant")
    return spans


def _flags(words: Words) -> int:
    """``established``, one flag that is set, or a value of the six flags, perhaps under a mask."""
    word = words.take("the flags")
    if word == "established":
        return _ESTABLISHED
    value = number_of(word, _SIX)
    if value is not None:
        mask = _SIX
        if words.skip("mask"):
            found = number_of(words.take("the mask"), _SIX)
            if found is None:
                raise FaultError("this is no mask of TCP flags")
            mask = found
        return flags_with(mask, value & mask)
    if word not in _FLAGS or words.peek() in _FLAGS:
        raise FaultError("one flag by its name, or a value and a mask, is understood")
    return flags_with(_FLAGS[word], _FLAGS[word])
