"""Entries as plain values: what JSON, digests and every other export are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Entry

__all__ = ["base", "plain"]


def plain(entry: Entry) -> dict[str, Any]:
    """An entry as JSON knows it; keys in the order of the model, empty optional values kept."""
    return entry.model_dump(mode="json")


def base(knowledge: Knowledge) -> dict[str, list[dict[str, Any]]]:
    """All entries by kind."""
    kinds = {
        "mechanisms": knowledge.mechanisms,
        "incidents": knowledge.incidents,
        "recommendations": knowledge.recommendations,
        "documents": knowledge.documents,
        "checks": knowledge.checks,
        "shapes": knowledge.shapes,
        "findings": knowledge.findings,
    }
    return {name: [plain(each) for each in entries] for name, entries in kinds.items()}
