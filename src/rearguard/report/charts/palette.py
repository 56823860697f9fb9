"""The colours that charts are drawn in, each with the CSS class that stands for it in the page."""

from __future__ import annotations

__all__ = ["CLASSES", "INK", "LINE", "OUTCOME_COLOURS", "SERIES"]

INK = "#010101"
LINE = "#020202"

OUTCOME_COLOURS = {
    "unanswered": "#030301",
    "refused": "#030302",
    "answered": "#030303",
    "conversed": "#030304",
    "unknown": "#030305",
}
"""By outcome; the classes are ``o-unanswered`` and so on."""

SERIES = ("#040401", "#040402", "#040403", "#040404", "#040405", "#040406")
"""By rank; the classes are ``s-1`` to ``s-6``, the last one for "others" when all are used."""

CLASSES = {
    INK: "ink",
    LINE: "line",
    **{colour: f"o-{name}" for name, colour in OUTCOME_COLOURS.items()},
    **{colour: f"s-{rank}" for rank, colour in enumerate(SERIES, 1)},
}
"""Marker colour to class; the markers themselves are near black and readable without a style sheet."""
