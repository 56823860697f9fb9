"""The prover against an independent one (binary decision diagrams) and against the slow telling of first match."""

from __future__ import annotations

import random

import pytest
from tests.filters.bdd import Diagrams
from tests.filters.random_lists import access_list, changed

from rearguard.filters.lines import AccessList, Line, Match, decide
from rearguard.filters.model import Attachment, Piece, Verdict
from rearguard.filters.prove.equal import compare, unneeded

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
