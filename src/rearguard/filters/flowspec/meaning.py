"""What announced rules do, read from the bytes that a peer would get, and the proof that it is what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearguard.filters.flowspec.actions import Action
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import FlowError, FlowRule, Kind, values_of
from rearguard.filters.flowspec.order import PRECEDENCE
from rearguard.filters.flowspec.wire import decode, encode
from rearguard.filters.lines import READABLE, AccessList, Line, Match, lists_of
from rearguard.filters.model import Attachment, Filter, Verdict
from rearguard.filters.prove.equal import compare, unneeded
from rearguard.filters.prove.words import packet_words
from rearguard.filters.spans import Spans, of_networks
from rearguard.model.bits import TCP, UDP

__all__ = ["meaning", "minimal", "prove_routes", "reread"]

_TOLD = frozenset({Kind.DESTINATION, Kind.SOURCE, Kind.PROTOCOL, Kind.DPORT, Kind.SPORT, Kind.TCP_FLAGS})
"""Components whose packets the model tells apart."""


def reread(routes: Sequence[FlowRoute]) -> tuple[FlowRoute, ...]:
    """Each rule as its bytes say it. ``FlowError``: that is not what was written."""
    found = []
    for route in routes:
        data = encode(route.rule)
        rule, end = decode(route.family, data)
        action = Action.decode(route.action.encode())
        if end != len(data) or rule != route.rule or action != route.action or encode(rule) != data:
            raise FlowError(
                f"the rule for {route.id} is not read as it was written", remedy="report this defect"
            )
        found.append(FlowRoute(rule, action, route.id))
    return tuple(found)


def meaning(routes: Sequence[FlowRoute], family: int) -> AccessList:
    """What a peer does with packets of this family, in its own order of precedence.

    ``FlowError``: a rule asks for something that the model of packets does not know.
    """
    mine = _in_order(routes, family)
    lines = tuple(
        Line((_match(route.rule),), Verdict.DROP if route.action.drops else Verdict.PASS, at, route.id)
        for at, route in enumerate(mine, 1)
    )
    return AccessList(f"flowspec v{family}", Attachment.ENTERING, family, lines)


def minimal(routes: Sequence[FlowRoute]) -> tuple[FlowRoute, ...]:
    """Without the rules that change nothing, so that the removal of any other would change what is done."""
    kept: list[FlowRoute] = []
    for family in (4, 6):
        mine = _in_order(routes, family)
        while spare := unneeded(meaning(mine, family)):
            del mine[spare[-1]]
        kept += mine
    return tuple(kept)


def prove_routes(given: Filter, routes: Sequence[FlowRoute]) -> None:
    """``FlowError``: the rules, as a peer reads and orders them, do not do what the filter says."""
    read = reread(routes)
    for wanted in lists_of(given):
        found = compare(wanted, meaning(read, wanted.family))
        if not found.equal:
            packet = packet_words(found.witnesses[0]) if found.witnesses else "too many packets"
            raise FlowError(
                f"the FlowSpec rules do not do what the policy says: {packet} is judged differently",
                remedy="nothing was sent; report this defect",
            )
    spare = {route.family for route in read} - {wanted.family for wanted in lists_of(given)}
    if spare:
        raise FlowError(
            "there are rules of a family that the filter does not have", remedy="report this defect"
        )


def _in_order(routes: Sequence[FlowRoute], family: int) -> list[FlowRoute]:
    mine = (route for route in routes if route.family == family)
    return sorted(mine, key=lambda each: PRECEDENCE(each.rule))


def _match(rule: FlowRule) -> Match:
    kinds = {part.kind for part in rule.parts}
    if not kinds <= _TOLD:
        names = ", ".join(kind.name for kind in sorted(kinds - _TOLD))
        raise FlowError(f"what a rule with {names} does is not known to the model")
    listed = rule.terms(Kind.PROTOCOL)
    protocols = None if listed is None else frozenset(_each(values_of(listed)))
    sports, dports, flags = (
        None if (part := rule.terms(kind)) is None else values_of(part)
        for kind in (Kind.SPORT, Kind.DPORT, Kind.TCP_FLAGS)
    )
    pieces = None
    if sports is not None or dports is not None or flags is not None:
        # Ports and flags hold only where the transport header is found (RFC 8955 4.2.2.4, 4.2.2.9).
        pieces = READABLE
        having = frozenset({TCP}) if flags is not None else frozenset({TCP, UDP})
        protocols = having if protocols is None else protocols & having
    bits = None if flags is None else sum(1 << each for each in _each(flags))
    return Match(
        _addresses(rule, Kind.SOURCE),
        _addresses(rule, Kind.DESTINATION),
        protocols,
        pieces,
        sports,
        dports,
        bits,
    )


def _addresses(rule: FlowRule, kind: Kind) -> Spans | None:
    part = rule.prefix(kind)
    if part is not None and part.offset:
        raise FlowError("what a prefix with an offset holds is not known to the model")
    return None if part is None else of_networks([part.network])


def _each(spans: Spans) -> Iterator[int]:
    return (each for first, last in spans for each in range(first, last + 1))
