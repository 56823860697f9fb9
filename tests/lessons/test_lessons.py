"""The shipped knowledge is whole: every edge ends at an entry, every entry at a source."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import pytest

from rearguard import catalogue
from rearguard.lessons import load
from rearguard.lessons.model import AUDIENCES
from rearguard.model.errors import InputError

KNOWLEDGE = load()
MECHANISMS = {each.id for each in KNOWLEDGE.mechanisms}
INCIDENTS = {each.id for each in KNOWLEDGE.incidents}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CVE = re.compile(r"CVE-\d{4}-\d{4,}")
CWE = re.compile(r"CWE-\d+")
TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


def test_nothing_was_lost() -> None:
    assert len(KNOWLEDGE.incidents) >= 61
    assert len(KNOWLEDGE.mechanisms) >= 16
    assert len(KNOWLEDGE.recommendations) >= 35


def test_every_edge_ends_at_an_entry() -> None:
    for incident in KNOWLEDGE.incidents:
        assert incident.mechanisms, incident.id
        assert set(incident.mechanisms) <= MECHANISMS, incident.id
    for advice in KNOWLEDGE.recommendations:
        assert advice.mechanisms, advice.id
        assert set(advice.mechanisms) <= MECHANISMS, advice.id
        assert set(advice.incident_examples) <= INCIDENTS, advice.id


@pytest.mark.parametrize("name", sorted(MECHANISMS))
def test_a_mechanism_is_a_lesson(name: str) -> None:
    assert KNOWLEDGE.incidents_by(name), "nothing happened by it"
    assert KNOWLEDGE.recommendations_for([name]), "nobody can do anything about it"
    entry = KNOWLEDGE.mechanism(name)
    assert entry.recognise_in_traffic
    assert entry.check_device_non_destructively


def test_the_catalogue_refers_to_entries_only() -> None:
    for interface in catalogue.load().interfaces:
        assert set(interface.mechanisms) <= MECHANISMS, interface.id
        assert set(interface.incidents) <= INCIDENTS, interface.id


def test_the_attacks_refer_to_entries_only() -> None:
    for attack in catalogue.load_attacks().attacks:
        assert set(attack.mechanisms) <= MECHANISMS, attack.id
        assert set(attack.incidents) <= INCIDENTS, attack.id


def test_ids_are_names_and_numbers_have_their_form() -> None:
    entries = (*KNOWLEDGE.incidents, *KNOWLEDGE.mechanisms, *KNOWLEDGE.recommendations)
    assert all(NAME.fullmatch(entry.id) for entry in entries)
    assert len({entry.id for entry in entries}) == len(entries)
    for incident in KNOWLEDGE.incidents:
        assert all(CVE.fullmatch(each.id) for each in incident.cve), incident.id
        assert all(CWE.fullmatch(each.id) for each in incident.cwe), incident.id
    for mechanism in KNOWLEDGE.mechanisms:
        assert all(CWE.fullmatch(each.id) for each in mechanism.cwe), mechanism.id
        assert all(TECHNIQUE.fullmatch(each.id) for each in mechanism.attack), mechanism.id


def test_every_incident_has_a_source_that_somebody_can_find() -> None:
    for incident in KNOWLEDGE.incidents:
        assert incident.sources, incident.id
        for source in incident.sources:
            assert (source.url or "").startswith(("http://", "https://")) or source.locator, incident.id
        for scale in incident.scale:
            assert scale.source_url or scale.source_locator, incident.id


def test_incidents_stand_in_the_order_of_their_dates() -> None:
    begun = [date.fromisoformat(f"{each.date}-01-01"[:10]) for each in KNOWLEDGE.incidents]
    assert all(first.year <= second.year for first, second in pairwise(begun))


def test_recommendations_come_by_audience_and_by_how_well_they_fit() -> None:
    found = KNOWLEDGE.recommendations_for(["lan-protocol-on-wan"])
    places = [AUDIENCES.index(each.audience) for each in found]
    assert places == sorted(places)
    assert [each.id for each in found if each.audience == "operator"] == ["ope-04", "ope-02"]
    assert KNOWLEDGE.recommendations_for([]) == ()
    assert KNOWLEDGE.recommendations_for(["nobody-knows-this"]) == ()


@pytest.mark.parametrize("kind", ["mechanism", "incident", "recommendation"])
def test_an_unknown_name_is_an_error_with_advice(kind: str) -> None:
    with pytest.raises(InputError, match=f"no {kind} nothing-like-it"):
        getattr(KNOWLEDGE, kind)("nothing-like-it")
    with pytest.raises(InputError) as caught:
        KNOWLEDGE.incident("dt-speedport")
    assert "dt-speedport-2016" in caught.value.remedy


def test_the_data_is_part_of_the_package(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["rearguard"]
    package = project / "src" / "rearguard"
    for file in (package / "lessons" / "data").iterdir():
        name = file.relative_to(package).as_posix()
        assert any(fnmatch(name, pattern.replace("**/", "*")) for pattern in patterns), name
