"""A wrong entry is refused with file, line and key and with what belongs there; the schemas say the same."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

from rearguard.lessons import load
from rearguard.lessons.entries import LARGEST, LessonError, _Loader, _quick, parse, parse_list, strict
from rearguard.lessons.model import Recommendation
from rearguard.lessons.schema import KINDS, json_schema
from rearguard.model.errors import UsageError

ENTRY = """\
id: ope-99
audience: operator
recommendation: Close the gate.
rationale: It was open.
mechanisms: [mgmt-open-to-world]
clauses:
  - {id: rfc-8520/1}
how_checked:
  - {type: policy, check: Look at it.}
would_have_changed:
  - {incident: mirai-2016, how: Nothing would have come in.}
"""
LAUGHS = "a: &a [x, x]\n" + "".join(f"{y}: &{y} [*{x}, *{x}]\n" for x, y in pairwise("abcdefghijklmnopqrstu"))
LIST = "recommendations:\n  - " + ENTRY.strip().replace("\n", "\n    ") + "\n"


def test_an_entry_becomes_a_value() -> None:
    advice = parse(ENTRY, "r.yaml", Recommendation)
    assert advice.mechanisms == ("mgmt-open-to-world",)
    assert advice.standards == ()
    assert strict(ENTRY, "r.yaml", Recommendation)[0] == advice
    assert parse_list(LIST, "r.yaml", Recommendation, "recommendations") == (advice,)


@pytest.mark.parametrize(
    ("old", "new", "said", "line", "remedy"),
    [
        ("rationale: It was open.\n", "", "'rationale' is missing", 1, "why, from what happened"),
        ("rationale: It", "rationel: It", "unknown key 'rationel'", 4, "did you mean 'rationale'"),
        ("rationale: It was open.", "rationale: ''", "is empty", 4, "why"),
        ("rationale: It was open.", "rationale: 7", "7 is no text", 4, "in quotes"),
        ("audience: operator", "audience: everybody", "'audience' is 'everybody'", 2, "operator"),
        ("[mgmt-open-to-world]", "mgmt-open-to-world", "is no list", 5, "what it removes"),
        ("[mgmt-open-to-world]", "[]", "is empty", 5, "what it removes"),
        ("[mgmt-open-to-world]", "[1]", "1 is no text", 5, "what it removes"),
        ("[mgmt-open-to-world]", "[Mgmt Open]", "'mechanisms' is 'Mgmt Open'", 5, "what it removes"),
        ("type: policy", "type: prayer", "'type' is 'prayer'", 9, "device test"),
        ("  - {type: policy, check: Look at it.}", "  - none", "is no mapping", 9, "how it is checked"),
        ("id: ope-99", "id: [", "no YAML", None, "syntax"),
        ("rationale:", "standards: []\nrationale:", "unknown key 'standards'", 4, "known are"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line_and_what_belongs_there(
    old: str, new: str, said: str, line: int | None, remedy: str
) -> None:
    assert old in ENTRY
    with pytest.raises(LessonError) as caught:
        parse(ENTRY.replace(old, new), "r.yaml", Recommendation)
    first = caught.value.problems[0]
    assert said in first.problem
    assert remedy in first.remedy
    assert first.place.file == "r.yaml"
    assert line is None or first.place.line == line


def test_all_that_is_wrong_is_told_in_the_order_of_the_file() -> None:
    text = ENTRY.replace("audience: operator", "audience: x").replace("type: policy", "type: y")
    with pytest.raises(LessonError) as caught:
        parse(text, "r.yaml", Recommendation)
    assert [each.place.line for each in caught.value.problems] == [2, 9]
    assert str(caught.value).count("remedy:") == 2


def test_an_entry_in_a_list_is_told_with_its_place() -> None:
    with pytest.raises(LessonError) as caught:
        parse_list(LIST.replace("operator", "x"), "r.yaml", Recommendation, "recommendations")
    assert caught.value.place.key == "recommendations[0].audience"
    assert caught.value.place.line == 3


def test_an_id_is_used_once() -> None:
    with pytest.raises(LessonError, match="ope-99 is used twice"):
        parse_list(LIST + LIST.split("\n", 1)[1], "r.yaml", Recommendation, "recommendations")


def test_words_that_yaml_took_for_something_else_are_words() -> None:
    text = ENTRY.replace("It was open.", "yes").replace("Close the gate.", "2016-11-27")
    advice = parse(text, "r.yaml", Recommendation)
    assert (advice.rationale, advice.recommendation) == ("yes", "2016-11-27")
    assert strict(text, "r.yaml", Recommendation)[0] == advice


@pytest.mark.parametrize(
    "text",
    [
        "{1: a, b: 2.5, c: true, d: ~, e: 0o17, f: 0x1F, g: 2016-11-27, h: yes}",
        "a:\n  - b\n  - {c: 'null', d: \"1\"}\n  - >-\n    x & y\n",
        "a: &a [1, 2]\nb: *a\n",
        "!!set {a, b}",
        "",
    ],
)
def test_the_quick_reader_says_what_pyyaml_says(text: str) -> None:
    assert _quick(text, "r.yaml") == yaml.load(text, Loader=_Loader)


@pytest.mark.parametrize(
    "text", ["{[a]: 1}", "a: !!str [b]", "a: !x 1", "[" * 3000 + "]" * 3000, "a: b\n--- c\n"]
)
def test_the_quick_reader_refuses_what_no_entry_has(text: str) -> None:
    with pytest.raises(LessonError, match="no YAML"):
        _quick(text, "r.yaml")


def test_the_quick_reader_reads_the_base_as_pyyaml_does() -> None:
    for file in load().folder.rglob("*.yaml"):
        text = file.read_text("utf-8")
        assert _quick(text, file.name) == yaml.load(text, Loader=_Loader), file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 5\n", "no mapping"),
        ("", "no mapping|missing"),
        (ENTRY + "id: ope-98\n", "twice"),
        (ENTRY + "x: !!python/object:os.system {}\n", "tag"),
        (LAUGHS, "aliases"),
        ("[" * 5000, "nested|no valid YAML"),
        ("x" * (LARGEST + 1), "too large"),
        ("a: \x00", "YAML"),
    ],
)
def test_what_others_wrote_is_read_strictly(text: str, said: str) -> None:
    with pytest.raises(LessonError, match=said):
        strict(text, "r.yaml", Recommendation)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_published_of_every_kind(kind: str) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert "standards" not in json.dumps(schema.get("properties", {}))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("incident", "incidents/*.yaml"),
        ("standard", "standards/*.yaml"),
        ("mechanism", "mechanisms.yaml"),
        ("recommendation", "recommendations.yaml"),
        ("check", "checks.yaml"),
        ("shape", "shapes.yaml"),
        ("finding", "findings.yaml"),
        ("identifiers", "identifiers.yaml"),
    ],
)
def test_what_is_shipped_fits_its_schema(kind: str, pattern: str) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(kind))
    files = sorted(Path(load().folder).glob(pattern))
    assert files
    for file in files:
        validator.validate(_plain(file))


def _plain(file: Path) -> object:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(file)


def test_an_unknown_schema_is_told() -> None:
    with pytest.raises(UsageError, match="no schema of 'x'"):
        json_schema("x")
