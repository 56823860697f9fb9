"""The law: windows of disjoint contacts, folded one after the other in any order, give what one fold gives."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from detect.build import census, contact, detect, devices, policy, strangers, view
from rearguard.catalogue.catalogue import load
from rearguard.contacts.view import View
from rearguard.detect import Result, run_windows

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
