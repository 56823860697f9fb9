"""Contacts are put together before they are counted for each plan; one at a time they come to the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.detect.build import contact, view
from tests.filters.build import policy

from rearguard.catalogue import load
from rearguard.filters.collateral import collateral_of
from rearguard.filters.guarded import guard
from rearguard.filters.verdicts import PLAN, laid_out
from rearguard.filters.what_if import plans
from rearguard.model.bits import SEEN_ACK, SEEN_DATA, SEEN_DATAGRAM, SEEN_SYN, SEEN_SYNACK

POLICY = """
networks:
  homes: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], kind: native, managed: operator}
controllers:
  acs: {requests_from: [192.0.2.8/30], sessions_at: [192.0.2.20/32], manages: [cwmp], enters_at: inside}
never_block: [198.18.0.0/24]
drop:
  - {interfaces: [cwmp-cr], toward: [homes], basis: test, review_by: 2027-06-01}
"""
PLACES = (("tcp", 7547), ("tcp", 23), ("tcp", 80), ("udp", 161), ("tcp", 22), ("tcp", 9))
TOOK_PART = SEEN_SYN | SEEN_SYNACK | SEEN_ACK | SEEN_DATA | SEEN_DATAGRAM


def some(rng: random.Random) -> dict[str, Any]:
    proto, port = rng.choice(PLACES)
    six = rng.random() < 0.3
    client = f"2001:db8:f::{rng.randrange(1, 9)}" if six else f"203.0.113.{rng.randrange(1, 9)}"
    server = f"2001:db8:c::{rng.randrange(1, 9)}" if six else f"198.51.100.{rng.randrange(1, 9)}"
    if not six and rng.random() < 0.2:
        client = rng.choice(("192.0.2.9", "198.18.0.1"))
    row = contact(client, server, port, proto, outcome=rng.choice(("unanswered", "refused", "conversed")))
    authorised = rng.random() < 0.2
    row |= {
        "direction": rng.choice(("inbound", "inbound", "internal", "outbound")),
        "target": rng.random() < 0.7,
        "server_network": rng.choice(("homes", "homes", None)),
        "authorised": authorised,
        "authorised_by": rng.choice(("acs", "another")) if authorised else None,
        "dark": rng.random() < 0.3,
        "tries": rng.choice((0, 1, 3)),
        "packets_c": rng.randrange(4),
        "packets_s": rng.randrange(2),
        "seen_s": rng.choice((0, SEEN_ACK, SEEN_SYNACK)),
        "unacked": rng.choice((0, 2, None)),
        "surveyor": rng.choice((None, "a survey")),
        "exception": rng.choice((None, "a test")),
        "sampling": rng.choice((1, 1, 100)),
    }
    return row


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_are_those_of_every_contact_by_itself(seed: int) -> None:
    rng = random.Random(seed)
    made, rules = view([some(rng) for _ in range(300)]), policy(POLICY)
    guarded = guard(rules, load())
    cells = {PLAN: guarded.cells, **plans(rules, load(), ["telnet", "snmp", "http-admin"], guarded.cells)}
    with laid_out(made, rules, load(), cells, guarded.left):
        found = collateral_of(made.con)
        answer = made.con.execute(
            """
            SELECT c.plan, c.by_port, j.* FROM plan_contacts j JOIN plan_cells c
            ON c.network = j.server_network AND c.six = j.six AND c.proto = j.proto AND c.port = j.port
            """
        )
        names = [column[0] for column in answer.description]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert rows
    for plan, counts in found.items():
        expected = one_by_one([row for row in rows if row["plan"] == plan])
        assert {name: getattr(counts, name) for name in expected} == expected, plan


def one_by_one(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(
        ("initiations", "contacts", "authorised", "at_home", "services", "replies", "unasked", "packets",
         "unjudged", "surveyors", "exceptions", "internal", "sampled"), 0,
    )  # fmt: skip
    remotes, devices = set(), set()
    for row in rows:
        if row["untouchable"] or row["permitted"]:
            continue
        count = row["initiations"]
        if row["direction"] == "internal":
            counts["internal"] += count > 0
        if row["direction"] != "inbound":
            continue
        lost = row["packets_c"] if row["by_port"] else row["unacked"]
        counts["sampled"] += row["sampling"] != 1
        if not row["target"]:
            took_part = not row["dark"] and (row["packets_s"] == 0 or row["seen_s"] & TOOK_PART != 0)
            counts["unjudged"] += took_part and lost is None
            counts["replies" if took_part else "unasked"] += (lost or 0) > 0
            counts["packets"] += (lost or 0) if took_part else 0
        elif row["authorised"]:
            counts["at_home" if row["authorised_by"] == "acs" else "authorised"] += count
        elif row["guest"]:
            counts["services"] += (lost or 0) > 0
            counts["packets"] += lost or 0
        elif count:
            counts["initiations"] += count
            counts["contacts"] += 1
            counts["surveyors"] += count if row["surveyor"] else 0
            counts["exceptions"] += count if row["exception"] else 0
            remotes.add((row["client_hi"], row["client_lo"]))
            devices.add((row["server_hi"], row["server_lo"]))
    return counts | {"remotes": len(remotes), "devices": len(devices)}
