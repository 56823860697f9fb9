"""The filter as a file for nftables: a table of its own that can be loaded, replaced and removed as a whole.

Theory. ``nft -f`` applies a file as one transaction. The table, its base chain and its counters are only
declared, which changes nothing when they are there already; rules and set elements are flushed and added anew.
So a reload has no moment without a filter, and counters go on. Deleting and making the table again in one
transaction takes the base chain off its hook and lets packets through meanwhile (measured, see
docs/filters.md).

A match on a field that the packet does not have ends the rule without a verdict, whatever the comparison. So
what is *not* readable can only be told at the end, by what no reader took: ``unreadable`` is the last rule of a
chain that first sends later fragments and other protocols away, and TCP and UDP packets that show their ports
(and flags) to a chain of their own. Ports are read there only, so a fragment's data is never taken for a port.

``meta l4proto`` follows IPv6 extension headers; ``ip6 nexthdr`` would not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from rearguard.filters.model import Attachment, Filter, Left, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.filters.render.reading import pointer
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "HEADLINE", "TABLE", "render"]

HEADLINE = "# Rearguard: the filter of the edge"
"""How every file begins."""


ABILITY = Ability(wary=frozenset({4, 6}))
TABLE = "inet rearguard"
PRIORITY = -10
"""Before the usual filter chains (0). Those still see what passes here: nothing that they deny is permitted."""

_LINUX_NAME = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
_NAMES = {TCP: "tcp", UDP: "udp"}
_COMMENT_BYTES = 120  # the kernel's tools refuse comments of 128 bytes and more
_OFFSET_ONE = frozenset({Piece.OFFSET_ONE})
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_UNREADABLE = frozenset({Piece.UNREADABLE})
_TCP_MATCH = {
    TcpClass.OPENING: "tcp flags & (ack | rst) == 0x0",
    TcpClass.ANSWER: "tcp flags & (fin | syn | rst | ack) == syn | ack",
}


def render(given: Filter, *, made: date, file: str = "border.nft") -> str:
    """The text of ``file``: the same filter, name and date give the same text, byte for byte.

    ``ValueError``: the rules are not in the order of :mod:`rearguard.filters.compile`, so nftables could not tell
    what is readable before it reads.
    """
    chains = [
        _Chains(attachment, family, rules, given)
        for attachment in Attachment
        for family in (4, 6)
        if (rules := [rule for rule in given.rules if _at(rule) == (attachment, family)])
    ]
    lines = [*_header(given, file, made), "", *_outside(given), "", f"table {TABLE} {{"]
    lines += [f"\tcounter {rule.id} {{ }}" for rule in given.rules]
    for name, prefixes in given.sets:
        lines.append(f"\tset {name} {{ type {_address_type(prefixes)}; flags interval; }}")
    lines += [f"\tchain {name} {{ }}" for each in chains for name in each.names]
    lines += [
        "\tchain forward {",
        f"\t\ttype filter hook forward priority {PRIORITY}; policy accept;",
        "\t}",
        "}",
        "",
        f"flush chain {TABLE} forward",
    ]
    lines += [f"flush chain {TABLE} {name}" for each in chains for name in each.names]
    lines += [f"flush set {TABLE} {name}" for name, _ in given.sets]
    lines.append("")
    for name, prefixes in given.sets:
        lines += _elements(name, prefixes)
    for each in chains:
        lines += ["", *each.lines()]
    return "\n".join(lines) + "\n"


class _Chains:
    """The rules of one attachment and family: one chain that sorts packets, one for each transport."""

    def __init__(self, attachment: Attachment, family: int, rules: list[Rule], given: Filter) -> None:
        self.attachment = attachment
        self.ip = "ip" if family == 4 else "ip6"
        self.name = f"{attachment}_v{family}"
        self.sets = given.sets
        self.last = next((rule for rule in rules if rule.box.pieces == _UNREADABLE), None)
        reading = [rule for rule in rules if _reads(rule)]
        self.head = [rule for rule in rules if rule is not self.last and rule not in reading]
        self.parts = {
            proto: [rule for rule in reading if rule.box.protocols == frozenset({proto})]
            for proto in (TCP, UDP)
        }
        last = [] if self.last is None else [self.last]
        if [*self.head, *last, *reading] != rules or len(reading) != sum(map(len, self.parts.values())):
            raise ValueError(f"{self.name}: rules that read ports must come last, each for one transport")
        sends_away = [
            rule for rule in self.head if rule.box.pieces == _LATER and rule.verdict is Verdict.PASS
        ]
        if not sends_away:
            raise ValueError(f"{self.name}: later fragments must be decided before ports are read")
        # Large sets are compared and never hashed: they are mostly one and the same object.
        ends: list[PrefixSet] = []
        for rule in rules:
            end = _near(rule)
            if end is not None and end not in ends:
                ends.append(end)
        self.guarded = PrefixSet.of(prefix for end in ends for prefix in end)

    @property
    def names(self) -> list[str]:
        """Of the chains, those that are jumped to first."""
        return [*(f"{self.name}_{_NAMES[proto]}" for proto, rules in self.parts.items() if rules), self.name]

    def lines(self) -> Iterator[str]:
        """What is added after the flush; the jump into the chains comes last."""
        for proto, rules in self.parts.items():
            for rule in rules:
                yield self._counted(f"{self.name}_{_NAMES[proto]}", rule, self._matches(rule))
        for rule in self.head:
            yield self._counted(self.name, rule, self._matches(rule))
        if self.last is not None:
            yield self._add(self.name, "meta l4proto != { tcp, udp } return")
        for proto, rules in self.parts.items():
            readable = "tcp flags 0x00-0xff" if proto == TCP else "udp dport 0-65535"
            if rules or self.last is not None:
                go = f"goto {self.name}_{_NAMES[proto]}" if rules else "return"
                yield self._add(self.name, f"{readable} {go}")
        if self.last is not None:
            yield self._counted(self.name, self.last, [])
        entering = self.attachment is Attachment.ENTERING
        link, end = ("iifname", "daddr") if entering else ("oifname", "saddr")
        yield self._add(
            "forward", f"{link} $outside {self.ip} {end} {self._set(self.guarded)} goto {self.name}"
        )

    def _counted(self, chain: str, rule: Rule, matches: list[str]) -> str:
        verdict = "drop" if rule.verdict is Verdict.DROP else "return"
        comment = f'comment "{_comment(_why(rule))}"'
        return self._add(chain, " ".join([*matches, f"counter name {rule.id} {verdict} {comment}"]))

    def _matches(self, rule: Rule) -> list[str]:
        box = rule.box
        found = []
        for prefixes, end in ((box.destinations, "daddr"), (box.sources, "saddr")):
            here = end == ("daddr" if self.attachment is Attachment.ENTERING else "saddr")
            if prefixes is not None and not (here and prefixes == self.guarded):
                found.append(f"{self.ip} {end} {self._set(prefixes)}")
        transport = None
        if box.protocols is not None:
            names = [_NAMES[proto] for proto in sorted(box.protocols)]
            transport = names[0]
            if not _reads(rule):
                found.append("meta l4proto " + (names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"))
        if box.pieces in (_OFFSET_ONE, _LATER):
            field = "ip frag-off & 0x1fff" if self.ip == "ip" else "frag frag-off"
            found.append(f"{field} {'!= 0' if box.pieces == _LATER else '== 1'}")
        for ports, end in ((box.dports, "dport"), (box.sports, "sport")):
            if ports is not None:
                found.append(f"{transport} {end} {_ports(ports)}")
        if box.tcp is not None:
            found.append(_TCP_MATCH[box.tcp])
        return found

    def _set(self, prefixes: PrefixSet) -> str:
        name = next((name for name, known in self.sets if known == prefixes), None)
        return f"{{ {', '.join(prefixes.texts())} }}" if name is None else f"@{name}"

    def _add(self, chain: str, text: str) -> str:
        return f"add rule {TABLE} {chain} {text}"


def _at(rule: Rule) -> tuple[Attachment, int]:
    return rule.box.attachment, rule.box.family


def _reads(rule: Rule) -> bool:
    return rule.box.dports is not None or rule.box.sports is not None


def _near(rule: Rule) -> PrefixSet | None:
    """The end of the packet that is ours."""
    return rule.box.destinations if rule.box.attachment is Attachment.ENTERING else rule.box.sources


def _ports(ports: PortSet) -> str:
    return str(ports) if len(ports.ranges) == 1 else f"{{ {ports} }}"


def _address_type(prefixes: PrefixSet) -> str:
    return "ipv4_addr" if next(iter(prefixes)).version == 4 else "ipv6_addr"


def _elements(name: str, prefixes: PrefixSet) -> Iterator[str]:
    texts = prefixes.texts()
    yield f"add element {TABLE} {name} {{"
    for start in range(0, len(texts), 4):
        yield "\t" + ", ".join(texts[start : start + 4]) + ("," if start + 4 < len(texts) else "")
    yield "}"


def _header(given: Filter, file: str, made: date) -> Iterator[str]:
    bound = bool(given.outside) and all(map(_LINUX_NAME.fullmatch, given.outside))
    wanted = "" if bound else "-D outside=eth0 "
    yield f'{HEADLINE} "{given.edge}", for nftables.'
    yield f"# Policy {given.policy_digest}; written {made}."
    yield "#"
    yield f"#   check   nft -c {wanted}-f {file}"
    yield f"#   load    nft {wanted}-f {file}"
    yield f"#   look    nft list counters table {TABLE}"
    yield f"#   remove  nft delete table {TABLE}"
    if not bound:
        yield "#"
        yield "# Put the interfaces that face the outside in place of eth0; several: -D 'outside={ eth0, eth1 }'."
    yield "#"
    yield "# Loading it again replaces the rules without a gap; counters go on. It guards what comes in through"
    yield "# these interfaces and is forwarded; what passes is still seen by the other tables. Sessions that are"
    yield "# open already go on, but for those to ports below 1024."
    drops: dict[int, Rule] = {rule.drop: rule for rule in given.rules if rule.drop is not None}
    if drops:
        yield "#"
    for number, rule in sorted(drops.items()):
        yield f"# drop[{number}]: {_visible(rule.basis)}; review by {rule.review_by}"
    if given.left:
        yield "#"
        yield "# Listed under drop and not dropped:"
    for item in given.left:
        yield f"#   {_left(item)}"


def _left(item: Left) -> str:
    family = f" (IPv{item.family})" if item.family else ""
    ports = ", ".join(item.ports)
    return f"drop[{item.drop}] {item.interface} toward {item.network}{family}, {ports}: {item.reason}"


def _outside(given: Filter) -> Iterable[str]:
    if not given.outside:
        return []
    if all(map(_LINUX_NAME.fullmatch, given.outside)):
        names = ", ".join(f'"{name}"' for name in given.outside)
        return [f"define outside = {{ {names} }}"]
    return [f"# The policy names interfaces that Linux does not know: {', '.join(given.outside)}."]


def _why(rule: Rule) -> str:
    why = rule.text if rule.drop is None else f"drop[{rule.drop}] until {rule.review_by}: {rule.basis}"
    return ": ".join(part for part in (pointer(rule), why) if part)


def _visible(text: str) -> str:
    """Printable ASCII as it is, everything else written out: a policy's text stays on its line."""
    return "".join(char if " " <= char <= "~" else f"\\u{ord(char):04x}" for char in text)


def _comment(text: str) -> str:
    """What can stand between quotes: nftables knows no escape for a quote, and short comments only."""
    safe = _visible(text).replace('"', "'").replace("\\", "/")
    return safe if len(safe) <= _COMMENT_BYTES else safe[: _COMMENT_BYTES - 3] + "..."
