"""Drafts: what was measured goes in, nothing that names a customer does, and validation asks for the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rearguard.cli import run
from rearguard.lessons import load
from rearguard.lessons.draft import COMPLETE, WARNINGS, draft, open_lines, read_findings, unfinished
from rearguard.lessons.graph import load_graph
from rearguard.lessons.validate import validate
from rearguard.model.errors import InputError

KNOWLEDGE = load()
SECRETS = (
    "198.51.100.21",
    "203.0.113.200",
    "2001:db8::7",
    "smith-household.pcap",
    "hunter2",
    "cpe-00:11:22:33:44:55",
)


def finding(**more: object) -> dict[str, Any]:
    """A finding that has a secret in every free place."""
    return {
        "id": "d003e4c9ff1bcbbd",
        "kind": "exploit-attempt",
        "severity": "high",
        "severity_reason": f"sent to {SECRETS[0]}",
        "confidence": 0.87,
        "interface": "cwmp-cr",
        "transport": "tcp",
        "ports": [7547],
        "direction": "inbound",
        "subject": {"role": "remote", "address": SECRETS[1], "verified": True},
        "peers": {"count": 3, "interval": [3, 3], "sample": [SECRETS[0], SECRETS[2]]},
        "contacts": 40,
        "packets": 400,
        "bytes": 9000,
        "first_seen": "2026-11-22T08:50:45.971092079Z",
        "last_seen": "2026-11-22T08:51:46.789011183Z",
        "outcomes": {"answered": 30, "refused": 10},
        "fingerprints": ["mirai"],
        "cves": ["CVE-2016-10372"],
        "mechanisms": ["parameter-injection", "lan-protocol-on-wan"],
        "incidents": ["eir-d1000-2016"],
        "recommendations": [],
        "labels": [SECRETS[5]],
        "details": {"url": f"http://{SECRETS[1]}/x", "password": SECRETS[4]},
        "reason": f"{SECRETS[1]} attacked {SECRETS[0]}",
        "evidence": [
            {
                "source": SECRETS[3], "record": 9, "time": "2026-11-22T08:50:45.971193945Z", "proto": "tcp",
                "src": SECRETS[1], "sport": 40080, "dst": SECRETS[0], "dport": 7547,
                "note": f"password {SECRETS[4]}",
            }
        ],
        **more,
    }  # fmt: skip


def found(*findings: object, **more: object) -> dict[str, Any]:
    return {
        "schema": "1",
        "sources": [{"uri": SECRETS[3], "records": 500}],
        "findings": list(findings),
        **more,
    }


def record(text: str) -> dict[str, Any]:
    made = yaml.safe_load(text)
    assert isinstance(made, dict)
    return made


def completed(text: str) -> dict[str, Any]:
    """The record with everything that a draft asks for."""
    entry = record(text)
    entry.update(
        title="An attack on an operator", managed_by="operator ACS", management="operator-controller"
    )
    entry.update(
        what_happened="They came in over the port that waits for the controller. " * 3, devices=["a modem"]
    )
    entry["interface"].update(name="connection request port", transport="HTTP")
    entry["scale"][0]["source_locator"] = "our report of the day"
    entry["what_stopped_it"] = ["a filter at the border"]
    entry["border_filter"] = {
        "would_help": "yes", "why": "Only the ACS needs the port.", "reason": "only-the-controller-needs-it",
    }  # fmt: skip
    entry["sources"] = [
        {"title": "Report", "publisher": "Us", "url": None, "locator": "by mail", "verified": True}
    ]
    return entry


def addresses(value: Any) -> Iterator[str]:
    """Every address that stands anywhere in a findings.json, in texts too."""
    if isinstance(value, str):
        yield from re.findall(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]+", value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from addresses(each)


def from_capture(folder: Path, capture: Path, *more: str) -> None:
    """Analysed, drafted, completed: no address, no file name, and a whole record at the end."""
    assert run(["analyze", str(capture), *more, "--output", str(folder / "report"), "--quiet"]) in (0, 4)
    content = read_findings(folder / "report" / "findings.json")
    made = draft(KNOWLEDGE, content)
    known = {each for each in addresses(content) if len(each) > 6}
    assert len(known) > 5
    body = made.text[made.text.index("\nid: ") :]
    assert not [each for each in known if each in body]
    assert not list(addresses(record(body)))
    assert capture.name not in made.text
    assert all(warning in made.text for warning in WARNINGS)
    file = folder / f"{made.name}.yaml"
    file.write_text(made.text, "utf-8")
    assert len(unfinished(file)) == made.open_lines > 10
    file.write_text(yaml.safe_dump(completed(made.text), sort_keys=False), "utf-8")
    assert unfinished(file) == []
    wrong = [each for each in validate(file, KNOWLEDGE, load_graph()) if each.error]
    assert [each for each in wrong if "has not come yet" not in each.problem] == []


def test_the_incident_of_the_lab_becomes_a_record(tmp_path: Path, project: Path) -> None:
    lab = project / "lab"
    from_capture(tmp_path, lab / "incident.pcapng", "--policy", str(lab / "rearguard.yaml"))


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("capture", "networks"),
    [
        ("initconf__scan-NG/test-for-accurate-scan-summary.pcap", ("128.3.0.0/16", "131.243.0.0/16")),
        ("ncsa__bro-simple-scan/testing/pcaps/scan_with_zero_windows.pcap", ("10.0.0.0/8",)),
    ],
)
def test_a_real_capture_becomes_a_record(
    tmp_path: Path, corpus: Path, capture: str, networks: tuple[str, ...]
) -> None:
    from_capture(tmp_path, corpus / capture, *(word for each in networks for word in ("--network", each)))


def test_what_was_measured_goes_in() -> None:
    made = draft(KNOWLEDGE, found(finding(), finding(confidence=0.5, mechanisms=["mgmt-open-to-world"])))
    entry = record(made.text)
    assert made.findings == 2
    assert entry["id"] == "cwmp-cr-2026"
    assert entry["date"] == "2026-11-22"
    assert entry["interface"]["ports"] == ["tcp/7547"]
    assert entry["interfaces"] == ["cwmp-cr"]
    assert entry["cve"] == [{"id": "CVE-2016-10372"}]
    assert entry["mechanisms"] == ["lan-protocol-on-wan", "parameter-injection", "mgmt-open-to-world"]
    assert "80 contacts (answered 60, refused 20)" in entry["scale"][0]["figure"]
    assert "lan-protocol-on-wan 0.87" in made.text
    assert "confidence up to 0.87" in made.text
    assert "500 records were read" in made.text
    assert "fingerprints mirai" in " ".join(entry["what_happened"].split())
    assert set(entry) <= set(type(KNOWLEDGE.incidents[0]).model_fields)


def test_nothing_that_names_a_customer_goes_in() -> None:
    text = draft(KNOWLEDGE, found(finding())).text
    for secret in SECRETS:
        assert secret not in text
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", text)
    assert "08:50:45" not in text
    for warning in WARNINGS:
        assert warning in text


def test_values_of_the_wrong_kind_are_left_out() -> None:
    wrong = finding(
        kind=SECRETS[0], ports=["x", -1, 70000, True, 7547], contacts="many", cves=[SECRETS[0], 7],
        mechanisms=[SECRETS[4], 1],
        fingerprints=[SECRETS[0]], first_seen=SECRETS[0], last_seen=None, outcomes={SECRETS[4]: 3, "refused": -1},
        confidence="sure", evidence=SECRETS[0], transport=SECRETS[4],
    )  # fmt: skip
    made = draft(KNOWLEDGE, found(wrong, "no finding", None, {"interface": SECRETS[4]}, sources=[SECRETS[0]]))
    for secret in SECRETS:
        assert secret not in made.text
    entry = record(made.text)
    assert entry["interface"]["ports"] == []
    assert entry["cve"] == []
    assert entry["date"].startswith(COMPLETE)


def test_the_interface_with_most_contacts_is_taken_unless_another_is_named() -> None:
    both = found(finding(), finding(interface="telnet", contacts=4000))
    assert record(draft(KNOWLEDGE, both).text)["interfaces"] == ["telnet"]
    assert record(draft(KNOWLEDGE, both, "cwmp-cr").text)["interfaces"] == ["cwmp-cr"]
    with pytest.raises(InputError) as caught:
        draft(KNOWLEDGE, both, "winbox")
    assert "cwmp-cr, telnet" in caught.value.remedy
    with pytest.raises(InputError):
        draft(KNOWLEDGE, found())


def test_validation_asks_until_it_is_complete(tmp_path: Path) -> None:
    made = draft(KNOWLEDGE, found(finding()))
    file = tmp_path / "cwmp-cr-2026.yaml"
    file.write_text(made.text, "utf-8")
    asked = unfinished(file)
    assert (
        len(asked)
        == made.open_lines
        == len(open_lines(made.text)) - made.text.count(f"# A draft. {COMPLETE}")
    )
    assert all(each.error and each.place.line for each in asked)

    entry = completed(made.text)
    file.write_text(yaml.safe_dump(entry, sort_keys=False), "utf-8")
    assert unfinished(file) == []
    wrong = [each for each in validate(file, KNOWLEDGE, load_graph()) if each.error]
    assert [each for each in wrong if "has not come yet" not in each.problem] == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": "2", "findings": []}', '{"schema": "1"}', "[" * 100_000]
)
def test_what_is_no_findings_json_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "findings.json"
    file.write_text(content, "utf-8")
    with pytest.raises(InputError, match="this is no"):
        read_findings(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_findings(tmp_path / "missing.json")


def test_a_findings_json_is_read(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    file.write_text(json.dumps(found(finding())), "utf-8")
    assert draft(KNOWLEDGE, read_findings(file)).findings == 1
