"""Junos: ``firewall family inet`` and ``inet6`` filters, loaded by one commit.

Quirks. Ports and flags are read wherever they would be, in later fragments too, so IPv4 terms that ask for them
also ask for ``fragment-offset 0``; for IPv6 there is no such condition (residual ``fragment-data``).
``payload-protocol`` finds the transport behind extension headers, ``next-header`` takes the first header for it
("Firewall Filter Match Conditions for IPv6 Traffic"); line cards other than MPCs cannot read behind a fragment
header (Juniper KB31208). A filter ends in an invisible discard, so ours ends in an accept. A commit replaces it
without a gap; ``count`` counts by term. One term costs the product of its lists (Juniper KB30953).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, count

from rearguard.filters.model import Attachment, Filter, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.plain import plain, remark, set_name
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = [
    "ABILITY",
    "bindings",
    "filter_name",
    "lists_of_prefixes",
    "prefix_list",
    "terms",
    "text_of",
    "unit_of",
]

ABILITY = Ability(
    offset_one=frozenset({4}),
    unreadable=frozenset(),
    answers=frozenset({4, 6}),
    headers=frozenset({4, 6}),
    fragments=frozenset({4}),
)
_FLAGS = {TcpClass.OPENING: '"(!ack & !rst)"', TcpClass.ANSWER: '"(syn & ack & !rst & !fin)"'}
_NAMES = {TCP: "tcp", UDP: "udp"}
_INLINE = 4
"""Prefixes up to this many are written in the term, more in a prefix list."""


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The configuration, for ``load merge``; each filter and list is replaced as a whole."""
    lines = [f"/* {plain(line, 110)} */" if line else "" for line in head]
    used = lists_of_prefixes(given)
    if used:
        lines.append("policy-options {")
        for name, prefixes in used.items():
            lines += prefix_list(name, prefixes)
        lines.append("}")
    lines.append("firewall {")
    for family in (4, 6):
        filters = [
            line
            for attachment in Attachment
            if rules_of(given, attachment, family)
            for line in _filter(given, attachment, family, used)
        ]
        if filters:
            lines += [f"    family {'inet' if family == 4 else 'inet6'} {{", *filters, "    }"]
    return "\n".join([*lines, "}"]) + "\n"


def lists_of_prefixes(given: Filter) -> dict[str, PrefixSet]:
    """The prefix lists of a filter, by name."""
    return {set_name(name): prefixes for name, prefixes in given.sets if len(prefixes) > _INLINE}


def prefix_list(name: str, prefixes: PrefixSet) -> list[str]:
    """One of them, which takes the place of an older one."""
    return [
        f"    replace: prefix-list {name} {{",
        *(f"        {text};" for text in prefixes.texts()),
        "    }",
    ]


def filter_name(given: Filter, attachment: Attachment, family: int) -> str:
    """The name of a filter; what leaves has one of its own."""
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    return f"REARGUARD-{given.edge}{leaving}-v{family}"


def bindings(given: Filter) -> list[str]:
    """Configuration commands that put the filters in force."""
    links = [unit_of(plain(name)) for name in given.outside] or [("INTERFACE", "0")]
    return [
        f"set interfaces {link} unit {unit} family {'inet' if family == 4 else 'inet6'} filter "
        f"{'input' if attachment is Attachment.ENTERING else 'output'} {filter_name(given, attachment, family)}"
        for link, unit in links
        for attachment in Attachment
        for family in (4, 6)
        if rules_of(given, attachment, family)
    ]


def unit_of(link: str) -> tuple[str, str]:
    """A logical interface as its physical one and the number of the unit: ``ge-0/0/0.100``."""
    name, dot, unit = link.rpartition(".")
    return (name, unit) if dot and unit.isdecimal() else (link, "0")


def _filter(given: Filter, attachment: Attachment, family: int, used: dict[str, PrefixSet]) -> Iterator[str]:
    yield f"        replace: filter {filter_name(given, attachment, family)} {{"
    for term in terms(given, attachment, family, used):
        yield from term
    yield "            term rg-everything-else {"
    yield "                then accept;"
    yield "            }"
    yield "        }"


def terms(
    given: Filter,
    attachment: Attachment,
    family: int,
    used: dict[str, PrefixSet],
    taken: Collection[str] = frozenset(),
) -> Iterator[list[str]]:
    """The lines of each term; names that are ``taken`` in its filter get a number behind them."""
    for rule in rules_of(given, attachment, family):
        if rule.box.pieces is not None and Piece.LATER in rule.box.pieces:
            continue  # no term of ours asks for later fragments, so none need be let through first
        name = set_name(rule.id, 60)
        name = next(each for each in chain((name,), (f"{name}-{at}" for at in count(2))) if each not in taken)
        conditions = list(_conditions(rule, used))
        asked = ["                from {", *(f"                    {line}" for line in conditions)]
        yield [
            f"            /* {remark(rule)} */",
            f"            term {name} {{",
            *([*asked, "                }"] if conditions else []),
            "                then {",
            f"                    count {name};",
            f"                    {'discard' if rule.verdict is Verdict.DROP else 'accept'};",
            "                }",
            "            }",
        ]


def _conditions(rule: Rule, used: dict[str, PrefixSet]) -> Iterator[str]:
    box = rule.box
    for end, prefixes in (("source", box.sources), ("destination", box.destinations)):
        if prefixes is None:
            continue
        name = next((name for name, known in used.items() if known == prefixes), None)
        yield f"{end}-prefix-list {{" if name else f"{end}-address {{"
        yield from (f"    {text};" for text in ([name] if name else prefixes.texts()))
        yield "}"
    if box.protocols is not None:
        word = "protocol" if box.family == 4 else "payload-protocol"
        yield f"{word} {_listed([_NAMES[number] for number in sorted(box.protocols)])};"
    for end, ports in (("source", box.sports), ("destination", box.dports)):
        if ports is not None:
            yield f"{end}-port {_listed(_port_texts(ports))};"
    if box.tcp is not None:
        yield f"tcp-flags {_FLAGS[box.tcp]};"
    if box.pieces == frozenset({Piece.OFFSET_ONE}):
        yield "fragment-offset 1;"
    elif box.pieces == frozenset({Piece.READABLE}) and box.family == 4:
        yield "fragment-offset 0;"


def _port_texts(ports: PortSet) -> list[str]:
    return [str(each) for each in ports.ranges]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"[ {' '.join(words)} ]"
