"""What FlowSpec cannot say of a policy's filter, by name (rule C4); each is accepted before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from rearguard.filters.model import Attachment, Box, Filter, Piece, Rule, TcpClass, Verdict
from rearguard.filters.residual import EFFECTS, ResidualError
from rearguard.model.errors import UsageError
from rearguard.policy import Policy

__all__ = ["INSIDE_PERMITS", "NAMES", "Loss", "reduced", "unpermitted"]

INSIDE_PERMITS = "inside-permits"
"""No loss but a choice: permits for controllers that enter elsewhere, because rules have no direction."""
_OWN = {
    "every-interface": "a rule holds at every interface where the peer has FlowSpec on: packets between customers, "
    "and of controllers that enter elsewhere, are judged there too; switch FlowSpec on only at the interfaces that "
    "face the outside",
    INSIDE_PERMITS: "controllers that enter elsewhere pass at every interface, and so does whoever forges their "
    "addresses outside, unless the peer's own anti-spoofing stops him (rule C2)",
}
NAMES = {
    **{
        name: EFFECTS[name]
        for name in ("offset-one", "unreadable", "answers", "extension-headers", "own-sources")
    },
    **_OWN,
}
"""What happens instead, by name."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that the policy's filter has and the announced rules do not."""

    name: str
    family: int
    rules: tuple[str, ...] = ()
    """Ids of the rules that are left out."""

    def __str__(self) -> str:
        return f"{self.name} (IPv{self.family}): {NAMES[self.name]}"


def reduced(given: Filter, accepted: Collection[str]) -> tuple[Filter, tuple[Loss, ...]]:
    """What FlowSpec can say of the filter of one edge, and what it cannot.

    ``ResidualError``: something was not accepted; ``UsageError``: what was accepted is no residual.
    """
    unknown = sorted(set(accepted) - set(NAMES))
    if unknown:
        raise UsageError(
            f"FlowSpec has no residual {unknown[0]!r}", remedy=f"the names are {', '.join(NAMES)}"
        )
    losses = tuple(_losses(given))
    refused = [each for each in losses if each.name not in accepted]
    if refused:
        names = dict.fromkeys(each.name for each in refused)
        words = "; ".join(f"{name}: {NAMES[name]}" for name in names)
        raise ResidualError("FlowSpec", words, tuple(names))
    gone = {rule for each in losses for rule in each.rules}
    return replace(given, rules=tuple(rule for rule in given.rules if rule.id not in gone)), losses


def unpermitted(policy: Policy, edge: str) -> tuple[str, ...]:
    """Controllers that call devices and enter elsewhere, so that the edge's filter has no permit for them."""
    return tuple(
        name
        for name, controller in policy.controllers.items()
        if controller.enters_at != edge and controller.addresses("requests_from")
    )


def _losses(given: Filter) -> Iterator[Loss]:
    for family in (4, 6):
        rules = [rule for rule in given.rules if rule.box.family == family]
        if not rules:
            continue
        leaving = [rule for rule in rules if rule.box.attachment is Attachment.LEAVING]
        if any(rule.box.tcp is TcpClass.ANSWER for rule in leaving):
            yield Loss("answers", family, tuple(rule.id for rule in leaving))
        for name, chosen in (
            ("offset-one", [rule for rule in rules if _drops(rule, Piece.OFFSET_ONE)]),
            ("unreadable", [rule for rule in rules if _drops(rule, Piece.UNREADABLE)]),
            ("own-sources", [rule for rule in rules if _forged(rule)]),
        ):
            if chosen:
                yield Loss(name, family, tuple(rule.id for rule in chosen))
        if family == 6:
            yield Loss("extension-headers", family)
        yield Loss("every-interface", family)


def _drops(rule: Rule, piece: Piece) -> bool:
    return rule.verdict is Verdict.DROP and rule.box.pieces == frozenset({piece})


def _forged(rule: Rule) -> bool:
    """A drop by source: without a direction it would cut customers off from each other."""
    box: Box = rule.box
    return (
        rule.verdict is Verdict.DROP
        and box.attachment is Attachment.ENTERING
        and box.sources is not None
        and box.dports is None
    )
