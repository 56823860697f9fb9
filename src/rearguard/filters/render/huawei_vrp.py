"""Huawei VRP 8 (NE40E, NetEngine 8000): advanced ``acl`` and ``acl ipv6``, in force through a traffic policy.

Quirks. A rule that permits leads to the behaviour of the policy, which permits; what a rule denies is discarded;
what no rule holds passes (NE40E V800R012C10 Configuration, "Applying an Advanced ACL"). ``tcp-flag VALUE mask
MASK`` compares the bits under the mask, so both TCP kinds are one rule. Sets of addresses are pools ("Configuring
an ACL IP Address Pool", "Configuring an ACL IPv6 Address Pool"). A rule with ports that denies leaves
later fragments to the next rule, one that permits takes them by address and protocol (CloudEngine 6800 V300R023C00
Command Reference, "rule (Advanced ACL view) (TCP)", and for flags "rule (Advanced ACL6 view) (tcp)"). For IPv4
they are let through first all the same, by ``fragment-type fragment-subseq`` (NE40E, "Configuring an Advanced ACL
Rule"); for IPv6 there is no such word (``fragment`` takes first fragments too), and what ports mean in a later
fragment is not said (residual ``fragment-data``). No offset can be asked for. Names change with the content and
have at most 31 characters (CloudEngine, "acl name (advanced ACL)", "traffic-policy"). A commit of the two-phase
mode puts everything in force at once; ``statistics enable`` counts by rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rearguard.filters.model import Attachment, Filter, Piece, Rule, Verdict
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.parse.huawei_vrp import parse
from rearguard.filters.prove.lean import lean
from rearguard.filters.readings import readings
from rearguard.filters.render.flat import Entry, entries, rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.residual import Ability
from rearguard.model.bits import ACK, FIN, RST, SYN, TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "hooks", "list_names", "releases", "text_of"]

ABILITY = Ability(
    offset_one=frozenset(),
    unreadable=frozenset(),
    headers=frozenset({4}),
    fragments=frozenset({4}),
    wary=frozenset({4}),
)
STEP = 10
_EDGE = 8
"""Characters of the edge in a name."""
_NAMES = {None: {4: "ip", 6: "ipv6"}, TCP: {4: "tcp", 6: "tcp"}, UDP: {4: "udp", 6: "udp"}}
_HEAD = {4: "acl name", 6: "acl ipv6 name"}
_OPENING = f"tcp-flag 0 mask {ACK | RST}"
_ANSWER = f"tcp-flag {SYN | ACK} mask {SYN | ACK | RST | FIN}"


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The pools and access lists, for the system view."""
    lines = [f"# {plain(line, 110)}" if line else "#" for line in head]
    pools: dict[PrefixSet, str] = {}
    lists: list[str] = []
    for attachment in Attachment:
        for family in (4, 6):
            rules = [
                rule
                for rule in rules_of(given, attachment, family)
                if family == 4 or rule.box.pieces is None or Piece.LATER not in rule.box.pieces
            ]
            for rule in rules:
                for prefixes in (rule.box.sources, rule.box.destinations):
                    if prefixes is not None and len(prefixes) > 1:
                        pools[prefixes] = f"RG-v{family}-{digest_of(prefixes.texts())}"
            if rules:
                lists += _list(given, attachment, family, rules, pools)
    return "\n".join([*lines, *_pools(pools), *lists]) + "\n"


def _pools(pools: Mapping[PrefixSet, str]) -> Iterator[str]:
    for prefixes, name in pools.items():
        word = "ipv6" if name.startswith("RG-v6") else "ip"
        yield f"acl {word}-pool {name}"
        yield from (f" {word} address {net.network_address} {net.prefixlen}" for net in prefixes)


def list_names(text: str) -> list[tuple[int, str]]:
    """Family and name of the lists of a text, in order."""
    words = [line.split() for line in text.splitlines() if line.startswith(tuple(_HEAD.values()))]
    return [(6 if word[1] == "ipv6" else 4, word[-2]) for word in words]


def hooks(given: Filter, text: str) -> list[str]:
    """Commands of the system view that put the lists in force; the behaviours are without any action but permit."""
    lines = []
    policies: dict[str, list[str]] = {}
    for family, name in list_names(text):
        way = _way(name)
        policies.setdefault(way, []).append(name)
        lines += [f"traffic classifier {name} operator or"]
        lines += [f" if-match {'ipv6 ' if family == 6 else ''}acl {name}"]
        lines += [f"traffic behavior {name}", " permit"]
    binds = []
    for way, names in policies.items():
        policy = f"RG-{given.edge[:_EDGE]}-{way}-{digest_of(names)}"
        lines += [f"traffic policy {policy}", " statistics enable"]
        lines += [f" classifier {name} behavior {name}" for name in names]
        binds += [f" traffic-policy {policy} {way}"]
    for link in [plain(name) for name in given.outside] or ["INTERFACE"]:
        lines += [f"interface {link}", *binds]
    return lines


def releases(given: Filter, text: str) -> list[str]:
    """Commands of the system view that take them out of force."""
    ways = dict.fromkeys(_way(name) for _, name in list_names(text))
    links = [plain(name) for name in given.outside] or ["INTERFACE"]
    return [
        line
        for link in links
        for line in (f"interface {link}", *(f" undo traffic-policy {way}" for way in ways))
    ]


def _way(name: str) -> str:
    return "outbound" if LEAVES.search(name) else "inbound"


def _list(
    given: Filter, attachment: Attachment, family: int, rules: Sequence[Rule], pools: Mapping[PrefixSet, str]
) -> Iterator[str]:
    said: list[tuple[str, str]] = []
    for rule in rules:
        # Whatever number of prefixes an end has, it is one word.
        ends = [
            f"{end}{_place(prefixes, pools)}" if prefixes is not None else ""
            for end, prefixes in (("source", rule.box.sources), ("destination", rule.box.destinations))
        ]
        bare = replace(rule, box=replace(rule.box, sources=None, destinations=None))
        said += [(remark(rule), _rule(entry, family, ends)) for entry in entries([bare], unset_flags=True)]
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    base = f"RG-{given.edge[:_EDGE]}{leaving}-v{family}"
    whole = [*_pools(pools), f"{_HEAD[family]} {base} advance", *(f"rule {text}" for _, text in said)]
    gone = lean(readings(parse("\n".join(whole), base), ABILITY.wary), range(len(said)))
    body = [*_numbered([each for at, each in enumerate(said) if at not in gone])]
    yield f"{_HEAD[family]} {base}-{digest_of(body)} advance"
    yield from (f" {line}" for line in body)


def _numbered(said: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The rules; of those with the same remark, which are neighbours, the first carries it."""
    last = ""
    for number, (note, text) in enumerate(said, 1):
        yield f"rule {number * STEP} {text}"
        if note != last:
            yield f"rule {number * STEP} description {note}"
        last = note


def _rule(entry: Entry, family: int, ends: Sequence[str]) -> str:
    """A rule without its number. What it does not say is not asked."""
    words = ["deny" if entry.verdict is Verdict.DROP else "permit", _NAMES[entry.protocol][family]]
    for end, place, ports in zip(("source", "destination"), ends, (entry.sport, entry.dport), strict=True):
        if place:
            words.append(place)
        if ports is not None:
            first, last = ports
            words.append(f"{end}-port {f'eq {first}' if first == last else f'range {first} {last}'}")
    words += [_OPENING] * entry.opening + [_ANSWER] * entry.answer
    words += ["fragment-type fragment-subseq"] * entry.fragments
    return " ".join(words)


def _place(prefixes: PrefixSet, pools: Mapping[PrefixSet, str]) -> str:
    """What stands behind ``source`` and ``destination``."""
    if prefixes in pools:
        return f"-pool {pools[prefixes]}"
    (prefix,) = prefixes
    if prefix.version == 6:
        return f" {prefix}"
    return f" {prefix.network_address} {'0' if prefix.num_addresses == 1 else prefix.hostmask}"
