"""Sequence diagrams: who sends what to whom, with the operator's border drawn where it stands.

The steps are data (sequences.yaml). A step between two parties is an arrow; a step from a party to itself is
a note. The border is no party: it is a dashed line that an arrow crosses, or does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from rearguard.lessons.article.svg import Drawing, Label, Line, Rect, Shape, wrapped
from rearguard.model.errors import InputError, Place

__all__ = ["Sequence", "Step", "draw", "in_words", "sequences"]

FILE = Path(__file__).with_name("sequences.yaml")
WIDTH = 720.0
BORDER = "border"
SIZE, STEP_LINE = 12.0, 14.0

Tone = Literal["", "hostile", "good"]


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow or, where both ends are the same, one note."""

    source: str
    target: str
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """The course of an attack, drawn after the incidents in ``after``."""

    name: str
    title: str
    parties: tuple[tuple[str, str], ...]
    """Short name and label, from left to right; ``border`` is the dashed line."""
    steps: tuple[Step, ...]
    border: str
    """What the border sees of it, a sentence."""
    after: tuple[str, ...]


@cache
def sequences() -> dict[str, Sequence]:
    """All diagrams by name: a mechanism's id, or one of the article's own."""
    rows = yaml.load(FILE.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return {name: _read(name, row) for name, row in rows.items()}


def _read(name: str, row: dict[str, object]) -> Sequence:
    try:
        parties = tuple((str(key), str(text)) for key, text in dict(row["parties"]).items())  # type: ignore[call-overload]  # any mapping
        steps = tuple(Step(*(str(part) for part in step)) for step in row["steps"])  # type: ignore[attr-defined, arg-type]  # any list
        made = Sequence(
            name,
            str(row["title"]),
            parties,
            steps,
            str(row["border"]),
            tuple(row["after"]),  # type: ignore[arg-type]  # any list
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the diagram is not whole: {error}", place=Place(file=str(FILE), key=name)
        ) from error
    known = {party for party, _ in parties}
    for step in steps:
        if not {step.source, step.target} <= known:
            raise InputError(
                f"nobody is called {step.source} or {step.target}", place=Place(file=str(FILE), key=name)
            )
    return made


def in_words(sequence: Sequence) -> list[str]:
    """The steps as sentences, for those who do not see the picture."""
    names = dict(sequence.parties)
    return [
        f"{names[step.source]}: {step.text}"
        if step.source == step.target
        else f"{names[step.source]} → {names[step.target]}: {step.text}"
        for step in sequence.steps
    ]


def draw(sequence: Sequence) -> Drawing:
    """The diagram; its height follows from how many lines its texts need."""
    places = _places(sequence)
    top = 36.0
    shapes: list[Shape] = []
    y = top + 8
    for number, step in enumerate(sequence.steps, start=1):
        made, y = _step(number, step, places, y)
        shapes += made
    bottom = y + 6
    lives: list[Shape] = []
    for name, text in sequence.parties:
        x = places[name]
        if name == BORDER:
            lives += [
                Line(x, top - 6, x, bottom, "no", 1.4, dashed=True),
                Label(x, top - 12, text, 11.5, "no", "middle"),
            ]
        else:
            lines = wrapped(text, 122, 12.5)[:2]
            lives.append(Line(x, top, x, bottom, "line"))
            lives.append(Rect(x - 72, top - 34, 144, 33, "raised", "line", radius=4))
            for place, line in enumerate(lines):
                lives.append(
                    Label(
                        x,
                        top - 13.5 + (place - (len(lines) - 1) / 2) * 14,
                        line,
                        12.5,
                        "ink",
                        "middle",
                        bold=True,
                    )
                )
    return Drawing(WIDTH, bottom + 4, (*lives, *shapes))


def _places(sequence: Sequence) -> dict[str, float]:
    """Parties at equal distances; the border half way between its neighbours."""
    names = [name for name, _ in sequence.parties]
    real = [name for name in names if name != BORDER]
    gap = (WIDTH - 148) / max(len(real) - 1, 1)
    places = {name: 74 + gap * place for place, name in enumerate(real)}
    if BORDER in names:
        at = names.index(BORDER)
        places[BORDER] = (places[names[at - 1]] + places[names[at + 1]]) / 2
    return places


def _step(number: int, step: Step, places: dict[str, float], y: float) -> tuple[list[Shape], float]:
    colour = {"hostile": "no", "good": "yes"}.get(step.tone, "ink")
    start, end = places[step.source], places[step.target]
    if start == end:
        lines = wrapped(f"{number}  {step.text}", 176, SIZE)
        width, height = 190.0, len(lines) * STEP_LINE + 8
        left = min(max(start - width / 2, 0), WIDTH - width)
        shapes: list[Shape] = [Rect(left, y, width, height, "paper", colour, radius=3)]
        shapes += [
            Label(left + 7, y + 14 + place * STEP_LINE, line, SIZE, "ink") for place, line in enumerate(lines)
        ]
        return shapes, y + height + 9
    lines = wrapped(f"{number}  {step.text}", abs(end - start) - 22, SIZE)
    middle = (start + end) / 2
    height = len(lines) * STEP_LINE
    wide = abs(end - start) - 16
    shapes = [Rect(middle - wide / 2, y + 1, wide, height + 1, "paper", opacity=0.9)]
    shapes += [
        Label(middle, y + 11 + place * STEP_LINE, line, SIZE, "ink", "middle")
        for place, line in enumerate(lines)
    ]
    shapes.append(Line(start, y + height + 5, end, y + height + 5, colour, 1.6, arrow=True))
    return shapes, y + height + 15
