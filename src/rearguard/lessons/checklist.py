"""Checklists: what one reader has to do, how it is checked, by which clause it is asked for, and a box to tick.

A row is one check of one recommendation, so that every box can be ticked by somebody who has looked. In a
workbook the box is a list of three values that works in every spreadsheet; nothing in it is a formula, and
every text is written as a text. The day of the edition is the only date, so the same records give the same
bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING

from rearguard.lessons.article.desk import short_title
from rearguard.lessons.article.edition import READERS
from rearguard.lessons.article.markdown import escaped
from rearguard.lessons.export.cells import LONGEST, cell
from rearguard.lessons.standards import DOUBTS
from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

    from rearguard.lessons.article.edition import Edition
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Audience, Recommendation

__all__ = ["COLUMNS", "FORMATS", "Row", "checklist", "rows"]

FORMATS = ("xlsx", "csv", "md")
OPEN, DONE, NOT_APPLICABLE = "☐", "☑", "n/a"
COLUMNS = (
    "done",
    "id",
    "what to do",
    "kind of check",
    "how it is checked",
    "asked for by",
    "would have changed",
    "notes",
)
WIDTHS = (6, 8, 34, 12, 46, 34, 26, 18)
"""In characters: together they stay readable on a landscape A4 page."""
CLAUSE_WIDTHS = (44, 20, 74, 12)
SIZE, LINE, HIGHEST = 10, 13.5, 405.0
"""Points: of a letter, of a line, and of the highest row that spreadsheets allow."""


@dataclass(frozen=True, slots=True)
class Row:
    """One check. The clauses carry a mark unless their wording was read."""

    audience: Audience
    id: str
    task: str
    kind: str
    how: str
    clauses: tuple[str, ...]
    changed: tuple[str, ...]


def rows(knowledge: Knowledge, edition: Edition) -> Iterator[Row]:
    """The checks of the readers of this edition, in the order of the records."""
    for audience in edition.audiences:
        for entry in knowledge.recommendations:
            if entry.audience == audience:
                yield from _rows(knowledge, entry)


def _rows(knowledge: Knowledge, entry: Recommendation) -> Iterator[Row]:
    clauses = tuple(_clause(each.document, each.clause, DOUBTS[each.evidence]) for each in entry.standards)
    changed = tuple(each.incident for each in entry.would_have_changed)
    known = {each.id: each for each in knowledge.checks}
    for check in entry.how_checked:
        how = check.check
        if check.device_check in known:
            one = known[check.device_check]
            how += f". {one.title}: {one.how} Expected: {one.expected}"
            how += "" if one.harmless else " (laboratory units only)"
        yield Row(entry.audience, entry.id, entry.recommendation, check.type, how, clauses, changed)


def _clause(document: str, clause: str, mark: str) -> str:
    return f"{short_title(document)} {clause}{f' ({mark})' if mark else ''}"


def checklist(knowledge: Knowledge, edition: Edition, form: str) -> bytes:
    """The checklist in one of its formats. Raises :class:`UsageError` for one that is not known."""
    made = tuple(rows(knowledge, edition))
    if form == "csv":
        return _csv(made)
    if form == "md":
        return _markdown(made, edition)
    if form == "xlsx":
        return _workbook(made, knowledge, edition)
    raise UsageError(f"there is no format {form!r}", remedy=f"choose one of {', '.join(FORMATS)}")


def _csv(made: tuple[Row, ...]) -> bytes:
    """RFC 4180, with a byte order mark, without which spreadsheets misread what is not ASCII."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("audience", *COLUMNS))
    for row in made:
        writer.writerow([cell(text) for text in (row.audience, *_cells(row))])
    return out.getvalue().encode("utf-8-sig", "replace")


def _cells(row: Row) -> tuple[str, ...]:
    return (OPEN, row.id, row.task, row.kind, row.how, "; ".join(row.clauses), ", ".join(row.changed), "")


def _markdown(made: tuple[Row, ...], edition: Edition) -> bytes:
    lines = [
        "# Checklist: remote management of home and IoT devices",
        "",
        f"{escaped(_imprint(edition))}",
        "",
    ]
    audience: Audience | None = None
    task = ""
    for row in made:
        if row.audience != audience:
            audience = row.audience
            lines += ["", f"## {escaped(READERS[row.audience])}"]
        if row.id != task:
            task = row.id
            lines += ["", f"### {escaped(row.id)} {escaped(row.task)}", ""]
            lines += [f"Asked for by: {escaped('; '.join(row.clauses))}", ""] if row.clauses else []
        lines.append(f"- [ ] ({escaped(row.kind)}) {escaped(row.how)}")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _imprint(edition: Edition) -> str:
    day = edition.day.isoformat()
    return f"Rearguard {edition.version}, knowledge of {day}, records sha256:{edition.digest[:16]}"


def _workbook(made: tuple[Row, ...], knowledge: Knowledge, edition: Edition) -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    day = datetime(edition.day.year, edition.day.month, edition.day.day, tzinfo=UTC).replace(tzinfo=None)
    book.set_properties(
        {"title": "Checklist: remote management", "author": "The Rearguard authors", "created": day}
    )
    for audience in dict.fromkeys(row.audience for row in made):
        _tasks(book, READERS[audience], [row for row in made if row.audience == audience])
    _clauses(book, knowledge, {row.id for row in made})
    about = book.add_worksheet("About")
    about.set_column(0, 0, 90)
    for place, line in enumerate(
        (_imprint(edition), "Tick a box by choosing a value from its list.", _MARKS)
    ):
        about.write_string(place, 0, _text(line))
    book.close()
    return out.getvalue()


_BODY = {"text_wrap": True, "valign": "top", "border": 1, "border_color": "#C4CBD4", "font_size": SIZE}
_MARKS = (
    "A clause without a mark was read in its wording; 'from a summary' and 'not verified' say what was not."
)


def _tasks(book: Workbook, name: str, some: list[Row]) -> None:
    sheet = book.add_worksheet(name[:31])
    head = book.add_format(
        {"bold": True, "bg_color": "#1F5FA8", "font_color": "#FFFFFF", "valign": "top", "border": 1}
    )
    body = book.add_format(_BODY)
    tick = book.add_format(
        {"align": "center", "valign": "top", "border": 1, "border_color": "#C4CBD4", "font_size": 14}
    )
    done = book.add_format({"font_color": "#7A8591", "bg_color": "#EAF3E6"})
    for place, (title, width) in enumerate(zip(COLUMNS, WIDTHS, strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, title, head)
    for line, row in enumerate(some, start=1):
        sheet.set_row(line, _height(_cells(row), WIDTHS))
        for place, text in enumerate(_cells(row)):
            sheet.write_string(line, place, _text(text), tick if place == 0 else body)
    last = len(some)
    sheet.data_validation(1, 0, max(last, 1), 0, {"validate": "list", "source": [OPEN, DONE, NOT_APPLICABLE]})
    rule = {"type": "formula", "criteria": f'=$A2<>"{OPEN}"', "format": done}
    sheet.conditional_format(1, 0, max(last, 1), len(COLUMNS) - 1, rule)
    sheet.freeze_panes(1, 3)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    _on_paper(sheet)


def _on_paper(sheet: Worksheet) -> None:
    """Landscape A4, as wide as the page, the head again on each."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _height(texts: Sequence[str], widths: Sequence[int]) -> float:
    """Of a row, in points: not every program finds it by itself for text that is wrapped."""
    lines = max(len(wrap(text, width)) for text, width in zip(texts, widths, strict=True))
    return min(max(lines, 1) * LINE + 3, HIGHEST)


def _clauses(book: Workbook, knowledge: Knowledge, names: set[str]) -> None:
    """What the clauses say, so that nobody has to look them up to understand a row."""
    sheet = book.add_worksheet("Clauses")
    head = book.add_format({"bold": True, "bg_color": "#1F5FA8", "font_color": "#FFFFFF", "border": 1})
    body = book.add_format(_BODY)
    titles = ("document", "clause", "asks for", "evidence")
    for place, (title, width) in enumerate(zip(titles, CLAUSE_WIDTHS, strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, title, head)
    used = {
        each.id: each for entry in knowledge.recommendations if entry.id in names for each in entry.standards
    }
    for line, each in enumerate(sorted(used.values(), key=lambda one: one.id), start=1):
        texts = (each.document, each.clause, each.statement, each.evidence)
        sheet.set_row(line, _height(texts, CLAUSE_WIDTHS))
        for place, text in enumerate(texts):
            sheet.write_string(line, place, _text(text), body)
    sheet.freeze_panes(1, 0)
    _on_paper(sheet)


def _text(text: str) -> str:
    """A string cell computes nothing, so it needs no apostrophe; what XML forbids and what is too long goes."""
    shown = "".join(char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else "\ufffd" for char in text)
    return shown[:LONGEST]
