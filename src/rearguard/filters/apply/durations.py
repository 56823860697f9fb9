"""Lengths of time as one types them: ``120s``, ``5min``, ``2h``, or a bare number of seconds."""

from __future__ import annotations

import re

from rearguard.model.errors import Place, UsageError

__all__ = ["seconds_of", "words_of"]

_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"(\d{1,9})\s*([a-z]{0,3})", re.ASCII)


def seconds_of(text: str, option: str, least: int, most: int) -> int:
    """Whole seconds. ``UsageError``: it is no length of time, or not between ``least`` and ``most`` seconds."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise UsageError(
            f"{text!r} is no length of time",
            remedy="write a number with s, min or h, such as 120s",
            place=Place(key=option),
        )
    value = int(found[1]) * _UNITS[found[2]]
    if not least <= value <= most:
        raise UsageError(
            f"{text} is too {'short' if value < least else 'long'}",
            remedy=f"name a time between {words_of(least)} and {words_of(most)}",
            place=Place(key=option),
        )
    return value


def words_of(seconds: float) -> str:
    """``90 s``, ``12 min``, ``5 h``, ``3 days``: the largest unit of which there are at least two."""
    whole = max(0, round(seconds))
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {name}"
    return f"{whole} s"
