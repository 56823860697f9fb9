"""findings.json keeps its schema, its order and its head, whatever the strings say."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from tests.report.build import HOSTILE, analysis, finding, hostile, incident, nothing

from rearguard.model.finding import Kind, Severity
from rearguard.report.analysis import Analysis
from rearguard.report.escape import without_surrogates
from rearguard.report.findings_json import document, dumps, schema


def strict(text: str) -> Any:
    """Parse as a strict reader does: NaN and Infinity are no JSON."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def check(made: Analysis) -> dict[str, Any]:
    content: dict[str, Any] = strict(dumps(made))
    jsonschema.Draft202012Validator(schema()).validate(content)
    return content


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("make", [analysis, nothing])
def test_the_document_obeys_its_schema(make: Any) -> None:
    content = check(make())
    assert content["schema"] == "1"
    assert content["filter"] is None


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_strings_arrive_unchanged_and_harmless(text: str) -> None:
    made = replace(hostile(text), findings=tuple(replace(f, interface="x") for f in hostile(text).findings))
    raw = dumps(made)
    assert all(char == "\n" or 0x20 <= ord(char) < 0x7F for char in raw)
    content = strict(raw)
    item = content["findings"][0]
    assert item["reason"] == without_surrogates(text)
    assert item["evidence"][0]["note"] == without_surrogates(text)
    assert item["details"]["list"] == [without_surrogates(text), None]
    assert content["notes"] == [without_surrogates(text)]


def test_a_wrong_document_is_refused_by_the_schema() -> None:
    content = document(analysis())
    for spoil in (
        lambda c: c["findings"][0].pop("id"),
        lambda c: c["findings"][0].update(severity="terrible"),
        lambda c: c["findings"][0]["evidence"][0].update(record=0),
        lambda c: c["sources"][0].update(first_seen="yesterday"),
        lambda c: c.update(schema="2"),
    ):
        wrong = json.loads(json.dumps(content))
        spoil(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema()).validate(wrong)


def test_the_order_of_findings_and_dicts_does_not_matter() -> None:
    rows, found = incident()
    many = (*found, *(finding(Kind.PROBE, f"203.0.113.{n}") for n in range(10, 40)))
    shuffled = []
    for item in random.Random(7).sample(many, len(many)):
        details = dict(reversed(item.details.items()))
        shuffled.append(replace(item, outcomes=dict(reversed(item.outcomes.items())), details=details))
    assert dumps(analysis(rows, many)) == dumps(analysis(rows, tuple(shuffled)))


def test_the_worst_comes_first() -> None:
    ranks = [Severity(item["severity"]).rank for item in document(analysis())["findings"]]
    assert ranks == sorted(ranks, reverse=True)


def test_numpy_values_of_a_query_are_plain_numbers() -> None:
    np = pytest.importorskip("numpy")
    item = finding(details={"a": np.uint64(2**63), "b": np.float64("inf"), "c": {3, 1}, "d": np.bool_(True)})
    details = check(analysis([], (item,)))["findings"][0]["details"]
    assert details == {"a": 2**63, "b": None, "c": [1, 3], "d": True}


def test_a_value_without_a_json_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="no place"):
        dumps(analysis([], (finding(details={"a": object()}),)))
