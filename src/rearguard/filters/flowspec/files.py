"""The files of ``filter compile --platform flowspec``: the rules for each speaker, and a change ticket."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rearguard.filters.flowspec.residuals import NAMES as OURS
from rearguard.filters.flowspec.written import EMITTED
from rearguard.filters.render.plain import plain
from rearguard.filters.residual import EFFECTS as THEIRS

if TYPE_CHECKING:
    from rearguard.filters.flowspec.plan import Plan

__all__ = ["FLOWSPEC", "files_of", "shared_out"]

FLOWSPEC = "flowspec"


def shared_out(accepted: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of residuals for router platforms and for FlowSpec; a name that nobody knows goes to both, so that
    both refuse it."""
    for_routers = tuple(name for name in accepted if name in THEIRS or name not in OURS)
    for_flowspec = tuple(name for name in accepted if name in OURS or name not in THEIRS)
    return for_routers, for_flowspec


def files_of(plan: Plan, stem: str) -> dict[str, str]:
    """Name to text; ``stem`` is as of the other platforms."""
    head = [f"Rearguard: FlowSpec of the edge {plan.edge}, policy {plan.filter.policy_digest}"]
    files = {f"{stem}-{FLOWSPEC}.{form}": write(plan.routes, head) for form, write in EMITTED.items()}
    files[f"{stem}-{FLOWSPEC}.md"] = _ticket(plan, stem)
    return files


def _ticket(plan: Plan, stem: str) -> str:
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
        "**In force**: `rearguard filter announce --ttl 2h ...` sends the permits first, then the drops, watches a"
        " canary and takes all back in time. The files beside this one are for a speaker of your own:",
        *(f"`{stem}-{FLOWSPEC}.{form}`" for form in EMITTED),
        "",
        "**Rollback**: `rearguard filter withdraw`, or take the routes back in the speaker, drops first.",
        "",
        "**When the speaker dies** the peers drop all rules: it fails open. What must last belongs into a filter on"
        " the router.",
        "",
        "**Expected hits**: run `rearguard filter replay --policy FILE INPUT`.",
    ]
    return "\n".join(lines) + "\n"
