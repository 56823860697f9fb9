"""Nokia SR OS (7750 SR and kin) from release 21: ``/configure filter ip-filter`` and ``ipv6-filter`` of the MD-CLI.

Quirks. What no entry holds is dropped unless ``default-action accept`` says otherwise. ``tcp-flags`` asks for each
flag set or unset, so both TCP kinds are one entry. Sets of addresses and of ports are match lists; one has 8,192
prefixes at most (a larger set is several, with an entry each), and an entry a number from 1 to 2,097,151 (Nokia's
YANG models nokia-conf-filter 2021-10-18 and nokia-types-filter 2020-02-18). In a later fragment the fields behind
the IP header count as zero, so an entry with other ports never takes it (7450 Router Configuration Guide, "IP
Filter Policy Entry Match Criteria"; Router Configuration Guide 22.7, "IPv4/IPv6 filter policy entry match
criteria"): ours ask for ports wherever they ask for flags, and need not say anything of fragments. No offset can be
asked for, and up to six IPv6 extension headers are gone past. Names change with the content; a commit is atomic.
Matches are counted by entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeVar

from rearguard.filters.model import Attachment, Filter, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.residual import Ability
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import UsageError
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "MOST_ENTRIES", "MOST_PREFIXES", "filter_names", "hooks", "releases", "text_of"]

ABILITY = Ability(offset_one=frozenset(), unreadable=frozenset(), headers=frozenset({4}))
MOST_ENTRIES = 2_097_151
MOST_PREFIXES = 8192
"""In one match list."""
STEP = 10
_DESCRIPTION = 80
"""Characters of a description, which SR OS bounds too."""
_EDGE = 32
"""Characters of the edge in a name, which has 64 at most."""
_KIND = {4: "ip", 6: "ipv6"}
_LIST = {4: "ip-prefix-list", 6: "ipv6-prefix-list"}
_T = TypeVar("_T")
_NAMES = {TCP: "tcp", UDP: "udp"}
_FLAGS = {
    TcpClass.OPENING: (("ack", False), ("rst", False)),
    TcpClass.ANSWER: (("syn", True), ("ack", True), ("rst", False), ("fin", False)),
}


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The commands of the configuration mode. ``UsageError``: more entries than a filter has numbers for."""
    lines = [f"# {plain(line, 110)}" if line else "#" for line in head]
    for family in (4, 6):
        rules = {attachment: rules_of(given, attachment, family) for attachment in Attachment}
        lists = _Lists([rule for each in rules.values() for rule in each], family)
        lines += lists.lines()
        for attachment, each in rules.items():
            if each:
                lines += _filter(given, attachment, family, each, lists)
    return "\n".join(lines) + "\n"


def filter_names(text: str) -> list[tuple[str, str]]:
    """Kind (``ip`` or ``ipv6``) and name of the filters of a text, in order."""
    words = [line.split() for line in text.splitlines() if line.startswith("/configure filter ip")]
    return list(dict.fromkeys((word[2].removesuffix("-filter"), word[3].strip('"')) for word in words))


def hooks(given: Filter, text: str) -> list[str]:
    """Commands that put the filters in force on interfaces of the base router."""
    return [f'/configure {place} {kind} "{name}"' for place, kind, name in _places(given, text)]


def releases(given: Filter, text: str) -> list[str]:
    """Commands that take them out of force, given at ``/configure``."""
    return [f"delete {place} {kind}" for place, kind, _ in _places(given, text)]


def _places(given: Filter, text: str) -> Iterator[tuple[str, str, str]]:
    for link in [plain(name) for name in given.outside] or ["INTERFACE"]:
        for kind, name in filter_names(text):
            way = "egress" if LEAVES.search(name) else "ingress"
            yield f'router "Base" interface "{link}" {way} filter', kind, name


class _Lists:
    """The match lists of one family; their names change with their content."""

    def __init__(self, rules: Sequence[Rule], family: int) -> None:
        self._family = family
        self._parts: dict[PrefixSet, list[tuple[str, PrefixSet]]] = {}
        self._ports: dict[PortSet, str] = {}
        for rule in rules:
            for prefixes in (rule.box.sources, rule.box.destinations):
                if prefixes is not None and len(prefixes) > 1 and prefixes not in self._parts:
                    parts = [PrefixSet.of(part) for part in _pieces([*prefixes], MOST_PREFIXES)]
                    self._parts[prefixes] = [
                        (f"RG-v{family}-{digest_of(part.texts())}", part) for part in parts
                    ]
            for ports in (rule.box.sports, rule.box.dports):
                if ports is not None and len(ports.ranges) > 1:
                    self._ports[ports] = f"RG-v{family}-ports-{digest_of([str(ports)])}"

    def lines(self) -> Iterator[str]:
        """The commands that make them."""
        made = {name: part for parts in self._parts.values() for name, part in parts}
        for name, part in made.items():
            start = f'/configure filter match-list {_LIST[self._family]} "{name}"'
            yield from (f"{start} prefix {text} {{ }}" for text in part.texts())
        for ports, name in self._ports.items():
            start = f'/configure filter match-list port-list "{name}"'
            for first, last in ports.ranges:
                yield f"{start} {f'port {first}' if first == last else f'range start {first} end {last}'} {{ }}"

    def of_prefixes(self, prefixes: PrefixSet) -> list[str]:
        """What stands behind ``src-ip`` and ``dst-ip``, for one entry after the other."""
        if prefixes in self._parts:
            return [f'{_LIST[self._family]} "{name}"' for name, _ in self._parts[prefixes]]
        return [f"address {text}" for text in prefixes.texts()]

    def of_ports(self, ports: PortSet) -> str:
        """What stands behind ``src-port`` and ``dst-port``."""
        if ports in self._ports:
            return f'port-list "{self._ports[ports]}"'
        first, last = ports.ranges[0]
        return f"eq {first}" if first == last else f"range start {first} end {last}"


def _pieces(prefixes: list[Network], most: int) -> Iterator[list[Network]]:
    return (prefixes[at : at + most] for at in range(0, len(prefixes), most))


def _filter(
    given: Filter, attachment: Attachment, family: int, rules: Sequence[Rule], lists: _Lists
) -> Iterator[str]:
    entries = [each for rule in rules for each in _entries(rule, lists)]
    if len(entries) > MOST_ENTRIES:
        raise UsageError(
            f"this filter is {len(entries):,} entries, and SR OS numbers {MOST_ENTRIES:,} at most",
            remedy="give networks that are guarded alike the same drop",
        )
    step = STEP if len(entries) * STEP <= MOST_ENTRIES else 1
    body = [f"entry {at * step} {line}" for at, entry in enumerate(entries, 1) for line in entry]
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    name = f"REARGUARD-{given.edge[:_EDGE]}{leaving}-v{family}-{digest_of(body)}"
    start = f'/configure filter {_KIND[family]}-filter "{name}"'
    yield f"{start} default-action accept"
    yield from (f"{start} {line}" for line in body)


def _entries(rule: Rule, lists: _Lists) -> Iterator[list[str]]:
    """The lines of each entry that a rule needs: mostly one, or one for each of two protocols."""
    box = rule.box
    if box.pieces is not None and Piece.LATER in box.pieces:
        return  # entries with ports never take a later fragment, so nothing need be said
    asks = [f"match {end}-port {lists.of_ports(ports)}" for end, ports in _given(box.sports, box.dports)]
    if box.tcp is not None:
        asks += [f"match tcp-flags {flag} {str(wanted).lower()}" for flag, wanted in _FLAGS[box.tcp]]
    asks.append(f"action {'drop' if rule.verdict is Verdict.DROP else 'accept'}")
    note = f'description "{plain(remark(rule), _DESCRIPTION)}"'
    word = "protocol" if box.family == 4 else "next-header"
    protocols = [f"match {word} {_NAMES[number]}" for number in sorted(box.protocols or ())]
    ends = [
        [f"match {end}-ip {text}" for text in lists.of_prefixes(prefixes)]
        for end, prefixes in _given(box.sources, box.destinations)
    ]
    for chosen in product(*([protocols] if protocols else []), *ends):
        yield [note, *chosen, *asks]


def _given(source: _T | None, destination: _T | None) -> Iterator[tuple[str, _T]]:
    """What is asked of one end or both, with the end's name."""
    for end, asked in (("src", source), ("dst", destination)):
        if asked is not None:
            yield end, asked
