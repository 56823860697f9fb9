"""A record is taken in when it is true to its form, names what exists and says nothing twice or against itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rearguard.lessons import load
from rearguard.lessons.graph import load_graph
from rearguard.lessons.validate import validate, validate_text
from rearguard.model.errors import InputError

KNOWLEDGE = load()
GRAPH = load_graph()
TODAY = date(2026, 1, 31)
RECORD = """\
id: example-worm-2026
title: A worm on fibre terminals of an example operator
kind: attack
date: 2026-01-02
date_precision: day
what_happened: >-
  A worm logged in to fibre terminals over telnet with the login of the factory and flooded a game service.
  The operator closed the port at its border on the same evening and restarted the terminals at night.
interface: {name: telnet console, transport: telnet, ports: [tcp/23]}
interfaces: [telnet]
managed_by: operator
management: operator-controller
devices: [Example ONT 1]
cve: [{id: CVE-2016-10401}]
cwe: [{id: CWE-1392, basis: analyst mapping}]
scale:
  - {figure: about 4000 terminals, source_url: 'https://operator.example/news/1', low: 4000, counts: taken over}
mechanisms: [mgmt-open-to-world, shared-or-no-credentials]
what_stopped_it: [closing the port]
border_filter:
  would_help: yes
  reason: nobody-outside-needs-it
  why: Telnet to subscribers has no wanted caller.
sources:
  - {title: Outage, publisher: Example operator, url: 'https://operator.example/news/1', verified: true}
  - {title: Scans of tcp/23, publisher: Example CERT, url: 'https://cert.example/2026/3', verified: true}
"""


def said(text: str, file: str = "example-worm-2026.yaml") -> list[str]:
    return [str(each) for each in validate_text(text, file, KNOWLEDGE, GRAPH, today=TODAY)]


def test_a_good_record_is_taken_in_without_a_word() -> None:
    assert said(RECORD) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[mgmt-open-to-world,", "[mgmt-open-to-wold,", "there is no mechanism mgmt-open-to-wold"),
        ("[mgmt-open-to-world,", "[shared-or-no-credentials,", "a name stands twice"),
        ("interfaces: [telnet]", "interfaces: [telnett]", "there is no interface telnett"),
        ("CVE-2016-10401", "CVE-2026-99999", "CVE-2026-99999 is not in the list"),
        ("CVE-2016-10401", "CVE-16-1", "'id' is 'CVE-16-1'"),
        ("CWE-1392", "CWE-9999", "CWE-9999 is not in the list"),
        ("date: 2026-01-02", "date: 2026-02-30", "2026-02-30 is no date"),
        ("date: 2026-01-02", "date: 2026-02-20", "2026-02-20 has not come yet"),
        ("date: 2026-01-02", "date: 2026", "put it in quotes"),
        ("low: 4000,", "low: 4000, high: 40,", "lower figure is above"),
        (", counts: taken over", "", "belong together"),
        ("source_url: 'https://operator.example/news/1'", "source_url: null", "the figure has no source"),
        ("'https://cert.example/2026/3'", "'https://user:pass@cert.example/'", "is no address"),
        ("'https://cert.example/2026/3'", "'https://localhost/x'", "is no address"),
        ("'https://cert.example/2026/3'", "'https://cert.example:99999/'", "is no address"),
        ("'https://cert.example/2026/3'", "'ftp://cert.example/'", "'url' is 'ftp:"),
        ("'https://cert.example/2026/3'", "null", "nobody can find this text"),
        ("'https://cert.example/2026/3'", "'https://operator.example/news/1'", "an address stands twice"),
        ("verified: true", "verified: false", "nobody read any source"),
        ("would_help: yes", "would_help: no", "a filter cannot help 'no'"),
        ("would_help: yes", "would_help: maybe", "'would_help' is 'maybe'"),
        ("  reason: nobody-outside-needs-it\n", "", "'reason' is missing"),
        ("title: A worm on fibre", "title: Deutsche Telekom Speedport outage\nxtitle: A", "unknown key 'xtitle'"),
        ("title: A worm on fibre terminals of an example operator", "title: Deutsche Telekom Speedport outage",
         "told already as dt-speedport-2016"),
        ("management: operator-controller\n", "", "'management' is missing"),
    ],
)  # fmt: skip
def test_what_keeps_a_record_out_is_told_with_line_and_remedy(old: str, new: str, told: str) -> None:
    assert old in RECORD
    errors = [each for each in said(RECORD.replace(old, new)) if ": error: " in each]
    assert any(told in each for each in errors), errors
    assert all("remedy: " in each and "example-worm-2026.yaml:" in each for each in errors)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id: example-worm-2026", "id: example-2026", "file is not called example-2026.yaml"),
        ("publisher: Example CERT", "publisher: Example operator", "one report stands behind it"),
        ("publisher: Example CERT", "publisher: X, origin: Example operator", "one report stands behind it"),
        ("A worm logged in", "A worm from 192.0.32.8 logged in", "192.0.32.8 should not be shared"),
        ("A worm logged in", "A worm from 2001:db8::1 logged in", ""),
        ("A worm logged in", "A worm from 10.0.0.8 logged in", ""),
        (
            "A worm logged in",
            "A worm (2a00:1450:4001::8) logged in",
            "2a00:1450:4001::8 should not be shared",
        ),
        (
            "A worm logged in",
            "Ask abuse@operator.example: a worm logged in",
            "abuse@operator.example should not",
        ),
        ("A worm logged in", "With password: hunter2 a worm logged in", "password: hunter2 should not"),
        ("[Example ONT 1]", "['Example ONT 00:11:22:33:44:55']", "00:11:22:33:44:55 should not"),
        ("interfaces: [telnet]\n", "", "no interface of the catalogue"),
        ("what_stopped_it: [closing the port]", "what_stopped_it: []", "nothing says how it ended"),
    ],
)
def test_what_a_good_record_has_more_is_advice(old: str, new: str, told: str) -> None:
    assert old in RECORD
    complaints = said(RECORD.replace(old, new))
    assert not [each for each in complaints if ": error: " in each]
    assert any(told in each for each in complaints) if told else complaints == []


def test_errors_come_before_advice() -> None:
    text = RECORD.replace("CWE-1392", "CWE-9999").replace(
        "publisher: Example CERT", "publisher: Example operator"
    )
    assert [": error: " in each for each in said(text)] == [True, False]


def test_an_incident_that_is_there_already_is_told(tmp_path: Path) -> None:
    source = KNOWLEDGE.folder / "incidents" / "moose-2015.yaml"
    copy = tmp_path / "moose-2015.yaml"
    copy.write_text(source.read_text("utf-8"))
    first, *_ = validate(copy, KNOWLEDGE, GRAPH, today=TODAY)
    assert "there is an incident moose-2015 already" in first.problem
    assert not [each for each in validate(source, KNOWLEDGE, GRAPH, today=TODAY) if each.error]


def test_the_same_sources_under_another_name_are_told() -> None:
    source = KNOWLEDGE.folder / "incidents" / "moose-2015.yaml"
    text = (
        source.read_text("utf-8")
        .replace("id: moose-2015", "id: elk-2015")
        .replace("Linux/Moose", "An elk at large")
    )
    assert any("most of its sources are those of moose-2015" in each for each in said(text, "elk-2015.yaml"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        validate(tmp_path / "x.yaml", KNOWLEDGE, GRAPH)
    (tmp_path / "y.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        validate(tmp_path / "y.yaml", KNOWLEDGE, GRAPH)
