"""One export in one of its forms, as text. The same records on the same day give the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from rearguard.lessons.knowledge import Knowledge

__all__ = ["FORMATS", "TABLES", "export"]

FORMATS = ("stix", "misp", "json", "csv")
TABLES = ("incidents", "mechanisms", "recommendations", "standards")
"""What a CSV may be of: it holds one table."""


def export(knowledge: Knowledge, form: str, day: date, table: str = "incidents") -> str:
    """STIX 2.1 bundle, MISP event, JSON or CSV. Raises :class:`UsageError` for an unknown form or table."""
    if form == "csv":
        from rearguard.lessons.export.tables import csv_text

        return csv_text(knowledge, table)
    if form == "json":
        from rearguard.lessons.export.whole import whole

        made = whole(knowledge, day)
    elif form == "stix":
        from rearguard.lessons.export.stix import bundle

        made = bundle(knowledge, day)
    elif form == "misp":
        from rearguard.lessons.export.misp import event

        made = event(knowledge, day)
    else:
        raise UsageError(f"there is no form {form!r}", remedy=f"choose one of {', '.join(FORMATS)}")
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
