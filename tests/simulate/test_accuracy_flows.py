"""The table of accuracy on flows: its arithmetic, and a small day of which everything is found."""

from __future__ import annotations

import pytest
from benchmarks.accuracy_flows import simulated
from benchmarks.flow_truth import COULD, Day, accused, judge
from benchmarks.wilson import share, wilson

SHORT = """\
hours: 0.3
ordinary: {sessions_per_customer: 300}
scanners: {count: 20, tries_per_hour: 1500, hours: 0.2}
outbreak: {begins: 0.01, doubling_minutes: 1, hosts: 20, tries_per_hour: 400, infected: 3}
management: {open_requests: 0.1, foreign: 2}
floods: {minutes: 4, reflection_minutes: 4}
"""


@pytest.mark.parametrize(
    ("hits", "cases", "interval"),
    # Newcombe 1998 (https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_intervals_are_those_of_the_literature(hits, cases, interval):
    assert wilson(hits, cases) == pytest.approx(interval, abs=5e-5)


def test_nothing_to_divide_by_is_a_dash():
    assert share(0, 0) == "–"
    assert share(3, 3) == "1.00 (0.44 to 1.00)"


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("flows"), rate=1, customers=100, seed=5, day=SHORT)


def test_of_unsampled_flows_everything_is_found_and_no_controller_is_accused(day):
    ones = {one.kind: one for one in judge(day)}
    for kind in ("scan", "compromised-device", "exposed-device", "flood", "reflector"):
        assert ones[kind].wanted > 0 or kind == "reflector", kind
        assert ones[kind].found == ones[kind].wanted, (kind, ones[kind].missed)
        assert ones[kind].false == [], kind
    assert ones["unauthorised-controller"].found == 0
    assert accused(day) == []


def test_what_is_missed_and_what_is_false_is_noticed(day):
    """With the findings taken away all is missed; a finding about a controller is an accusation."""
    blind = {one.kind: one for one in judge(Day(1, day.truth, []))}
    assert blind["scan"].found == 0
    assert len(blind["scan"].missed[COULD]) == blind["scan"].wanted
    wrong = {"kind": "scan", "interface": "cwmp-cr", "subject": {"address": "198.51.100.8"}}
    assert accused(Day(1, day.truth, [wrong])) == ["scan 198.51.100.8"]
    assert {one.kind: one for one in judge(Day(1, day.truth, [wrong]))}["scan"].false != []
