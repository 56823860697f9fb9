"""The frame around the detectors: order, circles, sorting, and the numbers under sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from detect.build import contact, detect, devices, of, policy, view
from detect.talk import WORM, exchange, inform, secret
from rearguard.catalogue.catalogue import load
from rearguard.detect import detectors, run
from rearguard.detect.estimate import chance_seen, interval, must_touch, needed, spread
from rearguard.detect.facts import FACTS
from rearguard.detect.run import ordered
from rearguard.detect.scan import Scan
from rearguard.lessons import load as load_knowledge
from rearguard.model.finding import Kind


def test_there_is_one_detector_a_kind_and_each_says_what_it_needs() -> None:
    kinds = [detector.kind for detector in detectors()]
    assert sorted(kinds) == sorted(Kind)
    facts = {*FACTS, "exchanges"}
    assert all(detector.needs <= facts and detector.needs for detector in detectors())


def test_detectors_come_after_what_they_wait_for() -> None:
    kinds = [detector.kind for detector in ordered(reversed(detectors()))]
    for detector in detectors():
        assert all(kinds.index(other) < kinds.index(detector.kind) for other in detector.after)


def test_a_circle_is_an_error() -> None:
    @dataclass(frozen=True)
    class Circular(Scan):
        kind: ClassVar[Kind] = Kind.COMPROMISED_DEVICE
        after: ClassVar[frozenset[Kind]] = frozenset({Kind.SCAN})

    with pytest.raises(ValueError, match="wait for each other"):
        ordered([Scan(), Circular()])


def test_findings_come_worst_first_then_by_kind_and_id() -> None:
    rows = [contact(server=device, at=i, outcome="answered") for i, device in enumerate(devices(30))]
    rows += [contact(client="192.0.2.1"), contact(port=1900, proto="udp", outcome="answered")]
    found = detect(*rows).findings
    keys = [(-finding.severity.rank, str(finding.kind), finding.id) for finding in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_detectors_leave_nothing_behind_in_the_view() -> None:
    made = view([contact(server=device, at=i, outcome="answered") for i, device in enumerate(devices(30))])
    asked = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
    before = set(made.con.execute(asked).fetchall())
    first = run(made, policy(), load())
    assert set(made.con.execute(asked).fetchall()) == before
    assert run(made, policy(), load()) == first


def test_mechanisms_that_detectors_name_themselves_are_in_the_knowledge_base() -> None:
    named = [
        *of(detect(*(contact(at=i / 100, tries=30, client=f"203.0.113.{i}") for i in range(1, 60))), "flood"),
        *of(detect(contact(port=1900, proto="udp", outcome="answered")), "exposed-device"),
        *of(detect(exchanges=[exchange(port=23, secrets=(secret("telnet-login"),))]), "cleartext-management"),
        *of(
            detect(exchanges=[exchange("198.51.100.20", WORM, 80, inform=inform("0 BOOTSTRAP"))]),
            "unauthorised-controller",
        ),
    ]
    assert [one.mechanisms[0] for one in named] == [
        "unauthenticated-dos",
        "lan-protocol-on-wan",
        "unprotected-controller-channel",
        "unprotected-controller-channel",
    ]
    known = {one.id for one in load_knowledge().mechanisms}
    assert {name for one in named for name in one.mechanisms} <= known


def test_no_contact_at_all_is_no_finding() -> None:
    assert detect().findings == ()


@pytest.mark.parametrize(
    ("seen", "low", "high"), [(3, 0.6187, 8.767), (10, 4.795, 18.39), (100, 81.36, 121.63)]
)
def test_the_interval_is_the_exact_poisson_one_within_three_per_cent(
    seen: int, low: float, high: float
) -> None:
    assert interval(seen) == (pytest.approx(low, rel=0.03), pytest.approx(high, rel=0.03))


def test_unsampled_counts_are_exact() -> None:
    assert spread(25, 25.0, 25.0) == (25, (25, 25))
    assert needed(25, 1) == 25


def test_sampled_thresholds_need_at_least_three_and_never_more_than_unsampled_ones() -> None:
    assert [needed(25, rate) for rate in (2, 4, 10, 100, 1000)] == sorted(
        (needed(25, rate) for rate in (2, 4, 10, 100, 1000)), reverse=True
    )
    assert needed(25, 1000) == 3
    assert needed(25, 2) <= 25


def test_what_must_be_touched_to_be_seen() -> None:
    assert chance_seen(256, 1000, 1) == pytest.approx(0.226, abs=0.001)
    assert chance_seen(4096, 1000, 5) == pytest.approx(0.39, abs=0.01)
    assert chance_seen(65_536, 1000, 5) > 0.9999
    touched = must_touch(1000, 3)
    assert chance_seen(touched, 1000, 3) >= 0.95 > chance_seen(touched - 1, 1000, 3)
