"""A wrong entry is refused with file, entry and key; a right one becomes a frozen value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from rearguard.lessons import Recommendation, read
from rearguard.lessons.entries import parse
from rearguard.model.errors import InputError

ENTRY = """
- id: ope-99
  audience: operator
  recommendation: Close the gate.
  rationale: It was open.
  mechanisms: [mgmt-open-to-world]
  standards:
    - {document: RFC 0, clause: '1', verified: false, evidence: none}
  how_checked:
    - {type: policy, check: Look at it.}
"""


def entries(text: str) -> tuple[Recommendation, ...]:
    return parse(text, "r.yaml", Recommendation)


def test_an_entry_becomes_a_value() -> None:
    (advice,) = entries(ENTRY)
    assert advice.mechanisms == ("mgmt-open-to-world",)
    assert advice.standards[0].seen_at is None
    assert advice.incident_examples == ()
    with pytest.raises(FrozenInstanceError):
        advice.id = "x"  # type: ignore[misc]  # the error is what is tested


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  rationale: It was open.\n", "", "ope-99.rationale is missing"),
        ("rationale: It", "rationel: It", "ope-99.rationel is an unknown key"),
        ("rationale: It was open.", "rationale: ''", "ope-99.rationale is ''"),
        ("rationale: It was open.", "rationale: 7", "ope-99.rationale is 7"),
        ("audience: operator", "audience: everybody", "choose one of operator"),
        ("[mgmt-open-to-world]", "mgmt-open-to-world", "ope-99.mechanisms is no list"),
        ("[mgmt-open-to-world]", "[1]", r"ope-99.mechanisms\[0\] is 1"),
        ("verified: false", "verified: 0", r"ope-99.standards\[0\].verified is 0"),
        ("    - {type: policy, check: Look at it.}", "    - none", r"how_checked\[0\] is no mapping"),
        ("- id: ope-99", "id: ope-99", "list of entries|no YAML"),
        ("- id: ope-99", "- id: [", "no YAML"),
        ("- id: ope-99", "- 5\n- id: ope-99", "entry 1 is no mapping"),
    ],
)
def test_a_wrong_entry_is_told_with_its_place(old: str, new: str, said: str) -> None:
    assert old in ENTRY
    with pytest.raises(InputError, match=said) as caught:
        entries(ENTRY.replace(old, new))
    assert caught.value.place.file == "r.yaml"
    assert caught.value.remedy


def test_an_id_is_used_once() -> None:
    with pytest.raises(InputError, match="used twice"):
        entries(ENTRY + ENTRY)


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        _ = read(tmp_path).incidents


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    (tmp_path / "recommendations.yaml").write_text(ENTRY)
    (tmp_path / "incidents.yaml").write_text("broken: [")
    found = read(tmp_path).recommendations_for(["mgmt-open-to-world"])
    assert [each.id for each in found] == ["ope-99"]
