"""From the policy to the rules that may be announced at an edge: compiled, guarded, proven and counted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rearguard.catalogue import Catalogue
from rearguard.filters.budget import hardware_cost
from rearguard.filters.compile import compile_filter, edges
from rearguard.filters.flowspec.compiled import FlowRoute, routes_of
from rearguard.filters.flowspec.meaning import meaning, minimal, prove_routes
from rearguard.filters.flowspec.residuals import INSIDE_PERMITS, Loss, reduced, unpermitted
from rearguard.filters.guards import check
from rearguard.filters.model import Filter
from rearguard.model.errors import UsageError
from rearguard.policy import Policy

__all__ = ["CAP", "Plan", "plan_for"]

CAP = 1500
"""Rules for one peer: half of the 3,000 that an ASR 9000 takes in all (ASR 9000 routing guide, FlowSpec)."""
_REDUCED = 4
"""Lists that are so many times too long are not looked through for rules that change nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be announced to each peer."""

    edge: str
    filter: Filter
    """What FlowSpec says of the policy's filter; the rules do exactly this."""
    routes: tuple[FlowRoute, ...]
    """In a peer's order of precedence."""
    losses: tuple[Loss, ...]
    unpermitted: tuple[str, ...]
    """Controllers that would be cut off if their packets passed a peer."""
    cost: int
    """Entries of a table with masks (ranges as their cover by aligned blocks)."""

    @property
    def permits(self) -> tuple[FlowRoute, ...]:
        """What lets packets through; sent first, taken back last."""
        return tuple(route for route in self.routes if not route.action.drops)

    @property
    def drops(self) -> tuple[FlowRoute, ...]:
        """What discards packets."""
        return tuple(route for route in self.routes if route.action.drops)


def plan_for(
    policy: Policy,
    catalogue: Catalogue,
    edge: str | None,
    accepted: Collection[str],
    cap: int = CAP,
    entries: int | None = None,
) -> Plan:
    """``entries``: what a peer's table has room for; at most half of it is planned for.

    ``UsageError``: the policy has no such edge, guards nothing, would hurt its owner, makes too many rules, or has
    what FlowSpec cannot say and nobody accepted.
    """
    names = edges(policy)
    chosen = edge or names[0]
    if chosen not in names or (edge is None and len(names) > 1):
        raise UsageError(
            f"the policy has the edges {', '.join(names)}" + ("" if edge is None else f", and no {edge!r}"),
            remedy="name one with --edge",
        )
    if INSIDE_PERMITS in accepted:
        policy = _at(policy, chosen)
    given = compile_filter(policy, catalogue, chosen)
    check(policy, catalogue, given)
    said, losses = reduced(given, accepted)
    routes = routes_of(said)
    if len(routes) <= _REDUCED * cap:
        routes = minimal(routes)
    if len(routes) > cap:
        raise UsageError(
            f"the filter makes {len(routes):,} FlowSpec rules, {len(routes) - cap:,} more than the {cap:,} that a "
            "peer is given",
            remedy=_aggregate(routes) + "; or raise --most-rules if the peers have the room",
        )
    prove_routes(said, routes)
    cost = sum(hardware_cost(meaning(routes, family)) for family in {route.family for route in routes})
    if entries is not None and cost > entries // 2:
        raise UsageError(
            f"the rules take {cost:,} entries, {cost - entries // 2:,} more than half of the {entries:,} of a peer",
            remedy=_aggregate(routes),
        )
    return Plan(chosen, said, routes, losses, unpermitted(policy, chosen), cost)


def _at(policy: Policy, edge: str) -> Policy:
    """The policy as if all controllers entered here."""
    here = {name: each.model_copy(update={"enters_at": edge}) for name, each in policy.controllers.items()}
    return policy.model_copy(update={"controllers": here})


def _aggregate(routes: Collection[FlowRoute]) -> str:
    destinations = {route.rule.parts[0] for route in routes}
    sources = {
        route.rule.parts[1] for route in routes if len(route.rule.parts) > 1 and not route.action.drops
    }
    return (
        f"aggregate prefixes ({len(destinations):,} destinations, {len(sources):,} sources of permits) or guard "
        "fewer ports"
    )
