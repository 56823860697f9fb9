"""The tables of ``docs/policy.md``, written from the models.

Refresh the page with ``python -m rearguard.policy.document docs/policy.md``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rearguard.policy.columns import ColumnFields, ColumnRule
from rearguard.policy.entries import (
    Controller,
    Drop,
    Edge,
    Exemption,
    GuardedNetwork,
    ObserverRule,
    Operator,
    Sampling,
    Surveyor,
)
from rearguard.policy.policy import Policy
from rearguard.policy.thresholds import Limits, Thresholds, explain_fields

__all__ = ["refresh"]

_MODELS: dict[str, type[BaseModel]] = {
    "policy": Policy,
    "operator": Operator,
    "networks": GuardedNetwork,
    "controllers": Controller,
    "edges": Edge,
    "drop": Drop,
    "observers": ObserverRule,
    "sampling": Sampling,
    "columns": ColumnRule,
    "column_fields": ColumnFields,
    "surveyors": Surveyor,
    "exceptions": Exemption,
}
_BLOCK = re.compile(r"(<!-- table: (?P<name>\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def refresh(text: str) -> str:
    """The page with every table between its marks written anew. ``KeyError``: a mark names no table."""
    return _BLOCK.sub(lambda block: f"{block[1]}{_table(block['name'])}{block[3]}", text)


def _table(name: str) -> str:
    if name == "thresholds":
        return _numbers(Thresholds())
    if name == "limits":
        return _numbers(Limits())
    rows = [
        f"| `{key}` | {_default(field)} | {field.description} |"
        for key, field in _MODELS[name].model_fields.items()
    ]
    return "\n".join(("| key | default | meaning |", "|---|---|---|", *rows, ""))


def _numbers(model: Thresholds | Limits) -> str:
    rows = [
        f"| `{item.key}` | {item.default} | {item.unit} | {item.text} |" for item in explain_fields(model)
    ]
    return "\n".join(("| key | default | unit | meaning and trade-off |", "|---|---|---|---|", *rows, ""))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default_factory, type) and issubclass(field.default_factory, BaseModel):
        return "see below"
    if field.default_factory is not None or field.default in ((), None):
        return "none"
    return f"`{str(field.default).lower()}`"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(refresh(page.read_text(encoding="utf-8")), encoding="utf-8")
