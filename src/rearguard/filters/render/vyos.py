"""VyOS 1.4 and later: ``set firewall ipv4 name`` and ``ipv6 name``, chains of their own that drop or return.

Quirks. Rules are tried in the order of their numbers; a chain of one's own without ``default-action`` drops what
none of them holds, so ours say ``return``, and the rules that are in force judge the packet next (VyOS
documentation, "IPv4 Firewall Configuration"). ``set`` adds to what is there, so every version has names of its
own. Flags that are listed together must all be as listed. VyOS makes nftables rules of this: ports and flags are
asked of packets that show them, the transport is found behind IPv6 extension headers. ``fragment`` takes first
fragments too, and there is no offset to ask for, so it is not used. A commit is atomic. Each rule has a counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearguard.filters.model import Attachment, Filter, Piece, Rule, TcpClass, Verdict
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "chain_names", "hooks", "text_of"]

ABILITY = Ability(offset_one=frozenset(), unreadable=frozenset())
STEP = 10
_FLAGS = {TcpClass.OPENING: ("not ack", "not rst"), TcpClass.ANSWER: ("syn", "ack", "not rst", "not fin")}
_PROTOCOLS = {frozenset({TCP}): "tcp", frozenset({UDP}): "udp", frozenset({TCP, UDP}): "tcp_udp"}
_GROUP = {4: "network-group", 6: "ipv6-network-group"}


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The commands of the configuration mode."""
    lines = [f"# {plain(line, 110)}" if line else "#" for line in head]
    for family in (4, 6):
        rules = {attachment: rules_of(given, attachment, family) for attachment in Attachment}
        groups = _groups([rule for each in rules.values() for rule in each])
        for name, prefixes in groups.items():
            lines += [f"set firewall group {_GROUP[family]} {name} network {network}" for network in prefixes]
        for attachment, each in rules.items():
            if each:
                lines += _chain(given, attachment, family, each, groups)
    return "\n".join(lines) + "\n"


def chain_names(text: str) -> list[tuple[int, str]]:
    """Family and name of the chains of a text, in order."""
    words = [line.split() for line in text.splitlines() if line.startswith("set firewall ip")]
    return list(dict.fromkeys((int(word[2][-1]), word[4]) for word in words))


def hooks(given: Filter, text: str) -> list[str]:
    """Commands that lead packets into the chains, first of all rules that forward."""
    found = []
    links = [plain(each) for each in given.outside] or ["INTERFACE"]
    used = {4: 0, 6: 0}
    for family, name in chain_names(text):
        way = "outbound" if "-leaving-" in name else "inbound"
        for link in links:
            used[family] += 1
            rule = f"set firewall ipv{family} forward filter rule {used[family]}"
            found += [
                f"{rule} action jump",
                f"{rule} jump-target {name}",
                f"{rule} {way}-interface name {link}",
            ]
    return found


def _groups(rules: Sequence[Rule]) -> dict[str, PrefixSet]:
    """Groups by name; the name changes with the content."""
    found: dict[str, PrefixSet] = {}
    for rule in rules:
        for prefixes in (rule.box.sources, rule.box.destinations):
            if prefixes is not None and len(prefixes) > 1 and prefixes not in found.values():
                found[f"RG-v{rule.box.family}-{digest_of(prefixes.texts())}"] = prefixes
    return found


def _chain(
    given: Filter, attachment: Attachment, family: int, rules: Sequence[Rule], groups: dict[str, PrefixSet]
) -> Iterator[str]:
    body = [line for at, rule in enumerate(rules, 1) for line in _rule(rule, at * STEP, groups)]
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    name = f"REARGUARD-{given.edge}{leaving}-v{family}-{digest_of(body)}"
    chain = f"set firewall ipv{family} name {name}"
    yield f"{chain} default-action return"
    yield from (f"{chain} {line}" for line in body)


def _rule(rule: Rule, number: int, groups: dict[str, PrefixSet]) -> Iterator[str]:
    box = rule.box
    if box.pieces is not None and Piece.LATER in box.pieces:
        return  # rules that ask for ports never take a later fragment, so nothing need be said
    here = f"rule {number}"
    yield f"{here} action {'drop' if rule.verdict is Verdict.DROP else 'return'}"
    yield f"{here} description '{remark(rule)}'"
    if box.protocols is not None:
        yield f"{here} protocol {_PROTOCOLS[box.protocols]}"
    for end, prefixes, ports in (
        ("source", box.sources, box.sports),
        ("destination", box.destinations, box.dports),
    ):
        if prefixes is not None:
            name = next((name for name, known in groups.items() if known == prefixes), None)
            yield f"{here} {end} {f'group network-group {name}' if name else f'address {prefixes.texts()[0]}'}"
        if ports is not None:
            yield f"{here} {end} port {','.join(map(str, ports.ranges))}"
    if box.tcp is not None:
        yield from (f"{here} tcp flags {flag}" for flag in _FLAGS[box.tcp])
