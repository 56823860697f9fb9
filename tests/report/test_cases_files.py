"""The files of ``cases/``: complete, of the right shape, harmless, and silent about unproven attackers."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.report.build import HOSTILE, START, evidence, finding, hostile
from tests.report.test_cases import ATTACK, DEVICE, REMOTE, SHARED, desk, exposed, from_device, leases

from rearguard.model.finding import Finding, Kind, Peers, Severity, Subject
from rearguard.report.analysis import Analysis
from rearguard.report.cases import build_cases, write_cases
from rearguard.report.cases.intelmq import CLASSIFICATION, events
from rearguard.report.cases.sheet import COLUMNS, cell, sheet
from rearguard.report.cases.xarf import UNTOLD, report
from rearguard.report.inventory import load_inventory

KEY = re.compile(r"^[a-z_][a-z_0-9]+(\.[a-z_0-9]+)*$")
"""Names that the IntelMQ data format allows."""

UNPROVEN = finding(
    Kind.EXPLOIT_ATTEMPT,
    subject=Subject("remote", REMOTE, verified=False),
    transport="udp",
    evidence=(evidence(5, dst=DEVICE, proto="udp"),),
    peers=Peers(1, (1, 1), (DEVICE,)),
)
OUTWARD = {"src": DEVICE, "sport": 40000, "dst": REMOTE, "dport": 7547}
EVERYTHING = (
    exposed(),
    finding(
        Kind.COMPROMISED_DEVICE, "198.51.100.30", evidence=(evidence(**OUTWARD | {"src": "198.51.100.30"}),)
    ),
    finding(Kind.SCAN, "198.51.100.31", evidence=(evidence(**OUTWARD | {"src": "198.51.100.31"}),)),
    finding(Kind.REFLECTOR, "198.51.100.32", evidence=(from_device(1, address="198.51.100.32"),)),
    finding(Kind.CLEARTEXT_MANAGEMENT, "198.51.100.33", evidence=(from_device(1, address="198.51.100.33"),)),
    finding(Kind.FLOOD, "198.51.100.34", evidence=(evidence(dst="198.51.100.34"),)),
    finding(
        Kind.UNAUTHORISED_CONTROLLER,
        "203.0.113.9",
        peers=Peers(1, (1, 1), ("198.51.100.35",)),
        evidence=(evidence(src="198.51.100.35", dst="203.0.113.9"),),
    ),
    finding(
        Kind.EXPLOIT_ATTEMPT,
        "198.51.100.36",
        peers=Peers(1, (1, 1), ()),
        evidence=(evidence(src="198.51.100.36", dst="203.0.113.8"),),
    ),
    finding(
        Kind.EXPLOIT_ATTEMPT,
        REMOTE,
        peers=Peers(1, (1, 1), ("198.51.100.37",)),
        evidence=(evidence(dst="198.51.100.37"),),
    ),
)


def lines_of(analysis: Analysis) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet(build_cases(analysis)), newline="")))


def events_of(analysis: Analysis) -> list[dict[str, Any]]:
    return [json.loads(line) for line in events(build_cases(analysis), analysis.catalogue)]


def reports_of(*findings: Finding, **more: Any) -> list[dict[str, Any]]:
    texts = [report(case, UNTOLD) for case in build_cases(desk(list(findings), **more)).cases]
    return [json.loads(text) for text in texts if text is not None]


def test_the_files_are_there_and_named_by_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    written = write_cases(desk(list(EVERYTHING)), folder)
    assert sorted(written) == sorted(path for path in folder.rglob("*") if path.is_file())
    assert [path.name for path in written[:2]] == ["cases.csv", "intelmq.jsonl"]
    assert len(written) == 2 + len(EVERYTHING) - 1, "a flood makes nobody the source of anything"
    assert all(
        re.fullmatch(r"xarf/[0-9a-f]{16}\.json", str(path.relative_to(folder))) for path in written[2:]
    )


def test_without_cases_nothing_is_written(tmp_path: Path) -> None:
    assert write_cases(desk([]), tmp_path / "cases") == []
    assert not (tmp_path / "cases").exists()


def test_every_column_and_every_happening_is_documented(project: Path) -> None:
    page = (project / "docs" / "cases.md").read_text()
    assert [name for name in (*COLUMNS, *CLASSIFICATION) if f"`{name}`" not in page] == []
    for kind, taxonomy in CLASSIFICATION.values():
        assert f"| {kind} | {taxonomy} |" in page


def test_the_same_analysis_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, findings in (("one", EVERYTHING), ("two", EVERYTHING[::-1])):
        write_cases(desk(list(findings)), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_line_has_the_first_record_seen_from_the_device(tmp_path: Path) -> None:
    table = leases(tmp_path, f"{DEVICE},,,,anna,a@example.net")
    [line] = lines_of(desk([exposed(from_device(4), from_device(9))], subscribers=table))
    assert (line["subscriber"], line["contact"], line["state"]) == ("anna", "a@example.net", "open")
    assert (line["device_address"], line["device_port"]) == (DEVICE, "7547")
    assert (line["other_address"], line["other_port"], line["other_is"]) == (REMOTE, "40001", "visitor")
    assert (line["time"], line["source"], line["record"]) == (
        "2016-11-26T10:00:04.000000000Z",
        "lab.pcap",
        "4",
    )
    assert (line["kind"], line["happened"], line["records"]) == ("exposed-device", "exposed", "2")
    [line] = lines_of(desk([ATTACK]))[:1]
    assert (line["device_address"], line["device_port"], line["other_address"]) == (DEVICE, "7547", REMOTE)


def test_only_a_proven_sender_is_called_an_attacker() -> None:
    assert {line["other_is"] for line in lines_of(desk([ATTACK])) if line["time"]} == {"attacker"}
    assert {line["other_is"] for line in lines_of(desk([UNPROVEN]))} == {"sender, not verified"}
    flood = finding(Kind.FLOOD, DEVICE, evidence=(evidence(dst=DEVICE),))
    assert {line["other_is"] for line in lines_of(desk([flood]))} == {"sender, not verified"}


def test_an_unproven_sender_is_in_no_event_and_no_report() -> None:
    """Rule B4."""
    flood = finding(Kind.FLOOD, DEVICE, evidence=(evidence(dst=DEVICE),), reason="too much")
    for found in (UNPROVEN, flood):
        [event] = events_of(desk([found]))
        assert REMOTE not in [event.get("source.ip"), event.get("destination.ip")]
        assert "source.ip" not in event
        assert event["destination.ip"] == DEVICE
        assert reports_of(found) == []


def test_a_proven_sender_is_the_source_of_its_event() -> None:
    found = [each for each in events_of(desk([ATTACK])) if each.get("destination.port") == 7547]
    assert {(each["source.ip"], each["destination.ip"]) for each in found} == {(REMOTE, DEVICE)}
    assert {each["classification.type"] for each in found} == {"exploit"}


TYPES: dict[str, Any] = {
    "feed.accuracy": float,
    "destination.port": int,
    "source.port": int,
    "extra.record": int,
    "extra.shared_address": bool,
    "extra.cves": list,
    "extra.notes": list,
}
TYPES_OF_INTELMQ = {kind for kind, _ in CLASSIFICATION.values()}


def test_events_have_the_names_and_types_of_the_data_format(tmp_path: Path) -> None:
    table = leases(tmp_path, f"{DEVICE},,,,anna,Anna@Example.NET", "198.51.100.30,,,,bert,+49 30 1")
    found = events_of(desk([*EVERYTHING, UNPROVEN], subscribers=table))
    assert {each["classification.type"] for each in found} == TYPES_OF_INTELMQ
    for event in found:
        for name, value in event.items():
            assert KEY.match(name), name
            assert isinstance(value, TYPES.get(name, str)), name
            if isinstance(value, str):
                assert value == value.strip() != ""
            if name.endswith((".ip",)):
                assert str(ip_address(value)) == value
        assert (event["classification.type"], event["classification.taxonomy"]) in CLASSIFICATION.values()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", event["time.source"])
        assert 0 <= event["feed.accuracy"] <= 100
        assert "source.ip" in event or "destination.ip" in event
        for name in ("source.abuse_contact", "protocol.application", "malware.name"):
            assert event.get(name, "") == event.get(name, "").lower()
    contacts = {(each.get("source.abuse_contact"), each.get("extra.contact")) for each in found}
    assert contacts >= {("anna@example.net", None), (None, "+49 30 1")}


def test_our_device_is_the_source_unless_it_is_the_victim() -> None:
    for event in events_of(desk(list(EVERYTHING))):
        victim = event["extra.happened"] in {"attacked", "flooded"}
        own = event["destination.ip" if victim else "source.ip"]
        assert own.startswith("198.51.100."), event["extra.happened"]


def test_a_concern_without_a_record_still_makes_an_event() -> None:
    found = finding(Kind.EXPOSED_DEVICE, "2001:db8:c:700::/56", evidence=())
    [event] = events_of(desk([found]))
    assert event["source.network"] == "2001:db8:c:700::/56"
    assert "source.ip" not in event
    [event] = events_of(desk([finding(Kind.EXPOSED_DEVICE, DEVICE, evidence=())]))
    assert event["source.ip"] == DEVICE


def test_what_a_device_did_is_shown_by_what_it_sent() -> None:
    """The attack that felled it is proof of the link, but not a record of what the device does."""
    attack = evidence(1, src="203.0.113.66", sport=99, dst=DEVICE, dport=7547, note="attack")
    loader = evidence(3, src=DEVICE, sport=40001, dst="203.0.113.80", dport=80)
    fell = finding(Kind.COMPROMISED_DEVICE, DEVICE, evidence=(attack, loader, evidence(2, **OUTWARD)))
    [line] = lines_of(desk([fell]))
    assert (line["record"], line["device_port"], line["other_address"]) == ("2", "40000", REMOTE)
    event, _ = events_of(desk([fell]))
    assert (event["source.port"], event["destination.ip"], event["destination.port"]) == (40000, REMOTE, 7547)
    [made] = reports_of(fell)
    assert made["source_port"] == 40000
    assert "203.0.113.66" in base64.b64decode(made["evidence"][0]["payload"]).decode()


EXPECTED = {
    "198.51.100.20": ("vulnerability", "open_service"),
    "198.51.100.30": ("infrastructure", "botnet"),
    "198.51.100.31": ("connection", "port_scan"),
    "198.51.100.32": ("vulnerability", "open_service"),
    "198.51.100.33": ("vulnerability", "misconfiguration"),
    "198.51.100.35": ("vulnerability", "misconfiguration"),
    "198.51.100.36": ("connection", "vulnerability_scan"),
    "198.51.100.37": ("vulnerability", "open_service"),
}
REQUIRED = {
    "open_service": {"service"},
    "botnet": {"compromise_evidence"},
    "port_scan": {"protocol", "first_seen", "source_port"},
    "misconfiguration": {"service"},
    "vulnerability_scan": {"scan_type", "protocol", "first_seen"},
}
"""What the schemas of the types ask for beyond the core (XARF 4.2.0)."""


def test_reports_have_what_the_schema_of_their_type_asks_for() -> None:
    made = {each["source_identifier"]: each for each in reports_of(*EVERYTHING)}
    assert {address: (each["category"], each["type"]) for address, each in made.items()} == EXPECTED
    core = {
        "xarf_version",
        "report_id",
        "timestamp",
        "reporter",
        "sender",
        "source_identifier",
        "category",
        "type",
    }
    for each in made.values():
        assert core | REQUIRED[each["type"]] <= each.keys()
        assert each["xarf_version"] == "4.2.0"
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each["report_id"]
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each["timestamp"])
        assert each["reporter"].keys() == {"org", "contact", "domain"}
        assert each["reporter"]["domain"].endswith(".invalid")
        assert 1 <= each["source_port"] <= 65535
        assert len(each["tags"]) <= 20
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9_+-]*:[a-z0-9][a-z0-9_+-]*", tag) for tag in each["tags"])
        assert len(each["description"]) <= 1000
    assert made["198.51.100.30"]["malware_family"] == "mirai"
    assert made["198.51.100.31"]["destination_ip"] == REMOTE
    assert (len({each["report_id"] for each in made.values()})) == len(made)


def test_the_evidence_of_a_report_is_a_table_of_its_records() -> None:
    [made] = reports_of(exposed(from_device(4), from_device(9)))
    [item] = made["evidence"]
    payload = base64.b64decode(item["payload"])
    assert (item["content_type"], item["size"]) == ("text/csv", len(payload))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", item["hash"])
    records = list(csv.DictReader(io.StringIO(payload.decode(), newline="")))
    assert [(each["record"], each["src"], each["sport"], each["dst"], each["dport"]) for each in records] == [
        ("4", DEVICE, "7547", REMOTE, "40001"),
        ("9", DEVICE, "7547", REMOTE, "40001"),
    ]


def test_what_concerns_the_customer_alone_is_internal(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("subscriber,model,firmware,fixed\nanna,Model X,1.2,no\n")
    table = leases(tmp_path, f"{DEVICE},,,,anna,a@example.net")
    [made] = reports_of(exposed(), subscribers=table, inventory=load_inventory(file))
    internal = made.pop("_internal")
    assert (internal["subscriber"], internal["contact"], internal["state"]) == (
        "anna",
        "a@example.net",
        "open",
    )
    assert (internal["model"], internal["firmware"], internal["fixed"]) == ("Model X", "1.2", False)
    assert "anna" not in json.dumps(made)
    assert "a@example.net" not in json.dumps(made)


def test_behind_a_shared_address_the_port_goes_into_the_report() -> None:
    found = finding(Kind.COMPROMISED_DEVICE, SHARED, evidence=(evidence(src=SHARED, sport=1030),))
    [made] = reports_of(found)
    assert (made["source_identifier"], made["source_port"], made["_internal"]["shared_address"]) == (
        SHARED,
        1030,
        True,
    )


def test_a_second_run_makes_the_same_report_and_newer_records_a_new_one() -> None:
    same = [reports_of(exposed(from_device(1)))[0]["report_id"] for _ in range(2)]
    later = reports_of(exposed(from_device(1), last_seen=START + 10**12))[0]["report_id"]
    assert same[0] == same[1] != later


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+49 30 1", "'+49 30 1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        ("\n=1", "'\\x0a=1"),
        ("\0=1", "'\\x00=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ('a; "=1', "a; \"'=1"),
        ("a;\t=1", "a;\\x09=1"),
        ("http://x/?a=1;b=2", "http://x/?a=1;b=2"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text: str, shown: str) -> None:
    assert cell(text) == shown


@pytest.mark.parametrize("text", [*HOSTILE, "=1+1", "@x", "\t=1"])
def test_hostile_strings_are_harmless_in_every_file(tmp_path: Path, text: str) -> None:
    made = hostile(text)
    device = [
        finding(
            kind,
            DEVICE,
            interface=text.encode("utf-8", "replace").decode(),
            transport=text,
            severity=Severity.HIGH,
            reason=text,
            fingerprints=(text,),
            cves=(text,),
            incidents=(text,),
            evidence=(
                evidence(source=text, proto=text, src=DEVICE, dst=REMOTE, note=text),
                evidence(dst=text),
            ),
        )
        for kind in Kind
    ]
    own = desk(device)
    own.view = made.view
    table = tmp_path / "leases.csv"
    name = text.replace("\ufeff", "").encode("utf-8", "replace").decode()
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("address", "subscriber", "contact"), (DEVICE, f"x{name}", name)])
    from rearguard.report.subscribers import load_subscribers

    own.subscribers = load_subscribers(table)
    for path in write_cases(own, tmp_path / "cases"):
        content = path.read_bytes()
        assert b"\x1b" not in content
        shown = content.decode("utf-8")
        if path.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(shown, newline=""), strict=True))
            assert {len(row) for row in rows} == {len(COLUMNS)}
            assert len(rows) > 3
            for row in rows:
                assert all(each.isprintable() for each in row)
                assert not any(each.lstrip().startswith(("=", "+", "-", "@")) for each in row)
        else:
            assert content.isascii()
            parsed = (
                [json.loads(line) for line in shown.splitlines()]
                if path.suffix == ".jsonl"
                else json.loads(shown)
            )
            assert parsed
