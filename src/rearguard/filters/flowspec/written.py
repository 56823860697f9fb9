"""Rules as text: commands of ExaBGP and GoBGP, configuration of BIRD.

Each form is one that was read back as the same bytes. ExaBGP takes several values only in brackets: without them
it says ``done`` and leaves out all but the first. A name of a port or a protocol is never used: numbers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import BITWISE, FlowError, Kind, Part, Prefix, Terms
from rearguard.filters.render.plain import plain

__all__ = ["EMITTED", "bird", "bird_route", "commands", "exabgp", "gobgp"]

_EXABGP = {
    Kind.DESTINATION: "destination",
    Kind.SOURCE: "source",
    Kind.DPORT: "destination-port",
    Kind.SPORT: "source-port",
    Kind.TCP_FLAGS: "tcp-flags",
}
_BIRD = {Kind.DESTINATION: "dst", Kind.SOURCE: "src", Kind.DPORT: "dport", Kind.SPORT: "sport"}
_BIRD |= {Kind.TCP_FLAGS: "tcp flags"}
_COMPARE = {1: "=", 2: ">", 3: ">=", 4: "<", 5: "<=", 6: "!="}
_ASK = {0: "", 1: "=", 2: "!", 3: "!="}
_LETTERS = "FSRPAUEC"
"""GoBGP's names of the TCP flags, from the lowest bit."""
_DISCARD = "(generic, 0x80060000, 0x0)"
"""Traffic rate nought of AS 0, in BIRD's words: the halves of the eight bytes."""


def exabgp(route: FlowRoute) -> str:
    """What follows ``announce`` or ``withdraw``; one line."""
    parts = [
        f"{_word(part, _EXABGP, 'next-header' if route.family == 6 else 'protocol')} {_exabgp_value(part)};"
        for part in route.rule.parts
    ]
    return f"flow route {{ match {{ {' '.join(parts)} }} then {{ {_then(route)}; }} }}"


def commands(peer: str, way: str, routes: Iterable[FlowRoute]) -> Iterator[str]:
    """For one neighbour; ``way`` is ``announce`` or ``withdraw``."""
    return (f"neighbor {peer} {way} {exabgp(route)}" for route in routes)


def gobgp(route: FlowRoute, way: str = "add") -> str:
    """One command; ``way`` is ``add`` or ``del``."""
    words = ["gobgp", "global", "rib", way, "-a", f"ipv{route.family}-flowspec", "match"]
    for part in route.rule.parts:
        words += [_word(part, _EXABGP, "protocol"), f"'{_gobgp_value(part)}'"]
    return " ".join([*words, "then", _then(route)])


def bird(routes: Iterable[FlowRoute], head: Sequence[str] = ()) -> str:
    """A piece of configuration: one static protocol for each family, drops with their community."""
    kept = list(routes)
    lines = [f"# {plain(line, 110)}" for line in head]
    for family in (4, 6):
        mine = [route for route in kept if route.family == family]
        if mine:
            lines += [f"flow{family} table rearguard{family};", f"protocol static rearguard_flow{family} {{"]
            lines += [f"  flow{family} {{ table rearguard{family}; }};"]
            lines += [f"  {bird_route(route)}" for route in mine]
            lines += ["}"]
    return "\n".join(lines) + "\n"


def bird_route(route: FlowRoute) -> str:
    """One route of a static protocol."""
    name = "next header" if route.family == 6 else "proto"
    parts = " ".join(f"{_word(part, _BIRD, name)} {_bird_value(part)};" for part in route.rule.parts)
    then = f" {{ bgp_ext_community.add({_DISCARD}); }}" if _then(route) == "discard" else ""
    return f"route flow{route.family} {{ {parts} }}{then};"


def _all_exabgp(routes: Sequence[FlowRoute], head: Sequence[str]) -> str:
    return "".join(f"announce {exabgp(route)}\n" for route in _in_turn(routes))


def _all_gobgp(routes: Sequence[FlowRoute], head: Sequence[str]) -> str:
    told = "".join(f"# {plain(line, 110)}\n" for line in head)
    return told + "".join(f"{gobgp(route)}\n" for route in _in_turn(routes))


def _in_turn(routes: Sequence[FlowRoute]) -> list[FlowRoute]:
    """Permits before drops."""
    return sorted(routes, key=lambda route: route.action.drops)


EMITTED: Mapping[str, Callable[[Sequence[FlowRoute], Sequence[str]], str]] = {
    "exabgp": _all_exabgp,
    "gobgp": _all_gobgp,
    "bird": bird,
}
"""By the name that ``--emit`` takes."""


def _then(route: FlowRoute) -> str:
    if route.action.drops and not (route.action.evaluates or route.action.samples):
        return "discard"
    if route.action.encode():
        raise FlowError(f"the action of {route.id} has no text")
    return "accept"


def _word(part: Part, names: Mapping[Kind, str], protocol: str) -> str:
    if part.kind is Kind.PROTOCOL:
        return protocol
    if part.kind not in names:
        raise FlowError(f"the component {part.kind.name} has no text")
    return names[part.kind]


def _exabgp_value(part: Part) -> str:
    if isinstance(part, Prefix):
        return str(part)
    text = ""
    for term in part.terms:
        value = f"0x{term.value:02x}" if part.kind in BITWISE else str(term.value)
        sign = _ASK[term.operator] if part.kind in BITWISE else _COMPARE[term.operator]
        text += ("&" if term.joined else " ") + sign + value
    return f"[{text} ]"


def _gobgp_value(part: Part) -> str:
    if isinstance(part, Prefix):
        return str(part)
    text = ""
    for term in part.terms:
        if part.kind in BITWISE:
            name = "".join(letter for bit, letter in enumerate(_LETTERS) if term.value >> bit & 1)
            told = _ASK[term.operator] + name
        else:
            sign = _COMPARE[term.operator]
            told = ("==" if sign == "=" else sign) + str(term.value)
        text += ("&" if term.joined else " ") + told
    return text.strip()


def _bird_value(part: Part) -> str:
    if isinstance(part, Prefix):
        return str(part)
    return _bird_bits(part) if part.kind in BITWISE else _bird_numbers(part)


def _bird_numbers(part: Terms) -> str:
    """Single values and ranges, by commas: BIRD's own way to write what it received."""
    found: list[str] = []
    terms = list(part.terms)
    while terms:
        term = terms.pop(0)
        if term.operator == 3 and terms and terms[0].joined and terms[0].operator == 5:
            found.append(f"{term.value}..{terms.pop(0).value}")
        elif term.operator == 1 and not term.joined:
            found.append(str(term.value))
        else:
            raise FlowError(f"the terms of {part.kind.name} have no text for BIRD")
    return ", ".join(found)


def _bird_bits(part: Terms) -> str:
    """``value/mask``: the bits of the value are set, the other bits of the mask are not."""
    if any(term.operator not in (1, 2) or (term.joined and at == 0) for at, term in enumerate(part.terms)):
        raise FlowError(f"the terms of {part.kind.name} have no text for BIRD")
    told = ""
    for term in part.terms:
        value = term.value if term.operator == 1 else 0
        told += (" && " if term.joined else ", ") + f"0x{value:x}/0x{term.value:x}"
    return told.removeprefix(", ")
