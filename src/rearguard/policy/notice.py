"""A warning about a policy: what to look at, where, and what to do; it never stops the work."""

from __future__ import annotations

from dataclasses import dataclass

from rearguard.model.errors import Place

__all__ = ["Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Reads like an error of :mod:`rearguard.model.errors`, and is none."""

    problem: str
    remedy: str
    place: Place

    def __str__(self) -> str:
        where = str(self.place)
        return f"{where}: warning: {self.problem}\n  remedy: {self.remedy}"
