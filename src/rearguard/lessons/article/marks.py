"""The little markup in which the article's own sentences are written; texts of records never pass through it.

    {border-yes}               a figure of lessons/figures.py, by its name
    {border-yes@cloud}         the same within a group: model-cloud-border-yes
    [[dt-speedport-2016]]      a link to an incident, mechanism or recommendation, under its title
    [[mirai-2016|Mirai]]       the same under another text
    [@mirai-2016]              the sources of an incident as numbers of the list of references
    [text](https://...)        a link out
    *word*  **word**  `word`   emphasis, strong, code

Numbers are written as figures. What may stand as digits in such a text (RFC numbers, ports, names of standards) is
decided by a test.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from rearguard.lessons.article.document import Code, Emphasis, Link, Strong, Text
from rearguard.model.errors import InputError

if TYPE_CHECKING:
    from rearguard.lessons.article.document import Inline, Inlines

__all__ = ["Resolver", "marked"]

_MARK = re.compile(
    r"\{(?P<figure>[a-z0-9@-]+)\}"
    r"|\[\[(?P<entry>[a-z0-9-]+)(?:\|(?P<name>[^\]]+))?\]\]"
    r"|\[@(?P<cite>[a-z0-9-]+)\]"
    r"|\[(?P<text>[^\]]+)\]\((?P<url>https?://[^)\s]+)\)"
    r"|\*\*(?P<strong>[^*]+)\*\*"
    r"|\*(?P<emphasis>[^*]+)\*"
    r"|`(?P<code>[^`]+)`"
)


class Resolver(Protocol):
    """What marks refer to."""

    def figure(self, name: str) -> Inline:
        """The figure with this name; raises :class:`InputError` when there is none."""

    def entry(self, name: str, text: str | None) -> Inline:
        """A link to an entry; raises :class:`InputError` when there is none."""

    def cite(self, name: str) -> Inline:
        """The references of an incident."""


def marked(text: str, resolver: Resolver) -> Inlines:
    """The inlines of one paragraph of our own. Raises :class:`InputError` for a brace that is no mark."""
    made: list[Inline] = []
    end = 0
    for match in _MARK.finditer(text):
        made += _literal(text[end : match.start()])
        made.append(_inline(match, resolver))
        end = match.end()
    return (*made, *_literal(text[end:]))


def _literal(text: str) -> list[Inline]:
    if "{" in text or "}" in text:
        raise InputError(f"a brace that names no figure in: {text}", remedy="write {name-of-a-figure}")
    return [Text(text)] if text else []


def _inline(match: re.Match[str], resolver: Resolver) -> Inline:
    kind = match.lastgroup or ""
    groups = match.groupdict()
    if groups["figure"]:
        name, _, group = groups["figure"].partition("@")
        return resolver.figure(f"model-{group}-{name}" if group else name)
    if groups["entry"]:
        return resolver.entry(groups["entry"], groups["name"])
    if groups["cite"]:
        return resolver.cite(groups["cite"])
    if groups["url"]:
        return Link(groups["text"], groups["url"])
    if kind == "code":
        return Code(groups["code"])
    return Strong(groups["strong"]) if kind == "strong" else Emphasis(groups["emphasis"])
