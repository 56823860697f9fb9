"""MikroTik RouterOS: ``/ip firewall filter`` and ``/ipv6 firewall filter``, in chains of their own.

Quirks. Rules in a chain of ours end in ``drop`` or ``return``, so whatever the router's own rules deny stays
denied. Adding rules one by one is not atomic: every version is a chain with a name of its own, and putting it
in force changes one ``jump-target``. ``fragment=yes`` takes later fragments, the first one not, and exists for
IPv4 only; with connection tracking there are none, because the router puts datagrams together first (RouterOS,
"Filter"). No rule is written with more than 15 ports. Counters are kept by rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearguard.filters.model import Attachment, Filter, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "MOST_PORTS", "chain_names", "port_groups", "text_of"]

ABILITY = Ability(
    offset_one=frozenset(), unreadable=frozenset(), answers=frozenset({4, 6}), headers=frozenset({4})
)
MOST_PORTS = 15
_FLAGS = {TcpClass.OPENING: "!ack,!rst", TcpClass.ANSWER: "syn,ack,!rst,!fin"}
_NAMES = {TCP: "tcp", UDP: "udp"}


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The commands, for ``/import``."""
    lines = [f"# {plain(line, 110)}" if line else "#" for line in head]
    for family in (4, 6):
        path = "/ip" if family == 4 else "/ipv6"
        rules = {attachment: rules_of(given, attachment, family) for attachment in Attachment}
        used = _lists([rule for each in rules.values() for rule in each])
        if used:
            lines.append(f"{path} firewall address-list")
            for name, prefixes in used.items():
                lines += [f"add list={name} address={text}" for text in prefixes.texts()]
        if any(rules.values()):
            lines.append(f"{path} firewall filter")
        for attachment, each in rules.items():
            body = [line for rule in each for line in _rule(rule, used)]
            name = f"{_base(given, attachment, family)}-{digest_of(body)}"
            lines += [f"add chain={name} {line}" for line in body]
    return "\n".join(lines) + "\n"


def chain_names(text: str) -> list[str]:
    """The chains of a text, in order."""
    words = [line.split()[1] for line in text.splitlines() if line.startswith("add chain=")]
    return list(dict.fromkeys(word.removeprefix("chain=") for word in words))


def _base(given: Filter, attachment: Attachment, family: int) -> str:
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    return f"rearguard-{given.edge}{leaving}-v{family}"


def _lists(rules: Sequence[Rule]) -> dict[str, PrefixSet]:
    """Address lists by name; the name changes with the content, so that a new version never changes an old one."""
    found: dict[str, PrefixSet] = {}
    for rule in rules:
        for prefixes in (rule.box.sources, rule.box.destinations):
            if prefixes is not None and len(prefixes) > 1 and prefixes not in found.values():
                found[f"rg-v{rule.box.family}-{digest_of(prefixes.texts())}"] = prefixes
    return found


def _rule(rule: Rule, used: dict[str, PrefixSet]) -> Iterator[str]:
    box = rule.box
    words = []
    for end, prefixes in (("src", box.sources), ("dst", box.destinations)):
        if prefixes is not None:
            name = next((name for name, known in used.items() if known == prefixes), None)
            words.append(f"{end}-address-list={name}" if name else f"{end}-address={prefixes.texts()[0]}")
    if box.pieces is not None and Piece.LATER in box.pieces:
        if box.family == 6:
            return  # rules that ask for ports never take a later fragment, so nothing need be said
        words.append("fragment=yes")
    if box.tcp is not None:
        words.append(f"tcp-flags={_FLAGS[box.tcp]}")
    action = "drop" if rule.verdict is Verdict.DROP else "return"
    tail = f'action={action} comment="{remark(rule)}"'
    protocols = [None] if box.protocols is None else [_NAMES[number] for number in sorted(box.protocols)]
    for protocol in protocols:
        named = [*words, f"protocol={protocol}"] if protocol else words
        for sports in port_groups(box.sports):
            for dports in port_groups(box.dports):
                ports = [f"src-port={sports}"] * bool(sports) + [f"dst-port={dports}"] * bool(dports)
                yield " ".join([*named, *ports, tail])


def port_groups(ports: PortSet | None) -> Iterator[str]:
    """Lists of at most ``MOST_PORTS`` ports, a range counting as two; one empty text where all ports are meant."""
    if ports is None:
        yield ""
        return
    group: list[str] = []
    size = 0
    for each in ports.ranges:
        need = 1 if each.first == each.last else 2
        if size + need > MOST_PORTS:
            yield ",".join(group)
            group, size = [], 0
        group.append(str(each))
        size += need
    yield ",".join(group)
