"""The article as a PDF: written as typst source, typeset by typst, with the fonts that its wheel carries.

Every text of a record goes into the source as a string literal, in which only backslash and quotation mark mean
anything; typst reads no file, no package and no font of the machine, so the same records give the same bytes
everywhere. The PDF is tagged (PDF/UA-1): headings are bookmarks, pictures have texts, the language is set.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
from rearguard.lessons.article.svg import PAPER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.lessons.article.document import Block, Document, Inline, Inlines, Reference

__all__ = ["render_pdf", "source"]

TEMPLATE = Path(__file__).with_name("template.typ")
STANDARD: Final = "ua-1"
NO_GLYPH = "could not be displayed"
"""What typst says of a text for which it has no font."""


def render_pdf(document: Document) -> bytes:
    """The typeset article. A character that no font of the wheel has is written as its number: ``[U+8DEF]``."""
    import typst

    epoch = (date.fromisoformat(document.date) - date(1970, 1, 1)).days * 86_400
    text = source(document)
    try:
        return _compiled(text, epoch)
    except typst.TypstError as error:
        if NO_GLYPH not in str(error):
            raise
    lacking = {ord(char): f"[U+{ord(char):04X}]" for char in sorted(set(text)) if not _has_glyph(char)}
    return _compiled(text.translate(lacking), epoch)


def _compiled(text: str, epoch: int) -> bytes:
    import typst

    compiler = typst.Compiler(text.encode(), ignore_system_fonts=True)
    made = compiler.compile(format="pdf", pdf_standards=STANDARD, timestamp=epoch)
    assert isinstance(made, bytes)
    return made


def _has_glyph(char: str) -> bool:
    """Whether typst can show it, asked with a page that has nothing else; PDF/UA-1 refuses a page without."""
    import typst

    if char.isascii():
        return True
    try:
        _compiled(f'#set document(title: "x")\n#set text(font: "Libertinus Serif")\n#{_s(char)}', 0)
    except typst.TypstError:
        return False
    return True


def source(document: Document) -> str:
    """The typst source of the document, template included."""
    day = date.fromisoformat(document.date)
    setup = (
        f"#show: article.with(title: {_s(document.title)}, subtitle: {_s(document.subtitle)}, "
        f"imprint: ({_array(_s(line) for line in document.imprint)}), language: {_s(document.language)}, "
        f"date: datetime(year: {day.year}, month: {day.month}, day: {day.day}), "
        f"keywords: ({_array(_s(each) for each in document.keywords)}), short: {str(document.short).lower()})"
    )
    parts = [TEMPLATE.read_text("utf-8"), setup]
    blocks = [_block(each) for each in document.blocks]
    if not document.short:
        after_summary = next(
            (
                place
                for place, each in enumerate(document.blocks)
                if place and isinstance(each, Heading) and each.level == 1
            ),
            len(blocks),
        )
        contents = '#pagebreak()\n#outline(title: "Contents", depth: 2, indent: 1.2em)'
        blocks.insert(after_summary, contents)
    return "\n\n".join([*parts, *blocks, *_references(document.references)]) + "\n"


def _references(references: tuple[Reference, ...]) -> list[str]:
    if not references:
        return []
    made = ['#heading(level: 1, "References")', "#show: in-columns"]
    for each in references:
        rest = f"{each.publisher}{f', {each.date}' if each.date else ''}."
        address = _s(each.url) if each.url else "none"
        made.append(f"#reference({each.number}, {_s(each.title)}, {address}, {_s(rest)}, {_s(each.note)})")
    return made


def _block(block: Block) -> str:
    match block:
        case Heading():
            listed = str(block.listed).lower()
            marks = f"outlined: {listed}, bookmarked: {str(block.listed or block.level < 3).lower()}"
            return f"#heading(level: {block.level}, {marks}, {_s(block.text)})#label({_s(block.anchor)})"
        case Paragraph():
            made = _inlines(block.inlines)
            return f"#{block.tone}[{made}]" if block.tone in ("lead", "small") else made
        case Bullets():
            return f"#list({_array(f'[{_inlines(each)}]' for each in block.items)})"
        case Numbered():
            return f"#enum({_array(f'[{_inlines(each)}]' for each in block.items)})"
        case Terms():
            call = (
                "#run-in("
                if block.form == "run-in"
                else f"#facts(dense: {str(block.form == 'dense').lower()}, "
            )
            return f"{call}{_array(_term(*each) for each in block.items)})"
        case Table():
            return _table(block)
        case Picture():
            return f"#drawing({_s(block.drawing.svg(PAPER))}, {_s(block.alt)}, {_s(block.caption)})"
        case Aside():
            inner = "\n\n".join(_block(each) for each in block.blocks)
            return f"#boxed({_s(block.title)}, [{inner}])"


def _term(name: str, inlines: Inlines, anchor: str) -> str:
    place = f"#anchor({_s(anchor)})" if anchor else ""
    return f"([{place}#{_s(name)}], [{_inlines(inlines)}])"


def _table(table: Table) -> str:
    columns = _array(f"{share}fr" for share in table.shares)
    head = _array(_s(each) for each in table.head)
    rows = ", ".join(f"({_array(f'[{_inlines(cell)}]' for cell in row)})" for row in table.rows)
    return f"#listed(({columns}), {_s(table.caption)}, ({head}), {rows})"


def _inlines(inlines: Inlines) -> str:
    return "".join(_inline(each) for each in inlines)


def _inline(inline: Inline) -> str:
    match inline:
        case Text(text=text):
            return f"#{_s(text)};" if text else ""
        case Strong(text=text):
            return f"#strong({_s(text)});"
        case Emphasis(text=text):
            return f"#emph({_s(text)});"
        case Code(text=text):
            return f"#raw({_s(text)});"
        case Mark(text=text):
            return f"#mark({_s(text)});"
        case Counted(shown=shown, linked=False):
            return f"#strong({_s(shown)});"
        case Counted(name=name, shown=shown):
            return f"#counted(label({_s(f'figure-{name}')}), {_s(shown)});"
        case Cite(numbers=numbers):
            links = ", ".join(f"link(label({_s(f'ref-{number}')}), {_s(str(number))})" for number in numbers)
            return f"#cited({links});" if numbers else ""
        case Link(text=text, target=target):
            if target.startswith("#"):
                return f"#link(label({_s(target[1:])}), {_s(text)});"
            if target.startswith(("http://", "https://")):
                return f"#link({_s(target)}, {_s(text)});"
            return f"#{_s(text)};"


def _array(items: Iterable[str]) -> str:
    """Items of an array or of arguments; the comma at the end makes an array of one an array."""
    return "".join(f"{each}, " for each in items)


def _s(text: str) -> str:
    """A typst string literal; what does not print becomes a replacement character."""
    shown = "".join(
        char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else _unprinted(char) for char in text
    )
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unprinted(char: str) -> str:
    return " " if char in "\n\r\t" else "\ufffd"
