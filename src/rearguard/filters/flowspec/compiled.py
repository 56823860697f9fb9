"""From the filter of an edge to FlowSpec rules whose order of precedence gives the same verdicts.

Theory. A list decides by its order, FlowSpec by RFC 8955 section 5.1: first the more specific destination, then
a rule that has a source before one that has none. So a rule that lets packets through comes before a drop exactly
if its destination is not wider than the drop's, and then longer or with a source. Every permit is therefore
written once for each destination of a drop that it shares packets with, cut down to what both have. A
destination of which all packets pass needs no drop at all.

A rule for ports never holds a later fragment, nor a packet whose transport header is not found (RFC 8955 sections
4.2.2.4, 4.2.2.5): later fragments pass without a rule of their own. ``meaning`` shows that all this was done right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rearguard.filters.flowspec.actions import DISCARD, PERMIT, Action
from rearguard.filters.flowspec.components import FlowRule, Kind, Part, Prefix, Term, Terms, one_of
from rearguard.filters.flowspec.order import PRECEDENCE
from rearguard.filters.model import Attachment, Filter, Piece, PortSet, Rule, TcpClass, Verdict
from rearguard.filters.spans import Spans, common, of_ports
from rearguard.model.address import Network
from rearguard.model.bits import ACK, RST
from rearguard.model.errors import UsageError

__all__ = ["MOST", "VALUES", "FlowRoute", "routes_of"]

VALUES = 5
"""Ports or ranges in one rule: more than that an ASR 9000 does not take (ASR 9000 routing guide, FlowSpec)."""
MOST = 100_000
"""Rules that are made before it is clear that no peer takes them."""
_NOT_ANY = 2
_READABLE = frozenset({Piece.READABLE})
_NO_PORTS = frozenset({Piece.OFFSET_ONE, Piece.LATER})


@dataclass(frozen=True, slots=True)
class FlowRoute:
    """A rule with what is done to its packets, and the rule of the filter that it comes from."""

    rule: FlowRule
    action: Action
    id: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.rule.family


def routes_of(given: Filter) -> tuple[FlowRoute, ...]:
    """The rules of both families in the order of precedence, permits and drops mixed.

    ``given`` has nothing left that FlowSpec cannot say. ``UsageError``: it makes far too many rules.
    """
    found: dict[FlowRule, FlowRoute] = {}
    for family in (4, 6):
        rules = [rule for rule in given.rules if rule.box.family == family]
        for route in _family(family, rules):
            found.setdefault(route.rule, route)
            if len(found) > MOST:
                raise UsageError(
                    f"the filter of the edge {given.edge} makes more than {MOST:,} FlowSpec rules",
                    remedy="aggregate the prefixes of networks and controllers",
                )
    return tuple(sorted(found.values(), key=lambda each: (each.family, PRECEDENCE(each.rule))))


def _family(family: int, rules: Sequence[Rule]) -> Iterator[FlowRoute]:
    drops = [rule for rule in rules if rule.verdict is Verdict.DROP]
    permits = [rule for rule in rules if rule.verdict is Verdict.PASS and rule.box.pieces != _NO_PORTS]
    first = next((at for at, rule in enumerate(rules) if rule.verdict is Verdict.DROP), len(rules))
    for rule in rules:
        if rule.box.attachment is not Attachment.ENTERING or rule.box.destinations is None:
            raise ValueError(f"{rule.id} is about packets that FlowSpec rules cannot tell apart")
    if any(rule in permits for rule in rules[first:]):
        raise ValueError("a permit stands behind a drop")
    free = [
        net
        for rule in permits
        if rule.box.sources is None and rule.box.dports is None
        for net in rule.box.destinations or ()
    ]
    for rule in drops:
        for near in rule.box.destinations or ():
            if any(_within(near, net) for net in free):
                continue
            yield from _written(family, rule, near, None, DISCARD)
            for permit in permits:
                if _meet(permit, rule):
                    yield from _permitted(family, permit, near)


def _permitted(family: int, permit: Rule, near: Network) -> Iterator[FlowRoute]:
    for other in permit.box.destinations or ():
        both = near if _within(near, other) else other if _within(other, near) else None
        if both is not None:
            for source in permit.box.sources or (None,):
                yield from _written(family, permit, both, source, PERMIT)


def _meet(permit: Rule, drop: Rule) -> bool:
    """Whether some packet could be in both, but for addresses."""
    one, other = permit.box, drop.box
    if one.protocols is not None and other.protocols is not None and not one.protocols & other.protocols:
        return False
    return common(of_ports(one.dports), of_ports(other.dports)) != ()


def _written(
    family: int, rule: Rule, near: Network, source: Network | None, action: Action
) -> Iterator[FlowRoute]:
    box = rule.box
    head: list[Part] = [Prefix(Kind.DESTINATION, near)]
    if source is not None:
        head.append(Prefix(Kind.SOURCE, source))
    if box.protocols is not None:
        head.append(one_of(Kind.PROTOCOL, tuple((each, each) for each in sorted(box.protocols))))
    if box.dports is None:
        if box.pieces is not None or box.tcp is not None:
            raise ValueError(f"{rule.id} asks for pieces of datagrams that FlowSpec does not tell apart")
        yield FlowRoute(FlowRule(family, tuple(head)), action, rule.id)
        return
    for group in _groups(box.dports):
        parts = [*head, one_of(Kind.DPORT, group)]
        if box.tcp is TcpClass.OPENING:
            parts.append(Terms(Kind.TCP_FLAGS, (Term(_NOT_ANY, ACK | RST),)))
        elif box.tcp is not None or box.sports is not None or box.pieces != _READABLE:
            raise ValueError(f"{rule.id} is no shape that is announced")
        yield FlowRoute(FlowRule(family, tuple(parts)), action, rule.id)


def _groups(ports: PortSet) -> Iterator[Spans]:
    spans = of_ports(ports) or ()
    for at in range(0, len(spans), VALUES):
        yield spans[at : at + VALUES]


def _within(inner: Network, outer: Network) -> bool:
    gone = outer.max_prefixlen - outer.prefixlen
    return (
        inner.prefixlen >= outer.prefixlen
        and int(inner.network_address) >> gone == int(outer.network_address) >> gone
    )
