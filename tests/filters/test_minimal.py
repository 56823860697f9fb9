"""What a proof lists as lines that change nothing can be taken out, and of what it does not list nothing can."""

from __future__ import annotations

import pytest
from tests.filters.platforms import SMALL, made_for

from rearguard.filters.lines import AccessList
from rearguard.filters.platforms import platform_of
from rearguard.filters.prove.proof import Proof, prove
from rearguard.model.errors import RearguardError

LINE_BY_LINE = ("nftables", "cisco-ios", "cisco-xr", "arista-eos", "cisco-nxos", "routeros")
"""Platforms on which a line of the text is a rule, in one file."""


def numbers(lists: tuple[AccessList, ...]) -> set[int]:
    return {line.number for each in lists for line in each.lines if line.number}


@pytest.mark.parametrize("name", LINE_BY_LINE)
def test_exactly_the_lines_that_are_listed_can_go(name: str) -> None:
    made = made_for(name, SMALL)
    ((file, text),) = made.written.files.items()
    read = platform_of(name).read
    listed = {number for each in made.proof.lists for number in each.unneeded}
    lines = text.split("\n")
    checked = 0
    for number in sorted(numbers(read(made.written.files))):
        without = "\n".join([*lines[: number - 1], "", *lines[number:]])
        try:
            proof: Proof = prove(made.filter, read({file: without}), None, made.residuals)
        except RearguardError:
            assert number not in listed, f"line {number} cannot even be taken out: {lines[number - 1]}"
            continue
        assert proof.holds == (number in listed), f"line {number}: {lines[number - 1]}"
        checked += 1
    assert checked > 5
