"""The prover against an independent one (binary decision diagrams) and against the slow telling of first match."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.filters.bdd import Diagrams
from tests.filters.random_lists import access_list, changed

from rearguard.filters.lines import READABLE, AccessList, Line, Match, decide
from rearguard.filters.model import Attachment, Piece, Verdict
from rearguard.filters.prove.equal import compare, unneeded
from rearguard.model.errors import InputError

PAIRS = 1000


@pytest.mark.parametrize("family", [4, 6])
def test_both_provers_agree_and_every_witness_is_one(family: int) -> None:
    chance = random.Random(family)
    diagrams = Diagrams(family)
    verdicts = {True: 0, False: 0}
    for _ in range(PAIRS):
        one = access_list(chance, family, chance.randint(1, 7))
        other = changed(chance, one) if chance.random() < 0.8 else access_list(chance, family, 3)
        found = compare(one, other)
        assert found.complete
        assert found.equal == diagrams.equal(one, other)
        for packet in found.witnesses:
            assert decide(one, packet)[0] is not decide(other, packet)[0]
        verdicts[found.equal] += 1
    assert min(verdicts.values()) > PAIRS // 10, "both answers were given often"


@pytest.mark.parametrize("family", [4, 6])
def test_both_provers_agree_where_many_lines_are_open_to_any_address(family: int) -> None:
    """Then few of the active lines change from one strip to the next, and only their regions are looked at."""
    chance = random.Random(family + 10)
    diagrams = Diagrams(family)
    verdicts = {True: 0, False: 0}
    for _ in range(150):
        given = access_list(chance, family, 16)
        wide = tuple(
            replace(line, matches=tuple(replace(each, destinations=None) for each in line.matches))
            if at % 4
            else line
            for at, line in enumerate(given.lines)
        )
        one = replace(given, lines=wide)
        other = changed(chance, one)
        found = compare(one, other)
        assert found.equal == diagrams.equal(one, other)
        for packet in found.witnesses:
            assert decide(one, packet)[0] is not decide(other, packet)[0]
        verdicts[found.equal] += 1
        spare = unneeded(one)
        at = chance.randrange(len(wide))
        assert diagrams.equal(one, one.without(at)) == (at in spare)
    assert min(verdicts.values()) > 20, "both answers were given often"


def test_ports_that_multiply_beyond_all_bounds_are_refused() -> None:
    every_other = tuple((port, port) for port in range(0, 60000, 2))
    box = Match(None, None, frozenset({6}), READABLE, every_other, every_other)
    given = AccessList("x", Attachment.ENTERING, 4, (Line((box,), Verdict.DROP, 1, "x"),))
    with pytest.raises(InputError, match="too entangled"):
        compare(given, given)


def test_what_several_lists_drop_is_what_any_of_them_drops() -> None:
    chance = random.Random(3)
    diagrams = Diagrams(4)
    answers = set()
    for _ in range(150):
        one, two = access_list(chance, 4, 2), access_list(chance, 4, 2)
        joined = access_list(chance, 4, 2) if chance.random() < 0.3 else two
        together = diagrams.drops(one) | diagrams.drops(two)
        equal = compare([one, two], joined).equal
        assert equal == bool(together == diagrams.drops(joined))
        answers.add(equal)
    assert answers == {True, False}


def test_a_line_is_unneeded_exactly_if_the_list_without_it_is_the_same() -> None:
    chance = random.Random(4)
    counts = {True: 0, False: 0}
    for _ in range(120):
        given = access_list(chance, chance.choice((4, 6)), 6)
        spare = unneeded(given)
        for at in range(len(given.lines)):
            same = compare(given, given.without(at)).equal
            assert same == (at in spare)
            counts[same] += 1
    assert min(counts.values()) > 50


def test_a_list_of_nothing_is_its_default() -> None:
    lists = [AccessList("x", Attachment.ENTERING, 6, (), default) for default in Verdict]
    assert compare(lists[0], lists[0]).equal
    assert {each.piece for each in compare(*lists).witnesses} == set(Piece)


def test_a_witness_is_found_at_the_very_ends_of_the_addresses() -> None:
    last = (1 << 128) - 1
    line = Line((Match(sources=((last, last),), destinations=((0, 0),)),), Verdict.DROP, 1, "x")
    one = AccessList("x", Attachment.ENTERING, 6, (line,))
    found = compare(one, one.without(0))
    assert {(int(each.source), int(each.destination)) for each in found.witnesses} == {(last, 0)}
    assert {each.piece for each in found.witnesses} == set(Piece)
