"""The base as CSV: one table a file, one entry a line, lists joined by a line of their own separator."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rearguard.lessons.export.cells import cell
from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge

__all__ = ["COLUMNS", "csv_text"]

COLUMNS = {
    "incidents": (
        "id", "date", "title", "kind", "interface", "ports", "managed_by", "management", "mechanisms", "cve",
        "scale", "border_filter", "border_reason", "border_why", "what_happened", "what_stopped_it", "disputed",
        "sources",
    ),
    "mechanisms": ("id", "title", "incidents", "definition", "in_traffic", "checks", "cwe", "attack"),
    "recommendations": (
        "id", "audience", "recommendation", "rationale", "mechanisms", "clauses", "how_checked",
        "would_have_changed",
    ),
    "standards": ("id", "document", "version", "clause", "statement", "status", "evidence", "url", "note"),
}  # fmt: skip
LIST = " | "


def csv_text(knowledge: Knowledge, table: str) -> str:
    """The whole file, CRLF line ends as RFC 4180 has them. Raises :class:`UsageError` for an unknown table."""
    if table not in COLUMNS:
        raise UsageError(f"there is no table {table!r}", remedy=f"choose one of {', '.join(COLUMNS)}")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS[table])
    rows = {
        "incidents": _incidents,
        "mechanisms": _mechanisms,
        "recommendations": _recommendations,
        "standards": _standards,
    }[table]
    writer.writerows([cell(text) for text in line] for line in rows(knowledge))
    return out.getvalue()


def _incidents(knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    for each in knowledge.incidents:
        yield (
            each.id, each.date, each.title, each.kind, each.interface.name, LIST.join(each.interface.ports),
            each.managed_by, each.management, LIST.join(each.mechanisms), LIST.join(one.id for one in each.cve),
            LIST.join(one.figure for one in each.scale), each.border_filter.would_help, each.border_filter.reason,
            each.border_filter.why, each.what_happened, LIST.join(each.what_stopped_it),
            LIST.join(each.conflicts_or_limits),
            LIST.join(f"{one.publisher}: {one.title} {one.url or one.locator or ''}" for one in each.sources),
        )  # fmt: skip


def _mechanisms(knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    for each in knowledge.mechanisms:
        yield (
            each.id, each.title, str(len(knowledge.incidents_by(each.id))), each.definition,
            LIST.join(each.recognise_in_traffic), LIST.join(each.check_device_non_destructively),
            LIST.join(one.id for one in each.cwe), LIST.join(one.id for one in each.attack),
        )  # fmt: skip


def _recommendations(knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    for each in knowledge.recommendations:
        yield (
            each.id, each.audience, each.recommendation, each.rationale, LIST.join(each.mechanisms),
            LIST.join(f"{one.document} {one.clause} [{one.evidence}]" for one in each.standards),
            LIST.join(f"{one.type}: {one.check}" for one in each.how_checked),
            LIST.join(f"{one.incident}: {one.how}" for one in each.would_have_changed),
        )  # fmt: skip


def _standards(knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    for document in knowledge.documents:
        for each in document.clauses:
            yield (
                f"{document.id}/{each.number}", document.title, document.version, each.number, each.statement,
                each.status, each.evidence, each.url or document.url, each.note or "",
            )  # fmt: skip
