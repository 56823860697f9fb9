"""SR Linux filters as they act on packets: ``set / acl acl-filter`` commands, ours and operators' own.

Entries stand in the order of their numbers. ``next-header`` is read as the transport: what stands behind extension
headers is a residual. Entries with ports or flags are read as if they never saw later fragments, which ours let
through before. A filter must end in an entry that holds everything, so that nothing hangs on a default.
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
)
from rearguard.filters.spans import Spans
from rearguard.model.bits import ACK, RST, SYN, TCP, UDP

__all__ = ["parse"]

_WORD = re.compile(r'"([^"\\]*)"(?: +|$)|([A-Za-z0-9_.:/,-]+)(?: +|$)')
_KINDS = {"ipv4": 4, "ipv6": 6}
_FLAGS = {"ack": ACK, "rst": RST, "syn": SYN}
_VERDICTS = {"drop": Verdict.DROP, "accept": Verdict.PASS}
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_ALL = Match()


@dataclass(slots=True)
class _Entry:
    """What was said of an entry so far."""

    line: int
    text: str
    values: dict[str, str] = field(default_factory=dict)


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The filters of a text. ``InputError`` names the first line that is not understood."""
    filters: dict[tuple[int, str], dict[int, _Entry]] = defaultdict(dict)
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith(("#", "!!!")):
            continue
        try:
            _take(_words(line), filters, number, line)
        except FaultError as fault:
            failed(file, number, raw, fault)
    found = []
    for (family, name), said in filters.items():
        lines = []
        for _, entry in sorted(said.items()):
            try:
                lines.append(_line(entry, family))
            except FaultError as fault:
                failed(file, entry.line, entry.text, fault)
        if not lines or lines[-1].matches != (_ALL,):
            at = lines[-1].number if lines else 1
            failed(file, at, name, "the filter does not say what becomes of what no entry holds")
        attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
        # Nothing gets past the last entry. The opposite of it stands for what would be left to a default that the
        # text does not tell.
        unsaid = Verdict.PASS if lines[-1].verdict is Verdict.DROP else Verdict.DROP
        found.append(AccessList(name, attachment, family, tuple(lines), unsaid))
    return tuple(found)


def _words(line: str) -> list[str]:
    found = []
    at = 4 + 2
    if not line.startswith("set / "):
        raise FaultError("only set / is understood")
    while at < len(line):
        match = _WORD.match(line, at)
        if match is None:
            raise FaultError(f"{line[at:]!r} is not understood")
        found.append(match[1] if match[2] is None else match[2])
        at = match.end()
    return found


def _take(
    words: list[str], filters: dict[tuple[int, str], dict[int, _Entry]], number: int, text: str
) -> None:
    match words:
        case ["acl", "acl-filter", name, "type", kind, *rest] if kind in _KINDS:
            entries = filters[_KINDS[kind], name]
        case _:
            raise FaultError("only filters of type ipv4 and ipv6 are understood")
    match rest:
        case ["statistics-per-entry" | "description" | "subinterface-specific", _]:
            return
        case ["entry", which, *path, value] if path:
            place = number_of(which, 0xFFFF)
            if not place:
                raise FaultError(f"{which!r} is no number of an entry")
            key = " ".join(path)
            values = entries.setdefault(place, _Entry(number, text)).values
            if key in values:
                raise FaultError(f"the entry says {key} twice")
            values[key] = value
        case _:
            raise FaultError("this is not understood")


def _line(entry: _Entry, family: int) -> Line:
    left = dict(entry.values)
    left.pop("description", None)
    verdict = _VERDICTS.get(left.pop("action", ""))
    if verdict is None:
        raise FaultError("the entry has no action that is understood")
    own = f"match ipv{family}"
    protocol = left.pop(f"{own} {'protocol' if family == 4 else 'next-header'}", None)
    protocols = None if protocol is None else frozenset({protocol_of(protocol)})
    ends = [_prefix(left.pop(f"{own} {end}-ip prefix", None), family) for end in ("source", "destination")]
    ports = [_ports(left, end) for end in ("source", "destination")]
    flags = left.pop("match transport tcp-flags", None)
    pieces = _pieces(left) if family == 4 else None
    if left:
        raise FaultError(f"{next(iter(left))!r} is not understood")
    if flags is not None or any(each is not None for each in ports):
        needs = {TCP} if flags is not None else {TCP, UDP}
        if protocols is None or not protocols <= needs or pieces is not None:
            raise FaultError("ports and flags need tcp or udp beside them, and no fragment")
        pieces = READABLE
    asked = None if flags is None else _expression(flags)
    match = Match(ends[0], ends[1], protocols, pieces, ports[0], ports[1], asked)
    return Line((match,), verdict, entry.line, entry.text)


def _prefix(text: str | None, family: int) -> Spans | None:
    return None if text is None else prefix_of(text, family)


def _ports(left: dict[str, str], end: str) -> Spans | None:
    """One port, or a range."""
    base = f"match transport {end}-port"
    operator, value = left.pop(f"{base} operator", None), left.pop(f"{base} value", None)
    first, last = left.pop(f"{base} range start", None), left.pop(f"{base} range end", None)
    if operator is None and value is None and first is None and last is None:
        return None
    if value is not None and first is None and last is None and operator in ("eq", "ge", "le"):
        port = port_of(value)
        return ((0 if operator == "le" else port, 0xFFFF if operator == "ge" else port),)
    if first is None or last is None or value is not None or operator is not None:
        raise FaultError(f"the {end} port is neither a value with its operator nor a whole range")
    low, high = port_of(first), port_of(last)
    if low > high:
        raise FaultError(f"the range {low} {high} is empty")
    return ((low, high),)


def _pieces(left: dict[str, str]) -> frozenset[Piece] | None:
    fragment = left.pop("match ipv4 fragment", None)
    first = left.pop("match ipv4 first-fragment", None)
    if (fragment, first) == (None, None):
        return None
    if (fragment, first) == ("true", "false"):
        return _LATER
    raise FaultError("of fragments only `fragment true` with `first-fragment false` is understood")


def _expression(text: str) -> int:
    """Flags joined by ``&`` alone or by ``|`` alone, each perhaps negated, perhaps all of it in ``!( )``."""
    inner = re.fullmatch(r"(!?)\(([^()]*)\)", text)
    turned, body = (bool(inner[1]), inner[2]) if inner else (False, text)
    every = "&" in body
    if every and "|" in body:
        raise FaultError(f"the flags {text!r} are not understood")
    found = ALL_FLAGS if every else 0
    for word in body.split("&" if every else "|"):
        bit = _FLAGS.get(word.removeprefix("!"))
        if bit is None:
            raise FaultError(f"{word!r} is no TCP flag")
        chosen = flags_with(bit, 0 if word.startswith("!") else bit)
        found = found & chosen if every else found | chosen
    found = ALL_FLAGS & ~found if turned else found
    if not found:
        raise FaultError("no packet has these flags")
    return found
