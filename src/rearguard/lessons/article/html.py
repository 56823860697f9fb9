"""The article as one HTML file: styles and pictures inside, nothing from anywhere else.

A content security policy forbids the browser to load or run anything; addresses become links only when they
are http or https, and a click is the only thing that leads out.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
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
from rearguard.lessons.article.svg import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.lessons.article.document import Block, Document, Inline, Inlines, Reference

__all__ = ["render_html"]

STYLE = Path(__file__).with_name("article.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(document: Document) -> str:
    """The whole page."""
    head = (
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="keywords" content="{_t(", ".join(document.keywords))}">\n'
        f"<title>{_t(document.title)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>"
    )
    imprint = "<br>".join(_t(line) for line in document.imprint)
    day = f'<time datetime="{_t(document.date)}">{_t(document.date)}</time>'
    title = (
        f'<header><h1>{_t(document.title)}</h1>\n<p class="subtitle">{_t(document.subtitle)}</p>\n'
        f'<p class="imprint">{day}<br>{imprint}</p></header>'
    )
    parts = [title] if document.short else [title, _contents(document)]
    parts.append(f"<main>\n{_blocks(document.blocks)}\n{_references(document.references)}</main>")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{_t(document.language)}">\n<head>\n{head}\n</head>\n'
        f'<body class="{"short" if document.short else "full"}">\n{body}\n</body>\n</html>\n'
    )


def _contents(document: Document) -> str:
    items: list[str] = []
    for block in document.blocks:
        if isinstance(block, Heading) and block.listed and block.level < 3:
            items.append(
                f'<li class="l{block.level}"><a href="#{_t(block.anchor)}">{_t(block.text)}</a></li>'
            )
    if document.references:
        items.append('<li class="l1"><a href="#references">References</a></li>')
    return (
        '<nav aria-label="Contents"><details open><summary>Contents</summary>\n'
        f"<ol>{''.join(items)}</ol></details></nav>"
    )


def _references(references: tuple[Reference, ...]) -> str:
    if not references:
        return ""
    items = []
    for each in references:
        name = (
            f'<a href="{_t(each.url)}" rel="noopener noreferrer">{_t(each.title)}</a>'
            if each.url
            else _t(each.title)
        )
        date = f", {_t(each.date)}" if each.date else ""
        note = f' <span class="mark">{_t(each.note)}</span>' if each.note else ""
        address = f'<br><span class="address">{_t(each.url)}</span>' if each.url else ""
        items.append(f'<li id="ref-{each.number}">{name}. {_t(each.publisher)}{date}.{note}{address}</li>')
    return f'<h2 id="references">References</h2>\n<ol class="references">{"".join(items)}</ol>\n'


def _blocks(blocks: Iterable[Block]) -> str:
    return "\n".join(_block(each) for each in blocks)


def _block(block: Block) -> str:
    match block:
        case Heading():
            level = min(block.level + 1, 6)
            minor = "" if block.listed else ' class="minor"'
            return f'<h{level} id="{_t(block.anchor)}"{minor}>{_t(block.text)}</h{level}>'
        case Paragraph():
            tone = f' class="{_t(block.tone)}"' if block.tone else ""
            return f"<p{tone}>{_inlines(block.inlines)}</p>"
        case Bullets():
            return f"<ul>{_items(block.items)}</ul>"
        case Numbered():
            return f"<ol>{_items(block.items)}</ol>"
        case Terms():
            items = "".join(_term(*each) for each in block.items)
            return f'<dl class="{block.form}">{items}</dl>'
        case Table():
            return _table(block)
        case Picture():
            drawing = block.drawing.svg(PAGE, block.alt)
            name = _t(block.caption)
            return (
                f'<figure><div class="drawing" tabindex="0" role="group" aria-label="{name}">{drawing}</div>'
                f"<figcaption>{name}</figcaption></figure>"
            )
        case Aside():
            return f'<aside><p class="title">{_t(block.title)}</p>{_blocks(block.blocks)}</aside>'


def _items(items: Iterable[Inlines]) -> str:
    return "".join(f"<li>{_inlines(each)}</li>" for each in items)


def _term(name: str, inlines: Inlines, anchor: str) -> str:
    place = f' id="{_t(anchor)}"' if anchor else ""
    return f"<div{place}><dt>{_t(name)}</dt><dd>{_inlines(inlines)}</dd></div>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_t(each)}</th>' for each in table.head)
    rows = "".join(
        f'<tr><th scope="row">{_inlines(first)}</th>{"".join(f"<td>{_inlines(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{_t(table.caption)}"><table>'
        f"<caption>{_t(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _inlines(inlines: Inlines) -> str:
    return "".join(_inline(each) for each in inlines)


def _inline(inline: Inline) -> str:
    match inline:
        case Text(text=text):
            return _t(text)
        case Strong(text=text):
            return f"<strong>{_t(text)}</strong>"
        case Emphasis(text=text):
            return f"<em>{_t(text)}</em>"
        case Code(text=text):
            return f"<code>{_t(text)}</code>"
        case Mark(text=text):
            return f'<span class="mark">{_t(text)}</span>'
        case Counted(shown=shown, linked=False):
            return f"<strong>{_t(shown)}</strong>"
        case Counted(name=name, shown=shown):
            return f'<a class="figure" href="#figure-{_t(name)}">{_t(shown)}</a>'
        case Cite(numbers=numbers):
            links = ", ".join(f'<a href="#ref-{number}">{number}</a>' for number in numbers)
            return f'<span class="cite">[{links}]</span>' if numbers else ""
        case Link(text=text, target=target):
            if target.startswith("#"):
                return f'<a href="{_t(target)}">{_t(text)}</a>'
            if target.startswith(("http://", "https://")):
                return f'<a href="{_t(target)}" rel="noopener noreferrer">{_t(text)}</a>'
            return _t(text)


def _t(text: str) -> str:
    """Escaped for text and attributes; control characters and lone surrogates become a replacement character."""
    return escape(
        "".join(char if char.isprintable() or char in "\n\t\N{NO-BREAK SPACE}" else "\ufffd" for char in text)
    )
