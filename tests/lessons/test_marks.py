"""A clause that nobody read is marked as such wherever it is written, also when the shipped base has none."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from tests.report.rich import rich

from rearguard.catalogue import load as load_catalogue
from rearguard.catalogue import load_attacks
from rearguard.cli.group import Settings
from rearguard.cli.lessons_print import print_entry, print_figures, print_hits
from rearguard.lessons import Knowledge, load, read
from rearguard.lessons.article import build, edition_of, render
from rearguard.lessons.checklist import checklist
from rearguard.lessons.export import export
from rearguard.lessons.figures import figures
from rearguard.lessons.graph import Graph
from rearguard.lessons.graph import build as build_graph
from rearguard.lessons.search import index
from rearguard.report.lesson_rows import lesson_rows
from rearguard.report.resembles import resembles

DAY = date(2026, 1, 2)
CLAUSE = "rfc-2827/document"


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """A copy of the base in which one clause is unverified."""
    folder = tmp_path_factory.mktemp("base") / "data"
    shutil.copytree(load().folder, folder)
    document, number = CLAUSE.split("/")
    file = folder / "standards" / f"{document}.yaml"
    before, after = file.read_text("utf-8").split(f"- number: {number}\n")
    grade = next(line for line in after.splitlines() if line.strip().startswith("evidence:"))
    file.write_text(
        f"{before}- number: {number}\n{after.replace(grade, '    evidence: unverified', 1)}", "utf-8"
    )
    made = read(folder)
    assert made.clause(CLAUSE).evidence == "unverified"
    return made


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """A copy of the base in which every clause is unverified."""
    folder = tmp_path_factory.mktemp("unread") / "data"
    shutil.copytree(load().folder, folder)
    for file in (folder / "standards").iterdir():
        text = file.read_text("utf-8")
        file.write_text(re.sub(r"^(\s+evidence:) \w+$", r"\1 unverified", text, flags=re.MULTILINE), "utf-8")
    made = read(folder)
    assert {clause.evidence for _, clause in made.clauses.values()} == {"unverified"}
    return made


@pytest.fixture(scope="module")
def graph(unread: Knowledge) -> Graph:
    return build_graph(unread, load_catalogue(), load_attacks())


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("COLUMNS", "5000")
    return Settings(color=False)


def bare(text: str, knowledge: Knowledge) -> list[str]:
    """Clauses whose name stands in a text without a mark behind it."""
    names = "|".join(map(re.escape, sorted(knowledge.clauses, key=len, reverse=True)))
    places = re.finditer(rf"(?<![\w/.-])(?:{names})(?![\w/-]|\.\w)", text)
    marks = (" (not verified)", "; document: ")
    return [each[0] for each in places if not text[each.end() :].startswith(marks)]


@pytest.mark.parametrize("kind", ["clause", "standard", "recommendation", "check"])
def test_an_entry_marks_every_clause_that_it_is_tied_to(
    kind: str, unread: Knowledge, graph: Graph, chosen: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    tied = [node for node in graph.nodes if node.kind == kind]
    assert any(graph.neighbours(str(node), "clause") for node in tied) or kind == "clause"
    for node in tied:
        print_entry(unread, graph, str(node), chosen, as_json=False)
        told = capsys.readouterr().out
        assert bare(told, unread) == [], node
        for line in told.splitlines():
            if "; document: " in line or "- number: " in line:
                assert "evidence: unverified" in line
        print_entry(unread, graph, str(node), chosen, as_json=True)
        related = json.loads(capsys.readouterr().out)["related"]
        assert all(one["evidence"] == "unverified" for one in related if one["kind"] == "clause")
        assert all("evidence" not in one for one in related if one["kind"] != "clause")


def test_no_other_kind_of_entry_is_tied_to_clauses(graph: Graph) -> None:
    kinds = {node.kind for node in graph.nodes if graph.neighbours(str(node), "clause")}
    assert kinds == {"standard", "recommendation", "check"}


def test_a_search_marks_it(unread: Knowledge, chosen: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    hits = index(unread).search("rfc 2827 ingress filtering interfaces", 1000)
    assert sum(hit.kind == "clause" for hit in hits) > 5
    print_hits(hits, chosen, as_json=False)
    assert bare(capsys.readouterr().out, unread) == []
    print_hits(hits, chosen, as_json=True)
    for hit in json.loads(capsys.readouterr().out):
        assert hit.get("evidence") == ("unverified" if hit["kind"] == "clause" else None)


def test_the_records_of_a_figure_are_marked(
    unread: Knowledge, chosen: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [figures(unread)["clauses"]]
    print_figures(given, unread, chosen, as_json=False, brief=False)
    told = capsys.readouterr().out
    assert bare(told, unread) == []
    assert told.count("(not verified)") == len(unread.clauses)
    print_figures(given, unread, chosen, as_json=True, brief=False)
    (said,) = json.loads(capsys.readouterr().out)
    assert said["evidence"] == dict.fromkeys(unread.clauses, "unverified")


def test_what_is_read_has_no_mark(chosen: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    print_hits(index(load()).search("etsi-en-303-645/5.1-1", 1), chosen, as_json=False)
    assert "(" not in capsys.readouterr().out


def test_the_report_of_an_analysis_cites_only_what_was_read(unread: Knowledge) -> None:
    def cited(knowledge: Knowledge) -> list[str]:
        made = lesson_rows(resembles(rich().findings, knowledge))
        assert made is not None
        return [item["standards"] for group in made["acting"] for item in group["what"] if item["standards"]]

    assert cited(load())
    assert cited(unread) == []


@pytest.mark.parametrize("short", [True, False])
def test_an_article_writes_no_clause_without_a_mark(unread: Knowledge, short: bool) -> None:
    """In its tasks, where clauses stand by their short names, each ends in a mark; a short one leaves them out."""
    told = render(build(unread, edition_of(unread, "operator", short=short)), "md").decode()
    asked = re.findall(r"ETSI EN 303 645\s+[\d.A-Z-]+\d[A-Z]?(.{0,20})", " ".join(told.split()))
    assert bool(asked) is not short
    assert all("not verified" in each for each in asked)


def test_the_checklist_marks_every_clause(unread: Knowledge) -> None:
    told = checklist(unread, edition_of(unread, "operator"), "csv").decode("utf-8-sig")
    cells = [
        clause for row in csv.DictReader(io.StringIO(told)) for clause in row["asked for by"].split("; ")
    ]
    assert any(cells)
    assert all(each.endswith("(not verified)") for each in cells if each)


def test_the_method_reads_well_with_and_without_what_was_not_read(
    doubtful: Knowledge, tmp_path: Path
) -> None:
    def told(knowledge: Knowledge) -> str:
        return " ".join(render(build(knowledge, edition_of(knowledge)), "md").decode().split())

    assert " 0 could" not in told(load())
    assert "There is no clause of which nothing was read." in told(load())
    assert f"All {figures(load())['sources'].value} sources of incidents were read" in told(load())
    folder = tmp_path / "data"
    shutil.copytree(doubtful.folder, folder)
    file = folder / "incidents" / "mirai-2016.yaml"
    file.write_text(file.read_text("utf-8").replace("verified: true", "verified: false", 1), "utf-8")
    assert "Of 1 nothing could be verified" in told(read(folder))
    assert "sources of incidents, 1 could not be read" in told(read(folder))


def test_the_figures_count_it(doubtful: Knowledge) -> None:
    assert CLAUSE in figures(doubtful)["clauses-unverified"].records
    assert figures(load())["clauses-unverified"].value == sum(
        clause.evidence == "unverified" for _, clause in load().clauses.values()
    )


@pytest.mark.parametrize("form", ["md", "html"])
def test_the_article_marks_it(doubtful: Knowledge, form: str) -> None:
    def marks(knowledge: Knowledge) -> int:
        return render(build(knowledge, edition_of(knowledge)), form).decode().count("not verified")

    assert marks(doubtful) > marks(load())


@pytest.mark.parametrize("form", ["md", "csv"])
def test_the_checklist_marks_it(doubtful: Knowledge, form: str) -> None:
    def marks(knowledge: Knowledge) -> int:
        return checklist(knowledge, edition_of(knowledge, "operator"), form).decode().count("(not verified)")

    assert marks(doubtful) > marks(load())


@pytest.mark.parametrize("form", ["json", "misp", "stix"])
def test_an_export_marks_it(doubtful: Knowledge, form: str) -> None:
    made = export(doubtful, form, DAY)
    assert json.loads(made)
    assert made.count("unverified") > export(load(), form, DAY).count("unverified")


def test_a_table_marks_it(doubtful: Knowledge) -> None:
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(export(doubtful, "csv", DAY, "standards")))}
    assert rows[CLAUSE]["evidence"] == "unverified"
    advice = csv.DictReader(io.StringIO(export(doubtful, "csv", DAY, "recommendations")))
    assert "ope-04" in [row["id"] for row in advice if "[unverified]" in str(row)]
