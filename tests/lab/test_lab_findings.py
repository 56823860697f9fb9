"""What ``rearguard analyze`` concludes from the lab's capture is what the truth file says must follow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

Key = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return Path(os.environ.get("REARGUARD_LAB", project / "lab"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    program = Path(sys.executable).with_name("rearguard")
    arguments = ("analyze", folder / "incident.pcapng", "--policy", folder / "rearguard.yaml", "--json")
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=300)
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


@pytest.fixture(scope="module")
def found(report: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    return {
        (item["kind"], item["subject"]["address"], item["interface"], item["direction"]): item
        for item in report["findings"]
    }


def moment(text: str) -> datetime:
    """A time of the truth or of findings.json, to the microsecond."""
    return datetime.fromisoformat(text[:26] + "+00:00")


def expected(truth: dict[str, Any], *, required: bool) -> dict[Key, dict[str, Any]]:
    """What must follow from the contacts alone; without ``required`` also everything that may follow."""
    return {
        (item["kind"], item["subject"], item["interface"], item["direction"]): item
        for item in truth["expected_findings"]
        if not required or (item["required"] and item["needs"] == "contacts")
    }


def test_every_finding_that_must_follow_is_there(
    found: dict[Key, dict[str, Any]], truth: dict[str, Any]
) -> None:
    assert sorted(expected(truth, required=True).keys() - found.keys()) == []


def test_no_finding_is_without_a_cause(found: dict[Key, dict[str, Any]], truth: dict[str, Any]) -> None:
    assert sorted(found.keys() - expected(truth, required=False).keys()) == []


def test_the_innocent_are_never_a_subject(found: dict[Key, dict[str, Any]], truth: dict[str, Any]) -> None:
    innocent = {item["address"] for item in truth["innocent"]}
    assert {address for _, address, _, _ in found} & innocent == set()


def test_contacts_outcomes_and_fingerprints_are_those_of_the_lab(
    found: dict[Key, dict[str, Any]], truth: dict[str, Any]
) -> None:
    """Both sides of the border are in the capture, and nothing may be counted twice (rule A5)."""
    for key, wanted in expected(truth, required=True).items():
        item = found[key]
        assert item["contacts"] == wanted["contacts"], key
        if "targets" in wanted:
            assert item["peers"]["count"] == wanted["targets"], key
        if "outcomes" in wanted:
            assert {name: n for name, n in item["outcomes"].items() if n} == wanted["outcomes"], key
        if "fingerprints" in wanted:
            assert sorted(item["fingerprints"]) == wanted["fingerprints"], key
        if "verified" in wanted:
            assert item["subject"]["verified"] == wanted["verified"], key


def test_findings_lie_in_the_time_of_their_cause(
    found: dict[Key, dict[str, Any]], truth: dict[str, Any]
) -> None:
    """A scan begins with the lab's act and ends with it, but for the last packets on their way."""
    for key, wanted in expected(truth, required=True).items():
        if key[0] in ("scan", "probe"):
            assert wanted["first"] <= found[key]["first_seen"], key  # RFC 3339 in UTC sorts as text
            late = moment(found[key]["last_seen"]) - moment(wanted["last"])
            assert late < timedelta(seconds=1), key
