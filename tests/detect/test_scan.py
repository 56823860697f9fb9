"""Rule B1: who is a scanner, who is not, on catalogued interfaces and elsewhere."""

from __future__ import annotations

import json

import pytest

from detect.build import contact, detect, devices, kinds, of, policy, strangers


def sweep(count: int, *, pace: float = 1.0, **more: object) -> list[dict[str, object]]:
    return [contact(server=device, at=index * pace, **more) for index, device in enumerate(devices(count))]


@pytest.mark.parametrize("outcome", ["unanswered", "refused", "answered", "conversed", "unknown"])
def test_enough_devices_on_an_interface_are_a_scan_whatever_came_back(outcome: str) -> None:
    [scan] = of(detect(*sweep(10, outcome=outcome)), "scan")
    assert (scan.subject.address, scan.interface, scan.direction) == ("203.0.113.7", "cwmp-cr", "inbound")
    assert scan.peers.count == 10
    assert scan.peers.interval == (10, 10)
    assert scan.outcomes == {outcome: 10}


def test_one_device_fewer_is_a_probe_and_never_both() -> None:
    assert kinds(detect(*sweep(9))) == ["probe"]
    assert kinds(detect(*sweep(10))) == ["scan"]


def test_repeated_tries_and_several_ports_of_one_interface_count_a_device_once() -> None:
    rows = [contact(server=device, port=port, tries=9) for device in devices(9) for port in (7547, 30005)]
    [probe] = detect(*rows).findings
    assert (probe.kind, probe.peers.count, probe.ports) == ("probe", 9, (7547, 30005))


def test_patience_is_found_over_the_whole_input() -> None:
    assert kinds(detect(*sweep(99, pace=70))) == ["probe"]
    [scan] = detect(*sweep(100, pace=70)).findings
    assert scan.kind == "scan"
    assert scan.details["shape"] == ["slow"]
    assert scan.details["peak_in_window"] == 9


def test_a_controller_is_never_accused_even_with_twenty_thousand_devices() -> None:
    rows = sweep(20_000, pace=0.01, outcome="conversed", authorised=True, authorised_by="acs")
    assert detect(*rows).findings == ()


def test_under_sampling_a_controller_whose_sessions_look_like_bare_syns_is_not_accused() -> None:
    rows = sweep(200, sampling=1000, outcome="unknown", authorised=True, authorised_by="acs")
    assert detect(*rows).findings == ()


def test_a_clients_own_port_is_no_interface() -> None:
    assert detect(*sweep(500, port=5555, target=False, outcome="conversed")).findings == ()


@pytest.mark.parametrize("answer", ["answered", "refused", "unknown"])
def test_backscatter_is_no_scan(answer: str) -> None:
    rows = [
        contact(client=device, server=server, port=23, tries=0, outcome=answer, packets_c=0, seen_c=0)
        for device, server in zip(devices(300), strangers(300), strict=True)
    ]
    one_victim = [
        contact(client=device, server="192.0.2.1", port=23, tries=0, outcome=answer, packets_c=1, seen_c=0x04)
        for device in devices(300)
    ]
    assert detect(*rows, *one_victim).findings == ()


def test_transit_is_not_ours_to_judge() -> None:
    rows = [contact(server=server, port=23) for server in strangers(200)]
    assert detect(*rows).findings == ()


def test_one_finding_an_interface_of_one_source() -> None:
    result = detect(*sweep(30), *sweep(30, port=23))
    assert {finding.interface for finding in of(result, "scan")} == {"cwmp-cr", "telnet"}
    assert len({finding.id for finding in result.findings}) == 2


def test_a_surveyor_is_labelled_muted_and_still_counted() -> None:
    [scan] = of(detect(*sweep(300, surveyor="censys")), "scan")
    assert scan.labels == ("surveyor:censys", "muted")
    assert scan.severity == "low"
    assert scan.peers.count == 300


def test_an_exception_mutes_only_when_it_covers_everything() -> None:
    [scan] = of(detect(*sweep(30, exception="pen test")), "scan")
    assert scan.labels == ("exception", "muted")
    [scan] = of(detect(*sweep(30, exception="pen test"), *sweep(31)[30:]), "scan")
    assert scan.labels == ("exception",)
    assert scan.severity == "medium"


def test_an_unverified_source_is_said_to_be_one() -> None:
    [scan] = of(detect(*sweep(30)), "scan")
    assert not scan.subject.verified
    assert "may be forged" in scan.reason
    assert "attack" not in scan.reason
    [scan] = of(detect(*sweep(30, outcome="conversed")), "scan")
    assert scan.subject.verified


def test_dark_addresses_make_surer() -> None:
    [plain] = of(detect(*sweep(25)), "scan")
    [dark] = of(detect(*sweep(25, dark=True)), "scan")
    assert dark.confidence > plain.confidence
    assert dark.details["dark_devices"] == 25


@pytest.mark.parametrize(
    ("marks", "named"),
    [
        ({"fp_mirai": 1}, ("mirai",)),
        ({"fp_zmap": 1}, ("zmap",)),
        ({"fp_masscan": 1}, ("masscan",)),
        ({"fp_zmap": 1, "tries": 3}, ()),
    ],
)
def test_a_tool_is_named_only_where_certain(marks: dict[str, int], named: tuple[str, ...]) -> None:
    [scan] = of(detect(*sweep(30, **marks)), "scan")
    assert scan.fingerprints == named


def test_one_packet_with_a_tools_mark_names_nothing() -> None:
    rows = sweep(30)
    rows[0] |= {"fp_mirai": 1, "fp_zmap": 1, "fp_masscan": 1}
    [scan] = of(detect(*rows), "scan")
    assert scan.fingerprints == ()


def test_ipv6_sources_are_counted_by_slash_64() -> None:
    pair = [f"2001:db8:ffff:1::{index:x}" for index in (1, 2)]
    rows = [contact(client=pair[i % 2], server=f"2001:db8:c::{i + 1:x}", at=i) for i in range(30)]
    [scan] = of(detect(*rows), "scan")
    assert scan.subject.address == "2001:db8:ffff:1::/64"
    [scan] = of(detect(*[row | {"client": pair[0]} for row in rows]), "scan")
    assert scan.subject.address == pair[0]


def test_ipv6_devices_are_counted_by_delegated_prefix() -> None:
    networks = {"customers": {"prefixes": ["2001:db8:c::/48"], "delegated": 56}}
    rows = [contact(client="2001:db8:ffff::1", server=f"2001:db8:c:{i:x}::1", at=i) for i in range(200)]
    assert kinds(detect(*rows)) == ["scan"]
    assert kinds(detect(*rows, given=policy(networks=networks))) == ["probe"]


def test_our_own_device_that_scans_inside_is_a_scan_with_role_device() -> None:
    rows = [
        contact(client="198.51.100.9", server=device, port=23, at=i) for i, device in enumerate(devices(30))
    ]
    [scan] = of(detect(*rows), "scan")
    assert (scan.subject.role, scan.direction, scan.severity) == ("device", "internal", "high")


def test_vertical_scan_lists_its_ports_and_replaces_the_probes() -> None:
    rows = [contact(server="198.51.100.20", port=port, at=port / 100) for port in range(20, 40)]
    [scan] = detect(*rows).findings
    assert (scan.kind, scan.interface, scan.ports) == ("scan", None, tuple(range(20, 40)))
    assert scan.details["shape"] == ["vertical"]


def test_many_ports_with_conversations_are_no_vertical_scan() -> None:
    rows = [contact(port=port, outcome="conversed") for port in range(40_000, 40_100)]
    assert detect(*rows).findings == ()


def test_the_random_walk_accuses_after_nine_failures_on_uncatalogued_ports() -> None:
    assert detect(*sweep(8, port=445)).findings == ()
    [scan] = detect(*sweep(9, port=445)).findings
    assert (scan.interface, scan.details["walk_decided_after"]) == (None, 9)
    assert scan.severity == "low"


def test_the_random_walk_clears_who_succeeds_first() -> None:
    good = sweep(5, port=443, outcome="conversed")
    assert (
        detect(
            *good, *[contact(server=d, port=443, at=100 + i) for i, d in enumerate(devices(20, 100))]
        ).findings
        == ()
    )


def test_in_a_one_sided_capture_lone_syns_are_failures_and_sessions_are_not() -> None:
    [scan] = detect(*sweep(40, port=1433, outcome="unknown")).findings
    assert scan.peers.count == 40
    assert detect(*sweep(40, port=443, outcome="unknown", seen_c=0x51, flags_c=0x1A)).findings == ()


def test_a_peer_to_peer_client_of_ours_is_not_accused() -> None:
    rows = [
        contact(client="198.51.100.9", server=server, port=20_000 + index * 7 % 40_000, at=index)
        for index, server in enumerate(strangers(400))
    ]
    assert detect(*rows).findings == ()


def test_sampled_thousandfold_three_seen_devices_are_a_scan_and_two_are_not() -> None:
    assert kinds(detect(*sweep(2, sampling=1000, outcome="unknown"))) == ["probe"]
    [scan] = detect(*sweep(3, sampling=1000, outcome="unknown")).findings
    assert scan.kind == "scan"
    assert scan.peers.count == 3000
    low, high = scan.peers.interval
    assert 500 < low < 700
    assert 8500 < high < 9000
    told = scan.details["sampling"]
    assert told["chance_slash24_sweep_touched_once"] == pytest.approx(0.2259, abs=0.001)
    assert told["chance_slash16_sweep_found"] > 0.999
    assert 6200 < told["must_touch_to_be_seen_95"] < 6400


def test_evidence_and_samples_are_bounded_and_point_to_records() -> None:
    limits = {"evidence": 3, "peers_sample": 4}
    [scan] = of(detect(*sweep(60, fp_mirai=1), given=policy(limits=limits)), "scan")
    assert len(scan.peers.sample) == 4
    assert [(item.record, item.dport, item.note) for item in scan.evidence] == [
        (1, 7547, "SYN, sequence equals destination"),
        (3, 7547, "SYN, sequence equals destination"),
        (5, 7547, "SYN, sequence equals destination"),
    ]
    assert scan.evidence[0].source == "made.pcap"


def test_every_finding_is_json() -> None:
    result = detect(
        *sweep(30),
        *sweep(12, port=445),
        *[contact(client="192.0.2.9", port=port) for port in range(100, 130)],
    )
    assert len(result.findings) == 3
    json.dumps([finding.to_json() for finding in result.findings])


def test_what_a_limit_leaves_out_is_counted() -> None:
    rows = [contact(client=client, at=i) for i, client in enumerate(strangers(30))]
    result = detect(*rows, given=policy(limits={"findings_per_kind": 10}))
    assert len(result.findings) == 10
    assert result.approximations == (
        "20 more findings of the kind probe are not listed (limits.findings_per_kind is 10)",
    )


# what people do in their own network, and from it


@pytest.mark.parametrize(("proto", "port"), [("tcp", 22), ("tcp", 23), ("udp", 1900), ("udp", 161)])
@pytest.mark.parametrize("outcome", ["unknown", "conversed", "refused"])
def test_what_a_customer_opens_outward_is_the_customers_business(proto: str, port: int, outcome: str) -> None:
    rows = [
        contact(client="198.51.100.9", server=server, port=port, proto=proto, outcome=outcome, at=index)
        for index, server in enumerate(strangers(12))
    ]
    assert detect(*rows).findings == ()


@pytest.mark.parametrize(
    ("client", "server", "interface", "found"),
    [
        ("10.1.2.3", "10.1.2.1", "upnp-soap", []),
        ("10.1.2.3", "10.1.2.1", "ssh", []),
        ("10.1.2.3", "10.1.2.3", "snmp", []),  # itself
        ("10.1.2.3", "10.1.2.1", "cwmp-cr", ["probe"]),  # not the owner's to open
        ("10.1.2.3", "10.1.3.1", "ssh", ["probe"]),
        ("198.51.100.3", "198.51.100.1", "ssh", ["probe"]),  # neighbours, not a home
        ("fd00:1:2:3::5", "fd00:1:2:3::1", "ssh", []),
        ("fe80::5", "fe80::1", "http-admin", []),
        ("fd00:1:2:3::5", "fd00:1:2:4::1", "ssh", ["probe"]),
        ("2001:db8:c::5", "2001:db8:c::1", "ssh", ["probe"]),
    ],
)
def test_in_a_home_network_its_owner_may_open_what_is_the_owners(
    client: str, server: str, interface: str, found: list[str]
) -> None:
    row = contact(
        client=client,
        server=server,
        interface=interface,
        direction="internal",
        outcome="conversed",
        port=2000,
    )
    assert kinds(detect(row)) == found


def test_a_search_through_a_home_network_stays_a_scan() -> None:
    rows = [contact(client="10.0.0.99", server=device, port=22, at=i) for i, device in enumerate(devices(10))]
    assert kinds(detect(*rows[:9])) == []
    assert kinds(detect(*rows)) == ["scan"]


def test_a_probe_beyond_the_home_network_tells_of_that_only() -> None:
    rows = [contact(client="10.0.0.99", server=device, port=22) for device in ("10.0.0.1", "10.0.1.1")]
    [probe] = detect(*rows).findings
    assert (probe.peers.count, probe.peers.sample) == (1, ("10.0.1.1",))


@pytest.mark.parametrize("outcome", ["answered", "conversed"])
def test_many_answered_ports_outside_the_catalogue_are_no_vertical_scan(outcome: str) -> None:
    """Passive FTP, or a server with many services."""
    assert detect(*[contact(port=port, outcome=outcome) for port in range(40_000, 40_012)]).findings == ()
    rows = [contact(port=port, outcome="refused") for port in range(40_000, 40_010)]
    assert kinds(detect(*rows[:9])) == []
    assert kinds(detect(*rows)) == ["scan"]


def test_catalogued_ports_count_for_a_vertical_scan_whatever_came_back() -> None:
    rows = [contact(port=port, interface="telnet", outcome="conversed") for port in range(2000, 2010)]
    [scan] = of(detect(*rows), "scan")
    assert scan.details["shape"] == ["vertical"]


def test_in_sampled_records_a_busy_server_is_no_vertical_scan() -> None:
    lone = [contact(port=port, outcome="unknown", sampling=100) for port in range(40_000, 40_020)]
    assert kinds(detect(*lone)) == ["scan"]
    session = {"outcome": "unknown", "sampling": 100, "seen_c": 0x51, "flags_c": 0x1A}
    assert kinds(detect(*lone, *[contact(port=port, **session) for port in range(50_000, 50_020)])) == []


def test_one_packet_with_mirais_property_is_counted_and_names_nobody() -> None:
    [probe] = detect(contact(fp_mirai=1)).findings
    assert (probe.fingerprints, probe.details["fingerprint_hits"]) == ((), {"mirai": 1})
    [probe] = detect(*sweep(2, fp_mirai=1)).findings
    assert probe.fingerprints == ("mirai",)
    assert "fingerprint_hits" not in probe.details


def test_outside_the_catalogue_a_fan_inside_needs_more_devices() -> None:
    rows = [
        contact(client="10.0.0.99", server=device, port=631, at=i) for i, device in enumerate(devices(25))
    ]
    assert kinds(detect(*rows[:24])) == []
    assert kinds(detect(*rows)) == ["scan"]
