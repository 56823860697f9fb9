"""What ``rearguard analyze`` concludes from the lab's capture is what the truth file says must follow.

Causes in the truth are its expected findings and, for what has no interface (an infected device fetches what its
attacker named), its events. Required findings must be there; nothing may be found without a cause.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

Key = tuple[str, str, str | None, str]
Item = dict[str, Any]

FETCH = "fetches what the request named"


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return Path(os.environ.get("REARGUARD_LAB", project / "lab"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> Item:
    loaded: Item = json.loads((folder / "truth.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def report(folder: Path) -> Item:
    program = Path(sys.executable).with_name("rearguard")
    arguments = ("analyze", folder / "incident.pcapng", "--policy", folder / "rearguard.yaml", "--json")
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=300)
    loaded: Item = json.loads(done.stdout)
    return loaded


@pytest.fixture(scope="module")
def found(report: Item) -> dict[Key, Item]:
    return {
        (item["kind"], item["subject"]["address"], item["interface"], item["direction"]): item
        for item in report["findings"]
    }


def moment(text: str) -> datetime:
    """A time of the truth or of findings.json, to the microsecond."""
    return datetime.fromisoformat(text[:26] + "+00:00")


def expected(truth: Item, *, required: bool) -> dict[Key, Item]:
    """What must follow; without ``required`` also everything that may follow."""
    return {
        (item["kind"], item["subject"], item["interface"], item["direction"]): item
        for item in truth["expected_findings"]
        if not required or item["required"]
    }


def fetches(truth: Item) -> dict[Key, Item]:
    """The events in which a device did what its attacker told it to."""
    return {
        (event["kind"], device, None, event["direction"]): event
        for event in truth["events"]
        if event["what"].endswith(FETCH)
        for devices in event["outcomes"].values()
        for device in devices
    }


def attempts(truth: Item) -> Iterator[tuple[str, str, Item]]:
    """Attacker, device and event of each attack that reached its target."""
    for event in truth["events"]:
        if event["kind"] == "exploit-attempt" and event["payload"]["delivered"]:
            [remote] = event["remotes"]
            for devices in event["outcomes"].values():
                for device in devices:
                    yield remote, device, event


def test_every_finding_that_must_follow_is_there(found: dict[Key, Item], truth: Item) -> None:
    must = expected(truth, required=True).keys() | fetches(truth).keys()
    assert sorted(must - found.keys(), key=str) == []


def test_no_finding_is_without_a_cause(found: dict[Key, Item], truth: Item) -> None:
    causes = expected(truth, required=False).keys() | fetches(truth).keys()
    assert sorted(found.keys() - causes, key=str) == []


def test_the_innocent_are_never_a_subject(found: dict[Key, Item], truth: Item) -> None:
    innocent = {item["address"] for item in truth["innocent"]}
    assert {address for _, address, _, _ in found} & innocent == set()


def test_contacts_outcomes_and_fingerprints_are_those_of_the_lab(found: dict[Key, Item], truth: Item) -> None:
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


def test_findings_lie_in_the_time_of_their_cause(found: dict[Key, Item], truth: Item) -> None:
    """A scan or an attack begins with the lab's act and ends with it, but for the last packets on their way."""
    by_act = ("scan", "probe", "exploit-attempt", "cleartext-management", "unauthorised-controller")
    for key, wanted in expected(truth, required=True).items():
        if key[0] in by_act:
            assert wanted["first"] <= found[key]["first_seen"], key  # RFC 3339 in UTC sorts as text
            late = moment(found[key]["last_seen"]) - moment(wanted["last"])
            assert late < timedelta(seconds=1), key


def test_every_attack_is_found_with_what_came_back(found: dict[Key, Item], truth: Item) -> None:
    seen = 0
    for remote, device, event in attempts(truth):
        item = found["exploit-attempt", remote, event["interface"], "inbound"]
        [line] = [one for one in item["details"]["devices"] if one["device"] == device]
        payload = event["payload"]
        if event["scene"] == "request-of-2016":
            status = payload["status"]
            result = {None: "silent", 200: "open"}.get(status, "guarded")
            assert line["came_back"].startswith(f"{status}, " if status else "nothing"), (remote, device)
            assert payload["cve"] in item["cves"]
            assert payload["incident"] in item["incidents"]
            assert payload["host"] in item["details"]["named_hosts"]
            assert payload["url"] in item["details"]["urls"]
        else:
            result = "taken" if payload["accepted"] else "guarded"
        assert line["result"] == result, (remote, device)
        seen += 1
    told = [item for key, item in found.items() if key[0] == "exploit-attempt"]
    assert seen == sum(sum(item["details"]["results"].values()) for item in told) > 0


def test_the_device_that_fell_is_linked_to_the_attack_that_felled_it(
    found: dict[Key, Item], truth: Item
) -> None:
    [(key, event)] = fetches(truth).items()
    device, host = key[1], event["payload"]["host"]
    [attacker] = {
        remote
        for remote, target, attack in attempts(truth)
        if target == device and attack["payload"].get("host") == host and attack["first"] < event["first"]
    }
    exploit = found["exploit-attempt", attacker, "cwmp-cr", "inbound"]
    about = [item for other, item in found.items() if other[0] == "compromised-device" and other[1] == device]
    assert {item["interface"] for item in about} == {None, "cwmp-cr", "telnet"}
    for item in about:
        assert item["severity"] == "critical"
        assert [link["finding"] for link in item["details"]["felled_by"]] == [exploit["id"]]
        attack, contact = item["evidence"][:2]
        assert (attack["src"], attack["dst"]) == (attacker, device)
        assert (contact["src"], contact["dst"], contact["dport"]) == (device, host, event["ports"][0])
        assert moment(event["first"]) - moment(contact["time"]) < timedelta(seconds=1)
    assert exploit["details"]["fell"] == [device]
    others = [item for other, item in found.items() if other[0] == "exploit-attempt" and item is not exploit]
    assert [item["details"]["fell"] for item in others] == [[]] * len(others)


def test_exposed_devices_are_as_bad_as_their_gates(found: dict[Key, Item], truth: Item) -> None:
    gates = {host["address"]: host["gate"] for host in truth["hosts"] if host["role"] == "device"}
    wanted = {
        "digest": "medium",
        "fragile": "medium",
        "not-found": "medium",
        "mute": "medium",
        "tr064": "critical",
    }
    spoken_to = {device for _, device, _ in attempts(truth)}
    judged = 0
    for (kind, device, interface, _), item in found.items():
        if kind == "exposed-device" and interface == "cwmp-cr" and device in spoken_to:
            assert item["severity"] == wanted[gates[device]], device
            assert item["details"]["payload_read"] == (gates[device] != "mute"), device
            judged += 1
    assert judged == 7


def test_a_login_in_clear_is_told_without_the_password(found: dict[Key, Item], truth: Item) -> None:
    for event in truth["events"]:
        if event["scene"] != "telnet-logins":
            continue
        [device] = event["outcomes"]["conversed"]
        item = found["cleartext-management", device, "telnet", "inbound"]
        assert item["details"]["login_succeeded"] == (event["payload"]["accepted"] is not None)
        assert item["details"]["secrets"]["telnet-login"] == len(event["payload"]["logins"])
        shown = item["details"]["shown"]
        for user, password in event["payload"]["logins"]:
            [line] = [text for text in shown if text.startswith(user)]
            assert password not in line.removeprefix(user)


def test_the_foreign_controller_is_told_with_its_bootstrap(found: dict[Key, Item], truth: Item) -> None:
    [event] = [event for event in truth["events"] if event["kind"] == "unauthorised-controller"]
    [remote], [device] = event["remotes"], event["outcomes"]["conversed"]
    item = found["unauthorised-controller", remote, "cwmp-acs", "outbound"]
    assert (item["severity"], item["labels"]) == ("critical", ["certain"])
    assert item["peers"]["sample"] == [device]
    assert list(item["details"]["events"]) == event["payload"]["events"]


def test_every_piece_of_evidence_is_the_frame_that_it_names(
    found: dict[Key, Item], folder: Path, tool: Callable[[str], str]
) -> None:
    """``tshark -Y frame.number==N`` shows a packet with exactly the 5-tuple that the evidence tells."""
    names = ("frame.number", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst")
    names += ("tcp.srcport", "udp.srcport", "tcp.dstport", "udp.dstport")
    wanted = [part for name in names for part in ("-e", name)]
    command = [tool("tshark"), "-n", "-r", str(folder / "incident.pcapng"), "-T", "fields", *wanted]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    frames = {}
    for line in done.stdout.splitlines():
        number, *rest = line.split("\t")
        pairs = (rest[place] or rest[place + 1] for place in range(0, 8, 2))
        frames[int(number)] = tuple(pairs)
    shown = 0
    for key, item in found.items():
        assert item["evidence"], key
        for one in item["evidence"]:
            told = (one["src"], one["dst"], str(one["sport"]), str(one["dport"]))
            assert frames[one["record"]] == told, (key, one)
            shown += 1
    assert shown > 50
