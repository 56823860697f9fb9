"""The inventory: which devices it knows, how it names and counts models, which ports it finds unwatched."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.report.build import evidence, finding

from rearguard.catalogue import load as load_catalogue
from rearguard.model.errors import InputError
from rearguard.model.finding import Kind, Peers, Subject
from rearguard.policy import Policy, parse_policy
from rearguard.report.cases.versions import at_least
from rearguard.report.inventory import COLUMNS, Device, Inventory, load_inventory
from rearguard.report.subscribers import Subscribers, load_subscribers

Load = Callable[[str], Inventory]
HEADER = "address,subscriber,model,firmware,connection request url,fixed in,fixed\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str) -> Inventory:
        file = tmp_path / "devices.csv"
        file.write_text(text)
        return load_inventory(file)

    return read


def leases(tmp_path: Path, *lines: str) -> Subscribers:
    file = tmp_path / "leases.csv"
    file.write_text("\n".join(["address,from,to,subscriber", *lines]))
    return load_subscribers(file)


def policy(text: str = "customers: {prefixes: [198.51.100.0/24, 2001:db8:c::/48]}") -> Policy:
    return parse_policy(f"networks: {{{text}}}", load_catalogue())


def test_a_device_is_found_by_subscriber_then_by_address(load: Load) -> None:
    table = load(
        HEADER + "198.51.100.7,anna,A,1.0,,,\n2001:db8:c:700::/56,,B,,,,yes\n,bert,C,2,,3,\n"
        "198.51.100.8,,D,,,,no\n"
    )
    assert table.device(ip_address("198.51.100.7")) == Device("A", "1.0", None, 2)
    assert table.device(ip_address("2001:db8:c:742::1")) == Device("B", "", True, 3)
    assert table.device(ip_address("198.51.100.7"), "bert") == Device("C", "2", False, 4)
    assert table.device(ip_address("198.51.100.8"), "nobody") == Device("D", "", False, 5)
    assert table.device(ip_address("198.51.100.9")) is None
    assert table.device(subscriber="carl") is None
    assert len(table) == 4


def test_the_address_may_stand_in_the_url_alone(load: Load) -> None:
    table = load(
        "product class,software version,URL\nA,1,http://[2001:db8:c::7]:7547/x\nB,1,http://198.51.100.7/\n"
    )
    assert table.device(ip_address("2001:db8:c::7")) == Device("A", "1", None, 2)
    assert table.device(ip_address("198.51.100.7")) == Device("B", "1", None, 3)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (HEADER + "198.51.100.7,,,,,,\n", ":2: column 3 (model)", "no model"),
        (HEADER + "198.51.100,,A,,,,\n", ":2: column 1 (address)", "no address"),
        (
            HEADER + "198.51.100.7,,A,,ftp://198.51.100.7/,,\n",
            ":2: column 5",
            "no URL of a Connection Request",
        ),
        (HEADER + "198.51.100.7,,A,,http://198.51.100.7:99999/,,\n", ":2: column 5", "no URL"),
        (HEADER + "198.51.100.7,,A,,http://[::1/,,\n", ":2: column 5", "no URL"),
        (HEADER + "198.51.100.7,,A,,,,perhaps\n", ":2: column 7 (fixed)", "neither yes nor no"),
        (HEADER + ",,A,,http://cpe.example/,,\n", ":2", "neither address nor subscriber"),
        ("model\nA\n", ":1", "no column for address or subscriber or connection request url"),
        ("address\n198.51.100.7\n", ":1", "no column for model"),
        (HEADER, "", "has no device"),
    ],
)
def test_mistakes_are_told_with_file_line_and_column(
    load: Load, tmp_path: Path, text: str, place: str, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(caught.value).startswith(f"{tmp_path / 'devices.csv'}{place}")
    assert problem in str(caught.value)


def test_every_name_of_a_column_is_documented(project: Path) -> None:
    page = (project / "docs" / "inventory.md").read_text()
    for column in COLUMNS:
        assert f"`{column.name}`" in page
        assert [name for name in column.others if name not in page] == []


def test_more_devices_than_the_limit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("address,model\n192.0.2.1,A\n192.0.2.2,A\n")
    with pytest.raises(InputError, match="more than 1 devices"):
        load_inventory(file, limit=1)


@pytest.mark.parametrize(
    ("version", "wanted", "answer"),
    [
        ("1.2", "1.2", True),
        ("1.10.0", "1.9.9", True),
        ("1.9.9", "1.10.0", False),
        ("V1.02.7", "v1.2.7", True),
        ("1.2", "1.2.0", True),
        ("1.2.1", "1.2", True),
        ("FW_2_01b", "FW_2_01a", None),
        ("R7-1.0", "R8-0.9", False),
        ("A1.0", "B1.0", None),
        ("2.0-beta", "1.9", None),
        ("1.0", "release", None),
        ("", "", None),
        ("9" * 5000, "8" * 5000, True),
    ],
)
def test_versions_are_compared_where_that_can_be_told(version: str, wanted: str, answer: bool | None) -> None:
    assert at_least(version, wanted) is answer


def test_models_are_counted_the_worst_first(load: Load) -> None:
    table = load(
        "address,model,firmware,fixed in\n"
        + "".join(f"198.51.100.{n},Old,1.{n % 2},1.1\n" for n in range(10))
        + "".join(f"198.51.100.{n},New,7,\n" for n in range(10, 14))
    )
    attack = finding(
        Kind.EXPLOIT_ATTEMPT,
        peers=Peers(3, (3, 3), ("198.51.100.3", "198.51.100.5")),
        evidence=(evidence(dst="198.51.100.3"), evidence(dst="198.51.100.11")),
    )
    lines = table.models(
        [
            finding(Kind.EXPOSED_DEVICE, "198.51.100.1"),
            finding(Kind.EXPOSED_DEVICE, "198.51.100.2"),
            finding(Kind.COMPROMISED_DEVICE, "198.51.100.1"),
            finding(Kind.COMPROMISED_DEVICE, "198.51.100.200"),
            finding(Kind.SCAN, peers=Peers(1, (1, 1), ("198.51.100.4",))),
            finding(Kind.EXPOSED_DEVICE, "198.51.100.12", labels=("exception", "muted")),
            attack,
        ]
    )
    told = [
        (each.model, each.firmware, each.devices, each.affected, each.exposed, each.compromised)
        for each in lines
    ]
    assert told == [("Old", "1.1", 5, 3, 1, 1), ("Old", "1.0", 5, 1, 1, 0), ("New", "7", 4, 1, 0, 0)]
    assert [(each.fixed, each.unfixed, each.fixed_affected) for each in lines] == [
        (5, 0, 3),
        (0, 5, 0),
        (0, 0, 0),
    ]


def test_leases_find_the_device_that_had_the_address_at_that_time(load: Load, tmp_path: Path) -> None:
    table = load("subscriber,model\nanna,A\nbert,B\n")
    found = finding(
        Kind.EXPOSED_DEVICE,
        "198.51.100.20",
        evidence=(evidence(src="198.51.100.20", sport=7547, dst="203.0.113.7", dport=40001),),
    )
    noon = found.evidence[0].time // 1_000_000_000
    lines = leases(tmp_path, f"198.51.100.20,,{noon},anna", f"198.51.100.20,{noon},,bert")
    assert {each.model: each.exposed for each in table.models([found], subscribers=lines)} == {"A": 0, "B": 1}
    [named] = table.named([found], lines)
    assert named.details["inventory"] == {"model": "B", "firmware": None, "fixed": None}
    assert table.models([found])[0].exposed == 0
    assert table.named([found]) == (found,)


def test_findings_name_their_models_and_keep_their_id(load: Load) -> None:
    table = load(
        "address,model,firmware,fixed\n198.51.100.20,A,1,no\n198.51.100.21,A,2,\n198.51.100.22,B,3,\n"
    )
    one = finding(Kind.EXPOSED_DEVICE, "198.51.100.20")
    attack = finding(
        Kind.EXPLOIT_ATTEMPT,
        peers=Peers(3, (3, 3), ("198.51.100.20", "198.51.100.21", "198.51.100.22")),
    )
    scan = finding()
    named = table.named([one, attack, scan])
    assert named[0].details == {**one.details, "inventory": {"model": "A", "firmware": "1", "fixed": False}}
    assert named[1].details["inventory"] == {"models": {"A": 2, "B": 1}}
    assert named[2] == scan
    assert [each.id for each in named] == [one.id, attack.id, scan.id]


def test_a_controller_is_not_taken_for_a_device(load: Load) -> None:
    table = load("address,model\n198.51.100.20,A\n")
    foreign = finding(
        Kind.UNAUTHORISED_CONTROLLER,
        subject=Subject("remote", "203.0.113.9", verified=True),
        peers=Peers(1, (1, 1), ("198.51.100.20",)),
        evidence=(evidence(src="198.51.100.20", dst="203.0.113.9"),),
    )
    assert table.models([foreign])[0].affected == 1
    assert table.named([foreign])[0].details["inventory"] == {"models": {"A": 1}}


def test_ports_that_nobody_watches_come_with_the_lines_for_the_policy(load: Load) -> None:
    table = load(
        "address,model,url\n"
        + "".join(f"198.51.100.{n},A,http://198.51.100.{n}:7999/\n" for n in range(3))
        + "198.51.100.9,A,http://198.51.100.9:51005/\n"
        + "198.51.100.10,A,http://198.51.100.10:7547/\n198.51.100.11,A,http://198.51.100.11:30005/\n"
        + "192.0.2.1,A,http://192.0.2.1:4/\n"
    )
    [note] = table.notes(policy(), load_catalogue())
    assert "network customers" in note
    assert "tcp/7999 (3 devices), tcp/51005 (1 device)" in note
    assert note.endswith("under networks.customers: ports: {cwmp-cr: [tcp/7999, tcp/51005]}")


def test_the_suggested_lines_are_a_policy_that_ends_the_note(load: Load) -> None:
    table = load("address,model,url\n198.51.100.1,A,http://198.51.100.1:7999/\n")
    moved = "customers: {prefixes: [198.51.100.0/24], ports: {cwmp-cr: [tcp/7548]}}"
    [note] = table.notes(policy(moved), load_catalogue())
    lines = note.split("under networks.customers: ")[1]
    assert lines == "ports: {cwmp-cr: [tcp/7548, tcp/7999]}"
    assert table.notes(policy(f"customers: {{prefixes: [198.51.100.0/24], {lines}}}"), load_catalogue()) == ()


def test_devices_that_stand_there_twice_are_told_and_the_last_line_counts(load: Load) -> None:
    table = load("address,subscriber,model\n192.0.2.1,,A\n192.0.2.1,,B\n,anna,A\n,anna,B\n192.0.2.2,carl,A\n")
    [note] = table.notes(Policy(), load_catalogue())
    assert "2 lines name an address or subscriber of an earlier line" in note
    assert table.device(ip_address("192.0.2.1")) == Device("B", "", None, 3)
    assert table.device(subscriber="anna") == Device("B", "", None, 5)
