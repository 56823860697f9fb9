"""The pictures of the article: bars of what a border could stop, grids over years, dots of one mechanism."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rearguard.lessons.article.svg import Dot, Drawing, Label, Line, Rect, Shape, text_width, wrapped
from rearguard.lessons.groups import VERDICTS

__all__ = ["Bar", "bars", "dots", "grid"]

WIDTH = 720.0
LEGEND = {"yes": "stopped it", "partly": "helped in part", "no": "not helped", "unknown": "not known"}
ON_BAR = {"yes": "on-bar", "partly": "ink", "no": "ink", "unknown": "ink"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the bar picture: how many incidents by verdict."""

    label: str
    counts: Mapping[str, int]
    strong: bool = False


def bars(rows: Sequence[Bar]) -> Drawing:
    """One bar a row, all of the same length: shares by verdict, with the counts written in them."""
    shapes: list[Shape] = [*_legend(4)]
    y = 42.0
    for row in rows:
        total = sum(row.counts.values())
        shapes.append(Label(0, y + 11, row.label, 13, bold=row.strong))
        shapes.append(
            Label(WIDTH, y + 11, f"{total} incidents" if total != 1 else "1 incident", 12, "soft", "end")
        )
        x = 0.0
        for verdict in VERDICTS:
            count = row.counts.get(verdict, 0)
            if count:
                width = WIDTH * count / total
                shapes.append(
                    Rect(x, y + 17, max(width - 1.5, 1), 22, verdict, title=f"{LEGEND[verdict]}: {count}")
                )
                shapes.append(
                    Label(x + width / 2, y + 33, str(count), 13, ON_BAR[verdict], "middle", bold=True)
                )
                x += width
        y += 54
    return Drawing(WIDTH, y - 6, tuple(shapes))


def grid(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Mapping[tuple[int, int], int],
    *,
    left: float = 262,
    cell: float = 24,
    totals: str = "",
) -> Drawing:
    """Counts in cells, shaded by how large they are; an empty cell is a zero. ``totals`` heads a last column."""
    most = max(values.values(), default=1)
    top = 30.0
    width = (WIDTH - left - (52 if totals else 0)) / max(len(columns), 1)
    tilted = max((text_width(name, 12) for name in columns), default=0) > width
    shapes: list[Shape] = []
    for place, name in enumerate(columns):
        middle = left + width * (place + 0.5)
        shown = f"'{name[2:]}" if tilted and name.isdigit() and len(name) == 4 else name
        shapes.append(Label(middle, top - 9, shown, 12, "soft", "middle"))
    if totals:
        shapes.append(Label(WIDTH, top - 9, totals, 12, "soft", "end"))
    y = top
    for number, name in enumerate(rows):
        lines = wrapped(name, 0.9 * (left - 14), 12.5)[:2]
        height = cell if len(lines) == 1 else cell + 10
        for place, line in enumerate(lines):
            shapes.append(Label(0, y + height / 2 + 4.5 + (place - (len(lines) - 1) / 2) * 13.5, line, 12.5))
        for place, column in enumerate(columns):
            count = values.get((number, place), 0)
            x = left + width * place
            shapes.append(Rect(x + 1, y + 1, width - 2, height - 2, "raised"))
            if count:
                strength = 0.25 + 0.75 * count / most
                shapes.append(
                    Rect(
                        x + 1,
                        y + 1,
                        width - 2,
                        height - 2,
                        "accent",
                        opacity=strength,
                        title=f"{name}, {column}: {count}",
                    )
                )
                ink = "on-bar" if strength > 0.6 else "ink"
                shapes.append(
                    Label(x + width / 2, y + height / 2 + 4.5, str(count), 12.5, ink, "middle", bold=True)
                )
        if totals:
            total = sum(count for (row, _), count in values.items() if row == number)
            shapes.append(Label(WIDTH - 4, y + height / 2 + 4.5, str(total), 12.5, "ink", "end", bold=True))
        y += height
    return Drawing(WIDTH, y + 4, tuple(shapes))


def dots(years: Sequence[int], marks: Sequence[tuple[int, str, str]]) -> Drawing:
    """A dot for each (year, verdict, title), stacked over its year."""
    stacks: dict[int, list[tuple[str, str]]] = {year: [] for year in years}
    for year, verdict, title in marks:
        stacks[year].append((verdict, title))
    for stack in stacks.values():
        stack.sort(key=lambda each: list(VERDICTS).index(each[0]))
    tallest = max((len(stack) for stack in stacks.values()), default=1)
    base = 30 + tallest * 15.0
    width = WIDTH / max(len(years), 1)
    shapes: list[Shape] = [*_legend(2), Line(0, base + 3, WIDTH, base + 3, "line")]
    for place, year in enumerate(years):
        x = width * (place + 0.5)
        shapes.append(Label(x, base + 18, str(year), 11.5, "soft" if not stacks[year] else "ink", "middle"))
        for level, (verdict, title) in enumerate(stacks[year]):
            shapes.append(
                Dot(x, base - 6 - level * 15, 6, verdict, f"{title}: a border filter {VERDICTS[verdict]}")
            )
    return Drawing(WIDTH, base + 24, tuple(shapes))


def _legend(y: float) -> list[Shape]:
    """What the colours mean; the words are the same in every picture."""
    shapes: list[Shape] = [Label(0, y + 11, "A border filter would have", 12, "soft")]
    x = text_width("A border filter would have", 12) * 1.15 + 14
    for verdict, words in LEGEND.items():
        shapes += [Rect(x, y + 1, 12, 12, verdict, radius=2), Label(x + 17, y + 11, words, 12, "soft")]
        x += text_width(words, 12) * 1.15 + 36
    return shapes
