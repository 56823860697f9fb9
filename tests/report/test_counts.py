"""The first numbers of every output, beside what the database says when it is asked for each line by itself."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.report.build import Row, view

from rearguard.report.counts import count_contacts

OUTCOMES = ("unanswered", "refused", "answered", "conversed", "unknown")


def some(rng: random.Random) -> Row:
    six = rng.random() < 0.2
    return Row(
        client=f"2001:db8:f::{rng.randrange(1, 30)}" if six else f"203.0.113.{rng.randrange(1, 30)}",
        server=f"2001:db8:c::{rng.randrange(1, 30)}" if six else f"198.51.100.{rng.randrange(1, 30)}",
        interface=rng.choice(("cwmp-cr", "cwmp-cr", "telnet", "it's", None)),
        direction=rng.choice(("inbound", "internal", "outbound")),
        outcome=rng.choice(OUTCOMES),
        authorised=rng.random() < 0.3,
        target=rng.random() < 0.8,
        tries=rng.choice((0, 1, 4)),
    )


@pytest.mark.parametrize("count", [0, 1, 400])
def test_lines_and_totals_are_those_of_the_contacts(count: int) -> None:
    rng = random.Random(count)
    con = view([some(rng) for _ in range(count)]).con
    counts, lines = count_contacts(con)
    known = "target AND interface IS NOT NULL"

    def number(what: str, where: str, *values: Any) -> int:
        ((found,),) = con.execute(f"SELECT {what} FROM judged WHERE {known} AND {where}", values).fetchall()
        return int(found or 0)

    assert counts.total == number("count(*)", "true")
    assert counts.authorised == number("count(*)", "authorised")
    assert counts.unauthorised == number("count(*)", "NOT authorised")
    assert counts.by_outcome == {
        name: found for name in OUTCOMES if (found := number("count(*)", "outcome = ?", name))
    }
    tried = "NOT authorised AND tries > 0"
    places = con.execute(
        f"SELECT interface, direction FROM judged WHERE {known} AND {tried} GROUP BY ALL"
        " ORDER BY count(*) DESC, interface, direction"
    ).fetchall()
    assert [(line.interface, line.direction) for line in lines] == places
    for line in lines:
        where = f"{tried} AND interface = ? AND direction = ?"
        at = (line.interface, line.direction)
        assert line.contacts == number("count(*)", where, *at)
        assert line.remotes == number("count(DISTINCT (client_hi, client_lo))", where, *at)
        assert line.devices == number("count(DISTINCT (server_hi, server_lo))", where, *at)
        assert line.tries == number("sum(tries)", where, *at)
        assert line.outcomes == {
            name: found
            for name in OUTCOMES
            if (found := number("count(*)", f"{where} AND outcome = ?", *at, name))
        }
