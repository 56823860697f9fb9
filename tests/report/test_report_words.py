"""The sentences: numbers for readers, and "nothing found" only together with out of what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.report.build import analysis, finding, nothing, source

from rearguard.model.finding import Peers
from rearguard.report import words
from rearguard.report.analysis import ContactCounts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (88_103, "88.1 kB"),
        (999_600, "1.0 MB"),
        (10**9, "1.0 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes(value: int, text: str) -> None:
    assert words.size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250 ms"),
        (5, "5 s"),
        (59.94, "59.9 s"),
        (300, "5 min"),
        (3_661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(int(seconds * 1e9)) == text


def test_outcomes_are_told_in_one_order_without_zeroes() -> None:
    told = words.outcomes_text({"unknown": 1, "answered": 4, "refused": 0, "unanswered": 1900})
    assert told == "1,900 unanswered, 4 answered, 1 unknown"
    assert words.outcomes_text({}) == "none"


def test_an_interval_is_told_where_there_is_one() -> None:
    assert words.peers_text(Peers(1, (1, 1))) == "1 peer"
    assert words.peers_text(Peers(1000, (900, 1100))) == "1,000 peers (900 to 1,100)"


def test_nothing_found_says_out_of_what() -> None:
    assert "out of 170 records, 0 contacts of which could be judged" in words.headline(nothing())
    quiet = analysis(findings=())
    assert words.headline(quiet) == "Nothing found out of 170 records, 188 contacts of which could be judged."
    unsure = replace(quiet, contacts=ContactCounts(188, 0, 188, {"unknown": 8, "unanswered": 180}))
    assert "unknown for 8" in words.headline(unsure)


def test_nothing_read_is_not_nothing_found() -> None:
    empty = nothing()
    empty.view = replace(empty.view, sources=(source(records=0, first_seen=None, last_seen=None),))
    assert "Nothing found" not in words.headline(empty)
    assert words.span_text(empty) == "no record had a time"


def test_the_subject_of_a_port_is_its_ports() -> None:
    assert words.subject_text(finding(address=None, ports=(23, 2323))) == "tcp/23, tcp/2323"
