"""Patterns of bounded cost: what is allowed, what is refused, and that hostile values cannot make them slow."""

from __future__ import annotations

import time

import pytest

from rearguard.catalogue.pattern import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        (r"C[0-9]{5,12}=", b"xc123456=", True),
        (r"C[0-9]{5,12}=", b"c1234=", False),
        (r"(?:^|;) ?C\d{2}", b"a; C12", True),
        (r"^/(?:cgi|goform)/", b"/GOFORM/x", True),
        (r"\.\./", b"/a/../b", True),
        (r"a?b[^c]d$", b"bxd", True),
        (r"\bab", b"x ab", True),
        (r"a.{0,200}b", b"a\nb", True),
        (r"[$`]\(", b"$(", True),
    ],
)
def test_allowed(pattern: str, value: bytes, found: bool) -> None:
    assert (compile_pattern(pattern).search(value) is not None) is found


@pytest.mark.parametrize(
    "pattern",
    ["a*", "a+", "(a)", "(?:a){2}", "(?:ab)?", "a{2}{3}", "a{1,}", "(?=a)", "(?<!a)", r"(a)\1", r"\1", "[", "?",
     "a{0,99}b{0,99}", "(?:a", "a)", "x{9,2}", "ä{2}€"],
)  # fmt: skip
def test_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"a{0,30}a{0,30}b", r"a?a?a?a?a?a?a?a?a?b", r"(?:a|a|a|a)a{0,200}b"])
def test_the_most_that_is_allowed_is_quick(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    began = time.perf_counter()
    assert compiled.search(b"a" * 4096) is None
    assert time.perf_counter() - began < 2.0
