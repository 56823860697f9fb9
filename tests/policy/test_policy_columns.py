"""``columns``: what it reads back as, and what is wrong with a rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rearguard.model.errors import PolicyError
from rearguard.policy import Policy

Read = Callable[[str], Policy]


def test_columns_may_be_one_name_or_several(full: Policy) -> None:
    rule = full.columns["table"]
    assert rule.fields is not None
    assert rule.fields.by_field() == {
        "src": ("v4", "v6"), "dst": ("to",), "proto": ("kind",), "start": ("when",),
    }  # fmt: skip
    assert (rule.time_unit, rule.sampling, full.columns["lake"].preset) == ("ms", None, "akvorado")


def test_another_mapping_is_another_policy(full: Policy, read: Read) -> None:
    text = 'columns: {a: {match: "*", sampling: %d}}'
    assert read(text % 10).digest != read(text % 20).digest


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("[]", "list of names"),
        ("{a: b}", "list of names"),
        ("[a, 3]", "as text"),
        ("7", "list of names"),
        ("''", "as text"),
    ],
)
def test_what_is_no_column_says_what_to_write(read: Read, value: str, remedy: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(f"columns:\n  a:\n    match: x\n    fields:\n      src: {value}\n      dst: b\n      proto: c\n")
    [problem] = caught.value.problems
    assert (problem.place.line, problem.place.key) == (5, "columns.a.fields.src")
    assert remedy in problem.remedy
