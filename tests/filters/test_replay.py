"""What the filter would have done to contacts that were seen: each row of a table is one conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detect.build import contact, view
from tests.filters.build import DUE, policy
from tests.filters.exchange import exchange

from rearguard.catalogue import load
from rearguard.contacts.view import View
from rearguard.detect import run
from rearguard.filters.border import Border, border
from rearguard.filters.compile import compile_filter
from rearguard.filters.guarded import guard
from rearguard.filters.judge import judge
from rearguard.filters.model import Attachment, Packet, Verdict
from rearguard.filters.verdicts import DROPPED, PLAN, laid_out
from rearguard.model import bits
from rearguard.model.address import from_halves

NETWORKS = """\
networks:
  customers: {prefixes: [198.51.100.0/24, 10.0.0.0/8, "2001:db8:c::/48"], managed: operator}
"""
CONTROLLERS = """\
controllers:
  acs: {requests_from: [192.0.2.8/30], manages: [cwmp], enters_at: west}
  desk: {requests_from: [192.0.2.40/32], manages: [telnet, cwmp]}
"""
DROP = f"drop:\n  - {{interfaces: [cwmp-cr, telnet, snmp], toward: [customers], {DUE}}}\n"
POLICY = NETWORKS + CONTROLLERS + DROP
OWN_CLIENT = {"target": False, "interface": "cwmp-cr", "tries": 0}


def replayed(*contacts: dict[str, Any], text: str = POLICY, crowd: Iterable[dict[str, Any]] = ()) -> Border:
    """The border of these contacts, with the findings that follow from them."""
    made, rules = view(contacts, crowd=crowd), policy(text)
    return border(made, rules, load(), run(made, rules, load()).findings)


def played(*contacts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The figures of the replay."""
    answer = replayed(*contacts, **more).replay
    assert answer is not None
    return answer.to_json()


def reasons(*contacts: dict[str, Any], **more: Any) -> dict[str, int]:
    return {item["reason"]: item["contacts"] for item in played(*contacts, **more)["not_stoppable"]}


def allowed(client: str, by: str, **more: Any) -> dict[str, Any]:
    return contact(client, outcome="conversed", authorised=True, authorised_by=by, **more)


def test_strangers_initiations_are_dropped_and_counted_by_finding() -> None:
    scan = [contact(server=f"198.51.100.{i}", at=i) for i in range(1, 31)]
    answer = replayed(*scan, contact("203.0.113.9", port=22))
    assert answer.replay is not None
    assert (answer.replay.initiations_dropped, answer.replay.contacts_dropped) == (30, 30)
    assert answer.replay.passed == 1
    made = view([*scan, contact("203.0.113.9", port=22)])
    by_kind = {
        (finding.kind, finding.interface): answer.replay.by_finding[finding.id]
        for finding in run(made, policy(POLICY), load()).findings
    }
    assert by_kind == {("scan", "cwmp-cr"): (30, 0), ("probe", "ssh"): (0, 1)}


def test_a_flow_of_a_whole_session_is_one_initiation() -> None:
    flow = contact(
        outcome="conversed",
        tries=0,
        unacked=0,
        flags_c=bits.SYN | bits.ACK,
        known=bits.KNOWN_FLAGS,
        packets_c=5,
    )
    assert played(flow)["initiations_dropped"] == 1


@pytest.mark.parametrize("port", [7547, 23])
def test_controllers_are_never_among_the_dropped(port: int) -> None:
    entering = allowed("192.0.2.9", "acs")
    answer = played(entering)
    assert (answer["authorised_dropped"], answer["initiations_dropped"]) == (0, 0)
    assert reasons(entering) == {"authorised-addresses": 1}
    inside = allowed("192.0.2.40", "desk", port=port)
    answer = played(inside)
    assert answer["authorised_dropped"] == 0
    assert "controllers that enter inside: 1." in answer["notes"][0]


def test_an_authorised_initiation_that_would_be_cut_is_named() -> None:
    """It cannot happen by a compiled filter; were it to, the figure and a note would say so."""
    stray = allowed("192.0.2.77", "acs")
    answer = played(stray)
    assert answer["authorised_dropped"] == 1
    assert "authorised initiations that would be dropped: 1." in answer["notes"][0]


def test_replies_to_own_clients_are_collateral_only_where_they_are_dropped() -> None:
    """Source port 7547 is safe (rule C1); source port 161 over UDP is dropped by port."""
    tcp = contact("203.0.113.80", outcome="conversed", unacked=0, **OWN_CLIENT)
    udp = contact(
        "203.0.113.80", port=161, proto="udp", outcome="conversed", **(OWN_CLIENT | {"interface": "snmp"})
    )
    assert played(tcp)["collateral_dropped"] == 0
    answer = played(tcp, udp)
    assert (answer["collateral_dropped"], answer["collateral_packets"]) == (1, udp["packets_c"])
    assert answer["initiations_dropped"] == 0


def test_answers_to_forged_packets_hit_nobody() -> None:
    """A SYN+ACK to an address that never sends, or that refused it (rule B5)."""
    dark = contact(
        port=23, outcome="unknown", dark=True, packets_c=1, **(OWN_CLIENT | {"interface": "telnet"})
    )
    refused = contact(port=23, outcome="refused", packets_c=1, **(OWN_CLIENT | {"interface": "telnet"}))
    answer = played(dark, refused)
    assert answer["collateral_dropped"] == 0
    assert "nobody here asked for: 2." in " ".join(answer["notes"])


def test_visitors_of_customers_own_services_are_collateral_and_no_attack() -> None:
    visitor = contact(port=5555, outcome="conversed")
    answer = played(visitor)
    assert (answer["initiations_dropped"], answer["collateral_dropped"]) == (0, 1)


def test_a_visitor_whose_payload_was_an_attack_is_none() -> None:
    made = view([contact(port=5555, outcome="conversed")])
    meant = replace(made, exchanges=(exchange(port=5555, identity="adb"),))
    answer = border(meant, policy(POLICY), load(), ()).replay
    assert answer is not None
    assert (answer.initiations_dropped, answer.collateral_dropped) == (1, 0)


def test_what_cannot_be_judged_is_said() -> None:
    """A flow exporter without TCP flags; and replies to a UDP port whose contact is kept for the other port."""
    blind = contact(outcome="conversed", unacked=None, known=0, **OWN_CLIENT)
    assert played(blind)["unjudged"] == 1
    other = contact(
        "198.51.100.20", "203.0.113.80", 69, "udp", outcome="conversed", interface="tftp", proof_port_c=161
    )
    answer = played(other)
    assert answer["unjudged"] == 1
    assert "at least 1." in " ".join(answer["notes"])
    assert "sampled" in " ".join(played(contact(sampling=1000))["notes"])


CANNOT = {
    "not listed": (POLICY, [contact(port=22)], {"not-listed": 1}),
    "a high UDP port": (
        POLICY.replace("snmp]", "ssdp]"),
        [contact(port=1900, proto="udp")],
        {"udp-from-1024": 1},
    ),
    "shared addresses": (
        POLICY.replace("customers: {", "customers: {kind: cgn, "),
        [contact(), contact(client="2001:db8:f::1", server="2001:db8:c::1")],
        {"shared-addresses": 1},
    ),
    "softwires": (
        POLICY.replace("customers: {", "customers: {kind: dslite, "),
        [contact()],
        {"softwires": 1},
    ),
    "a source that may not be touched": (
        POLICY + "never_block: [203.0.113.0/28]\n",
        [contact("203.0.113.7"), contact("203.0.113.77")],
        {"never-block": 1},
    ),
    "a device that may not be touched": (
        POLICY + "never_block: [198.51.100.20/32]\n",
        [contact(server="198.51.100.20"), contact(server="198.51.100.21")],
        {"never-block": 1},
    ),
    "open before it was looked": (
        POLICY,
        [contact(outcome="conversed", tries=0, unacked=0, seen_c=bits.SEEN_DATA)],
        {"already-open": 1},
    ),
    "a compromised device outward": (
        POLICY,
        [contact("198.51.100.9", f"20.{i}.0.1", 23, at=i) for i in range(30)],
        {"outbound": 30},
    ),
    "spread inside": (
        POLICY,
        [contact("198.51.100.9", f"198.51.100.{i}", 23, at=i) for i in range(20, 40)],
        {"internal": 20},
    ),
    "devices of a cloud": (
        POLICY.replace("managed: operator", "managed: vendor-cloud"),
        [contact("198.51.100.9", "20.0.0.1", 8883, outcome="conversed")],
        {"cloud-managed": 1},
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_the_filter_cannot_stop_has_its_reason(case: str) -> None:
    text, contacts, expected = CANNOT[case]
    answer = played(*contacts, text=text)
    found = {item["reason"]: item["contacts"] for item in answer["not_stoppable"]}
    assert found == expected
    assert all(item["what_can"] for item in answer["not_stoppable"])


def test_every_initiation_is_dropped_or_has_one_reason() -> None:
    contacts = [row for _, rows, _ in CANNOT.values() for row in rows] + [contact()]
    answer = played(*contacts)
    reasons = sum(item["initiations"] for item in answer["not_stoppable"])
    assert answer["passed"] == reasons
    assert answer["initiations_dropped"] > 0


def test_the_crowd_counts() -> None:
    lone = {
        "interface": "telnet",
        "direction": "inbound",
        "network": "customers",
        "port": 23,
        "proto": bits.TCP,
        "minute": 24_670_080,
        "clients": 5000,
        "tries": 5000,
        "packets": 5000,
        "bytes": 200_000,
        "first": 1_480_204_800_000_000_000,
        "last": 1_480_204_801_000_000_000,
        "proof_rec_c": 1,
        "proof_time_c": 1_480_204_800_000_000_000,
        "proof_port_c": 40000,
        "client": "203.0.113.7",
        "server": "198.51.100.20",
    }
    answer = played(contact(), crowd=[lone, lone | {"interface": "ssh", "port": 22}])
    assert (answer["initiations_dropped"], answer["passed"]) == (5001, 5000)


def test_without_a_drop_there_is_no_filter_and_a_what_if_for_each_attacked_interface() -> None:
    answer = replayed(
        contact(at=0),
        contact("203.0.113.8", at=1),
        contact(port=1900, proto="udp"),
        contact("192.0.2.40", port=23, authorised=True, authorised_by="desk"),
        contact("198.51.100.9", "198.51.100.10", 23),
        text=NETWORKS + CONTROLLERS,
    )
    assert (answer.filter, answer.text, answer.rules, answer.replay) == (None, None, 0, None)
    told = {item.interface: item for item in answer.what_ifs}
    assert set(told) == {"cwmp-cr", "ssdp"}
    assert (told["cwmp-cr"].initiations_dropped, told["cwmp-cr"].remotes, told["cwmp-cr"].devices) == (
        2,
        2,
        1,
    )
    assert told["ssdp"].needs_consent
    assert not told["cwmp-cr"].needs_consent
    assert "accept_collateral" in told["ssdp"].text


def test_a_what_if_shows_what_would_be_hit() -> None:
    answer = replayed(
        contact(),
        contact(
            "203.0.113.80", port=161, proto="udp", outcome="conversed", **(OWN_CLIENT | {"interface": "snmp"})
        ),
        contact("203.0.113.80", port=161, proto="udp", interface="snmp", server="198.51.100.30"),
        text=NETWORKS + CONTROLLERS,
    )
    told = {item.interface: item for item in answer.what_ifs}
    assert told["snmp"].collateral_dropped == 1
    assert "1 contact of customers' own would have been hit" in told["snmp"].text


def test_what_is_dropped_already_is_no_what_if() -> None:
    assert [item.interface for item in replayed(contact(), contact(port=22)).what_ifs] == ["ssh"]


def test_notes_name_surveyors_and_exceptions() -> None:
    notes = " ".join(
        played(contact(surveyor="census"), contact("203.0.113.9", exception="honeypot"))["notes"]
    )
    assert "by known surveyors: 1." in notes
    assert "an exception covers: 1." in notes


def test_the_view_is_left_as_it_was() -> None:
    made: View = view([contact()])
    before = made.con.execute("SELECT * FROM duckdb_views() WHERE NOT internal").fetchall()
    tables = made.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    border(made, policy(POLICY), load(), ())
    assert made.con.execute("SELECT * FROM duckdb_views() WHERE NOT internal").fetchall() == before
    assert made.con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == tables


def test_several_edges_have_a_file_each() -> None:
    answer = replayed(contact(), text=POLICY + "edges: {west: {outside: [eth0]}, east: {outside: [eth1]}}\n")
    assert [(each.file, each.filter.edge) for each in answer.edges] == [
        ("border-west.nft", "west"),
        ("border-east.nft", "east"),
    ]
    assert answer.text == answer.edges[0].text
    assert "nft -f border-west.nft" in answer.edges[0].text


def test_the_json_has_the_names_of_the_contract() -> None:
    told = replayed(contact()).to_json()
    assert told["platform"] == "nftables"
    assert told["rules"] == len(told["edges"][0]["rules"]) > 0
    assert {
        "initiations_dropped",
        "passed",
        "authorised_dropped",
        "collateral_dropped",
        "not_stoppable",
    } <= told["replay"].keys()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("203.0.113.7", "192.0.2.9", "192.0.2.40", "198.18.0.1", "2001:db8:f::1")),
            st.sampled_from(("198.51.100.20", "198.51.100.201", "10.1.2.3", "2001:db8:c::20")),
            st.sampled_from(
                (("tcp", 7547), ("tcp", 23), ("tcp", 22), ("udp", 161), ("udp", 1900), ("tcp", 5555))
            ),
        ),
        min_size=1,
        max_size=12,
        unique=True,
    ),
    st.sampled_from((POLICY, POLICY + "never_block: [198.51.100.200/29, 198.18.0.0/24]\n")),
)
def test_the_replay_and_the_reference_agree(rows: list[tuple[str, str, tuple[str, int]]], text: str) -> None:
    """The fate of a contact's initiation is the verdict on its first packet."""
    pairs = [row for row in rows if (":" in row[0]) == (":" in row[1])]
    made, rules = (
        view([contact(client, server, port, proto) for client, server, (proto, port) in pairs]),
        policy(text),
    )
    guarded = guard(rules, load())
    with laid_out(made, rules, load(), {PLAN: guarded.cells}, guarded.left):
        fates = made.con.execute(
            "SELECT client_hi, client_lo, server_hi, server_lo, proto, port, fate FROM plan_fates"
        ).fetchall()
    assert len(fates) == len(pairs)
    compiled = compile_filter(rules, load(), "west")
    for client_hi, client_lo, server_hi, server_lo, proto, port, fate in fates:
        first = Packet(
            Attachment.ENTERING,
            from_halves(client_hi, client_lo),
            from_halves(server_hi, server_lo),
            proto,
            dport=port,
            sport=40001,
            flags=bits.SYN,
        )
        assert (fate == DROPPED) == (judge(compiled, first).verdict is Verdict.DROP), (first, fate)
