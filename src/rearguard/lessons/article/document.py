"""What a document consists of: blocks of inlines, free of any output format.

Texts in it are plain: every renderer escapes them for its own format, so a record may hold whatever characters it
likes. A picture is a drawing that can be made in any theme, with a text that says the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rearguard.lessons.article.svg import Drawing

__all__ = [
    "Aside",
    "Block",
    "Bullets",
    "Cite",
    "Code",
    "Counted",
    "Document",
    "Emphasis",
    "Heading",
    "Inline",
    "Inlines",
    "Link",
    "Mark",
    "Numbered",
    "Paragraph",
    "Picture",
    "Reference",
    "Strong",
    "Table",
    "Terms",
    "Text",
    "inlines_of",
    "plain",
]


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """What a reader who skims should see."""

    text: str


@dataclass(frozen=True, slots=True)
class Emphasis:
    """A word that is stressed or used for the first time."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A command, a port, an id."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another place: ``#anchor`` in this document, or an http(s) address."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A figure, by its name; the number is computed, and the reader can find the records behind it."""

    name: str
    shown: str
    linked: bool = True
    """Whether this document says, in an appendix, how it was counted."""


@dataclass(frozen=True, slots=True)
class Cite:
    """Numbers of the list of references."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A warning beside a statement, for instance that a clause was not verified."""

    text: str


Inline = Text | Strong | Emphasis | Code | Link | Counted | Cite | Mark
Inlines = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 is a chapter. The anchor is unique; ``listed`` headings stand in the table of contents."""

    level: int
    text: str
    anchor: str
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; ``lead`` is set larger, ``small`` smaller."""

    inlines: Inlines
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """Items without an order."""

    items: tuple[Inlines, ...]


@dataclass(frozen=True, slots=True)
class Numbered:
    """Steps in an order."""

    items: tuple[Inlines, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """Names with what belongs to them; an anchor makes an item reachable."""

    items: tuple[tuple[str, Inlines, str], ...]
    form: Literal["rows", "dense", "run-in"] = "rows"
    """``dense``: many items that are looked up rather than read; ``run-in``: one paragraph."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head. ``shares`` are the relative widths of the columns; the first column names its row."""

    head: tuple[str, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    caption: str
    shares: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with its caption, and the same said in words for those who do not see it."""

    drawing: Drawing
    caption: str
    alt: str
    instead: Block | None = None
    """What an edition without pictures shows."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Blocks that stand apart, under a title."""

    title: str
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Bullets | Numbered | Terms | Table | Picture | Aside


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of the list of references; the address, when there is one, is http(s)."""

    number: int
    title: str
    publisher: str
    date: str
    url: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Document:
    """A whole edition."""

    title: str
    subtitle: str
    imprint: tuple[str, ...]
    """Version, date and digest, a line each."""
    language: str
    date: str
    """ISO 8601 day of the edition."""
    blocks: tuple[Block, ...]
    references: tuple[Reference, ...]
    short: bool = False
    keywords: tuple[str, ...] = field(default=())


def plain(inlines: Inlines) -> str:
    """The words of inlines without their dress."""
    return "".join(_plain(each) for each in inlines)


def _plain(inline: Inline) -> str:
    match inline:
        case Counted(shown=shown):
            return shown
        case Cite(numbers=numbers):
            return f" [{', '.join(str(number) for number in numbers)}]"
        case Mark(text=text):
            return f" ({text})"
        case _:
            return inline.text


def inlines_of(blocks: tuple[Block, ...]) -> Iterator[Inline]:
    """Every inline of these blocks, those of tables, asides and replacements of pictures too."""
    for block in blocks:
        match block:
            case Heading():
                pass
            case Paragraph(inlines=inlines):
                yield from inlines
            case Bullets(items=items) | Numbered(items=items):
                for item in items:
                    yield from item
            case Terms(items=terms):
                for _, item, _ in terms:
                    yield from item
            case Table(rows=rows):
                for row in rows:
                    for cell in row:
                        yield from cell
            case Picture(instead=instead):
                if instead is not None:
                    yield from inlines_of((instead,))
            case Aside(blocks=inner):
                yield from inlines_of(inner)
