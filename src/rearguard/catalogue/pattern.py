"""Patterns that cost little whatever they are matched against: regular expressions without what can explode.

Backtracking explodes where repetitions without an upper bound follow or contain one another. So a pattern has
no ``*`` and no ``+``, repeats single characters and classes only, each up to a bound, and no lookaround and no
reference to what matched before. The product of all its choices is limited, which bounds the work at each
byte of a value.
"""

from __future__ import annotations

import re

__all__ = ["CHOICES", "compile_pattern"]

CHOICES = 1024
"""The most ways in which a pattern may be tried at one place."""

_TOKEN = re.compile(
    r"(?P<unit>\[\^?(?:\\[\\\]^dws-]|[^\\\]\[])+\]|\\[dws.\\/?*+()\[\]{}|$^`-]|[^\\?*+()\[\]{}|$^])"
    r"|(?P<count>\{(?P<least>\d{1,3})(?:,(?P<most>\d{1,3}))?\})"
    r"|(?P<maybe>\?)|(?P<open>\(\?:)|(?P<close>\))|(?P<bar>\|)|(?P<anchor>\^|\$|\\b)"
)


def compile_pattern(text: str) -> re.Pattern[bytes]:
    """The compiled pattern, for bytes, without regard to case; raises ValueError, saying what is wrong."""
    choices = 1
    before = "start"
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"{text[at:]!r} is not allowed here")
        kind = token.lastgroup or ""
        if token["count"] or token["maybe"]:
            if before != "unit":
                raise ValueError("only single characters and classes may be repeated")
            if token["maybe"]:
                choices *= 2
            elif token["most"]:
                choices *= max(int(token["most"]) - int(token["least"]) + 1, 1)
            kind = "count"
        elif token["bar"]:
            choices += 1
        before = kind
        at = token.end()
    if choices > CHOICES:
        raise ValueError(f"it can be tried in {choices} ways, more than {CHOICES}")
    try:
        return re.compile(text.encode("latin-1"), re.IGNORECASE | re.DOTALL)
    except (re.error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error
