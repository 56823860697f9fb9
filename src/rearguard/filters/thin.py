"""A filter without what changes nothing: rules, far addresses of its permits, ports of its drops.

What never_block lists may be refused by an earlier rule (an own address that comes from outside is forged), a
controller may stand under never_block, two drops may name one port, and later fragments need no rule on a platform
that never takes their data for ports. Whether something changes nothing is decided by the prover, in each of the
platform's readings; nothing is widened, and what is left means the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from rearguard.filters.lines import AccessList, line_of
from rearguard.filters.model import Attachment, Filter, PortSet, Rule, Verdict
from rearguard.filters.prove.lean import lean
from rearguard.filters.readings import readings
from rearguard.model.address import Network
from rearguard.model.prefixes import PrefixSet

__all__ = ["thinned"]

Share = Network | int | None
"""A far prefix, or a port."""
Part = tuple[Rule, Share]
"""A rule, or what is left of it for one share."""
MOST_PORTS = 1024
"""Ports of a drop up to which each is asked."""


def thinned(given: Filter, wary: Collection[int]) -> Filter:
    """The same filter in the fewest rules; ``wary``: families in which it must hold in both readings."""
    left: dict[str, list[Share]] = {}
    for attachment in Attachment:
        for family in (4, 6):
            rules = [
                rule for rule in given.rules if (rule.box.attachment, rule.box.family) == (attachment, family)
            ]
            for rule, prefix in _needed(attachment, family, rules, wary):
                left.setdefault(rule.id, []).append(prefix)
    kept = tuple(_only(rule, left[rule.id]) for rule in given.rules if rule.id in left)
    used = [end for rule in kept for end in (rule.box.sources, rule.box.destinations) if end is not None]
    return replace(given, rules=kept, sets=tuple(each for each in given.sets if each[1] in used))


def _needed(
    attachment: Attachment, family: int, rules: Sequence[Rule], wary: Collection[int]
) -> Iterator[Part]:
    parts = [part for rule in rules for part in _parts(rule)]
    if not parts:
        return
    lines = tuple(line_of(_only(rule, [prefix]), at) for at, (rule, prefix) in enumerate(parts, 1))
    read = AccessList("the filter", attachment, family, lines)
    gone = lean(readings([read], wary), range(len(parts)))
    yield from (part for at, part in enumerate(parts) if at not in gone)


def _parts(rule: Rule) -> list[Part]:
    shares: list[Share] = []
    if rule.verdict is Verdict.PASS:
        shares += _far(rule) or ()
    elif (ports := _ports(rule)) is not None and sum(b - a + 1 for a, b in ports.ranges) <= MOST_PORTS:
        shares += ports
    return [(rule, share) for share in shares or (None,)]


def _ports(rule: Rule) -> PortSet | None:
    """The ports of our end."""
    return rule.box.dports if rule.box.attachment is Attachment.ENTERING else rule.box.sports


def _far(rule: Rule) -> PrefixSet | None:
    """The end of the packet that is not ours."""
    return rule.box.sources if rule.box.attachment is Attachment.ENTERING else rule.box.destinations


def _only(rule: Rule, shares: Sequence[Share]) -> Rule:
    """The rule for these far prefixes, or these ports."""
    entering = rule.box.attachment is Attachment.ENTERING
    ports = [share for share in shares if isinstance(share, int)]
    if ports:
        few = PortSet.of(ports)
        box = replace(rule.box, dports=few) if entering else replace(rule.box, sports=few)
        return replace(rule, box=box)
    far = _far(rule)
    some = [share for share in shares if share is not None and not isinstance(share, int)]
    if far is None or not some or len(some) == len(far):
        return rule
    fewer = PrefixSet.of(some)
    box = replace(rule.box, sources=fewer) if entering else replace(rule.box, destinations=fewer)
    return replace(rule, box=box)
