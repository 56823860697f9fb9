"""Entries are found by name, by mechanism and by how well they fit; files are read when they are needed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from rearguard.lessons import load, read
from rearguard.lessons.model import AUDIENCES
from rearguard.model.errors import InputError

KNOWLEDGE = load()


def test_recommendations_come_by_audience_and_by_how_well_they_fit() -> None:
    found = KNOWLEDGE.recommendations_for(["lan-protocol-on-wan"])
    places = [AUDIENCES.index(each.audience) for each in found]
    assert places == sorted(places)
    assert [each.id for each in found if each.audience == "operator"] == ["ope-04", "ope-02"]
    assert KNOWLEDGE.recommendations_for([]) == ()
    assert KNOWLEDGE.recommendations_for(["nobody-knows-this"]) == ()


@pytest.mark.parametrize("kind", ["mechanism", "incident", "recommendation", "document", "clause"])
def test_an_unknown_name_is_an_error_with_advice(kind: str) -> None:
    with pytest.raises(InputError, match="nothing-like-it"):
        getattr(KNOWLEDGE, kind)("nothing-like-it")
    with pytest.raises(InputError) as caught:
        KNOWLEDGE.incident("dt-speedport")
    assert "dt-speedport-2016" in caught.value.remedy


def test_a_recommendation_shows_its_clauses_with_how_far_they_were_read() -> None:
    advice = KNOWLEDGE.recommendation("man-02")
    clause = next(each for each in advice.standards if each.clause == "SEC.GEN.8")
    assert clause.verified
    assert clause == KNOWLEDGE.clause("bbf-tr-124/SEC.GEN.8")
    assert clause.document.startswith("Broadband Forum TR-124")
    assert [each.id for each in advice.standards] == [each.id for each in advice.clauses]
    assert not KNOWLEDGE.clause("rfc-6092/document").verified
    assert advice.incident_examples[0] == advice.would_have_changed[0].incident


def test_an_incident_knows_its_year_and_the_largest_figure_that_somebody_gave() -> None:
    assert KNOWLEDGE.incident("dt-speedport-2016").year == 2016
    assert KNOWLEDGE.incident("cisco-smi-2018").magnitude == 250_000
    assert KNOWLEDGE.incident("freeacs-2017").magnitude == 0


def test_entries_do_not_change() -> None:
    with pytest.raises(ValidationError):
        KNOWLEDGE.mechanisms[0].title = "x"


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    (tmp_path / "mechanisms.yaml").write_text("mechanisms: []\n")
    (tmp_path / "incidents").mkdir()
    (tmp_path / "incidents" / "x.yaml").write_text("broken: [")
    assert read(tmp_path).mechanisms == ()
    with pytest.raises(InputError, match="no YAML"):
        _ = read(tmp_path).incidents


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        _ = read(tmp_path).recommendations
    with pytest.raises(InputError, match="no such folder"):
        _ = read(tmp_path).incidents


def test_a_file_that_is_named_otherwise_than_its_entry_is_told(tmp_path: Path) -> None:
    (tmp_path / "incidents").mkdir()
    source = KNOWLEDGE.folder / "incidents" / "moose-2015.yaml"
    (tmp_path / "incidents" / "elk-2015.yaml").write_text(source.read_text("utf-8"))
    with pytest.raises(InputError, match="moose-2015, its file elk-2015"):
        _ = read(tmp_path).incidents


def test_reading_is_fast() -> None:
    fresh = read(KNOWLEDGE.folder)
    begun = time.process_time()
    assert fresh.mechanisms
    assert fresh.recommendations
    assert time.process_time() - begun < 0.5
    begun = time.process_time()
    assert fresh.incidents
    assert time.process_time() - begun < 1.0
