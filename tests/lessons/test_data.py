"""The shipped knowledge is whole: every edge ends at an entry, every entry at a source, every number in a list."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from datetime import date
from fnmatch import fnmatch
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from rearguard.lessons import load
from rearguard.lessons.border import HELPS, REASONS
from rearguard.lessons.graph import load_graph
from rearguard.lessons.identifiers import form_of, identifiers
from rearguard.lessons.model import AUDIENCES, Incident
from rearguard.lessons.validate import validate
from rearguard.model.finding import Kind

KNOWLEDGE = load()
GRAPH = load_graph()
FILES = sorted((KNOWLEDGE.folder / "incidents").glob("*.yaml"))
MECHANISMS = [each.id for each in KNOWLEDGE.mechanisms]
ONE_REPORT = {"cox-api-2024", "fiberhome-ont-2021", "freeacs-2017", "kadnap-2026", "unifi-cloud-2023"}
"""Incidents that only one report stands behind: a second was looked for and not found."""
TODAY = date(2026, 12, 31)


def test_nothing_was_lost() -> None:
    assert len(KNOWLEDGE.incidents) >= 86
    assert len(KNOWLEDGE.mechanisms) >= 16
    assert len(KNOWLEDGE.recommendations) >= 35
    assert len(KNOWLEDGE.documents) >= 27
    assert len(KNOWLEDGE.clauses) >= 185


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_record_would_be_taken_in_again(file: Path) -> None:
    complaints = validate(file, KNOWLEDGE, GRAPH, today=TODAY)
    assert not [str(each) for each in complaints if each.error]


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_mechanism_is_a_lesson(name: str) -> None:
    assert KNOWLEDGE.incidents_by(name), "nothing happened by it"
    assert KNOWLEDGE.recommendations_for([name]), "nobody can do anything about it"
    assert GRAPH.neighbours(name, "check"), "nobody can find it on a device"
    assert GRAPH.neighbours(name, "finding"), "nothing in traffic shows it"


def test_the_graph_is_whole() -> None:
    assert not [f"{edge} ends at nothing: {end}" for edge, end in GRAPH.dangling()]
    assert not GRAPH.lonely()
    assert not GRAPH.ambiguous()


def test_every_recommendation_says_who_how_and_what_it_would_have_changed() -> None:
    for advice in KNOWLEDGE.recommendations:
        assert advice.id.startswith(advice.audience[:3]), advice.id
        assert advice.how_checked, advice.id
        assert advice.would_have_changed, advice.id
        assert advice.standards, advice.id
        for change in advice.would_have_changed:
            incident = KNOWLEDGE.incident(change.incident)
            shared = set(incident.mechanisms) & set(advice.mechanisms)
            assert shared, f"{advice.id} removes nothing that {incident.id} had"
    assert {each.audience for each in KNOWLEDGE.recommendations} == set(AUDIENCES)


def test_every_clause_is_asked_for_and_says_how_far_it_was_read() -> None:
    used = {use.id for advice in KNOWLEDGE.recommendations for use in advice.clauses}
    assert used == set(KNOWLEDGE.clauses)
    for name, (document, clause) in KNOWLEDGE.clauses.items():
        if clause.evidence == "read":
            assert clause.seen_at or document.seen_at, f"{name} was read, but where?"
    numbers = Counter((document.id, clause.number) for document, clause in KNOWLEDGE.clauses.values())
    assert max(numbers.values()) == 1


def test_the_kinds_of_findings_are_those_that_exist() -> None:
    assert {each.id for each in KNOWLEDGE.findings} == {str(kind) for kind in Kind}


def test_every_number_is_in_a_list_and_every_number_in_a_list_is_used() -> None:
    lists = identifiers()
    assert all(form_of(number) for number in lists.known())
    used = {cve.id for each in KNOWLEDGE.incidents for cve in each.cve}
    used |= {cwe.id for each in KNOWLEDGE.incidents for cwe in each.cwe}
    named = [each for mechanism in KNOWLEDGE.mechanisms for each in (*mechanism.cwe, *mechanism.attack)]
    used |= {each.id for each in named}
    used |= {
        node.id
        for node in GRAPH.nodes
        if node.kind == "vulnerability" and GRAPH.neighbours(str(node), "attack")
    }
    assert used == lists.known()
    names = lists.names()
    assert not [(each.id, each.name) for each in named if names[each.id] != each.name]


def test_the_largest_have_two_sources_that_do_not_retell_one_another() -> None:
    largest = sorted(KNOWLEDGE.incidents, key=lambda each: -each.magnitude)[:25]
    assert not [each.id for each in largest if each.independent_sources() < 2]
    assert not [each.id for each in largest if not rests_on_two_reports(each)]


def rests_on_two_reports(incident: Incident) -> bool:
    """Whether two of its sources were read that have no report in common; "A and B" names two reports."""
    read = [
        set(re.split(r", | and ", each.origin or each.publisher))
        for each in incident.sources
        if each.verified
    ]
    return any(first.isdisjoint(second) for first, second in combinations(read, 2))


def test_an_incident_with_one_report_says_so() -> None:
    assert {each.id for each in KNOWLEDGE.incidents if not rests_on_two_reports(each)} == ONE_REPORT
    for name in ONE_REPORT:
        limits = " ".join(KNOWLEDGE.incident(name).conflicts_or_limits)
        assert re.search("no second text|all texts", limits, re.IGNORECASE), name
        assert "found" in limits, name


def test_a_source_that_retells_two_reports_is_no_second_one() -> None:
    def told(*origins: str) -> Incident:
        incident = KNOWLEDGE.incident("kadnap-2026")
        source = incident.sources[0]
        sources = tuple(source.model_copy(update={"origin": each}) for each in origins)
        return incident.model_copy(update={"sources": sources})

    assert not rests_on_two_reports(told("Finder", "Finder"))
    assert not rests_on_two_reports(told("Finder", "Finder and Maker"))
    assert rests_on_two_reports(told("Finder", "Finder and Maker", "Maker"))


def test_incidents_stand_in_the_order_of_their_dates() -> None:
    assert all(first.date <= second.date for first, second in pairwise(KNOWLEDGE.incidents))
    assert KNOWLEDGE.incidents[0].year <= 2011
    assert KNOWLEDGE.incidents[-1].year >= 2025


def test_no_incident_is_told_twice() -> None:
    def sources(incident: Incident) -> set[str]:
        return {each.url for each in incident.sources if each.url}

    for first, second in combinations(KNOWLEDGE.incidents, 2):
        shared = sources(first) & sources(second)
        assert len(shared) <= 2, f"{first.id} and {second.id} share {shared}"


def test_a_filter_helps_only_where_the_path_crosses_the_border() -> None:
    assert set(HELPS) == set(REASONS)
    reasons = {each.border_filter.reason for each in KNOWLEDGE.incidents}
    assert reasons == set(REASONS), "a reason that no incident has is dead"
    for each in KNOWLEDGE.incidents:
        assert each.border_filter.would_help in HELPS[each.border_filter.reason], each.id


def test_what_goes_through_a_cloud_is_not_stopped_at_the_border() -> None:
    for each in KNOWLEDGE.incidents:
        if each.management in {"vendor-cloud", "relay"}:
            assert each.border_filter.would_help != "yes", each.id


def test_sentences_are_whole_and_plain() -> None:
    for each in KNOWLEDGE.incidents:
        assert each.what_happened.rstrip().endswith("."), each.id
        assert each.border_filter.why.rstrip().endswith("."), each.id
        assert not re.search(r"\s{2,}|\n", each.what_happened), each.id
    for advice in KNOWLEDGE.recommendations:
        assert all(change.how.endswith(".") for change in advice.would_have_changed), advice.id


def test_the_data_is_part_of_the_package(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["rearguard"]
    package = project / "src" / "rearguard"
    for file in (package / "lessons" / "data").rglob("*.*"):
        name = file.relative_to(package).as_posix()
        assert any(fnmatch(name, pattern.replace("**/", "*")) for pattern in patterns), name
