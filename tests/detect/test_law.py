"""The law: windows of disjoint contacts, folded one after the other in any order, give what one fold gives."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detect.build import census, contact, detect, devices, policy, strangers, view
from detect.talk import ATTACKS, LOADER, attacked, exchange, inform, opened, secret
from rearguard.catalogue.catalogue import load
from rearguard.contacts.view import View
from rearguard.detect import Result, run_windows
from rearguard.dialogue.exchange import Exchange

OUTCOMES = st.sampled_from(["unanswered", "refused", "answered", "conversed", "unknown"])
CLIENTS = ["203.0.113.7", "203.0.113.8", "198.51.100.9", "2001:db8:ffff:1::1", "2001:db8:ffff:1::2"]
SERVERS = [*devices(30), *strangers(30), "2001:db8:c::1", "2001:db8:c:100::1"]
PORTS = [("tcp", 7547), ("tcp", 30005), ("tcp", 23), ("tcp", 445), ("udp", 1900), ("tcp", 22)]

CONTACTS = st.lists(
    st.tuples(
        st.sampled_from(CLIENTS),
        st.sampled_from(SERVERS),
        st.sampled_from(PORTS),
        OUTCOMES,
        st.integers(0, 2000),
        st.integers(1, 150),
        st.integers(0, 1),
        st.sampled_from([1, 1, 100]),
    ),
    max_size=80,
    unique_by=lambda row: row[:3],
)


def plain(result: Result) -> str:
    """Everything that is told, evidence with its record numbers included."""
    return json.dumps([[item.to_json() for item in result.findings], result.approximations], sort_keys=True)


def parts(rows: list[dict[str, object]], minutes: list[dict[str, object]], cuts: int) -> list[View]:
    return [view(rows[index::cuts], minutes[index::cuts], span=8000) for index in range(cuts)]


@settings(max_examples=6, deadline=None)
@given(CONTACTS, st.integers(2, 3), st.randoms(use_true_random=False))
def test_windows_in_any_order_give_the_findings_of_one(
    given_rows: list[tuple[object, ...]], cuts: int, chance: random.Random
) -> None:
    rows = [
        contact(
            client,
            server,
            port,
            proto,
            at=at,
            tries=tries,
            outcome=outcome,
            fp_mirai=mirai,
            sampling=sampling,
        )
        for client, server, (proto, port), outcome, at, tries, mirai, sampling in given_rows
    ]
    sweep = [contact(client="192.0.2.77", server=server, at=at) for at, server in enumerate(devices(40))]
    rows += sweep
    for number, row in enumerate(rows):  # a record keeps its number wherever its contact goes
        row |= {"proof_rec_c": 2 * number + 1, "proof_rec_s": 2 * number + 2}
    minutes = [census(minute, 7547, range(minute % 4)) for minute in range(60)]
    minutes.append(census(60, 7547, range(300)))
    whole = detect(*rows, minutes=minutes, span=8000)
    chance.shuffle(rows)
    chance.shuffle(minutes)
    divided = run_windows(parts(rows, minutes, cuts), policy(), load())
    assert plain(divided) == plain(whole)
    assert all(finding.evidence for finding in whole.findings if finding.kind in {"scan", "probe"})
    assert {"scan", "port-surge"} <= {str(finding.kind) for finding in whole.findings}


ATTACKERS = ["203.0.113.66", "203.0.113.67", "2001:db8:f:66::1", "2001:db8:f:66::2", "198.51.100.9"]
HOMES = ["198.51.100.15", "198.51.100.16", "198.51.100.17", "2001:db8:c:f00::1"]

TALKS = st.lists(
    st.tuples(
        st.sampled_from(ATTACKERS),
        st.sampled_from(HOMES),
        st.sampled_from(["attack", "login", "adb", "inform", "tls", "fetch", "page"]),
        st.integers(0, 900),
        st.sampled_from(["", "digest", "soap", "refused"]),
    ),
    max_size=40,
)


def speak(client: str, home: str, what: str, at: int, answer: str, rec: int) -> Exchange:
    """One exchange of each sort that detectors know; ``rec`` keeps its proofs apart from all others."""
    match what:
        case "attack":
            one = attacked(client, home, LOADER, at=at, answer=answer)
        case "login":
            one = exchange(
                client, home, 23, at=at, answer="prompt", secrets=(secret("telnet-login", f"u{rec}", at),)
            )
        case "adb":
            one = exchange(client, home, 5555, at=at, answer="reply", identity="adb")
        case "inform":
            one = exchange(home, "203.0.113.120", 80, at=at, inform=inform("0 BOOTSTRAP", at=at))
        case "tls":
            one = exchange(home, "203.0.113.121", 7547, at=at, speaks="tls", answer="reply")
        case "fetch":
            one = exchange(home, LOADER, 80, at=at, answer="page", fetch=(LOADER,))
        case _:
            one = exchange(client, home, 80, at=at, answer="page")
    return replace(one, client_port=10_000 + rec)


@settings(max_examples=15, deadline=None)
@example([], 2, random.Random(1))
@given(TALKS, st.integers(2, 3), st.randoms(use_true_random=False))
def test_what_was_said_may_come_in_any_window_and_order(
    given_talks: list[tuple[str, str, str, int, str]], cuts: int, chance: random.Random
) -> None:
    told = [speak(*talk, rec=number) for number, talk in enumerate(given_talks)]
    told += [
        attacked("203.0.113.99", "198.51.100.18", LOADER, at=5),
        exchange("198.51.100.18", "203.0.113.120", 80, at=6, inform=inform("0 BOOTSTRAP", at=6)),
        exchange(
            "203.0.113.99", "198.51.100.18", 23, at=7, answer="prompt", secrets=(secret("telnet-login"),)
        ),
    ]
    met = [opened(home, LOADER, 30 * number, rec=5000 + number) for number, home in enumerate(HOMES)]
    met.append(opened("198.51.100.18", LOADER, 60, rec=6000))
    rows = [
        contact(client, home, port, at=3, outcome="conversed")
        for client in ATTACKERS[:2]
        for home in HOMES[:3]
        for port in (7547, 5555)
    ]
    for number, row in enumerate(rows):
        row |= {"proof_rec_c": 2 * number + 1, "proof_rec_s": 2 * number + 2}
    whole = detect(*rows, exchanges=told, initiations=met, attacks=ATTACKS, span=8000)
    for pieces in (rows, told, met):
        chance.shuffle(pieces)
    windows = [
        view(rows[cut::cuts], exchanges=told[cut::cuts], initiations=met[cut::cuts], span=8000)
        for cut in range(cuts)
    ]
    divided = run_windows(windows, policy(), load(), attacks=ATTACKS, today=date(2026, 11, 22))
    assert plain(divided) == plain(whole)
    kinds = {str(finding.kind) for finding in whole.findings}
    assert {"exploit-attempt", "cleartext-management", "unauthorised-controller", "exposed-device"} <= kinds
    # A host that many devices knew before they were attacked fells nobody, so talks may take this one away.
    assert given_talks or "compromised-device" in kinds
