"""The file that ``rearguard policy init`` writes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import resources

__all__ = ["starter_text"]

REVIEW_AFTER = timedelta(days=90)
"""How far ahead the dates of the examples lie."""


def starter_text(today: date | None = None) -> str:
    """A policy whose sections are all examples in comments; it is valid as it stands and drops nothing."""
    text = resources.files("rearguard.policy").joinpath("starter.yaml").read_text(encoding="utf-8")
    day = today or datetime.now(UTC).date()
    return text.replace("REVIEW_BY", (day + REVIEW_AFTER).isoformat())
