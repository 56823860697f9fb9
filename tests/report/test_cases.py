"""Cases: whom a finding concerns, who held the address at that time, and that nobody else is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.report.build import SECOND, START, Row, analysis, evidence, finding
from tests.report.spoken import exchange

from rearguard.catalogue import load as load_catalogue
from rearguard.model.finding import Evidence, Finding, Kind, Peers, Severity, Subject
from rearguard.policy import parse_policy
from rearguard.report.analysis import Analysis
from rearguard.report.cases.advice import HAPPENED, OURS, advice
from rearguard.report.cases.build import build_cases
from rearguard.report.cases.case import Case
from rearguard.report.inventory import load_inventory
from rearguard.report.subscribers import Subscribers, load_subscribers

DEVICE = "198.51.100.20"
OTHER = "198.51.100.21"
REMOTE = "203.0.113.7"
NETWORKS = """
networks:
  customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], delegated: 56, managed: operator}
  phones: {prefixes: [192.0.2.0/25], kind: cgn}
"""


def desk(findings: list[Finding], rows: list[Row] | None = None, **more: Any) -> Analysis:
    """An analysis with these findings and a policy with customers and phones."""
    policy = parse_policy(NETWORKS, load_catalogue())
    return analysis(rows or [], tuple(findings), policy=policy, catalogue=load_catalogue(), **more)


def from_device(at: int, port: int = 7547, address: str = DEVICE, **more: Any) -> Evidence:
    """What the device sent to a stranger ``at`` seconds after the start."""
    return evidence(
        at, time=START + at * SECOND, src=address, sport=port, dst=REMOTE, dport=40001, note="SYN+ACK", **more
    )


def exposed(*records: Evidence, address: str = DEVICE, **more: Any) -> Finding:
    return finding(Kind.EXPOSED_DEVICE, address, evidence=records or (from_device(1),), **more)


def leases(tmp_path: Path, *lines: str) -> Subscribers:
    """Lines ``address,ports,from,to,subscriber,contact``; from and to in seconds after the start."""
    file = tmp_path / "leases.csv"
    made = ["address,ports,from,to,subscriber,contact"]
    for line in lines:
        address, ports, begin, end, *rest = line.split(",")
        begin, end = (str(START // SECOND + int(text)) if text else "" for text in (begin, end))
        made.append(",".join((address, ports, begin, end, *rest)))
    file.write_text("\n".join(made))
    return load_subscribers(file)


def told(cases: tuple[Case, ...]) -> list[tuple[str | None, tuple[str, ...], list[str]]]:
    return [(case.subscriber, case.addresses, [each.happened for each in case.concerns]) for case in cases]


ATTACK = finding(
    Kind.EXPLOIT_ATTEMPT,
    REMOTE,
    peers=Peers(2, (2, 2), (DEVICE, OTHER)),
    evidence=(evidence(5, dst=DEVICE), evidence(6, src=DEVICE, sport=7547, dst=REMOTE, dport=40001)),
)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (exposed(), [(DEVICE, "exposed")]),
        (finding(Kind.COMPROMISED_DEVICE, DEVICE), [(DEVICE, "compromised")]),
        (finding(Kind.REFLECTOR, DEVICE), [(DEVICE, "reflecting")]),
        (finding(Kind.FLOOD, DEVICE), [(DEVICE, "flooded")]),
        (finding(Kind.FLOOD, "customers"), []),
        (finding(Kind.CLEARTEXT_MANAGEMENT, DEVICE), [(DEVICE, "readable")]),
        (finding(Kind.SCAN, DEVICE, direction="internal"), [(DEVICE, "scanning")]),
        (finding(Kind.SCAN, REMOTE, peers=Peers(1, (1, 1), (DEVICE,))), []),
        (finding(Kind.PROBE, DEVICE), []),
        (finding(Kind.PROBE, REMOTE), []),
        (finding(Kind.PORT_SURGE, "tcp/7547"), []),
        (finding(Kind.PORT_SURGE, None), []),
        (ATTACK, [(DEVICE, "attacked"), (OTHER, "attacked")]),
        (
            finding(Kind.EXPLOIT_ATTEMPT, OTHER, evidence=(evidence(src=OTHER, dst=DEVICE),)),
            [(DEVICE, "attacked"), (OTHER, "attacking")],
        ),
        (
            finding(Kind.UNAUTHORISED_CONTROLLER, REMOTE, evidence=(evidence(src=DEVICE, dst=REMOTE),)),
            [(DEVICE, "foreign-managed"), (OTHER, "foreign-managed")],
        ),
        (exposed(labels=("exception", "muted")), []),
        (exposed(address="203.0.113.200"), []),
    ],
)
def test_whom_a_finding_concerns(found: Finding, expected: list[tuple[str, str]]) -> None:
    cases = build_cases(desk([found])).cases
    assert sorted((case.addresses[0], case.concerns[0].happened) for case in cases) == expected
    assert {len(case.concerns) for case in cases} <= {1}


def test_there_is_a_sentence_for_everything_that_can_happen() -> None:
    from rearguard.report.cases.concern import ABOUT_OTHERS, ABOUT_SUBJECT
    from rearguard.report.cases.intelmq import CLASSIFICATION

    happenings = {*ABOUT_SUBJECT.values(), *ABOUT_OTHERS.values()}
    assert set(HAPPENED) == happenings == set(CLASSIFICATION)
    assert set(OURS) <= happenings


def test_all_findings_of_one_address_are_one_case_the_worst_first() -> None:
    findings = [
        exposed(severity=Severity.MEDIUM),
        finding(Kind.COMPROMISED_DEVICE, DEVICE, severity=Severity.CRITICAL),
        exposed(interface="telnet", severity=Severity.HIGH, address=OTHER),
    ]
    first, second = build_cases(desk(findings)).cases
    assert told((first, second)) == [
        (None, (DEVICE,), ["compromised", "exposed"]),
        (None, (OTHER,), ["exposed"]),
    ]
    assert (first.severity, second.severity, first.state) == (Severity.CRITICAL, Severity.HIGH, "open")


def test_attacks_beyond_the_records_of_the_finding_come_from_the_dialogues() -> None:
    many = [exchange(REMOTE, f"198.51.100.{n}", at=n) for n in range(30, 60)]
    strangers = [exchange("203.0.113.99", "198.51.100.90"), exchange(REMOTE, "198.51.100.91", port=23)]
    innocent = [
        exchange(REMOTE, "198.51.100.92", hits=()),
        exchange(REMOTE, "198.51.100.93", incidental=True),
    ]
    made = desk([replace(ATTACK, peers=Peers(30, (30, 30), ()), evidence=())])
    made.view = replace(made.view, exchanges=(*many, *strangers, *innocent))
    cases = build_cases(made).cases
    assert {case.addresses[0] for case in cases} == {f"198.51.100.{n}" for n in range(30, 60)}
    [item] = next(case for case in cases if case.addresses == ("198.51.100.42",)).concerns[0].evidence
    assert (item.src, item.sport, item.dst, item.dport) == (REMOTE, 40123, "198.51.100.42", 7547)
    assert (item.source, item.record, item.time) == ("lab.pcap", 501, START + 42 * SECOND)


def test_the_case_is_for_who_had_the_address_at_the_time_of_the_record(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,100,anna,a@x", f"{DEVICE},,100,,bert,b@x", f"{OTHER},,,,bert,b@x")
    found = exposed(from_device(10), from_device(150), from_device(20))
    cases = build_cases(desk([found], subscribers=lines)).cases
    assert sorted(told(cases)) == [("anna", (DEVICE,), ["exposed"]), ("bert", (DEVICE,), ["exposed"])]
    by_name = {case.subscriber: case for case in cases}
    assert [item.record for item in by_name["anna"].concerns[0].evidence] == [10, 20]
    assert [item.record for item in by_name["bert"].concerns[0].evidence] == [150]
    assert by_name["anna"].contact == "a@x"
    assert by_name["anna"].last_seen == START + 20 * SECOND < by_name["bert"].first_seen


def test_all_addresses_of_a_subscriber_are_one_case(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,,anna,", "2001:db8:c:700::/56,,,,anna,", f"{OTHER},,,,bert,")
    six = "2001:db8:c:742::1"
    findings = [exposed(), exposed(from_device(9, address=six), address=six), exposed(address=OTHER)]
    cases = build_cases(desk(findings, subscribers=lines)).cases
    assert (("anna", {DEVICE, six})) in [(case.subscriber, set(case.addresses)) for case in cases]
    assert len(cases) == 2


def test_a_later_holder_gets_a_case_when_contacts_prove_it(tmp_path: Path) -> None:
    """The finding keeps its first records only; the contacts know what happened in the next lease."""
    lines = leases(tmp_path, f"{DEVICE},,,100,anna,", f"{DEVICE},,100,,bert,", f"{OTHER},,,,carl,")
    rows = [
        Row("203.0.113.9", DEVICE, at=150, record=77, outcome="answered"),
        Row("203.0.113.8", DEVICE, at=160, record=80, outcome="unanswered"),
        Row("203.0.113.8", DEVICE, at=161, record=82, outcome="answered", interface="telnet", port=23),
        Row("203.0.113.8", OTHER, at=165, record=84, outcome="answered"),
    ]
    cases = build_cases(desk([exposed(from_device(10))], rows, subscribers=lines)).cases
    assert {case.subscriber for case in cases} == {"anna", "bert"}
    [item] = next(case for case in cases if case.subscriber == "bert").concerns[0].evidence
    assert (item.src, item.sport, item.dst, item.dport) == (DEVICE, 7547, "203.0.113.9", 40001)
    assert (item.record, item.source) == (78, "lab.pcap")


def test_a_later_holder_without_a_proof_gets_none_and_the_first_is_told_his_own_time(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,100,anna,", f"{DEVICE},,100,,bert,")
    [case] = build_cases(desk([exposed(from_device(10))], subscribers=lines)).cases
    assert case.subscriber == "anna"
    assert case.first_seen == START
    assert case.last_seen == START + 100 * SECOND - 1


def test_a_device_that_scans_outward_is_found_as_a_client_too(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,100,anna,", f"{DEVICE},,100,,bert,")
    rows = [Row(DEVICE, "203.0.113.50", at=120, record=9, direction="outbound")]
    found = finding(Kind.COMPROMISED_DEVICE, DEVICE, evidence=(evidence(3, src=DEVICE, sport=5, dst=REMOTE),))
    cases = build_cases(desk([found], rows, subscribers=lines)).cases
    [item] = next(case for case in cases if case.subscriber == "bert").concerns[0].evidence
    assert (item.src, item.sport, item.dst, item.dport) == (DEVICE, 40001, "203.0.113.50", 7547)


def test_without_a_lease_the_address_stands_for_its_subscriber_and_the_case_says_so(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{OTHER},,,,bert,")
    [case] = build_cases(desk([exposed()], subscribers=lines)).cases
    assert (case.subscriber, case.addresses) == (None, (DEVICE,))
    assert case.notes == (f"{DEVICE}: no lease tells who held the address at that time",)


def test_where_leases_contradict_each_other_nobody_is_named(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,,anna,", f"{DEVICE},,,,bert,")
    [case] = build_cases(desk([exposed()], subscribers=lines)).cases
    assert case.subscriber is None
    assert "lines 2 and 3" in case.notes[0]


def test_without_a_record_only_who_held_the_address_all_the_time_is_named(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,100,anna,", f"{DEVICE},,100,,bert,", f"{OTHER},,,,carl,")
    found = replace(ATTACK, evidence=())
    cases = build_cases(desk([found], subscribers=lines)).cases
    assert sorted(told(cases), key=str) == [("carl", (OTHER,), ["attacked"]), (None, (DEVICE,), ["attacked"])]
    assert any("changed hands" in note for case in cases for note in case.notes)


SHARED = "192.0.2.9"


def test_behind_a_shared_address_port_and_time_name_the_subscriber(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{SHARED},1024-2047,,,anna,", f"{SHARED},2048-3071,,,bert,")
    found = finding(
        Kind.COMPROMISED_DEVICE,
        SHARED,
        evidence=(evidence(1, src=SHARED, sport=1030), evidence(2, src=SHARED, sport=3000)),
    )
    cases = build_cases(desk([found], subscribers=lines)).cases
    assert sorted((case.subscriber, case.concerns[0].evidence[0].sport) for case in cases) == [
        ("anna", 1030),
        ("bert", 3000),
    ]
    assert not any(case.shared for case in cases)
    [case] = build_cases(desk([found])).cases
    assert (case.subscriber, case.shared, case.addresses) == (None, True, (SHARED,))
    assert "shared by several subscribers (cgn)" in case.notes[0]


def test_ipv6_is_counted_by_the_delegated_prefix_where_no_lease_is_known() -> None:
    one, two = "2001:db8:c:701::1", "2001:db8:c:702::1"
    cases = build_cases(
        desk(
            [
                exposed(from_device(1, address=one), address=one),
                exposed(from_device(2, address=two), address=two),
            ]
        )
    ).cases
    assert told(cases) == [(None, (one, two), ["exposed", "exposed"])]


def test_a_subject_that_is_a_prefix_is_given_to_the_holders_of_its_records(tmp_path: Path) -> None:
    lines = leases(tmp_path, "2001:db8:c:701::/64,,,,anna,")
    found = exposed(from_device(1, address="2001:db8:c:701::5"), address="2001:db8:c:700::/56")
    [case] = build_cases(desk([found], subscribers=lines)).cases
    assert (case.subscriber, case.addresses) == ("anna", ("2001:db8:c:700::/56",))


def test_the_customer_is_not_told_to_mend_what_the_operator_runs() -> None:
    [case] = build_cases(desk([exposed()])).cases
    assert advice(case.concerns[0]) == OURS["exposed"]
    [case] = build_cases(desk([exposed(interface="telnet")])).cases
    assert advice(case.concerns[0]) == HAPPENED["exposed"]
    [case] = build_cases(desk([exposed(address="192.0.2.3")])).cases
    assert advice(case.concerns[0]) == HAPPENED["exposed"]
    clear = finding(Kind.CLEARTEXT_MANAGEMENT, "192.0.2.3", interface="cwmp-acs", labels=("own-controller",))
    [case] = build_cases(desk([clear])).cases
    assert advice(case.concerns[0]) == OURS["readable"]


def test_the_inventory_names_the_model(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(f"address,subscriber,model\n{DEVICE},,A\n,bert,B\n")
    table = load_inventory(file)
    lines = leases(tmp_path, f"{OTHER},,,,bert,")
    cases = build_cases(desk([exposed(), exposed(address=OTHER)], inventory=table)).cases
    assert [case.device and case.device.model for case in cases if case.addresses == (DEVICE,)] == ["A"]
    found = exposed(from_device(3, address=OTHER), address=OTHER)
    [case] = build_cases(desk([found], inventory=table, subscribers=lines)).cases
    assert case.device is not None
    assert case.device.model == "B"


def test_names_stay_and_depend_on_nothing_but_who_is_concerned(tmp_path: Path) -> None:
    lines = leases(tmp_path, f"{DEVICE},,,,anna,")
    [before] = build_cases(desk([exposed()], subscribers=lines)).cases
    [after] = build_cases(
        desk([finding(Kind.COMPROMISED_DEVICE, DEVICE, evidence=(from_device(200),))], subscribers=lines)
    ).cases
    [unnamed] = build_cases(desk([exposed()])).cases
    assert before.id == after.id != unnamed.id
    assert len(before.id) == 16
    assert int(before.id, 16) >= 0
    literal = build_cases(desk([exposed()], subscribers=leases(tmp_path, f"{DEVICE},,,,{DEVICE},"))).cases
    assert literal[0].id != unnamed.id, "a subscriber whose id is an address is not that address"


def test_the_order_of_findings_does_not_matter() -> None:
    findings = [exposed(address=f"198.51.100.{n}", severity=Severity.LOW) for n in range(20)]
    assert build_cases(desk(findings)).cases == build_cases(desk(findings[::-1])).cases


def test_beyond_the_limit_the_worst_are_kept_and_the_rest_is_counted() -> None:
    findings = [exposed(address=f"198.51.100.{n}", severity=Severity.LOW) for n in range(20)]
    findings.append(exposed(address="198.51.100.99", severity=Severity.CRITICAL))
    made = build_cases(desk(findings), limit=3)
    assert (len(made.cases), made.left_off) == (3, 18)
    assert made.cases[0].addresses == ("198.51.100.99",)


def test_hosts_that_a_payload_named_are_not_ours_because_it_named_them() -> None:
    found = replace(ATTACK, evidence=(evidence(dst="no address"),), peers=Peers(1, (1, 1), ("<script>", "")))
    assert build_cases(desk([found])).cases == ()


def test_a_case_about_a_remote_subject_is_never_made() -> None:
    found = finding(Kind.COMPROMISED_DEVICE, subject=Subject("device", "203.0.113.50", verified=True))
    assert build_cases(desk([found])).cases == ()
