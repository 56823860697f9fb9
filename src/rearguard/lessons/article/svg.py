"""Drawings made of five shapes, written as SVG in the colours of a theme.

A drawing says roles (``ink``, ``yes``), a theme says colours: variables of the style sheet on a page, so that light
and dark need one drawing; fixed colours on paper. Texts are escaped here, the only place where SVG is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = [
    "PAGE",
    "PAPER",
    "Dot",
    "Drawing",
    "Label",
    "Line",
    "Rect",
    "Shape",
    "Theme",
    "text_width",
    "wrapped",
]

ROLES = ("ink", "soft", "line", "paper", "raised", "yes", "partly", "no", "unknown", "accent", "on-bar")
_WIDE, _NARROW = frozenset("mwMWQOGDHNU@%—"), frozenset("iIl.,:;'|!()[]tfjr ")


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role, and the font; no font where the page decides."""

    colours: Mapping[str, str]
    font: str


PAGE = Theme({role: f"var(--{role})" for role in ROLES}, "")
"""For a page whose style sheet defines the roles as variables."""

PAPER = Theme(
    {
        "ink": "#1a1f26", "soft": "#56606d", "line": "#c4cbd4", "paper": "#ffffff", "raised": "#f1f3f6",
        "yes": "#1f5fa8", "partly": "#7fb2e5", "no": "#d9730d", "unknown": "#b4bcc6", "accent": "#1f5fa8",
        "on-bar": "#ffffff",
    },
    "Libertinus Serif",
)  # fmt: skip
"""For print; blue and orange differ for every kind of colour vision, and each mark is labelled besides."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A box; ``title`` is shown when a pointer rests on it."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = ""
    radius: float = 0
    opacity: float = 1
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line, with an arrow head at its end if wanted."""

    x1: float
    y1: float
    x2: float
    y2: float
    stroke: str
    width: float = 1
    dashed: bool = False
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc."""

    x: float
    y: float
    radius: float
    fill: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; ``y`` is its base line. Texts are wrapped by who makes the label."""

    x: float
    y: float
    text: str
    size: float = 12
    fill: str = "ink"
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    turned: float = 0
    """Degrees clockwise around its own point."""


Shape = Rect | Line | Dot | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a canvas, in the order in which they are painted."""

    width: float
    height: float
    shapes: tuple[Shape, ...]

    def svg(self, theme: Theme, alt: str = "") -> str:
        """The drawing as an ``<svg>`` element. ``alt`` makes it an image with a name for screen readers."""
        size = f'viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        name = f' role="img" aria-label="{_text(alt)}"' if alt else f' width="{_n(self.width)}"'
        body = "".join(_shape(each, theme) for each in self.shapes)
        family = f' style="font-family:{_text(theme.font)}"' if theme.font else ""
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}{name}{family}>{body}</svg>'


def _shape(shape: Shape, theme: Theme) -> str:
    colours = theme.colours
    match shape:
        case Rect():
            look = f"fill:{colours[shape.fill]}"
            look += f";stroke:{colours[shape.stroke]}" if shape.stroke else ""
            look += f";fill-opacity:{_n(shape.opacity)}" if shape.opacity != 1 else ""
            place = (
                f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}"'
            )
            return f'<rect {place} rx="{_n(shape.radius)}" style="{look}">{_title(shape.title)}</rect>'
        case Dot():
            place = f'cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"'
            return f'<circle {place} style="fill:{colours[shape.fill]}">{_title(shape.title)}</circle>'
        case Line():
            return _line(shape, colours[shape.stroke])
        case Label():
            look = f"fill:{colours[shape.fill]};font-size:{_n(shape.size)}px"
            look += ";font-weight:700" if shape.bold else ""
            place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" text-anchor="{shape.anchor}"'
            if shape.turned:
                place += f' transform="rotate({_n(shape.turned)} {_n(shape.x)} {_n(shape.y)})"'
            return f'<text {place} style="{look}">{_text(shape.text)}</text>'


def _line(line: Line, colour: str) -> str:
    look = f"stroke:{colour};stroke-width:{_n(line.width)}"
    look += ";stroke-dasharray:4 3" if line.dashed else ""
    made = (
        f'<line x1="{_n(line.x1)}" y1="{_n(line.y1)}" x2="{_n(line.x2)}" y2="{_n(line.y2)}" style="{look}"/>'
    )
    if not line.arrow:
        return made
    back = -7 if line.x2 > line.x1 else 7
    points = ((line.x2, line.y2), (line.x2 + back, line.y2 - 3.5), (line.x2 + back, line.y2 + 3.5))
    head = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    return f'{made}<polygon points="{head}" style="fill:{colour}"/>'


def text_width(text: str, size: float) -> float:
    """About how wide a text is: no font is measured, so leave a tenth of room."""
    units = sum(0.85 if char in _WIDE else 0.32 if char in _NARROW else 0.54 for char in text)
    return units * size


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The text in lines that are about as wide as given; a longer word stands alone and is not cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _title(text: str) -> str:
    return f"<title>{_text(text)}</title>" if text else ""


def _text(text: str) -> str:
    """Escaped; what does not print, and so what XML forbids, becomes a replacement character."""
    shown = (char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else "\ufffd" for char in text)
    return escape("".join(shown))


def _n(number: float) -> str:
    """A number without needless digits, the same on every machine."""
    return f"{number:.1f}".rstrip("0").rstrip(".")
