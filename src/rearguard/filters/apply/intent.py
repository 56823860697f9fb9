"""What is to be in force: the policy's filter of one edge, bound to interfaces of this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from rearguard.catalogue import Catalogue
from rearguard.filters.compile import compile_filter, edges
from rearguard.filters.guards import check
from rearguard.filters.model import Filter, Rule
from rearguard.filters.platforms import compile_for, platform_of
from rearguard.model.errors import Place, UsageError
from rearguard.policy import Policy

__all__ = ["FILE", "PLATFORM", "Intent", "RuleNote", "intended"]

PLATFORM = "nftables"
FILE = "border-nftables.nft"
_LINK = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
_LINKS = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class RuleNote:
    """What must be known of a rule to tell its counter in words, without the policy."""

    id: str
    verdict: str
    family: int
    text: str
    drop: int | None
    basis: str
    review_by: str | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A filter with its text, ready for the kernel."""

    filter: Filter
    text: str
    notes: tuple[RuleNote, ...]

    @property
    def rules(self) -> int:
        """How many rules it has."""
        return len(self.filter.rules)

    def missing_links(self) -> tuple[str, ...]:
        """Interfaces that this machine does not have now: the filter does nothing there until they come."""
        return tuple(name for name in self.filter.outside if not (_LINKS / name).exists())

    def to_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "edge": self.filter.edge,
            "outside": list(self.filter.outside),
            "policy": self.filter.policy_digest,
            "text": self.text,
            "rules": [asdict(note) for note in self.notes],
        }


def intended(
    policy: Policy, catalogue: Catalogue, edge: str | None, outside: Sequence[str], made: date
) -> Intent:
    """Compile for this machine. ``outside``: interfaces that face the outside, where the policy names none.

    ``UsageError``: which edge or which interfaces are meant is not said, or a name is none that Linux knows,
    or the filter could hurt its owner (:mod:`rearguard.filters.guards`).
    """
    name = _edge(policy, edge)
    given = compile_filter(policy, catalogue, name)
    links = tuple(dict.fromkeys(outside)) or given.outside
    if not links:
        raise UsageError(
            f"nothing says which interfaces of this machine face the outside at the edge {name}",
            remedy="name them: --outside eth0,eth1, or edges in the policy",
        )
    for link in links:
        if not _LINK.fullmatch(link):
            raise UsageError(
                f"{link!r} is no name of an interface on Linux",
                remedy="name this machine's own: --outside eth0,eth1",
                place=Place(key="--outside" if outside else f"edges.{name}.outside"),
            )
    given = replace(given, outside=links)
    # A policy that guards nothing takes every rule out of force.
    if given.rules:
        check(policy, catalogue, given)
    compiled = compile_for(given, platform_of(PLATFORM), stem=FILE.partition("-")[0], made=made)
    return Intent(compiled.filter, compiled.written.files[FILE], tuple(map(_note, compiled.filter.rules)))


def _edge(policy: Policy, wanted: str | None) -> str:
    names = edges(policy)
    if wanted is None and len(names) > 1:
        raise UsageError(
            f"the policy has {len(names)} edges, and one machine stands at one of them",
            remedy=f"say which: --edge {'|'.join(names)}",
        )
    if wanted is not None and wanted not in names:
        raise UsageError(f"the policy has no edge {wanted!r}", remedy=f"its edges are {', '.join(names)}")
    return wanted or names[0]


def _note(rule: Rule) -> RuleNote:
    review = rule.review_by.isoformat() if rule.review_by else None
    return RuleNote(rule.id, str(rule.verdict), rule.box.family, rule.text, rule.drop, rule.basis, review)
