"""The whole base as one JSON document, and the JSON Schema that it keeps to."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from rearguard import __version__
from rearguard.lessons.export.plain import base
from rearguard.lessons.figures import figures
from rearguard.lessons.model import Incident, Mechanism, Recommendation
from rearguard.lessons.standards import DeviceCheck, Document, FindingLesson, RuleShape

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge

__all__ = ["Export", "export_schema", "whole"]


class Counted(BaseModel):
    """A figure with the ids of the records behind it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    value: int
    unit: str
    how: str
    records: list[str]
    among: list[str]


class Export(BaseModel):
    """Everything that the lessons know, on one day."""

    model_config = ConfigDict(extra="forbid", title="Rearguard lessons")

    rearguard: str = Field(description="version of the program that wrote it")
    schema_: str = Field(alias="schema", pattern="^1$", description="version of this form")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="day of the edition")
    mechanisms: list[Mechanism]
    incidents: list[Incident]
    recommendations: list[Recommendation]
    documents: list[Document]
    checks: list[DeviceCheck]
    shapes: list[RuleShape]
    findings: list[FindingLesson]
    figures: list[Counted]


def whole(knowledge: Knowledge, day: date) -> dict[str, Any]:
    """The base and its figures."""
    return {
        "rearguard": __version__,
        "schema": "1",
        "date": day.isoformat(),
        **base(knowledge),
        "figures": [each.to_json() for each in figures(knowledge).values()],
    }


def export_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the export."""
    made = Export.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rearguard:lessons:1",
        **made,
    }
