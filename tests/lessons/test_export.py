"""Exports: read by the other side's own tools, the same each time, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import jsonschema
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from pymisp import MISPEvent, MISPObject
from stix2validator import ValidationOptions, validate_string
from tests.lessons.hostile import hostile

from rearguard.lessons import load
from rearguard.lessons.export import FORMATS, export
from rearguard.lessons.export.cells import LONGEST, cell
from rearguard.lessons.export.misp import TEMPLATES
from rearguard.lessons.export.tables import COLUMNS
from rearguard.lessons.export.whole import export_schema
from rearguard.lessons.figures import figures
from rearguard.model.errors import UsageError

KNOWLEDGE = load()
DAY = date(2026, 1, 2)


@pytest.fixture(scope="module")
def stix() -> str:
    return export(KNOWLEDGE, "stix", DAY)


@pytest.fixture
def misp() -> dict[str, Any]:
    made = json.loads(export(KNOWLEDGE, "misp", DAY))
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_records_give_the_same_export(form: str) -> None:
    assert export(KNOWLEDGE, form, DAY) == export(KNOWLEDGE, form, DAY)


def test_stix_is_valid_for_the_oasis_validator(stix: str) -> None:
    # Two recommendations are not followed: identifiers are of version 5 (check 103 wants 4), so that a second
    # import updates the first; and web pages, which change, have no hash (check 302).
    result = validate_string(stix, ValidationOptions(version="2.1", strict=True, disabled=["103", "302"]))
    assert [str(each) for each in (*(result.errors or ()), *(result.warnings or ()))] == []
    assert result.is_valid


def test_stix_is_read_by_the_python_library(stix: str) -> None:
    bundle = stix2.parse(stix, allow_custom=False)
    kinds = {
        kind: [each for each in bundle.objects if each["type"] == kind]
        for kind in ("incident", "attack-pattern")
    }
    assert len(kinds["incident"]) == len(KNOWLEDGE.incidents)
    assert len(kinds["attack-pattern"]) == len(KNOWLEDGE.mechanisms)
    store = stix2.MemoryStore(bundle)
    (report,) = store.query([stix2.Filter("type", "=", "report")])
    known = {each["id"] for each in bundle.objects}
    assert set(report["object_refs"]) <= known
    for each in bundle.objects:
        if each["type"] == "relationship":
            assert {each["source_ref"], each["target_ref"]} <= known


def test_misp_loads_the_event(misp: dict[str, Any]) -> None:
    event = MISPEvent()
    event.load(misp)
    assert len(event.objects) == sum(
        map(len, (KNOWLEDGE.incidents, KNOWLEDGE.mechanisms, KNOWLEDGE.recommendations))
    )
    assert {each.name for each in event.tags} == {"tlp:clear", "type:OSINT"}
    assert not any(each.to_ids for each in event.attributes)
    urls = {source.url for each in KNOWLEDGE.incidents for source in each.sources if source.url}
    assert {each.value for each in event.attributes if each.type == "link"} == urls
    again = MISPEvent()
    again.from_json(event.to_json())
    assert len(again.objects) == len(event.objects)


def test_misp_objects_keep_to_the_templates_of_misp(misp: dict[str, Any]) -> None:
    uuids = [each["uuid"] for each in misp["Event"]["Object"]]
    assert len(set(uuids)) == len(uuids)
    for each in misp["Event"]["Object"]:
        model = MISPObject(each["name"], strict=True)
        for attribute in each["Attribute"]:
            made = model.add_attribute(attribute["object_relation"], value=attribute["value"])
            assert made is not None
            assert made.type == attribute["type"]
        model.to_dict()
        template = TEMPLATES[each["name"]]
        assert (model.template_uuid, str(model.template_version)) == (template.uuid, template.version)
        assert {one["referenced_uuid"] for one in each["ObjectReference"]} <= set(uuids)


def test_json_keeps_to_its_schema() -> None:
    schema = export_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    made = json.loads(export(KNOWLEDGE, "json", DAY))
    jsonschema.validate(made, schema)
    assert len(made["incidents"]) == len(KNOWLEDGE.incidents)
    assert {each["name"]: each["value"] for each in made["figures"]} == {
        name: each.value for name, each in figures(KNOWLEDGE).items()
    }
    del made["incidents"][0]["mechanisms"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema)


@pytest.mark.parametrize("table", list(COLUMNS))
def test_csv_has_a_line_an_entry_and_no_formula(table: str) -> None:
    text = export(hostile(), "csv", DAY, table)
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(lines[0]) == COLUMNS[table]
    assert {len(line) for line in lines} == {len(COLUMNS[table])}
    entries = KNOWLEDGE.clauses if table == "standards" else getattr(KNOWLEDGE, table)
    assert len(lines) == len(entries) + 1
    for line in lines[1:]:
        for each in line:
            assert each.isprintable() or "\N{NO-BREAK SPACE}" in each
            assert not each.startswith(("=", "+", "-", "@"))


@given(st.text())
def test_a_cell_never_computes(text: str) -> None:
    shown = cell(text)
    assert not shown.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert len(shown) <= LONGEST + len(text)
    assert shown.replace("\N{NO-BREAK SPACE}", " ").isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("a;=1+1", "a;'=1+1"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("ope-02", "ope-02"),
    ],
)
def test_only_what_would_compute_is_changed(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_unknown_forms_and_tables_are_errors() -> None:
    with pytest.raises(UsageError, match="no form 'xml'"):
        export(KNOWLEDGE, "xml", DAY)
    with pytest.raises(UsageError, match="no table 'people'"):
        export(KNOWLEDGE, "csv", DAY, "people")
