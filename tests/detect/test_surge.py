"""Rule B13: port-surge against a background that never stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detect.build import census, contact, detect, devices, kinds, of, policy, strangers
from detect.radiation import measure
from rearguard.detect import surge_series
from rearguard.detect.surge_statistics import Past, surprise

QUIET = 120


def quiet(port: int = 7547, minutes: int = QUIET, level: int = 3) -> list[dict[str, object]]:
    """A port that a few networks try every minute."""
    rng = np.random.default_rng(port)
    return [census(minute, port, rng.integers(0, 500, rng.poisson(level))) for minute in range(minutes)]


def rush(port: int = 7547, count: int = 200, minute: int = QUIET, **more: object) -> dict[str, object]:
    return census(minute, port, range(10_000, 10_000 + count), **more)


def test_background_alone_is_no_surge() -> None:
    assert detect(minutes=[*quiet(), *quiet(23, level=40)]).findings == ()


def test_many_networks_at_once_are_a_distributed_outbreak() -> None:
    [surge] = detect(minutes=[*quiet(), rush()]).findings
    assert (surge.kind, surge.subject.role, surge.subject.address) == ("port-surge", "port", "tcp/7547")
    assert surge.details["tells"] == "distributed outbreak"
    assert surge.interface == "cwmp-cr"
    assert surge.severity == "high"
    assert 150 < surge.peers.count < 260
    assert surge.details["background_ceiling"] < surge.details["smallest_surge_seen"] <= surge.peers.count
    assert "short" in surge.details["baseline"]


def test_few_networks_that_try_much_are_a_survey() -> None:
    [surge] = detect(minutes=[*quiet(level=0), rush(count=25, tries=5000)]).findings
    assert (surge.details["tells"], surge.severity) == ("survey by few networks", "low")


def test_many_sources_at_one_target_are_a_flood() -> None:
    [surge] = detect(minutes=[*quiet(), rush(targets=census(0, 1, [1])["sources"])]).findings
    assert (surge.details["tells"], surge.severity) == ("flood", "medium")


def test_below_the_least_number_nothing_is_reported() -> None:
    assert detect(minutes=[*quiet(level=0), rush(count=9)]).findings == ()


def test_a_short_input_is_not_judged_and_says_so() -> None:
    result = detect(minutes=[*quiet(minutes=20), rush(minute=20)])
    assert result.findings == ()
    assert result.approximations == (
        "port-surge was not judged: 21 minutes of traffic, and the first 60 are needed as a baseline",
    )


def test_a_wrong_clock_costs_no_memory_and_is_told() -> None:
    result = detect(minutes=[*quiet(), rush(), rush(minute=10**9)])
    assert result.findings == ()
    assert "are all clocks right?" in result.approximations[0]


def test_a_census_read_in_many_pieces_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [7547, 23, 4711, 80]
    minutes = [row for port in ports for row in [*quiet(port), rush(port)]]
    whole = detect(minutes=minutes)
    assert len(whole.findings) == len(ports)
    monkeypatch.setattr(surge_series, "AT_ONCE", 10)
    assert detect(minutes=minutes) == whole


@pytest.mark.parametrize(
    ("cells", "found"),
    [([], []), ([5], [(0, 0)]), ([4, 4, 4], [(0, 1), (2, 2)]), ([99, 1, 9], [(0, 0), (1, 2)])],
)
def test_ranges_of_ports_hold_as_many_cells_as_fit(
    cells: list[int], found: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surge_series, "AT_ONCE", 10)
    assert list(surge_series.ranges(range(len(cells)), cells)) == found


def test_nothing_is_learned_from_an_attack() -> None:
    [surge] = detect(minutes=[*quiet(), *[rush(minute=QUIET + index) for index in range(100)]]).findings
    assert surge.details["windows_alarmed"] >= 100


def test_sources_that_listen_there_themselves_have_the_shape_of_a_worm() -> None:
    at = QUIET * 60 + 10
    coming = [
        contact(client=client, server=device, at=at + i / 10, outcome="answered" if i < 2 else "unanswered")
        for i, (client, device) in enumerate(zip(strangers(20), devices(20), strict=True))
    ]
    listening = [
        contact(client="198.51.100.9", server=client, outcome="answered", interface=None, at=at)
        for client in strangers(5)
    ]
    [surge] = of(detect(*coming, *listening, minutes=[*quiet(), rush()]), "port-surge")
    assert surge.labels == ("worm-shape",)
    assert surge.details["sources_that_listen_there"] == 5
    assert surge.details["devices_that_answer"] == 2
    assert surge.severity == "critical"
    assert len(surge.evidence) == 5


def test_known_surveyors_in_the_majority_are_a_survey() -> None:
    at = QUIET * 60 + 10
    rows = [contact(client=client, at=at, surveyor="shadowserver") for client in strangers(10)]
    [surge] = of(detect(*rows, minutes=[*quiet(), rush()]), "port-surge")
    assert surge.details["tells"] == "survey by few networks"


def test_a_uncatalogued_port_counts_too() -> None:
    [surge] = detect(minutes=[*quiet(4711), rush(4711)]).findings
    assert (surge.interface, surge.severity) == (None, "medium")


def test_the_budget_is_shared_by_all_ports() -> None:
    few = of(detect(minutes=[*quiet(), rush()]), "port-surge")[0]
    strict = policy(thresholds={"surge_false_alarms": 1e-9})
    rare = of(detect(minutes=[*quiet(), rush()], given=strict), "port-surge")[0]
    assert rare.details["smallest_surge_seen"] > few.details["smallest_surge_seen"]


def test_the_tail_bound_is_never_below_the_exact_tail() -> None:
    mean, spread = 20.0, 0.1
    r = 1 / spread
    exact = sum(
        math.exp(
            math.lgamma(k + r)
            - math.lgamma(k + 1)
            - math.lgamma(r)
            + r * math.log(r / (r + mean))
            + k * math.log(mean / (r + mean))
        )
        for k in range(60, 2000)
    )
    assert 0 < exact <= math.exp(-surprise(60, mean, spread))
    assert surprise(20, mean, spread) == 0


@pytest.mark.parametrize("count", [1, 5, 40, 3000])
def test_a_baseline_of_silence_still_has_a_level(count: int) -> None:
    past = Past.of(np.zeros(count), 1)
    assert past.level > 0
    assert past.ceiling == 0


def test_a_simulated_day_of_background_stays_within_the_budget_and_the_outbreak_is_seen() -> None:
    wrong, seen = measure(days=1, ports=120, seed=7)
    assert wrong <= 1
    assert seen is not None
    assert seen <= 240
    assert kinds(detect()) == []
