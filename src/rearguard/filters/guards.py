"""What is refused before a filter is written, whatever the platform: filters that could hurt their owner.

Scope: no rule drops anything but packets toward guarded networks of the policy, or with ``cut`` from them, to
ports that it lists. Never-block: what the policy lists there passes, forged own sources aside. The router's own
addresses are not guarded. Controllers that share an address enter at one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from rearguard.catalogue import Catalogue
from rearguard.filters.guarded import guard
from rearguard.filters.lines import AccessList, Line, Match, lists_of
from rearguard.filters.model import Attachment, Filter, PortSet, Verdict
from rearguard.filters.prove.equal import compare
from rearguard.filters.spans import of_networks
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import RearguardError, UsageError
from rearguard.model.prefixes import PrefixSet
from rearguard.policy import Policy

__all__ = ["check"]

BGP = 179


def check(policy: Policy, catalogue: Catalogue, given: Filter) -> None:
    """``UsageError``: the first reason why this filter is not written."""
    for error in _problems(policy, catalogue, given):
        raise error


def _problems(policy: Policy, catalogue: Catalogue, given: Filter) -> Iterator[RearguardError]:
    if not given.rules:
        yield UsageError(
            "the policy guards nothing, so there is no filter to write",
            remedy="list interfaces and networks under drop; what is left out and why: `rearguard policy check`",
        )
    yield from _conflicts(policy)
    yield from _router(policy, given)
    yield from _scope(policy, catalogue, given)
    yield from _never(policy, given)


def _conflicts(policy: Policy) -> Iterator[RearguardError]:
    for (name, one), (other, two) in combinations(policy.controllers.items(), 2):
        pair = one.addresses("requests_from").first_overlap(two.addresses("requests_from"))
        if pair and one.enters_at != two.enters_at:
            yield UsageError(
                f"controllers {name!r} and {other!r} share {pair[0]} and enter at {one.enters_at} and "
                f"{two.enters_at}: a packet from there would be permitted and forged at once",
                remedy="give each its own addresses, or both the same enters_at",
                place=policy.places.of(("controllers", other)),
            )


def _router(policy: Policy, given: Filter) -> Iterator[RearguardError]:
    edge = policy.edges.get(given.edge)
    if edge is None or edge.addresses is None:
        return
    spared = PrefixSet.of(policy.never_block)
    for rule in given.rules:
        near = rule.box.destinations if rule.box.attachment is Attachment.ENTERING else rule.box.sources
        for prefix in edge.addresses:
            if (
                rule.verdict is Verdict.DROP
                and near
                and near.overlaps(PrefixSet.of([prefix]))
                and not spared.covers(prefix)
            ):
                yield UsageError(
                    f"{prefix} of the router at edge {given.edge!r} lies in a guarded network: the filter would "
                    "cut its own sessions",
                    remedy="take it out of the networks, or list it under never_block",
                    place=policy.places.of(("edges", given.edge, "addresses")),
                )
                return


def _scope(policy: Policy, catalogue: Catalogue, given: Filter) -> Iterator[RearguardError]:
    cells = guard(policy, catalogue).cells
    names = {cell.network for cell in cells}
    allowed = PrefixSet.of(net for name in names for net in policy.networks[name].prefixes)
    ports = {
        transport: PortSet.of(cell.port.number for cell in cells if cell.port.transport == name)
        for transport, name in ((TCP, "tcp"), (UDP, "udp"))
    }
    for rule in given.rules:
        if rule.verdict is not Verdict.DROP:
            continue
        entering = rule.box.attachment is Attachment.ENTERING
        near = rule.box.destinations if entering else rule.box.sources
        asked = rule.box.dports if entering else rule.box.sports
        wide = near is None or not all(allowed.covers(net) for net in near)
        other = asked is not None and any(
            port not in ports[protocol] for protocol in rule.box.protocols or () for port in asked
        )
        if wide or other:
            yield UsageError(
                f"the rule {rule.id} drops more than the policy lists", remedy="report this defect"
            )
        if asked is not None and BGP in asked and TCP in (rule.box.protocols or ()):
            yield UsageError(
                f"the rule {rule.id} drops tcp/{BGP}: BGP sessions with guarded addresses would be cut",
                remedy="take the port out of `ports`; BGP is never blocked",
            )


def _never(policy: Policy, given: Filter) -> Iterator[RearguardError]:
    """With the listed prefixes let through first, the filter must be the same, but for forged own sources."""
    for wanted in lists_of(given):
        spans = of_networks(_family(policy, wanted.family))
        if not spans:
            continue
        forged = tuple(line for line in wanted.lines if line.text.startswith("own_source"))
        to, away = Match(destinations=spans), Match(sources=spans)
        if wanted.attachment is Attachment.LEAVING:
            to, away = away, to
        first = Line((to,), Verdict.PASS, 0, "never_block")
        then = Line((away,), Verdict.PASS, 0, "never_block")
        spared = replace(wanted, lines=(first, *forged, then, *wanted.lines))
        if not _same(wanted, spared):
            yield UsageError("the filter drops what never_block lists", remedy="report this defect")


def _same(one: AccessList, other: AccessList) -> bool:
    return compare(one, other).equal


def _family(policy: Policy, family: int) -> list[Network]:
    return [net for net in policy.never_block if net.version == family]
