"""Shadowserver's reports: which rows speak of our devices, what they confirm, what they conclude alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from tests.report.build import Row, finding, view

from rearguard.catalogue import load as load_catalogue
from rearguard.model.errors import InputError
from rearguard.model.finding import Finding, Kind, Severity, Subject
from rearguard.policy import Policy, parse_policy
from rearguard.report.cases.concern import concerns
from rearguard.report.progress import Silent
from rearguard.report.run import analyze
from rearguard.report.shadowserver import LABEL, joined
from rearguard.report.shadowserver_reports import Reports, load_reports

TODAY = date(2026, 11, 22)
CWMP = (
    '"timestamp","ip","protocol","port","hostname","tag","asn","geo","region","city","naics","sic","http","http_code",'
    '"http_reason","content_type","connection","www_authenticate","set_cookie","server","content_length",'
    '"transfer_encoding","date","sector"\n'
)
PLAIN = '"timestamp","ip","protocol","port","hostname","tag","asn","geo","region","city","naics","sic"\n'
NETWORKS = """\
networks:
  customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], delegated: 56}
  shared: {prefixes: [203.0.113.0/24], kind: cgn}
controllers:
  acs: {requests_from: [192.0.2.8/32], manages: [cwmp]}
exceptions:
  - {subject: 198.51.100.77/32, interfaces: [cwmp-cr], reason: honeypot, expires: 2027-01-01}
"""

Load = Callable[..., Reports]


def policy() -> Policy:
    return parse_policy(NETWORKS, load_catalogue(), today=TODAY)


def row(
    address: str,
    port: int = 7547,
    tag: str = "cwmp",
    *,
    time: str = "2026-11-21 10:44:55",
    code: str = "",
    auth: str = "",
) -> str:
    return (
        f'"{time}","{address}","tcp",{port},,"{tag}",64496,"AA","L","L",517311,0,"HTTP/1.1",{code},"x","text/html",,'
        f'"{auth}",,"x",1,,,\n'
    )


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str, name: str = "2026-11-21-scan_cwmp-example-asn.csv") -> Reports:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return load_reports([str(file)], policy(), load_catalogue())

    return read


def join(reports: Reports, findings: Sequence[Finding] = (), rows: Sequence[Row] = ()) -> list[Finding]:
    seen = view(list(rows))
    seen.con.execute("UPDATE judged SET authorised_by = 'acs' WHERE authorised")
    return list(joined(reports, findings, seen, policy(), TODAY))


def exposed(address: str, interface: str = "cwmp-cr") -> Finding:
    return finding(Kind.EXPOSED_DEVICE, address, interface=interface, evidence=())


def test_a_device_that_answered_a_stranger_here_is_confirmed(load: Load) -> None:
    other = exposed("198.51.100.21")
    scan = finding(Kind.SCAN, "198.51.100.20")
    reports = load(CWMP + row("198.51.100.20") + row("198.51.100.20", 30005, time="2026-11-20 01:00:00"))
    found = join(reports, [exposed("198.51.100.20"), other, scan])
    assert len(found) == 3
    [confirmed] = [one for one in found if LABEL in one.labels]
    assert confirmed.subject.address == "198.51.100.20"
    assert confirmed.reason.endswith(
        "Shadowserver saw it open from outside on tcp/7547, tcp/30005, last on 2026-11-21."
    )
    assert confirmed.id == exposed("198.51.100.20").id
    assert confirmed.details["targets"] == 1964
    assert confirmed.details["shadowserver"]["records"] == [
        "2026-11-21-scan_cwmp-example-asn.csv:2",
        "2026-11-21-scan_cwmp-example-asn.csv:3",
    ]
    assert {one.reason for one in found if one is not confirmed} == {other.reason, scan.reason}


@pytest.mark.parametrize("subject", ["2001:db8:c:100::/56", "2001:db8:c:1ff::9"])
def test_a_delegated_prefix_is_one_device(load: Load, subject: str) -> None:
    reports = load(CWMP + row("2001:db8:c:100::1") + row("2001:db8:c:1ab::2"))
    [one] = join(reports, [exposed(subject)])
    assert LABEL in one.labels
    [alone] = join(reports)
    assert alone.subject == Subject("device", "2001:db8:c:100::/56", True)


@pytest.mark.parametrize(
    ("line", "severity", "words"),
    [
        (row("198.51.100.20", code="401", auth="Digest realm=x"), Severity.MEDIUM, "a login is asked first"),
        (row("198.51.100.20", code="200"), Severity.HIGH, "no login"),
        (row("198.51.100.20", code="404"), Severity.MEDIUM, "not known"),
        (row("198.51.100.77", code="200"), Severity.LOW, "exception"),
    ],
)
def test_what_came_back_decides_how_bad_it_is(load: Load, line: str, severity: Severity, words: str) -> None:
    [alone] = join(load(CWMP + line))
    assert (alone.kind, alone.severity) == (Kind.EXPOSED_DEVICE, severity)
    assert words in alone.severity_reason
    assert ("muted" in alone.labels) is (severity is Severity.LOW)
    assert alone.confidence < 0.99
    assert (alone.contacts, alone.packets, alone.evidence) == (0, 0, ())
    assert "No answer of our device" in alone.reason
    assert alone.mechanisms
    # It makes a case like any other finding about a device.
    assert len(concerns(alone, lambda _: True)) == (0 if severity is Severity.LOW else 1)


def test_the_latest_answer_counts(load: Load) -> None:
    early = row("198.51.100.20", code="200", time="2026-11-01 00:00:00")
    late = row("198.51.100.20", code="401", time="2026-11-02 00:00:00")
    for text in (early + late, late + early):
        [alone] = join(load(CWMP + text))
        assert alone.severity is Severity.MEDIUM
        assert (alone.first_seen < alone.last_seen) is True


def test_a_lan_only_service_is_critical(load: Load) -> None:
    line = '"2026-11-21 10:44:55","198.51.100.20","tcp",49152,,"x",1,"AA",,,0,0\n'
    [alone] = join(load(PLAIN + line, "x.csv"))
    assert (alone.interface, alone.severity) == ("upnp-soap", Severity.CRITICAL)
    assert "lan-protocol-on-wan" in alone.mechanisms


@pytest.mark.parametrize(
    ("name", "protocol", "port", "tag", "interface", "transport"),
    [
        ("2026-11-21-scan_cwmp-x.csv", "tcp", 5678, "", "cwmp-cr", "tcp"),
        ("2026-11-21-scan6_cwmp-x-y.csv", "tcp", 5678, "", "cwmp-cr", "tcp"),
        ("scan_telnet.csv", "tcp", 5678, "", "telnet", "tcp"),
        ("report.csv", "tcp", 5678, "telnet-alt", "telnet", "tcp"),
        ("2026-11-21-cisco_smart_install-x.csv", "tcp", 4786, "cisco-smart-install", "smart-install", "tcp"),
        ("scan_netis_router.csv", "", 53413, "netis_vulnerability", "netis", "udp"),
        ("report.csv", "tcp", 7547, "", "cwmp-cr", "tcp"),
        ("report.csv", "udp", 161, "", "snmp", "udp"),
        ("report.csv", "tcp", 5555, "adb", "adb", "tcp"),
        ("report.csv", "tcp", 80, "", None, ""),  # customers run web servers
        ("report.csv", "tcp", 9999, "", None, ""),
        ("report.csv", "", 7547, "", None, ""),
    ],
)
def test_what_answered_is_told_by_tag_report_or_port(
    load: Load, name: str, protocol: str, port: int, tag: str, interface: str | None, transport: str
) -> None:
    reports = load(
        PLAIN + f'"2026-11-21 10:44:55","198.51.100.20","{protocol}",{port},,"{tag}",1,"AA",,,0,0\n', name
    )
    found = [(one.interface.id, one.transport) for one in reports.sightings.values()]
    assert found == ([(interface, transport)] if interface else [])
    assert bool(reports.notes()) is (interface is None)


def test_what_says_nothing_here_is_counted(load: Load) -> None:
    reports = load(
        CWMP
        + row("198.51.100.20")
        + row("192.0.2.200")
        + row("203.0.113.5")
        + row("nowhere")
        + row("198.51.100.20", time="yesterday")
        + row("198.51.100.20", port=0)
        + '"2026-11-21 10:44:55","198.51.100.21","tcp",7547\n'
    )
    assert len(reports.sightings) == 2
    [note] = reports.notes()
    assert note.startswith("Of 7 rows of Shadowserver's reports 1 are about addresses that are in no network")
    assert "1 are about addresses that several subscribers share (rule A7)" in note
    assert re.search(r"3 could not be read, the first at \S+\.csv:5$", note)


def test_the_controllers_that_use_the_interface_are_named(load: Load) -> None:
    rows = [
        Row("192.0.2.8", "198.51.100.20", authorised=True, outcome="conversed"),
        Row("192.0.2.8", "198.51.100.21", authorised=True, outcome="conversed"),
        Row("203.0.113.7", "198.51.100.22"),
    ]
    found = join(load(CWMP + row("198.51.100.20") + row("198.51.100.22")), rows=rows)
    told = {one.subject.address: one.details["shadowserver"]["controllers"] for one in found}
    assert told == {"198.51.100.20": ["acs"], "198.51.100.22": []}
    assert any(one.reason.endswith("Here it was used by acs.") for one in found)


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", '"timestamp","ip"\n', "\x00\x01"])
def test_what_is_no_report_is_an_error_with_a_remedy(load: Load, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    assert caught.value.remedy
    with pytest.raises(InputError):
        load_reports(["/nonexistent/scan_cwmp.csv"], policy(), load_catalogue())


def test_the_command_joins_them_with_traffic(tmp_path: Path) -> None:
    log = tmp_path / "conn.log"
    log.write_text(
        "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\t"
        "conn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
        "1795342000.5\t203.0.113.7\t40001\t198.51.100.20\t7547\ttcp\t0.2\tSF\tShADadFf\t5\t400\t4\t500\n"
        "1795342001.5\t203.0.113.7\t40002\t198.51.100.21\t7547\ttcp\t-\tS0\tS\t1\t40\t0\t0\n"
    )
    report = tmp_path / "scan_cwmp.csv"
    report.write_text(CWMP + row("198.51.100.20", code="401") + row("198.51.100.30", code="200"))
    analysis = analyze(
        [str(log)],
        policy_file=None,
        networks=["198.51.100.0/24"],
        controllers=[],
        drops=[],
        workers=1,
        progress=Silent(),
        shadowserver=[str(report)],
    )
    found = [one for one in analysis.findings if one.kind is Kind.EXPOSED_DEVICE]
    assert {one.subject.address: (LABEL in one.labels, one.contacts) for one in found} == {
        "198.51.100.20": (True, 1),
        "198.51.100.30": (True, 0),
    }
