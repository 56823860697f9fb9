"""The answer at the top: at most five sentences, the first steps, what happened when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.report.build import SECOND, START, Row, analysis, finding, nothing
from tests.report.rich import CONTROLLER, rich
from tests.report.spoken import ATTACKER, FELL, border, not_stoppable, nothing_dropped, replay, what_if

from rearguard.model.finding import Finding, Kind, Severity, Subject
from rearguard.report import border_words
from rearguard.report.chronicle import MOST_EVENTS, chronicle
from rearguard.report.steps import steps
from rearguard.report.summary import summary, verdict


def device(kind: Kind, address: str = "198.51.100.40", **more: Any) -> Finding:
    """A finding about a device of ours."""
    return finding(kind, address, subject=Subject("device", address, verified=True), **more)


def test_everything_that_happened_is_told_in_five_sentences() -> None:
    told = summary(rich())
    assert len(told) == 5
    who, sent, concerned, managed, filtered = told
    assert who.startswith(
        "3 addresses from outside tried CWMP Connection Request (TR-069) and Telnet console on 148"
    )
    assert "3 of those answered" in who
    assert "sent attacks: “NewNTPServer injection” (CVE-2016-10372)" in sent
    assert f"{FELL} then contacted the host that the attack named" in sent
    assert "2 (198.51.100.15 and 198.51.100.80) behave as if taken over" in concerned
    assert "8 answered strangers" in concerned
    assert CONTROLLER in managed
    assert "readable on the wire" in managed
    assert "would have dropped 158 of" in filtered
    assert "none that is authorised" in filtered


def test_a_login_that_was_let_in_is_told_and_calls_for_isolation() -> None:
    devices = [
        {"device": "198.51.100.19", "result": "taken"},
        {"device": "198.51.100.20", "result": "guarded"},
    ]
    made = analysis([], (finding(Kind.EXPLOIT_ATTEMPT, ATTACKER, details={"devices": devices}),))
    assert "198.51.100.19 let a login in" in summary(made)[0]
    assert steps(made)[0].startswith("Isolate 198.51.100.19 and tell")


def test_a_question_to_which_nothing_was_found_has_no_sentence() -> None:
    told = summary(analysis([Row("203.0.113.7", "198.51.100.1")], (finding(),)))
    assert told == [
        "1 address from outside tried cwmp-cr on 1 address of ours without being authorised; none of those "
        "was seen to answer."
    ]


def test_nothing_found_is_one_sentence_that_says_out_of_what() -> None:
    assert summary(nothing()) == [verdict(nothing())]
    assert "Nothing found out of 170 records" in verdict(nothing())


def test_only_what_left_our_side_is_told_when_nobody_came_in() -> None:
    rows = [Row(FELL, f"198.18.0.{n}", direction="outbound", outcome="unknown") for n in range(1, 4)]
    told = summary(analysis(rows, ()))
    assert told[0].startswith("1 address of our own tried cwmp-cr on 3 addresses of others")


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        (
            (device(Kind.COMPROMISED_DEVICE), device(Kind.EXPOSED_DEVICE)),
            "1 device of ours behaves as if taken over.",
        ),
        (
            (finding(Kind.UNAUTHORISED_CONTROLLER, CONTROLLER), device(Kind.EXPOSED_DEVICE)),
            "1 controller that the policy does not know manages devices of ours.",
        ),
        (
            (device(Kind.EXPOSED_DEVICE), device(Kind.REFLECTOR, "198.51.100.41"), finding()),
            "2 devices of ours answered strangers; none is known to have fallen.",
        ),
        ((finding(),), "Strangers looked for devices of ours; none is known to have answered or fallen."),
    ],
)
def test_the_verdict_is_the_worst_that_is_known(findings: tuple[Finding, ...], told: str) -> None:
    assert verdict(analysis([], findings)) == told


def test_many_devices_are_counted_and_few_are_named() -> None:
    many = tuple(device(Kind.EXPOSED_DEVICE, f"198.51.100.{n}") for n in range(1, 9))
    told = " ".join(summary(analysis([], many)))
    assert "8 answered strangers" in told
    assert "198.51.100.1" not in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, ""),
        (nothing_dropped(), ""),
        (
            nothing_dropped(what_if("telnet"), what_if("ssdp", initiations_dropped=50)),
            "The policy drops nothing; dropping ssdp and telnet at the border would have stopped 79 initiations; "
            "39 contacts no border can stop (39 from our devices to the outside).",
        ),
        (nothing_dropped(what_if("telnet", authorised_dropped=2)), ""),
        (
            border(replay=replay(authorised_dropped=2), not_stoppable=()),
            "The filter that the policy asks for would have dropped 158 of 187 initiations but also 2 "
            "authorised ones.",
        ),
        (
            border(
                not_stoppable=(
                    not_stoppable("internal"),
                    not_stoppable("not-listed"),
                    not_stoppable("unheard"),
                )
            ),
            "The filter that the policy asks for would have dropped 158 of 187 initiations and none that is "
            "authorised; 39 contacts no border can stop (39 from one address of ours to another).",
        ),
    ],
)
def test_the_border_is_told_in_one_sentence(given: Any, told: str) -> None:
    assert border_words.sentence(given) == told


def test_steps_come_in_the_order_of_urgency() -> None:
    told = steps(rich())
    assert [line.split()[0] for line in told] == ["Isolate", "Find", "Check", "Close", "Change"]
    assert len(told) == 5
    assert steps(nothing()) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            border(replay=replay(authorised_dropped=1)),
            "Do not load border.nft yet: it would have dropped 1 authorised",
        ),
        (nothing_dropped(what_if("ssdp")), "Decide whether the border shall drop ssdp"),
        (border(replay=replay(initiations_dropped=0)), None),
        (border(), "Check and load border.nft"),
    ],
)
def test_a_filter_is_recommended_only_when_it_helps_and_hurts_nobody(given: Any, told: str | None) -> None:
    lines = steps(analysis([], (), border=given))
    assert [line.startswith(told or "?") for line in lines] == ([True] if told else [])


def test_events_are_beginnings_in_the_order_of_time() -> None:
    scans = tuple(finding(address=f"203.0.113.{n}", first_seen=START + n * SECOND) for n in range(3, 6))
    attack = finding(Kind.EXPLOIT_ATTEMPT, ATTACKER, first_seen=START + SECOND, severity=Severity.HIGH)
    fell = [
        device(Kind.COMPROMISED_DEVICE, FELL, interface=name, first_seen=START + 9 * SECOND)
        for name in ("ssh", None)
    ]
    probe = finding(Kind.PROBE, "203.0.113.99")
    muted = finding(Kind.FLOOD, "198.51.100.3", labels=("muted",))
    events = chronicle(analysis([], (*scans, attack, *fell, probe, muted)))
    assert [(event.at - START) // SECOND for event in events] == [1, 3, 9]
    assert [event.text for event in events] == [
        f"{ATTACKER} sends an attack to cwmp-cr",
        "3 search for cwmp-cr, the first is 203.0.113.3",
        f"{FELL} behaves as if taken over",
    ]


def test_the_worst_events_are_kept() -> None:
    many = [
        finding(address=f"203.0.113.{n}", interface=f"i{n}", severity=Severity.LOW, first_seen=START + n)
        for n in range(20)
    ]
    worst = finding(Kind.FLOOD, "198.51.100.3", first_seen=START + 100, severity=Severity.CRITICAL)
    events = chronicle(analysis([], (*many, worst)))
    assert len(events) == MOST_EVENTS
    assert events[-1].text == "198.51.100.3 is flooded on cwmp-cr"


def test_a_scan_among_our_own_says_so() -> None:
    item = replace(finding(address=FELL), direction="internal", subject=Subject("device", FELL))
    assert chronicle(analysis([], (item,)))[0].text == f"{FELL} (of our own) begins to search for cwmp-cr"
    assert f"1 ({FELL}) searches for others" in " ".join(summary(analysis([], (item,))))
