"""Hostile strings become visible, short and inert."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.build import HOSTILE

from rearguard.report.escape import shell_quote, visible, without_surrogates


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 漢字", "plain ünïcode 漢字"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\r\nb\x85", r"a\x0d\x0ab\x85"),
        ("\u202egpj", r"\u202egpj"),
        ("\udcff", r"\xff"),
        ("\U000e0041", r"\U000e0041"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_visible_writes_out_what_does_not_print(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
@settings(max_examples=100, deadline=None)
def test_visible_text_always_prints(text: str) -> None:
    assert visible(text).isprintable()
    assert not any(0xD800 <= ord(char) <= 0xDFFF for char in without_surrogates(text))


def test_visible_is_cut_with_an_ellipsis() -> None:
    assert visible("A" * 5000, 10) == "A" * 9 + "…"


@pytest.mark.parametrize(
    "name",
    [*(text for text in HOSTILE if len(text) < 200), "-x.pcap", "a b.pcap", "it's.pcap", "back\\slash"],
)
def test_a_quoted_name_reaches_a_program_as_it_was(name: str) -> None:
    raw = name.encode("utf-8", "surrogateescape")
    quoted = shell_quote(name)
    assert quoted.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert done.stdout == raw
