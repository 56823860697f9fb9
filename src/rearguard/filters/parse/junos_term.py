"""What one term of a Junos filter asks: its conditions, collected into boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rearguard.filters.lines import ALL_FLAGS, READABLE, Match, flags_with
from rearguard.filters.model import Piece
from rearguard.filters.parse.junos_tree import Node
from rearguard.filters.parse.words import ICMP_TYPES, FaultError, number_of, port_of, prefix_of, protocol_of
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["Conditions"]

_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "push": PSH, "ack": ACK, "urgent": URG}
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})


class Conditions:
    """The conditions of one term, collected."""

    def __init__(self, family: int, lists: dict[str, tuple[str, ...]]) -> None:
        self.family = family
        self.lists = lists
        self.match = Match()
        self.sports: Spans | None = None
        self.dports: Spans | None = None
        self.either: Spans | None = None
        self.icmp: list[tuple[int, int]] = []
        self.flags: int | None = None
        self.pieces: frozenset[Piece] | None = None
        self.seen: set[str] = set()

    def take(self, node: Node) -> None:
        """One more condition."""
        name, values = node.name, [*node.values, *(each.name for each in node.inside)]
        if any(each.values for each in node.inside):
            raise FaultError("exceptions in a list are not understood")
        end, _, kind = name.partition("-")
        if kind in ("address", "prefix-list") and end in ("source", "destination"):
            self._ends(f"{end}s", [f"{end}-address", f"{end}-prefix-list"], name, kind, values)
            return
        if name in self.seen:
            raise FaultError(f"{name} stands here twice")
        self.seen.add(name)
        takers: dict[str, Callable[[list[str]], None]] = {
            "protocol" if self.family == 4 else "payload-protocol": self._protocols,
            "source-port": lambda each: setattr(self, "sports", _ports(each)),
            "destination-port": lambda each: setattr(self, "dports", _ports(each)),
            "port": lambda each: setattr(self, "either", _ports(each)),
            "icmp-type": self._icmp,
            "tcp-flags": lambda each: self._flags(_expression(each)),
            "tcp-established": lambda _: self._flags(ALL_FLAGS & ~flags_with(ACK | RST, 0)),
            "tcp-initial": lambda _: self._flags(flags_with(SYN | ACK, SYN)),
            "is-fragment": lambda _: setattr(self, "pieces", _LATER),
            "fragment-offset": self._offset,
        }
        if name not in takers or (self.family == 6 and name in ("is-fragment", "fragment-offset")):
            raise FaultError(f"{name!r} is not understood")
        takers[name](values)

    def _ends(self, which: str, names: list[str], name: str, kind: str, values: list[str]) -> None:
        if name in self.seen:
            raise FaultError(f"{name} stands here twice")
        more = self.seen & set(names)
        self.seen.add(name)
        texts = values
        if kind == "prefix-list":
            unknown = [each for each in values if each not in self.lists]
            if unknown:
                raise FaultError(f"there is no prefix list {unknown[0]!r}")
            texts = [text for each in values for text in self.lists[each]]
        spans = [span for text in texts for span in prefix_of(text, self.family)]
        if not spans:
            raise FaultError(f"{name} is empty")
        before = (self.match.sources if which == "sources" else self.match.destinations) if more else ()
        together = merged([*(before or ()), *spans])
        if which == "sources":
            self.match = replace(self.match, sources=together)
        else:
            self.match = replace(self.match, destinations=together)

    def _protocols(self, values: list[str]) -> None:
        numbers = {protocol_of(value) for value in values}
        if not numbers:
            raise FaultError("no protocol is named")
        self.match = replace(self.match, protocols=frozenset(numbers))

    def _icmp(self, values: list[str]) -> None:
        for value in values:
            kind = number_of(value, 255)
            if kind is None:
                kind, code = ICMP_TYPES[self.family].get(value, (None, None))
                if kind is None or code is not None:
                    raise FaultError(f"{value!r} is no ICMP type")
            self.icmp.append((kind << 8, kind << 8 | 0xFF))

    def _flags(self, flags: int) -> None:
        self.flags = flags if self.flags is None else self.flags & flags

    def _offset(self, values: list[str]) -> None:
        pieces: set[Piece] = set()
        for value in values:
            first, _, last = value.partition("-")
            low, high = number_of(first, 8191), number_of(last or first, 8191)
            if low is None or high is None:
                raise FaultError(f"{value!r} is no fragment offset")
            if (low <= 2 and high < 8191 and high >= 2) or low > 2:
                raise FaultError("offsets are understood as 0, 1, and all from 2 up")
            pieces |= {Piece.READABLE, Piece.UNREADABLE} if low == 0 else set()
            pieces |= {Piece.OFFSET_ONE} if low <= 1 <= high else set()
            pieces |= {Piece.LATER} if high == 8191 else set()
        self.pieces = frozenset(pieces)

    def matches(self) -> tuple[Match, ...]:
        """The boxes."""
        ports = (self.sports, self.dports, self.either)
        if self.either is not None and (self.sports is not None or self.dports is not None):
            raise FaultError("port stands beside source-port or destination-port")
        reads = self.flags is not None or self.icmp or any(each is not None for each in ports)
        if not reads:
            return (replace(self.match, pieces=self.pieces),)
        if self.pieces is not None and Piece.READABLE not in self.pieces:
            raise FaultError("later fragments show no ports, flags or types")
        allowed = {TCP} if self.flags is not None else {ICMP, ICMPV6} if self.icmp else {TCP, UDP}
        if not self.match.protocols or not self.match.protocols <= allowed:
            raise FaultError("ports, flags and types need the protocol beside them")
        base = replace(self.match, pieces=READABLE, flags=self.flags)
        if self.icmp:
            return (replace(base, dports=merged(self.icmp)),)
        if self.either is not None:
            return (replace(base, sports=self.either), replace(base, dports=self.either))
        return (replace(base, sports=self.sports, dports=self.dports),)


def _ports(values: list[str]) -> Spans:
    spans = []
    for value in values:
        first, dash, last = value.partition("-") if value[:1].isdigit() else (value, "", "")
        low = port_of(first)
        high = port_of(last) if dash else low
        if low > high:
            raise FaultError(f"the range {value} is empty")
        spans.append((low, high))
    return merged(spans)


def _expression(values: list[str]) -> int:
    """Flags joined by ``&`` alone or by ``|`` alone, each perhaps negated, perhaps in parentheses."""
    text = " ".join(values).strip('"').strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    every = "&" in text
    if (every and "|" in text) or "(" in text:
        raise FaultError(f"the flags {text!r} are not understood")
    found = ALL_FLAGS if every else 0
    for part in text.split("&" if every else "|"):
        word = part.strip()
        bit = _FLAGS.get(word.removeprefix("!").strip())
        if bit is None:
            raise FaultError(f"{word!r} is no TCP flag")
        chosen = flags_with(bit, 0 if word.startswith("!") else bit)
        found = found & chosen if every else found | chosen
    return found
