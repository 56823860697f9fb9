"""The braces and semicolons of a Junos configuration, as a tree of statements with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rearguard.filters.parse.words import FaultError

__all__ = ["Node", "Token", "tokens", "tree"]

_TOKEN = re.compile(r'\s+|/\*.*?\*/|#[^\n]*|"[^"\n]*"|[{};\[\]]|[^\s{};\[\]"]+', re.DOTALL)
DEEPEST = 32


class Token(NamedTuple):
    """A word with its line."""

    text: str
    line: int


@dataclass(slots=True)
class Node:
    """A statement: its words, and what stands in its braces."""

    words: list[Token]
    inside: list[Node] = field(default_factory=list)
    last: int = 0
    """The line on which it ends."""

    @property
    def name(self) -> str:
        """The first word; ``replace:`` before it says how it is loaded and means nothing else."""
        words = [token.text for token in self.words if token.text != "replace:"]
        return words[0] if words else ""

    @property
    def values(self) -> list[str]:
        """The other words, without brackets."""
        words = [token.text for token in self.words if token.text not in ("replace:", "[", "]")]
        return words[1:]


def tokens(text: str, at: list[int]) -> Iterator[Token]:
    """The words of a text without comments; ``at`` holds the line that is being read, for errors."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FaultError("an unfinished string")
        word = match[0]
        if word.startswith("/*") and not word.endswith("*/"):
            raise FaultError("an unfinished comment")
        if not word.isspace() and not word.startswith(("/*", "#")):
            yield Token(word, at[0])
        at[0] += word.count("\n")
        position = match.end()


def tree(words_of: list[Token], at: list[int]) -> list[Node]:
    """The statements. ``FaultError``: a brace or semicolon is missing."""
    root = Node([])
    stack = [root]
    words: list[Token] = []
    for token in words_of:
        at[0] = token.line
        if token.text in ("{", ";") and not words:
            raise FaultError("a statement has no words")
        if token.text == "{":
            node = Node(words)
            stack[-1].inside.append(node)
            stack.append(node)
            words = []
            if len(stack) > DEEPEST:
                raise FaultError("braces stand too deep in each other")
        elif token.text == ";":
            stack[-1].inside.append(Node(words, last=token.line))
            words = []
        elif token.text == "}":
            if words or len(stack) == 1:
                raise FaultError("a brace or a semicolon is missing")
            stack.pop().last = token.line
        else:
            words.append(token)
    if words or len(stack) > 1:
        raise FaultError("the text breaks off")
    return root.inside
