"""The border in one value: the filters of its edges, what they would have done, and what else could be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rearguard.filters.collateral import Collateral, collateral_of
from rearguard.filters.compile import compile_filter, edges
from rearguard.filters.guarded import guard
from rearguard.filters.render.nftables import render
from rearguard.filters.render.reading import read_on
from rearguard.filters.replay import NotStoppable, Replay, not_stoppable, replay
from rearguard.filters.verdicts import PLAN, laid_out
from rearguard.filters.what_if import WhatIf, attacked, plans, what_ifs

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.contacts.view import View
    from rearguard.filters.model import Filter, Left
    from rearguard.model.finding import Finding
    from rearguard.policy import Policy

__all__ = ["Border", "EdgeFilter", "border"]


@dataclass(frozen=True, slots=True)
class EdgeFilter:
    """The filter of one edge, and the file that it is written to."""

    filter: Filter
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Border:
    """What a report says about filters. Where nothing is guarded there are no edges, no text and no replay."""

    edges: tuple[EdgeFilter, ...]
    left: tuple[Left, ...]
    """What stands under ``drop`` and is not dropped."""
    replay: Replay | None
    not_stoppable: tuple[NotStoppable, ...]
    """Of the replay; without one, what no filter here would stop."""
    what_ifs: tuple[WhatIf, ...]
    platform: str = "nftables"

    @property
    def filter(self) -> Filter | None:
        """The filter of the first edge."""
        return self.edges[0].filter if self.edges else None

    @property
    def text(self) -> str | None:
        """Its file."""
        return self.edges[0].text if self.edges else None

    @property
    def rules(self) -> int:
        """How many rules it has."""
        return len(self.edges[0].filter.rules) if self.edges else 0

    def to_json(self) -> dict[str, Any]:
        """The ``filter`` object of ``findings.json``."""
        return {
            "platform": self.platform,
            "rules": self.rules,
            "edges": [
                {
                    "edge": each.filter.edge,
                    "file": each.file,
                    "outside": list(each.filter.outside),
                    "rules": [
                        {
                            "id": rule.id,
                            "verdict": str(rule.verdict),
                            "text": rule.text,
                            "drop": rule.drop,
                            "basis": rule.basis,
                            "review_by": rule.review_by.isoformat() if rule.review_by else None,
                            "lessons": list(read_on(rule)),
                        }
                        for rule in each.filter.rules
                    ],
                }
                for each in self.edges
            ],
            "left": [
                {
                    "drop": item.drop,
                    "network": item.network,
                    "interface": item.interface,
                    "ports": list(item.ports),
                    "family": item.family,
                    "reason": str(item.reason),
                }
                for item in self.left
            ],
            "replay": self.replay.to_json() if self.replay else None,
            "not_stoppable": [item.to_json() for item in self.not_stoppable],
            "what_ifs": [item.to_json() for item in self.what_ifs],
        }


def border(
    view: View, policy: Policy, catalogue: Catalogue, findings: Sequence[Finding], *, made: date | None = None
) -> Border:
    """Compile the policy's filters, replay the view against them, and try what else could be dropped.

    ``made`` is the date that the files carry; today (UTC) when it is not given. The view is left as it was.
    """
    guarded = guard(policy, catalogue)
    cells = plans(policy, catalogue, attacked(view.con), guarded.cells)
    with laid_out(view, policy, catalogue, {PLAN: guarded.cells, **cells}, guarded.left):
        counts = collateral_of(view.con)
        more = what_ifs(catalogue, cells, counts)
        if not guarded.cells:
            beyond = not_stoppable(view.con, policy, findings)
            return Border((), guarded.left, None, beyond, more)
        played = replay(view.con, policy, findings, counts.get(PLAN, Collateral()))
    return Border(
        _edge_filters(policy, catalogue, made or datetime.now(UTC).date()),
        guarded.left,
        played,
        played.not_stoppable,
        more,
    )


def _edge_filters(policy: Policy, catalogue: Catalogue, made: date) -> tuple[EdgeFilter, ...]:
    names = edges(policy)
    found = []
    for name in names:
        compiled = compile_filter(policy, catalogue, name)
        file = "border.nft" if len(names) == 1 else f"border-{name}.nft"
        found.append(EdgeFilter(compiled, file, render(compiled, file=file, made=made)))
    return tuple(found)
