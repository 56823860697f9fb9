"""Checklists: a box for every check, clauses with their marks, no formula, the same bytes each time."""

from __future__ import annotations

import csv
import io
from textwrap import wrap

import pytest
from openpyxl import load_workbook
from tests.lessons.hostile import TEXTS, hostile

from rearguard.lessons import load
from rearguard.lessons.article.edition import EDITIONS, edition_of
from rearguard.lessons.checklist import COLUMNS, FORMATS, checklist, rows
from rearguard.model.errors import UsageError

KNOWLEDGE = load()


@pytest.mark.parametrize("name", [*EDITIONS, "all"])
def test_every_check_of_a_reader_has_a_row(name: str) -> None:
    made = list(rows(KNOWLEDGE, edition_of(KNOWLEDGE, name)))
    mine = [each for each in KNOWLEDGE.recommendations if name == "all" or each.audience == EDITIONS[name]]
    assert len(made) == sum(len(each.how_checked) for each in mine)
    assert {row.id for row in made} == {each.id for each in mine}


def test_clauses_that_were_not_read_are_marked() -> None:
    made = {row.id: row.clauses for row in rows(KNOWLEDGE, edition_of(KNOWLEDGE))}
    for entry in KNOWLEDGE.recommendations:
        for clause, shown in zip(entry.standards, made[entry.id], strict=True):
            assert clause.clause in shown
            assert shown.endswith(("(not verified)", "(from a summary)")) == (clause.evidence != "read")


def test_a_workbook_can_be_ticked() -> None:
    book = load_workbook(io.BytesIO(checklist(KNOWLEDGE, edition_of(KNOWLEDGE, "operator"), "xlsx")))
    assert book.sheetnames == ["Network operators", "Clauses", "About"]
    sheet = book["Network operators"]
    assert tuple(each.value for each in sheet[1]) == COLUMNS
    (validation,) = sheet.data_validations.dataValidation
    assert validation.type == "list"
    assert validation.formula1 == '"☐,☑,n/a"'
    assert f"A{sheet.max_row}" in validation.sqref
    assert {sheet.cell(line, 1).value for line in range(2, sheet.max_row + 1)} == {"☐"}
    assert sheet.freeze_panes == "D2"


@pytest.mark.parametrize("name", [*EDITIONS, "all"])
def test_every_text_of_a_workbook_has_room_and_fits_a_page(name: str) -> None:
    """LibreOffice shows wrapped text at the height that the file gives, and cuts off the rest."""
    book = load_workbook(io.BytesIO(checklist(KNOWLEDGE, edition_of(KNOWLEDGE, name), "xlsx")))
    for sheet in book.worksheets[:-1]:
        widths = [sheet.column_dimensions[each.column_letter].width for each in sheet[1]]
        assert sum(widths) < 200  # letters of ten points on landscape A4 are still read at this width
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows == "$1:$1"
        for row in sheet.iter_rows(min_row=2):
            lines = max(
                len(wrap(str(each.value or ""), int(width))) for each, width in zip(row, widths, strict=True)
            )
            assert sheet.row_dimensions[row[0].row].height >= 12.5 * lines, (sheet.title, row[0].row)


def test_clauses_stand_in_every_form_of_a_checklist() -> None:
    edition = edition_of(KNOWLEDGE)
    clauses = {each for row in rows(KNOWLEDGE, edition) for each in row.clauses}
    assert len(clauses) > 100
    table = checklist(KNOWLEDGE, edition, "csv").decode("utf-8-sig")
    book = load_workbook(io.BytesIO(checklist(KNOWLEDGE, edition, "xlsx")))
    cells = "\n".join(str(each.value) for sheet in book for line in sheet.iter_rows() for each in line)
    for clause in clauses:
        assert clause in table
        assert clause in cells


def test_a_workbook_computes_nothing() -> None:
    book = load_workbook(io.BytesIO(checklist(hostile(), edition_of(KNOWLEDGE), "xlsx")))
    cells = [each for sheet in book for line in sheet.iter_rows() for each in line if each.value is not None]
    assert {each.data_type for each in cells} == {"s"}
    assert not [each for each in cells if each.hyperlink]
    assert TEXTS[2] in {each.value for each in cells}


def test_a_csv_computes_nothing() -> None:
    text = checklist(hostile(), edition_of(KNOWLEDGE), "csv").decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0] == ["audience", *COLUMNS]
    assert not [each for line in lines for each in line if each.startswith(("=", "+", "-", "@"))]


def test_a_text_has_boxes() -> None:
    text = checklist(KNOWLEDGE, edition_of(KNOWLEDGE, "cloud"), "md").decode()
    assert text.count("- [ ] ") == len(list(rows(KNOWLEDGE, edition_of(KNOWLEDGE, "cloud"))))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_records_give_the_same_bytes(form: str) -> None:
    edition = edition_of(KNOWLEDGE)
    assert checklist(KNOWLEDGE, edition, form) == checklist(KNOWLEDGE, edition, form)


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(UsageError, match="no format 'docx'"):
        checklist(KNOWLEDGE, edition_of(KNOWLEDGE), "docx")
