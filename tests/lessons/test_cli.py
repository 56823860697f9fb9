"""``rearguard lessons``: what it prints, where it writes, and which exit code it leaves with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rearguard.cli import run
from rearguard.lessons import load
from rearguard.lessons.figures import figures

KNOWLEDGE = load()


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(["lessons", *arguments]) == code
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    return json.loads(output(capsys, *arguments, "--json", code=code))


def test_the_overview_counts_every_mechanism(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # else long names are broken into lines
    rows = as_json(capsys)
    assert {row["id"] for row in rows} == {each.id for each in KNOWLEDGE.mechanisms}
    known = figures(KNOWLEDGE)
    for row in rows:
        assert row["incidents"] == known[f"mechanism-{row['id']}"].value == sum(row["border_filter"].values())
        assert row["newest"].startswith(str(known[f"mechanism-{row['id']}-last-year"].value))
    assert [row["incidents"] for row in rows] == sorted((row["incidents"] for row in rows), reverse=True)
    text = output(capsys)
    assert all(each.id in text for each in KNOWLEDGE.mechanisms)
    assert f"{known['incidents'].value} incidents" in text
    assert f"{known['incidents'].value} incidents" not in output(capsys, "--quiet")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("misfortune-cookie-2014", "incident", "RomPager"),
        ("mgmt-open-to-world", "mechanism", "was seen in"),
        ("ope-02", "recommendation", "would have changed"),
        ("etsi-en-303-645/5.1-1", "clause", "asks for"),
        ("wan-silence", "check", "finds"),
        ("cwmp-cr", "interface", "7547"),
        ("tcp-high-new-only", "shape", "guards"),
        ("exploit-attempt", "finding", "may come from"),
    ],
)
def test_an_entry_of_any_kind_is_shown(
    capsys: pytest.CaptureFixture[str], name: str, kind: str, said: str
) -> None:
    made = as_json(capsys, "show", name)
    assert (made["kind"], made["id"]) == (kind, name)
    assert made["entry"]
    assert made["related"]
    assert said in output(capsys, "show", name)


def test_a_clause_that_was_not_read_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    some = {
        clause.evidence: name for name, (_, clause) in KNOWLEDGE.clauses.items() if clause.evidence != "read"
    }
    assert some  # of each grade that the base has now
    for evidence, name in some.items():
        shown = output(capsys, "show", name).split()
        assert shown[shown.index("evidence") + 1] == evidence


def test_search_prints_the_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert [
        hit["id"] for hit in as_json(capsys, "search", "firmware", "update unsigned", "--limit", "1")
    ] == ["man-07"]
    assert "man-07" in output(capsys, "search", "firmware update unsigned")
    assert output(capsys, "search", "qqqqzzzz") == "nothing has these words\n"


def test_why_names_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    (figure,) = as_json(capsys, "why", "share a border could stop")
    stopped = [each.id for each in KNOWLEDGE.incidents if each.border_filter.would_help == "yes"]
    assert figure["records"] == stopped
    text = output(capsys, "why", "border-yes-share")
    assert all(name in text for name in stopped)
    assert output(capsys, "why", "--list").count("\n") == len(figures(KNOWLEDGE))


@pytest.mark.parametrize(
    ("arguments", "head"),
    [
        (("article", "--output"), b"# Who may manage"),
        (("article", "--format", "html", "--audience", "regulator", "--output"), b"<!doctype html>"),
        (("article", "--format", "pdf", "--short", "--output"), b"%PDF-"),
        (("checklist", "--format", "xlsx", "--output"), b"PK\x03\x04"),
        (("checklist", "--audience", "owner", "--output"), b"# Checklist"),
        (("export", "--format", "stix", "--output"), b'{\n "type": "bundle"'),
        (("export", "--format", "misp", "--output"), b'{\n "Event"'),
        (("export", "--format", "csv", "--table", "standards", "--output"), b"id,document,version"),
    ],
)
def test_files_are_written(tmp_path: Path, arguments: tuple[str, ...], head: bytes) -> None:
    file = tmp_path / "made"
    assert run(["lessons", *arguments, str(file)]) == 0
    assert file.read_bytes().startswith(head)


@pytest.mark.parametrize(
    ("name", "head"), [("a.pdf", b"%PDF-"), ("a.html", b"<!doctype"), ("a.MD", b"# "), ("a.other", b"# ")]
)
def test_the_name_of_the_file_says_the_format(tmp_path: Path, name: str, head: bytes) -> None:
    assert run(["lessons", "article", "--short", "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(head)


def test_standard_output_takes_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["lessons", "article", "--short", "--format", "pdf"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"%PDF-")


def test_a_schema_fits_the_shipped_records(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(output(capsys, "schema", "incident"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(KNOWLEDGE.incidents[0].model_dump(mode="json"), schema)
    assert json.loads(output(capsys, "schema", "export"))["$id"] == "urn:rearguard:lessons:1"


def test_a_shipped_record_is_valid_and_a_draft_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = KNOWLEDGE.folder / "incidents" / "dt-speedport-2016.yaml"
    assert as_json(capsys, "validate", str(file))["valid"] is True
    draft = tmp_path / "cwmp-cr-2026.yaml"
    draft.write_text(file.read_text("utf-8").replace("title: ", "title: 'COMPLETE: a name' #", 1), "utf-8")
    said = as_json(capsys, "validate", str(draft), code=2)
    assert said["valid"] is False
    assert any(each["line"] and "left to complete" in each["problem"] for each in said["complaints"])
    assert "to correct" in output(capsys, "validate", str(draft), code=2)


def test_a_draft_comes_with_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finding = {
        "kind": "scan", "interface": "telnet", "transport": "tcp", "ports": [23], "contacts": 5, "confidence": 0.9,
        "direction": "inbound", "first_seen": "2026-11-22T08:50:45.971092079Z",
        "mechanisms": ["mgmt-open-to-world"], "subject": {"address": "203.0.113.9"},
    }  # fmt: skip
    file = tmp_path / "findings.json"
    file.write_text(json.dumps({"schema": "1", "sources": [], "findings": [finding]}), "utf-8")
    made = tmp_path / "made.yaml"
    assert run(["lessons", "draft", str(file), "--output", str(made)]) == 0
    assert "Do not add payloads" in capsys.readouterr().err
    assert "203.0.113.9" not in made.read_text("utf-8")
    assert run(["--quiet", "lessons", "draft", str(file), "--output", str(made)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "mirai-2015"), "did you mean mirai-2016"),
        (("why", "no such number"), "no figure"),
        (("why",), "either a FIGURE or --list"),
        (("why", "x", "--list"), "either a FIGURE or --list"),
        (("--json", "show", "mirai-2016"), "--json belongs behind"),
        (("article", "--audience", "press"), "press"),
        (("article", "--output", "/no/such/folder/a.pdf", "--short"), "cannot be written"),
        (("export",), "--format"),
        (("draft", "/no/such/findings.json"), "cannot be read"),
        (("validate", "/no/such/record.yaml"), "cannot be read"),
        (("schema", "person"), "no schema of 'person'"),
        (("search",), "WORDS"),
    ],
)
def test_errors_say_what_to_do(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(["lessons", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_no_renderer_is_imported_by_the_overview() -> None:
    program = (
        "import sys; from rearguard.cli import run; run(['lessons']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "typst",
        "xlsxwriter",
        "numba",
        "numpy",
        "pyarrow",
        "duckdb",
        "altair",
        "jinja2",
        "stix2",
        "pymisp",
    }
    assert not heavy & {name.partition(".")[0] for name in done.stderr.split()}


MAIN = "from rearguard.cli import main; main()"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_all_of_a_large_export_reaches_the_reader(unbuffered: str) -> None:
    command = [sys.executable, "-c", MAIN, "lessons", "export", "--format", "json"]
    done = subprocess.run(
        command, capture_output=True, check=True, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}
    )
    assert len(json.loads(done.stdout)["incidents"]) == len(KNOWLEDGE.incidents)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_goes_away_is_no_error(unbuffered: str) -> None:
    command = [sys.executable, "-c", MAIN, "lessons", "export", "--format", "json"]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
