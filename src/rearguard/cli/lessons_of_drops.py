"""What ``rearguard filter compile`` says of the lessons behind the drops it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rearguard.filters.render.reading import reading_list
from rearguard.lessons import load
from rearguard.lessons.graph import load_graph
from rearguard.lessons.reading import readings, told

if TYPE_CHECKING:
    from rearguard.filters.flowspec.plan import Plan
    from rearguard.filters.model import Filter
    from rearguard.filters.platforms import Compiled

__all__ = ["compiled_json", "sentences"]


def sentences(given: Filter) -> dict[str, str]:
    """For the change ticket: what each name that the rules lead to stands for."""
    return told(load_graph(), load(), reading_list(given))


def compiled_json(files: Mapping[str, str], compiled: Iterable[Compiled], plans: Iterable[Plan]) -> str:
    """One JSON object: the files' names, and each filter with its size, its residuals and its lessons."""
    return json.dumps(
        {
            "files": list(files),
            "filters": [*map(_platform, compiled), *map(_flowspec, plans)],
        },
        indent=2,
    )


def _platform(one: Compiled) -> dict[str, Any]:
    return {
        "edge": one.filter.edge,
        "platform": one.platform.name,
        "policy": one.filter.policy_digest,
        "files": list(one.written.files),
        "proven": one.proof.holds,
        "lists": [
            {"name": each.name, "place": each.place, "entries": each.after, "hardware_entries": each.cost}
            for each in one.written.changes
        ],
        "residuals": [str(each) for each in one.residuals],
        "lessons": _lessons(one.filter),
    }


def _flowspec(plan: Plan) -> dict[str, Any]:
    return {
        "edge": plan.edge,
        "platform": "flowspec",
        "policy": plan.filter.policy_digest,
        "proven": True,  # a plan that could not be proven is none: plan_for raises
        "lists": [{"name": "routes", "entries": len(plan.routes), "hardware_entries": plan.cost}],
        "residuals": [str(each) for each in plan.losses],
        "lessons": _lessons(plan.filter),
    }


def _lessons(given: Filter) -> list[dict[str, Any]]:
    rules = reading_list(given)
    found = readings(load_graph(), load(), rules)
    return [{**each.to_json(), "rules": list(rules[name])} for name, each in found.items()]
