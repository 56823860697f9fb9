"""The files of :mod:`rearguard.filters.render.nftables` as they act on packets.

Only what such a file contains is understood. The chain ``forward`` says where packets are judged; each of its
rules leads into the chains of one attachment and family. ``return`` and the end of a chain leave our table: the
packet passes as far as we are concerned. A match on a field that the packet does not have never matches.
"""

from __future__ import annotations

import re
from collections import defaultdict

from rearguard.filters.lines import READABLE, AccessList, Match, crossed, flags_with
from rearguard.filters.model import Attachment, Piece
from rearguard.filters.parse.chains import ChainRule, flattened
from rearguard.filters.parse.words import PROTOCOLS, FaultError, Words, failed, lines_of, port_of, prefix_of
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, RST, SYN, TCP, UDP

__all__ = ["parse"]

_TABLE = "inet rearguard"
_DECLARED = re.compile(
    r"counter \S+ \{ \}|set \S+ \{ type ipv[46]_addr; flags interval; \}|chain \S+ \{ \}|chain forward \{|\}"
    r"|type filter hook forward priority -10; policy accept;|table inet rearguard \{"
)
_ELEMENTS = re.compile(rf"add element {_TABLE} (\S+) \{{")
_RULE = re.compile(rf"add rule {_TABLE} (\S+) (.*)")
_FLUSH = re.compile(rf"flush (chain|set) {_TABLE} (\S+)")
_OUTSIDE = re.compile(r'define outside = \{ "[A-Za-z0-9_.:@+-]+"(, "[A-Za-z0-9_.:@+-]+")* \}')
_COMMENT = re.compile(r' comment "[^"]*"$')
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_BITS = {"fin": FIN, "syn": SYN, "rst": RST, "ack": ACK, "0x0": 0}
_TRANSPORT = {"tcp": TCP, "udp": UDP}
_KNOWN = frozenset(range(256))


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The lists of a file. ``InputError`` names the first line that is not understood."""
    sets: dict[str, list[tuple[int, int]]] = defaultdict(list)
    chains: dict[str, list[ChainRule]] = defaultdict(list)
    ways: list[tuple[Attachment, int, ChainRule]] = []
    filling = ""
    for number, raw in lines_of(text, file):
        line = raw.strip()
        try:
            if filling:
                if line == "}":
                    filling = ""
                else:
                    for word in line.rstrip(",").split(", "):
                        sets[filling] += prefix_of(word, 6 if ":" in word else 4)
                continue
            if not line or line.startswith("#") or _skipped(line):
                emptied = _FLUSH.fullmatch(line)
                if emptied and (emptied[2] in chains or emptied[2] in sets):
                    raise FaultError(f"what was put into {emptied[2]} is taken out again")
                continue
            if match := _ELEMENTS.fullmatch(line):
                filling = match[1]
                continue
            rule = _RULE.fullmatch(line)
            if rule is None:
                raise FaultError("this is not understood")
            words = Words(_COMMENT.sub("", rule[2]).split())
            if rule[1] == "forward":
                ways.append(_way(words, sets, number, line))
            else:
                chains[rule[1]].append(_rule(words, sets, number, line))
        except FaultError as fault:
            failed(file, number, raw, fault)
    if filling:
        failed(file, text.count("\n") + 1, "", f"the set {filling} has no closing brace")
    found = []
    for attachment, family, way in ways:
        name = f"{attachment}_v{family}"
        try:
            lines = flattened({**chains, "forward": [way]}, "forward")
        except FaultError as fault:
            failed(file, way.number, way.text, fault)
        found.append(AccessList(name, attachment, family, lines))
    return tuple(found)


def _skipped(line: str) -> bool:
    return any(known.fullmatch(line) for known in (_DECLARED, _FLUSH, _OUTSIDE))


def _way(
    words: Words, sets: dict[str, list[tuple[int, int]]], number: int, text: str
) -> tuple[Attachment, int, ChainRule]:
    """A rule of the base chain: interfaces, our end of the packet, and the chain that judges it."""
    ways = {"iifname": Attachment.ENTERING, "oifname": Attachment.LEAVING}
    link = words.take("iifname or oifname")
    if link not in ways or words.take() != "$outside":
        raise FaultError("packets are judged at $outside only")
    family = 6 if words.peek() == "ip6" else 4
    return ways[link], family, _rule(words, sets, number, text)


def _rule(words: Words, sets: dict[str, list[tuple[int, int]]], number: int, text: str) -> ChainRule:
    matches: tuple[Match, ...] = (Match(),)
    while words:
        word = words.take()
        if word == "counter":
            if words.take() != "name":
                raise FaultError("counters have names")
            words.take()
        elif word in ("drop", "return", "goto"):
            target = words.take("a chain") if word == "goto" else ""
            if words:
                raise FaultError(f"{words.peek()!r} stands behind the verdict")
            return ChainRule(matches, word, target, number, text)
        else:
            matches = tuple(
                match for each in matches for match in crossed(each, (_match(word, words, sets),))
            )
    return ChainRule(matches, "count", "", number, text)


def _match(word: str, words: Words, sets: dict[str, list[tuple[int, int]]]) -> Match:
    if word in ("ip", "ip6") and words.peek() in ("saddr", "daddr"):
        end = "sources" if words.take() == "saddr" else "destinations"
        spans = _spans(words, sets, 4 if word == "ip" else 6)
        return Match(sources=spans) if end == "sources" else Match(destinations=spans)
    if word == "meta" and words.skip("l4proto"):
        other = words.skip("!=")
        named = frozenset(PROTOCOLS[each] for each in _listed(words) if each in PROTOCOLS)
        return Match(protocols=_KNOWN - named if other else named)
    if (word == "ip" and words.skip("frag-off") and words.skip("&") and words.skip("0x1fff")) or (
        word == "frag" and words.skip("frag-off")
    ):
        sign, value = words.take(), words.take()
        if (sign, value) in (("!=", "0"), ("==", "1")):
            return Match(pieces=_LATER if sign == "!=" else frozenset({Piece.OFFSET_ONE}))
    if word == "tcp" and words.skip("flags"):
        return Match(protocols=frozenset({TCP}), pieces=READABLE, flags=_flags(words))
    if word in _TRANSPORT and words.peek() in ("sport", "dport"):
        end = words.take()
        ports = merged(_range(each) for each in _listed(words))
        base = (frozenset({_TRANSPORT[word]}), READABLE)
        if end == "sport":
            return Match(protocols=base[0], pieces=base[1], sports=ports)
        return Match(protocols=base[0], pieces=base[1], dports=ports)
    raise FaultError(f"{word!r} is not understood")


def _listed(words: Words) -> list[str]:
    """One value, or several in braces."""
    if not words.skip("{"):
        return [words.take("a value")]
    found = []
    while not words.skip("}"):
        found.append(words.take("a closing brace").rstrip(","))
    return found


def _spans(words: Words, sets: dict[str, list[tuple[int, int]]], family: int) -> Spans:
    if words.peek().startswith("@"):
        name = words.take()[1:]
        if name not in sets:
            raise FaultError(f"the set {name} is empty")
        spans = merged(sets[name])
        if any(last >> 32 for _, last in spans) != (family == 6):
            raise FaultError(f"the set {name} is of the other family")
        return spans
    return merged(span for each in _listed(words) for span in prefix_of(each, family))


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = port_of(first)
    return low, port_of(last) if dash else low


def _flags(words: Words) -> int | None:
    if words.skip("0x00-0xff"):
        return None
    if not words.skip("&"):
        raise FaultError("flags are compared under a mask")
    mask = _bits(words, "==")
    return flags_with(mask, _bits(words, ""))


def _bits(words: Words, end: str) -> int:
    found = 0
    while words and words.peek() not in (end, "counter", "goto", "drop", "return"):
        word = words.take().strip("()")
        if word not in ("|", ""):
            if word not in _BITS:
                raise FaultError(f"{word!r} is no TCP flag")
            found |= _BITS[word]
    if end:
        words.skip(end)
    return found
