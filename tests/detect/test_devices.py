"""Rules B4, B7, B9, B12: exposed, compromised, reflecting and flooded devices."""

from __future__ import annotations

import pytest

from detect.build import SECOND, START, contact, detect, devices, kinds, of, policy, strangers
from rearguard.detect import loads
from rearguard.model import bits

FLOW = bits.KNOWN_FLAGS


def outward(count: int, *, step: int = 256, pace: float = 1.0, **more: object) -> list[dict[str, object]]:
    return [
        contact(**({"client": "198.51.100.9", "server": server, "port": 23, "at": index * pace} | more))
        for index, server in enumerate(strangers(count, step))
    ]


# exposed-device


def test_exactly_syn_ack_to_a_stranger_is_an_exposed_device() -> None:
    [exposed] = of(detect(contact(outcome="answered")), "exposed-device")
    assert (exposed.subject.address, exposed.subject.role) == ("198.51.100.20", "device")
    assert (exposed.severity, exposed.details["proof"]) == ("medium", "synack")
    [proof] = exposed.evidence
    assert (proof.note, proof.src, proof.sport, proof.record) == (
        "SYN+ACK from tcp/7547",
        "198.51.100.20",
        7547,
        2,
    )


@pytest.mark.parametrize(
    "row",
    [
        contact(outcome="unanswered"),
        contact(outcome="refused"),
        contact(outcome="conversed", authorised=True),
        contact(outcome="conversed", target=False),
        contact(outcome="answered", seen_s=0, known=FLOW),  # OR-ed flags: no SYN+ACK was seen as one packet
        contact(outcome="answered", client="198.51.100.9"),  # internal
        contact(outcome="answered", client="198.51.100.9", server="203.0.113.7"),  # a foreign listener
    ],
)
def test_what_proves_no_exposure(row: dict[str, object]) -> None:
    assert of(detect(row), "exposed-device") == []


def test_payload_alone_needs_three_remotes_on_ephemeral_ports() -> None:
    def talk(count: int, far: int) -> list[dict[str, object]]:
        return [
            contact(
                client=client,
                outcome="conversed",
                seen_s=bits.SEEN_DATA,
                known=FLOW,
                load_port_s=far,
                at=index,
            )
            for index, client in enumerate(strangers(count))
        ]

    assert of(detect(*talk(2, 40_000)), "exposed-device") == []
    [exposed] = of(detect(*talk(3, 40_000)), "exposed-device")
    assert exposed.details["proof"] == "payload"
    assert exposed.confidence < 0.9
    assert of(detect(*talk(3, 443)), "exposed-device") == []
    assert of(detect(*talk(3, 8291)), "exposed-device") == []  # a known service


def test_a_lan_only_service_that_answers_the_outside_is_critical() -> None:
    [exposed] = of(detect(contact(port=1900, proto="udp", outcome="answered")), "exposed-device")
    assert exposed.severity == "critical"


def test_a_conversation_says_that_the_payload_was_not_read() -> None:
    [exposed] = of(detect(contact(outcome="conversed")), "exposed-device")
    assert exposed.severity == "medium"
    assert "not read" in exposed.severity_reason
    [exposed] = of(detect(contact(outcome="conversed", payload_s=9000)), "exposed-device")
    assert exposed.severity == "high"
    assert "not read" in exposed.severity_reason


def test_ports_that_customers_use_themselves_are_only_counted() -> None:
    """A visitor of a customer's own server, and a crawler of many, are nobody's business; a sweep is."""
    visits = [contact(port=22, server=f"198.51.100.{last}", outcome="conversed") for last in range(1, 41)]
    assert kinds(detect(*visits)) == []
    tries = [contact(port=22, server=f"198.51.100.{last}", outcome="refused") for last in range(41, 61)]
    [scan] = detect(*visits[:2], *tries).findings
    assert (scan.kind, scan.peers.count) == ("scan", 22)
    assert scan.details["answered_identity_unknown"] == 2


def test_behind_shared_addresses_no_port_is_exposed() -> None:
    networks = {"customers": {"prefixes": ["198.51.100.0/24"], "kind": "cgn"}}
    assert kinds(detect(contact(outcome="answered"), given=policy(networks=networks))) == ["probe"]


def test_an_address_that_answers_everything_is_said_to_be_a_proxy_or_dmz() -> None:
    rows = [contact(port=port, outcome="answered") for port in range(8000, 8040)]
    [exposed] = [
        finding
        for finding in of(detect(contact(outcome="answered"), *rows), "exposed-device")
        if finding.interface == "cwmp-cr" and 7547 in finding.ports
    ]
    assert exposed.severity == "low"
    assert "SYN proxy" in exposed.reason


# compromised-device


def test_spread_over_many_networks_is_a_compromised_device_and_no_scan() -> None:
    [found] = detect(*outward(25)).findings
    assert (found.kind, found.subject.address, found.direction) == (
        "compromised-device",
        "198.51.100.9",
        "outbound",
    )
    assert found.severity == "high"


@pytest.mark.parametrize(
    "rows",
    [
        outward(24),
        outward(60, step=1),  # one site
        outward(60, pace=60),  # too slow
        outward(30, outcome="conversed"),  # a busy client
        [*outward(40)[10:], *outward(10, outcome="conversed")],  # bare share 0.75
        outward(60, port=161, proto="udp", outcome="unknown"),  # a datagram's answer may take another way
        outward(60, port=80, interface="http-admin", outcome="conversed"),  # a crawler
        outward(
            60, port=80, interface="http-admin", outcome="unknown", seen_c=0x51, flags_c=0x1A
        ),  # one-sided
        outward(60, port=25, interface=None),  # a mail server whose partners are down
        [row | {"port": 2000 + i, "interface": None} for i, row in enumerate(outward(400))],  # peer-to-peer
    ],
)
def test_what_is_no_compromised_device(rows: list[dict[str, object]]) -> None:
    assert of(detect(*rows), "compromised-device") == []


def test_one_call_to_a_foreign_controller_is_nothing_much() -> None:
    rows = [
        contact(client=device, server="203.0.113.80", port=80, outcome="conversed") for device in devices(40)
    ]
    assert detect(*rows).findings == ()


def test_mirais_property_toward_two_destinations_is_enough() -> None:
    assert detect(*outward(2)).findings == ()
    [found] = detect(*outward(2, fp_mirai=1)).findings
    assert (found.kind, found.severity, found.fingerprints) == ("compromised-device", "critical", ("mirai",))


def test_a_retransmission_of_one_syn_is_not_the_property_twice() -> None:
    assert detect(*outward(1, fp_mirai=2, tries=2)).findings == ()


def test_mirais_property_counts_inside_and_on_uncatalogued_ports() -> None:
    rows = [contact(client="198.51.100.9", server=device, port=5358, fp_mirai=1) for device in devices(3)]
    [found] = of(detect(*rows), "compromised-device")
    assert (found.direction, found.interface) == ("internal", None)


def test_behind_a_shared_address_port_and_time_are_named() -> None:
    networks = {"customers": {"prefixes": ["198.51.100.0/24"], "kind": "cgn"}}
    [found] = detect(*outward(30), given=policy(networks=networks)).findings
    assert "shared-address" in found.labels
    assert found.evidence[0].sport == 40001


def test_sampled_outward_scanning_is_found_with_few_seen() -> None:
    [found] = detect(*outward(4, sampling=1000, outcome="unknown")).findings
    assert found.kind == "compromised-device"
    assert found.peers.count == 4000


# reflector


def reflection(client: str = "192.0.2.66", **more: object) -> dict[str, object]:
    given = {"tries": 100, "bytes_c": 6000, "packets_s": 800, "bytes_s": 180_000, "outcome": "answered"}
    return contact(client=client, port=1900, proto="udp", lasts=20, **(given | more))


def test_a_device_that_answers_forged_requests_is_a_reflector_and_the_remote_a_victim() -> None:
    result = detect(reflection())
    [found] = of(result, "reflector")
    assert (found.subject.address, found.subject.role) == ("198.51.100.20", "device")
    assert (found.details["peer_role"], found.details["ratio"]) == ("victim", 30.0)
    assert found.peers.sample == ("192.0.2.66",)
    assert not [item for item in result.findings if item.subject.address == "192.0.2.66"]


@pytest.mark.parametrize(
    "row",
    [
        reflection(tries=19),
        reflection(bytes_s=11_999),
        reflection(packets_s=0, bytes_s=0, outcome="unanswered"),
        reflection(authorised=True),
    ],
)
def test_what_is_no_reflector(row: dict[str, object]) -> None:
    assert of(detect(row), "reflector") == []


def test_carpet_bombing_adds_up_over_the_victims_network() -> None:
    rows = [reflection(f"192.0.2.{host}", tries=1, bytes_c=60, bytes_s=1800) for host in range(30)]
    [found] = of(detect(*rows), "reflector")
    assert found.peers.count == 30


# flood


def test_too_many_initiations_a_minute_at_one_device_are_a_flood() -> None:
    assert of(detect(contact(tries=119, lasts=30)), "flood") == []
    [flood] = of(detect(contact(tries=120, lasts=30)), "flood")
    assert flood.details["peak_per_minute"] == pytest.approx(120, abs=0.1)
    assert of(detect(contact(tries=1200, lasts=3600)), "flood") == []


@pytest.mark.parametrize(("heaps", "most"), [(8, 1 << 20), (0, 1), (1000, 1 << 20), (8, 2)])
def test_a_flooded_device_is_found_in_any_number_of_heaps(
    monkeypatch: pytest.MonkeyPatch, heaps: int, most: int
) -> None:
    monkeypatch.setattr(loads, "HEAPS", heaps)
    monkeypatch.setattr(loads, "MOST_HEAPS", most)
    quiet = [contact(server=f"198.51.100.{k}", tries=100, lasts=30) for k in range(1, 60)]
    loud = [
        contact(client, server, tries=70, lasts=30)
        for client in ("203.0.113.1", "203.0.113.2")
        for server in ("198.51.100.77", "2001:db8:c:7::1")
    ]
    found = of(detect(*quiet, *loud), "flood")
    assert {one.subject.address for one in found} == {"198.51.100.77", "2001:db8:c:7::1", "customers"}


def test_many_sources_add_up_at_their_common_time_only() -> None:
    together = [contact(client=client, tries=10, at=i / 10) for i, client in enumerate(strangers(20))]
    [flood] = of(detect(*together), "flood")
    assert (flood.contacts, flood.peers.count) == (20, 20)
    apart = [contact(client=client, tries=10, at=i * 300) for i, client in enumerate(strangers(20))]
    assert of(detect(*apart), "flood") == []


def test_sampling_is_scaled_and_the_peak_has_an_interval() -> None:
    [flood] = of(detect(contact(tries=10, lasts=5, sampling=100)), "flood")
    low, high = flood.details["peak_interval"]
    assert flood.details["peak_per_minute"] == pytest.approx(1000, abs=1)
    assert low < 1000 < high


def test_a_load_that_never_changes_is_a_baseline_not_a_flood() -> None:
    steady = contact(tries=130 * 60, lasts=3600)
    assert of(detect(steady, span=3600), "flood") == []
    burst = contact(client="192.0.2.5", tries=3_000, at=1800, lasts=60)
    assert len(of(detect(steady, burst, span=3600), "flood")) == 1


def test_sources_that_are_only_counted_flood_a_network() -> None:
    row = {
        "interface": "cwmp-cr",
        "direction": "inbound",
        "network": "customers",
        "port": 7547,
        "proto": 6,
        "minute": START // (60 * SECOND),
        "clients": 90_000,
        "tries": 90_000,
        "packets": 90_000,
        "bytes": 5_400_000,
        "first": START,
        "last": START + 59 * SECOND,
        "proof_rec_c": 77,
        "proof_time_c": START,
        "proof_port_c": 4242,
        "client": "192.0.2.1",
        "server": "198.51.100.1",
    }
    [flood] = detect(crowd=[row]).findings
    assert (flood.kind, flood.details["scope"], flood.subject.address) == ("flood", "network", "customers")
    assert flood.peers.count == 90_000
    assert flood.evidence[0].record == 77
    [flood] = of(detect(contact(), crowd=[row]), "flood")
    assert flood.contacts == 90_001
