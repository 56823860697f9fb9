"""The JSON Schema of ``rearguard.yaml``, derived from the models."""

from __future__ import annotations

from typing import Any

from rearguard.policy.policy import Policy

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """What an editor needs to complete and check the file; the tool itself checks more."""
    schema = Policy.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "rearguard.yaml",
        "description": "Who may manage what, from where, and what the border shall stop.",
    }
