"""Whether one firmware version is at least another, where that can be told at all.

Version texts are the manufacturer's own. They are compared only where both have the same shape: the same words in
the same places, numbers elsewhere (``V1.02.7`` with ``V1.10.0``). For anything else the answer is "not known",
because a wrong "fixed" leaves a customer open.
"""

from __future__ import annotations

import re

__all__ = ["at_least"]

_PARTS = re.compile(r"\d+|[^\W\d_]+")


def at_least(version: str, wanted: str) -> bool | None:
    """``version >= wanted``; None when the two cannot be compared."""
    mine, theirs = _parts(version), _parts(wanted)
    if not mine or not theirs or not _same_shape(mine, theirs):
        return None
    return _numbers(mine) >= _numbers(theirs)


def _numbers(parts: list[int | str]) -> list[int]:
    """The numbers alone, without zeroes at the end: 1.2 is 1.2.0."""
    numbers = [part for part in parts if isinstance(part, int)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _parts(text: str) -> list[int | str]:
    return [int(part) if part.isdigit() else part.casefold() for part in _PARTS.findall(text[:100])]


def _same_shape(mine: list[int | str], theirs: list[int | str]) -> bool:
    """The same words in the same places as far as both go, and none in what only one has."""
    both = min(len(mine), len(theirs))
    rest = (*mine[both:], *theirs[both:])
    return not any(isinstance(part, str) for part in rest) and all(
        one == other or (isinstance(one, int) and isinstance(other, int))
        for one, other in zip(mine, theirs, strict=False)
    )
