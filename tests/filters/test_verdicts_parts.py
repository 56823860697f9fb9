"""What the replay leaves out where it has nothing to tell changes no figure."""

from __future__ import annotations

import pytest
from tests.detect.build import contact, view
from tests.filters.build import policy

from rearguard.catalogue import load
from rearguard.detect import run
from rearguard.filters import verdicts
from rearguard.filters.attribution import attribute, beyond_border
from rearguard.filters.border import border
from rearguard.filters.guarded import guard
from rearguard.filters.verdicts import PLAN, laid_out

NO_DROP = "networks:\n  customers: {prefixes: [198.51.100.0/24], managed: operator}\n"
DROP = NO_DROP + (
    "drop:\n  - {interfaces: [cwmp-cr, telnet], toward: [customers], basis: test, review_by: 2099-01-01}\n"
)

CONTACTS = [
    *(contact(server=f"198.51.100.{k}", at=k) for k in range(40)),
    *(contact("198.51.100.9", f"192.0.{k}.1", 23, at=k / 2) for k in range(60)),
    *(contact("198.51.100.7", f"198.51.100.{k}", 23, at=k) for k in range(100, 140)),
    contact("203.0.113.8", "198.51.100.4", 22, at=3, outcome="conversed"),
]


def test_what_never_enters_is_the_same_without_a_look_at_what_does() -> None:
    made, rules = view(CONTACTS), policy(NO_DROP)
    found = run(made, rules, load()).findings
    guarded = guard(rules, load())
    with laid_out(made, rules, load(), {PLAN: guarded.cells}, guarded.left):
        by_finding, beyond = attribute(made.con, found)
        assert beyond_border(made.con, found) == beyond
    assert beyond.keys() == {"internal", "outbound"}
    assert by_finding.keys() == {one.id for one in found}


@pytest.mark.parametrize("more", ["", "never_block: [198.51.100.4/32]\n", "never_block: [203.0.113.7/32]\n"])
def test_an_empty_table_and_its_left_out_join_tell_the_same(
    monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    rules = policy(DROP + more)
    made = view(CONTACTS)
    found = run(made, rules, load()).findings
    expected = border(made, rules, load(), found).to_json()
    parts = verdicts._JOINS.values()
    whole = {column: told for column, told, _, _ in parts} | {"joins": "".join(join for *_, join in parts)}
    monkeypatch.setattr(verdicts, "_joins", lambda con: whole)
    assert border(made, rules, load(), found).to_json() == expected
