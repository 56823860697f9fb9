"""The article as plain text in CommonMark: readable as it is in a mail, wrapped, with numbered references at
the end.

No tables and no HTML: a table becomes a list, a picture its words. Every character of a record that
CommonMark could take for markup is escaped (section 2.4, backslash escapes), and so is what would begin a
list, a heading or a quotation at the start of a wrapped line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rearguard.lessons.article.document import (
    Aside,
    Bullets,
    Cite,
    Code,
    Counted,
    Emphasis,
    Heading,
    Link,
    Mark,
    Numbered,
    Paragraph,
    Picture,
    Strong,
    Table,
    Terms,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.lessons.article.document import Block, Document, Inline, Inlines

__all__ = ["escaped", "render_markdown"]

WIDTH = 76
_SPECIAL = re.compile(r"[\\`*\[\]<>&~|#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\])\(|!(?=\[)")
_LINE_START = re.compile(r"(?:[-+=]|(\d{1,9})([.)]))(?= |$)|[-+=_]{2,}")
_GLUE = "\x00"
"""Stands for a blank that no line may break at (inside code, where a break would change the text)."""


def render_markdown(document: Document) -> str:
    """The whole text, lines of at most 76 characters wherever words allow it."""
    lines = [f"# {escaped(document.title)}", "", *_wrap(escaped(document.subtitle)), ""]
    lines += [*(f"{escaped(line)}  " for line in document.imprint), ""]
    lines += _blocks(document.blocks)
    if document.references:
        lines += ["## References", ""]
        for each in document.references:
            date = f", {each.date}" if each.date else ""
            note = f" ({each.note})" if each.note else ""
            lines += _wrap(
                escaped(f"{each.title}. {each.publisher}{date}.{note}"),
                f"[{each.number}] ",
                "    ",
                literal=True,
            )
            lines += [f"    <{_address(each.url)}>"] if each.url else []
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _blocks(blocks: Iterable[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [*_block(block), ""]
    return lines


def _block(block: Block) -> list[str]:
    match block:
        case Heading():
            return [f"{'#' * min(block.level + 1, 6)} {escaped(block.text)}"]
        case Paragraph():
            return _wrap(_inlines(block.inlines))
        case Bullets():
            return [line for item in block.items for line in _wrap(_inlines(item), "- ", "  ")]
        case Numbered():
            return [
                line
                for number, item in enumerate(block.items, start=1)
                for line in _wrap(_inlines(item), f"{number}. ", "   ")
            ]
        case Terms():
            return [
                line
                for name, item, _ in block.items
                for line in _wrap(f"{escaped(name)}: {_inlines(item)}", "- ", "  ")
            ]
        case Table():
            return _table(block)
        case Picture():
            shown = [] if block.instead is None else ["", *_block(block.instead)]
            return [*_wrap(f"*{escaped(block.caption)}*"), *shown]
        case Aside():
            inner = _blocks(block.blocks)
            return [f"**{escaped(block.title)}**", "", *inner[:-1]]


def _table(table: Table) -> list[str]:
    lines = [*_wrap(f"*{escaped(table.caption)}*"), ""]
    for first, *rest in table.rows:
        said = "; ".join(
            f"{escaped(head)}: {_inlines(cell)}" for head, cell in zip(table.head[1:], rest, strict=True)
        )
        lines += _wrap(f"{_inlines(first)}. {said}", "- ", "  ")
    return lines


def _inlines(inlines: Inlines) -> str:
    return "".join(_inline(each) for each in inlines)


def _inline(inline: Inline) -> str:
    match inline:
        case Strong(text=text) if text.strip():
            core = text.strip()
            return f"**{escaped(core)}**{text[len(text.rstrip()) :]}"
        case Emphasis(text=text) if text.strip():
            return f"*{escaped(text.strip())}*"
        case Code(text=text):
            return _code(text)
        case Mark(text=text):
            return f"({escaped(text)})"
        case Counted(shown=shown):
            return escaped(shown)
        case Cite(numbers=numbers):
            return f"\\[{', '.join(str(number) for number in numbers)}\\]" if numbers else ""
        case Link(text=text, target=target) if target.startswith(("http://", "https://")):
            return f"{escaped(text)} <{_address(target)}>" if len(target) < 40 else escaped(text)
        case Link(text=text) | Text(text=text) | Strong(text=text) | Emphasis(text=text):
            return escaped(text)


def _code(text: str) -> str:
    """A code span; its fence is longer than any run of backticks inside (CommonMark 6.1)."""
    shown = _clean(text).replace(" ", _GLUE) if len(text) < WIDTH - 10 else _clean(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = _GLUE if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def escaped(text: str) -> str:
    """A text in which nothing is markup; one line."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", _clean(text))


def _clean(text: str) -> str:
    shown = "".join(char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else " " for char in text)
    return " ".join(shown.replace("\N{NO-BREAK SPACE}", " ").split(" "))


def _address(url: str) -> str:
    """An address between angle brackets; what would end them is written as a per cent code."""
    return url.replace("<", "%3C").replace(">", "%3E").replace("\\", "%5C")


def _wrap(text: str, first: str = "", following: str = "", *, literal: bool = False) -> list[str]:
    """Lines of at most WIDTH characters. ``first`` begins the block, ``following`` every other line."""
    lines, line = [], first
    width = len(first)
    fresh = True
    for word in text.split():
        start = fresh and not literal
        shown = _LINE_START.sub(_at_start, word, count=1) if start and _LINE_START.match(word) else word
        if not fresh and width + 1 + len(word) > WIDTH:
            lines.append(line)
            shown = _LINE_START.sub(_at_start, word, count=1) if _LINE_START.match(word) else word
            line, width = f"{following}{shown}", len(following) + len(shown)
        else:
            line += shown if fresh else f" {shown}"
            width += len(shown) + (0 if fresh else 1)
        fresh = False
    return [each.replace(_GLUE, " ") for each in (*lines, line)]


def _at_start(match: re.Match[str]) -> str:
    return f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[0]}"
