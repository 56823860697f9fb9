"""A text for a cell of a spreadsheet: never a formula, never a control sequence (CWE-1236)."""

from __future__ import annotations

import re

__all__ = ["LONGEST", "cell"]

LONGEST = 32_000
"""Characters; a spreadsheet holds 32,767 in a cell."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_NEXT_CELL = re.compile(r"(;[\s\"']*)([=+\-@＝＋－＠])")


def cell(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would compute.

    A semicolon begins a new cell in the spreadsheets of many countries, so the same is done behind one. What
    does not print becomes a visible escape.
    """
    shown = "".join(
        char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else _escape(char) for char in text
    )
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 1]}…"
    shown = _NEXT_CELL.sub(r"\1'\2", shown)
    return f"'{shown}" if text.lstrip(" ").startswith(_FORMULA) else shown


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
