"""The files of ``filter compile --platform flowspec``: the rules for each speaker, and a change ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rearguard.filters.flowspec.written import EMITTED
from rearguard.filters.hits import Hits, hits_lines
from rearguard.filters.render.plain import plain
from rearguard.filters.render.reading import reading_lines, reading_list

if TYPE_CHECKING:
    from rearguard.filters.flowspec.plan import Plan

__all__ = ["FLOWSPEC", "files_of"]

FLOWSPEC = "flowspec"


def files_of(
    plan: Plan, stem: str, lessons: Mapping[str, str] | None = None, hits: Hits | None = None
) -> dict[str, str]:
    """Name to text; ``stem`` is as of the other platforms, ``lessons`` and ``hits`` as of their tickets.

    A rule of FlowSpec carries no remark, so what drops lead to stands at the head of the files that have comments,
    and in the ticket.
    """
    head = [f"Rearguard: FlowSpec of the edge {plan.edge}, policy {plan.filter.policy_digest}"]
    head += [f"dropped here, read on: rearguard lessons show {name}" for name in reading_list(plan.filter)]
    files = {f"{stem}-{FLOWSPEC}.{form}": write(plan.routes, head) for form, write in EMITTED.items()}
    files[f"{stem}-{FLOWSPEC}.md"] = _ticket(plan, stem, lessons, hits)
    return files


def _ticket(plan: Plan, stem: str, lessons: Mapping[str, str] | None, hits: Hits | None) -> str:
    lines = [
        f"# FlowSpec rules of the edge {plain(plan.edge)}",
        "",
        f"Policy `{plan.filter.policy_digest}`. {len(plan.routes):,} rules: {len(plan.permits):,} let through,"
        f" {len(plan.drops):,} discard; {plan.cost:,} entries of a table with masks.",
        "",
        "The rules were decoded again and proven equal to the policy's filter, but for the residuals below.",
        "",
        *(f"* residual {loss}" for loss in plan.losses),
        *(f"* {plain(name)} would be cut off if its packets passed a peer" for name in plan.unpermitted),
        "",
        "## What earlier incidents teach",
        "",
        *reading_lines(plan.filter, lessons),
        "",
        "## In force and back",
        "",
        "**In force**: `rearguard filter announce --ttl 2h ...` sends the permits first, then the drops, watches a"
        " canary and takes all back in time. The files beside this one are for a speaker of your own:",
        *(f"`{stem}-{FLOWSPEC}.{form}`" for form in EMITTED),
        "",
        "**Rollback**: `rearguard filter withdraw`, or take the routes back in the speaker, drops first.",
        "",
        "**When the speaker dies** the peers drop all rules: it fails open. What must last belongs into a filter on"
        " the router.",
        "",
        "## Expected hits",
        "",
        *hits_lines(plan.filter, hits),
    ]
    return "\n".join(lines) + "\n"
