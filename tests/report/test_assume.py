"""An analysis without networks: what is assumed is said loudly, and nothing is permitted by it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contacts_suggest.capture import Packet, write

from rearguard.catalogue import load
from rearguard.contacts.suggest import Suggested
from rearguard.policy import policy_from_flags
from rearguard.report.assume import REASONS, assume_networks, notes

SWEEP = [Packet("203.0.113.7", 50000, f"198.51.100.{n}", 7547) for n in range(1, 60)]


MAIN = "from rearguard.cli import main; main()"


def analyzed(uri: str) -> tuple[dict[str, Any], str]:
    """findings.json and the messages of an analysis without any flag."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "analyze", "--json", uri], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), done.stderr


def test_the_assumed_policy_has_networks_and_nothing_else(tmp_path: Path) -> None:
    catalogue = load()
    nothing = policy_from_flags((), (), (), None, catalogue)
    uris = [write(tmp_path / "t.pcap", SWEEP)]
    policy, told = assume_networks(uris, nothing, catalogue, tmp_path, 1, lambda octets, records: None)
    assert policy.assumed
    assert policy.own().texts() == ("198.51.100.0/24",)
    assert not policy.controllers
    assert not policy.drop
    assert any("ASSUMED" in note and "198.51.100.0/24" in note for note in told)
    assert any("--network" in note for note in told)


def test_controllers_that_were_given_stay(tmp_path: Path) -> None:
    catalogue = load()
    given = policy_from_flags((), ("192.0.2.8/30",), (), None, catalogue)
    uris = [write(tmp_path / "t.pcap", SWEEP)]
    policy, _ = assume_networks(uris, given, catalogue, tmp_path, 1, lambda octets, records: None)
    assert policy.controllers == given.controllers


def test_nothing_decidable_is_said_and_everything_is_transit(tmp_path: Path) -> None:
    name = [Packet("198.51.100.3", 50000, "203.0.113.53", 53, None, b"query")]
    report, told = analyzed(write(tmp_path / "t.pcap", name))
    assert report["policy"]["assumed"] is True
    assert "NONE COULD BE TOLD" in told
    assert "--network" in told


def test_every_reason_has_words_and_what_was_left_out_is_told() -> None:
    every = Suggested((), dict.fromkeys(REASONS, 1))
    assert len(notes(every)) == 1
    some = policy_from_flags(("198.51.100.0/24",), (), (), None, load()).own().networks
    told = notes(Suggested(some, dict.fromkeys(REASONS, 2), left_out=5))
    assert all(any(text in note for note in told) for text in REASONS.values())
    assert any(note.startswith("5 more prefixes") for note in told)


def test_a_sweep_is_an_inbound_scan_without_any_flag(tmp_path: Path) -> None:
    report, told = analyzed(write(tmp_path / "t.pcap", SWEEP))
    (scan,) = [finding for finding in report["findings"] if finding["kind"] == "scan"]
    assert (scan["subject"]["address"], scan["direction"]) == ("203.0.113.7", "inbound")
    assert "ASSUMED TO BE YOURS: 198.51.100.0/24" in told


def test_standard_input_without_networks_is_an_error_with_a_remedy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "analyze", "-"], check=False, capture_output=True, input=b""
    )
    assert done.returncode == 2
    told = done.stderr.decode()
    assert "standard input can be read only once" in told
    assert "--network" in told


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "scanner"),
    [
        ("initconf__scan-NG/scan-1433.pcap", "122.224.112.162"),
        ("initconf__scan-NG/test-for-accurate-scan-summary.pcap", "122.224.112.162"),
        ("ncsa__bro-simple-scan/testing/pcaps/445_scan.pcap", "176.192.150.3"),
    ],
)
def test_scans_of_real_captures_are_inbound(corpus: Path, name: str, scanner: str) -> None:
    report, _ = analyzed(str(corpus / name))
    found = {
        finding["subject"]["address"]: finding["direction"]
        for finding in report["findings"]
        if finding["kind"] in ("scan", "probe")
    }
    assert found.get(scanner) == "inbound"
    assert set(found.values()) == {"inbound"}
