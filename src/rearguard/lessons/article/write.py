"""A document in one of its formats, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from rearguard.lessons.article.document import Document

__all__ = ["FORMATS", "render"]

FORMATS = ("html", "pdf", "md")


def render(document: Document, form: str) -> bytes:
    """The same document gives the same bytes. Raises :class:`UsageError` for a format that is not known."""
    if form == "html":
        from rearguard.lessons.article.html import render_html

        return render_html(document).encode("utf-8", "replace")
    if form == "md":
        from rearguard.lessons.article.markdown import render_markdown

        return render_markdown(document).encode("utf-8", "replace")
    if form == "pdf":
        from rearguard.lessons.article.typeset import render_pdf

        return render_pdf(document)
    raise UsageError(f"there is no format {form!r}", remedy=f"choose one of {', '.join(FORMATS)}")
