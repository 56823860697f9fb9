"""The JSON Schemas of the files of the knowledge base, derived from the models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rearguard.lessons.identifiers import Identifiers
from rearguard.lessons.model import Incident, Mechanism, Recommendation
from rearguard.lessons.standards import DeviceCheck, Document, FindingLesson, RuleShape
from rearguard.model.errors import UsageError

__all__ = ["KINDS", "json_schema"]

KINDS: dict[str, type[BaseModel]] = {
    "incident": Incident,
    "mechanism": Mechanism,
    "recommendation": Recommendation,
    "standard": Document,
    "check": DeviceCheck,
    "shape": RuleShape,
    "finding": FindingLesson,
    "identifiers": Identifiers,
}
"""What a schema is published of; an incident, a standard and the identifiers are whole files."""

_LISTS = {"mechanism", "recommendation", "check", "shape", "finding"}


def json_schema(kind: str = "incident") -> dict[str, Any]:
    """The schema of the file that holds this kind of entry. Raises :class:`UsageError` for an unknown kind.

    Kinds of which one file holds several are lists below their plural, as in the shipped files.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no schema of {kind!r}", remedy=f"choose one of {', '.join(KINDS)}")
    schema = KINDS[kind].model_json_schema(mode="validation")
    title = f"{kind}s of the lessons" if kind in _LISTS else f"{kind} of the lessons"
    if kind in _LISTS:
        defs = schema.pop("$defs", {})
        plural = f"{kind}s"
        schema = {
            "type": "object",
            "additionalProperties": False,
            "required": [plural],
            "properties": {plural: {"type": "array", "items": schema}},
            "$defs": defs,
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
