"""From a number in the article back to the records behind it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rearguard.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.lessons.figures import Figure, Figures

__all__ = ["why"]

MOST = 12
"""How many figures words may bring, and how many of those with one value are told in full."""

LONGEST = 200
"""Characters of a question that similar names are looked for with."""

_WORD = re.compile(r"[a-z0-9]+")


def why(known: Figures, question: str) -> tuple[Figure, ...]:
    """The figures that are meant, the best first.

    A name (``border-yes-share``) or a title is one figure; a number as it is printed (``51 %``, ``31``) is every
    figure that has this value, in the order of the base; other words are looked for in names and titles. Raises
    :class:`InputError` with the closest names when nothing fits.
    """
    asked = " ".join(question.replace("\N{NO-BREAK SPACE}", " ").split()).strip("{}").casefold()
    if asked in known:
        return (known[asked],)
    titled = [each for each in known.values() if each.title.casefold() == asked]
    if titled:
        return tuple(titled)
    number = re.fullmatch(r"(\d{1,9}) ?(%|per ?cent)?", asked)
    if number:
        unit = "%" if number[2] else ""
        same = (each for each in known.values() if each.value == int(number[1]) and each.unit == unit)
        return _some(same, question, known, most=len(known))
    words = set(_WORD.findall(asked))
    fitting = (
        each
        for each in known.values()
        if words and words <= set(_WORD.findall(f"{each.name} {each.title}".casefold()))
    )
    return _some(sorted(fitting, key=lambda each: len(each.title)), question, known)


def _some(found: Iterable[Figure], question: str, known: Figures, most: int = MOST) -> tuple[Figure, ...]:
    chosen = tuple(found)[:most]
    if chosen:
        return chosen
    named = {**{name: name for name in known}, **{each.title: name for name, each in known.items()}}
    close = get_close_matches(question[:LONGEST], named, n=3, cutoff=0.4)
    names = list(dict.fromkeys(named[each] for each in close))
    raise InputError(
        f"no figure of the lessons is called {question!r} or has this value",
        remedy=f"did you mean {' or '.join(names)}?"
        if names
        else "`rearguard lessons why --list` names them all",
    )
