"""Search: the entry that is meant comes first, whatever is typed an answer comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.lessons import load
from rearguard.lessons.search import LONGEST_QUERY, Index, index, stems

INDEX: Index = index(load())


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("CVE-2014-9222", "misfortune-cookie-2014"),
        ("rompager", "misfortune-cookie-2014"),
        ("speedport", "dt-speedport-2016"),
        ("firmware update unsigned", "man-07"),
        ("mgmt-open-to-world", "mgmt-open-to-world"),
        ("etsi-en-303-645/5.1-1", "etsi-en-303-645/5.1-1"),
        ("Denial of service by unauthenticated requests", "unauthenticated-dos"),
        ("wan-silence", "wan-silence"),
    ],
)
def test_what_is_meant_comes_first(query: str, first: str) -> None:
    assert INDEX.search(query)[0].id == first


def test_a_slip_of_the_keyboard_still_finds() -> None:
    assert {hit.id for hit in INDEX.search("spedport")} >= {"dt-speedport-2016"}


def test_numbers_are_never_guessed() -> None:
    assert INDEX.search("CVE-2014-9223999") == INDEX.search("cve 2014")


def test_forms_of_a_word_meet() -> None:
    assert set(stems("update updates updated updating")) == {"updat"}
    assert set(stems("password passwords")) == {"password"}
    assert list(stems("tcp/7547")) == ["tcp/7547", "tcp", "7547"]


def test_the_answer_is_ranked_limited_and_always_the_same() -> None:
    hits = INDEX.search("telnet default password", limit=5)
    assert len(hits) == 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits == index(load()).search("telnet default password", limit=5)
    assert all(hit.matched for hit in hits)


def test_nothing_is_an_answer_too() -> None:
    assert INDEX.search("") == []
    assert INDEX.search("qqqqzzzz") == []
    assert INDEX.search("telnet", limit=0) == []
    assert Index(()).search("telnet") == []


def test_a_rare_word_weighs_more_than_a_frequent_one() -> None:
    found = [hit.id for hit in INDEX.search("router rompager", limit=1)]
    assert found == ["misfortune-cookie-2014"]


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=LONGEST_QUERY + 50))
def test_any_query_has_an_answer(query: str) -> None:
    for hit in INDEX.search(query):
        assert hit.score > 0
