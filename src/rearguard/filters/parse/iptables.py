"""Files for ``ipset restore``, ``iptables-restore`` and ``ip6tables-restore`` as they act on packets, ours only.

``-p`` holds every packet whose protocol can be told; matches on ports and flags hold packets that show them.
Where the old kernel code would drop a packet that is too short for a match, our files drop it too, later: the
verdict is the same (see :mod:`rearguard.filters.render.iptables`).
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from rearguard.filters.lines import ALL_FLAGS, READABLE, AccessList, Line, Match, crossed, flags_with
from rearguard.filters.model import Piece
from rearguard.filters.parse.chains import ChainRule, flattened
from rearguard.filters.parse.words import PROTOCOLS, FaultError, Words, failed, lines_of, port_of, prefix_of
from rearguard.filters.readings import WARY, widened
from rearguard.filters.render.iptables import CHAINS
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["parse"]

_KNOWN = frozenset(range(256))
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_BITS = {"FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG, "NONE": 0, "ALL": 0x3F}
_TRANSPORT = {"tcp": frozenset({TCP}), "udp": frozenset({UDP})}
_FIRST = Match(pieces=frozenset({Piece.READABLE, Piece.UNREADABLE}))
"""First fragments, among packets that have a fragment header."""
_HEADER = Match(pieces=frozenset(Piece))
"""All packets that have one."""
Sets = dict[tuple[int, str], list[tuple[int, int]]]


def parse(files: Mapping[str, str]) -> tuple[AccessList, ...]:
    """The lists of the three files together; their names end in ``.ipset``, ``.v4`` and ``.v6``."""
    sets: Sets = {}
    for file, text in files.items():
        if file.endswith(".ipset"):
            _read_sets(text, file, sets)
    found: list[AccessList] = []
    for file, text in files.items():
        if file.endswith((".v4", ".v6")):
            found += _read_rules(text, file, int(file[-1]), sets)
    return tuple(found)


def _read_sets(text: str, file: str, sets: Sets) -> None:
    families: dict[str, int] = {}
    for number, raw in lines_of(text, file):
        words = raw.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            if (
                words[0] == "create"
                and words[2:4] == ["hash:net", "family"]
                and words[4] in ("inet", "inet6")
            ):
                families[words[1]] = 4 if words[4] == "inet" else 6
                sets[families[words[1]], words[1]] = []
            elif words[0] == "add" and len(words) == 4 and words[3] == "-exist" and words[1] in families:
                family = families[words[1]]
                sets[family, words[1]] += prefix_of(words[2], family)
            else:
                raise FaultError("this is not understood")
        except (FaultError, IndexError) as fault:
            failed(file, number, raw, fault)


def _read_rules(text: str, file: str, family: int, sets: Sets) -> list[AccessList]:
    """As packets with a fragment header are judged, in two readings; for IPv6 also as those without one are."""
    wary = [replace(each, view=WARY) for each in _lists(text, file, family, sets, fragmented=True, wary=True)]
    if family == 4:
        return [*_lists(text, file, 4, sets, fragmented=True), *wary]
    found = wary
    for one, other in zip(
        _lists(text, file, 6, sets, fragmented=True),
        _lists(text, file, 6, sets, fragmented=False),
        strict=True,
    ):
        lines = (*_of(one.lines, _LATER), *_of(other.lines, frozenset({Piece.READABLE, Piece.UNREADABLE})))
        found.append(replace(one, view="fragmented"))
        found.append(replace(one, lines=lines, view="whole"))
    return found


def _of(lines: tuple[Line, ...], pieces: frozenset[Piece]) -> tuple[Line, ...]:
    """What the lines do to these pieces."""
    within = (Match(pieces=pieces),)
    made = (
        replace(line, matches=tuple(m for each in line.matches for m in crossed(each, within)))
        for line in lines
    )
    return tuple(line for line in made if line.matches)


def _lists(
    text: str, file: str, family: int, sets: Sets, *, fragmented: bool, wary: bool = False
) -> list[AccessList]:
    chains: dict[str, list[ChainRule]] = defaultdict(list)
    known: list[str] = []
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith("#") or line in ("*filter", "COMMIT"):
            continue
        try:
            if line.startswith(":") and line.endswith(" - [0:0]"):
                known.append(line[1:].split()[0])
                chains[known[-1]] = []
                continue
            words = Words(shlex.split(line))
            if not words.skip("-A") or words.peek() not in known:
                raise FaultError("only rules of our own chains are understood")
            chain = words.take()
            rule = _rule(words, family, sets, number, line, fragmented)
            chains[chain].append(replace(rule, matches=widened(rule.matches)) if wary else rule)
        except (FaultError, ValueError) as fault:
            failed(file, number, raw, fault)
    found = []
    for attachment, name in CHAINS.items():
        if name in chains:
            try:
                lines = flattened(chains, name)
            except FaultError as fault:
                failed(file, 1, name, fault)
            found.append(AccessList(f"{name} v{family}", attachment, family, lines))
    return found


def _rule(words: Words, family: int, sets: Sets, number: int, text: str, fragmented: bool) -> ChainRule:
    matches: tuple[Match, ...] = (Match(),)
    protocols: frozenset[int] | None = None
    action, target = "count", ""
    for word in words.rest():
        more: Match | None = None
        if word in ("-s", "-d"):
            spans = prefix_of(words.take("a prefix"), family)
            more = Match(sources=spans) if word == "-s" else Match(destinations=spans)
        elif word == "!" and words.skip("-p"):
            more = Match(protocols=_KNOWN - {PROTOCOLS[_transport(words)]})
        elif word == "-p":
            protocols = _TRANSPORT[_transport(words)]
            more = Match(protocols=protocols)
        elif word == "-f" and family == 4:
            more = Match(pieces=_LATER)
        elif word == "-m":
            more = _module(words, family, sets, protocols)
            if not fragmented and more is not None and more in (_FIRST, _HEADER):
                matches = ()
        elif word == "-g":
            action, target = "goto", words.take("a chain")
        elif word == "-j":
            verdict = words.take("DROP or RETURN")
            if verdict not in ("DROP", "RETURN"):
                raise FaultError(f"the target {verdict} is not understood")
            action = verdict.lower()
        else:
            raise FaultError(f"{word!r} is not understood")
        if more is not None:
            matches = tuple(match for each in matches for match in crossed(each, (more,)))
    return ChainRule(matches, action, target, number, text)


def _transport(words: Words) -> str:
    name = words.take("a protocol")
    if name not in _TRANSPORT:
        raise FaultError(f"the protocol {name} is not understood")
    return name


def _module(words: Words, family: int, sets: Sets, protocols: frozenset[int] | None) -> Match | None:
    name, option = words.take("a match"), words.take("an option")
    if (name, option) == ("comment", "--comment"):
        words.take("a comment")
        return None
    if (name, option) == ("set", "--match-set"):
        key, way = (family, words.take("a set")), words.take("src or dst")
        if key not in sets or way not in ("src", "dst"):
            raise FaultError(f"there is no set {key[1]} of this family")
        spans = merged(sets[key])
        return Match(sources=spans) if way == "src" else Match(destinations=spans)
    if name == "u32" and family == 4 and words.take() == "4&0x1FFF=1" and option == "--u32":
        return Match(pieces=frozenset({Piece.OFFSET_ONE}))
    if name == "frag" and family == 6 and option == "--fragfirst":
        return _FIRST
    if name == "frag" and family == 6 and option == "--fragid" and words.take() == "0:4294967295":
        return _HEADER
    if protocols is None:
        raise FaultError("ports and flags need -p before them")
    if name == "tcp" and option == "--tcp-flags" and protocols == _TRANSPORT["tcp"]:
        mask, value = _mask(words.take("a mask")), _mask(words.take("flags"))
        if value & ~mask:
            raise FaultError("no packet has these flags")
        return Match(protocols=protocols, pieces=READABLE, flags=flags_with(mask, value) & ALL_FLAGS)
    if name == "multiport" and option in ("--sports", "--dports"):
        ports = _ports(words.take("ports"))
    elif name in _TRANSPORT and _TRANSPORT[name] == protocols and option in ("--sport", "--dport"):
        ports = _ports(words.take("a port"))
    else:
        raise FaultError(f"-m {name} {option} is not understood")
    if option.startswith("--s"):
        return Match(protocols=protocols, pieces=READABLE, sports=ports)
    return Match(protocols=protocols, pieces=READABLE, dports=ports)


def _mask(text: str) -> int:
    found = 0
    for word in text.split(","):
        if word not in _BITS:
            raise FaultError(f"{word!r} is no TCP flag")
        found |= _BITS[word]
    return found


def _ports(text: str) -> Spans:
    spans = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        low = port_of(first)
        high = port_of(last) if colon else low
        if low > high:
            raise FaultError(f"the range {part} is empty")
        spans.append((low, high))
    if len(spans) > 15:
        raise FaultError("a rule takes 15 ports")
    return merged(spans)
