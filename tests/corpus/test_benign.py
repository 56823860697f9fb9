"""No false alarm on ordinary traffic, and nothing missed of what is known: the table of ``make accuracy``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rearguard.catalogue import load as load_catalogue
from rearguard.report.progress import Silent
from rearguard.report.run import analyze

# The package is installed, the benchmarks are not: they are found beside it, however pytest was started.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.accuracy import Claim, Outcome, claims, judge
from benchmarks.accuracy_made import CLIENT_PORTS, MADE, make

CLAIMS = claims()


@pytest.mark.corpus
@pytest.mark.parametrize(
    "claim", [each for each in CLAIMS if each.benign and each.needs_data], ids=lambda c: c.name
)
def test_ordinary_traffic_raises_nothing(corpus: Path, tmp_path: Path, claim: Claim) -> None:
    outcome = judge(claim, corpus, tmp_path)
    assert outcome.found == (), f"{claim.what}; {claim.why}; records {outcome.records}"


@pytest.mark.corpus
@pytest.mark.parametrize("claim", [each for each in CLAIMS if not each.benign], ids=lambda c: c.name)
def test_what_is_known_to_be_there_is_found_and_nothing_else(
    corpus: Path, tmp_path: Path, claim: Claim
) -> None:
    outcome = judge(claim, corpus, tmp_path)
    assert (outcome.missed, outcome.false) == ((), ())


@pytest.mark.parametrize(
    "claim", [each for each in CLAIMS if each.benign and not each.needs_data], ids=lambda c: c.name
)
def test_made_captures_raise_nothing(tmp_path: Path, claim: Claim) -> None:
    assert judge(claim, tmp_path, tmp_path).found == ()


def test_made_captures_raise_something_when_they_are_no_longer_innocent(tmp_path: Path) -> None:
    """The same packets with the ports turned round: whoever opens them is a stranger, so the table can fail."""
    path = make("client-ports.pcap", tmp_path)
    turned = path.read_bytes()
    for port in CLIENT_PORTS:
        own, web = port.to_bytes(2, "big"), (80).to_bytes(2, "big")
        turned = turned.replace(own + web, b"\xff\xff" + own).replace(web + own, own + b"\xff\xff")
    path.write_bytes(turned)
    done = analyze(
        [str(path)],
        policy_file=None,
        networks=("203.0.113.0/24",),
        controllers=(),
        drops=(),
        workers=1,
        progress=Silent(),
    )
    assert {str(each.kind) for each in done.findings} >= {"exposed-device", "probe"}


def test_the_client_ports_are_those_of_the_catalogue() -> None:
    assert {("tcp", port) for port in CLIENT_PORTS} <= load_catalogue().ports("device")


def test_every_made_capture_is_in_the_table() -> None:
    assert {each.file for each in CLAIMS if each.file.startswith("made/")} == {
        f"made/{name}" for name in MADE
    }


def test_every_entry_says_what_it_is_and_which_rule_it_tests() -> None:
    for claim in CLAIMS:
        assert claim.what
        assert bool(claim.why) is claim.benign
        assert bool(claim.finds or claim.truth) is not claim.benign


def test_an_outcome_is_right_only_without_misses_and_false_alarms() -> None:
    key = ("scan", "203.0.113.7", "cwmp-cr")
    assert Outcome((key,)).right
    assert not Outcome((), missed=(key,)).right
    assert not Outcome((key,), false=(key,)).right
