"""The rows of the benchmark's table: what was to be reached, what was measured, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Row", "at_least", "at_most", "fact", "failed", "format_table"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``holds`` is None for figures without a target."""

    what: str
    target: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return {True: "holds", False: "MISSED", None: "-"}[self.holds]


def at_most(what: str, value: float, limit: float, unit: str = "", detail: str = "") -> Row:
    """A row whose value must not exceed its limit."""
    return Row(what, f"<= {limit:g}{unit}", _measured(value, unit, detail), value <= limit)


def at_least(what: str, value: float, limit: float, unit: str = "", detail: str = "") -> Row:
    """A row whose value must reach its limit."""
    return Row(what, f">= {limit:g}{unit}", _measured(value, unit, detail), value >= limit)


def fact(what: str, measured: str) -> Row:
    """A figure without a target."""
    return Row(what, "-", measured, None)


def failed(what: str, reason: str) -> Row:
    """A figure that could not be had: the target counts as missed."""
    return Row(what, "-", f"no figure: {reason}", False)


def _measured(value: float, unit: str, detail: str) -> str:
    digits = 0 if isinstance(value, int) or abs(value) >= 100 else 2
    return f"{value:.{digits}f}{unit}" + (f" ({detail})" if detail else "")


def format_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table whose columns line up."""
    lines = [("what", "target", "measured", "verdict")]
    lines += [(row.what, row.target, row.measured, row.verdict) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([text[0], rule, *text[1:]])
