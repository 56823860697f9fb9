"""Search: the entry that is meant comes first, whatever is typed an answer comes."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.lessons import load
from rearguard.lessons.search import LONGEST_QUERY, SIMILAR, Index, _Document, index, stems

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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abcdeé漢/-47", min_size=1, max_size=9), max_size=30, unique=True),
    st.text("abcdeé漢", min_size=1, max_size=9),
)
def test_words_are_left_out_only_when_difflib_would_not_find_them(words: list[str], asked: str) -> None:
    """What the quick look sorts out is never among what the slow one would have answered."""
    made = Index(_Document("check", word, word, Counter([word])) for word in words)
    alike = made._alike(asked)
    assert get_close_matches(asked, alike, n=30, cutoff=SIMILAR) == get_close_matches(
        asked, words, n=30, cutoff=SIMILAR
    )


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
