"""What may leave the house of a text: no own address, no credential, no subscriber, no path."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath
from typing import Any

from rearguard.report.pseudonyms import Pseudonyms

__all__ = ["WITHHELD", "SharedTexts", "shared_names", "tokens_of"]

WITHHELD = "(withheld)"

_CALLED = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|psk|pin|secret|token|_?key|community|auth(?!or)|session(?:id)?)"
)
_SECRETS = (
    re.compile(r"(?i)\b((?:proxy-)?authorization\s{0,9}:\s{0,9}\w{1,20}\s{1,9})[^\r\n]+"),
    re.compile(r"(?i)\b((?:set-)?cookie\s{0,9}:\s{0,9})[^\r\n]+"),
    re.compile(rf"(?i)({_CALLED}[\w.-]{{0,40}}\s{{0,9}}[=:]\s{{0,9}})(?!//)[^\s&;,<>]+"),
    re.compile(rf"(?i)(<[\w:.-]{{0,60}}{_CALLED}[\w.-]{{0,40}}(?:\s[^<>]{{0,200}})?>)[^<]+"),
    re.compile(r"(://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)"),
)
"""Credentials in requests: headers, form fields, elements, addresses with a login. The first group stays.

Every repetition is bounded: a peer chose the text, and shall not choose how long it takes to read.
"""

_TOKEN = re.compile(r"[^\s\"'<>(),;=&|]+")
_FILE = re.compile(r"[^\s:'\"/]{0,255}/(?=[^\s:'\"]{1,4096}\.[A-Za-z]\w{0,7}\b)")
_FOLDER = re.compile(r"(?<![^\s:'\"(])/(?:[^\s/:'\"]{1,255}/)+")

_PRIVATE = frozenset({"serial", "shown", "contact", "subscriber", "subscribers", "login", "user", "username"})
"""Keys of ``details`` whose values name a person or a line, whoever wrote them."""


def tokens_of(text: str) -> set[str]:
    """The words of a text in which an id may stand."""
    return set(_TOKEN.findall(text)) | {text}


def shared_names(uris: Collection[str]) -> dict[str, str]:
    """Base name by source; two files of one name are told apart by a number."""
    made: dict[str, str] = {}
    taken: dict[str, int] = {}
    for uri in uris:
        base = PurePath(uri).name or uri
        taken[base] = taken.get(base, 0) + 1
        made[uri] = base if taken[base] == 1 else f"{taken[base]}-{base}"
    return made


class SharedTexts:
    """Rewrites texts for one shared edition.

    ``names`` are the base names of sources, ``ids`` what names subscribers, ``renamed`` the new ids of findings.
    """

    def __init__(self, own: Pseudonyms, names: Mapping[str, str], ids: Collection[str]) -> None:
        self._own = own
        self._names = dict(names)
        self._ids = sorted(ids, key=len, reverse=True)
        self.renamed: dict[str, str] = {}

    def plain(self, text: str) -> str:
        """A text of ours that may name addresses of ours."""
        for name in self._ids:
            text = text.replace(name, WITHHELD)
        return self._own.text(text)

    def payload(self, text: str) -> str:
        """A text that a peer wrote: credentials go too."""
        for pattern in _SECRETS:
            text = pattern.sub(rf"\g<1>{WITHHELD}", text)
        return self.plain(text)

    def source(self, uri: str) -> str:
        """The base name of a source."""
        return self.plain(self._names.get(uri) or PurePath(uri).name or uri)

    def place(self, text: str) -> str:
        """A text that may name files: sources and other paths lose their folders."""
        for uri, name in sorted(self._names.items(), key=lambda each: -len(each[0])):
            if uri != name:
                text = text.replace(uri, name)
        text = _FILE.sub("", text)
        return self.plain(_FOLDER.sub("", text))

    def value(self, value: Any, *, text: Callable[[str], str] | None = None) -> Any:
        """The same for values that hold texts; ids of findings become those of the shared edition."""
        told = text or self.payload
        if isinstance(value, str):
            return self.renamed.get(value) or told(value)
        if isinstance(value, Mapping):
            return {
                told(str(key)): WITHHELD if str(key).lower() in _PRIVATE else self.value(item, text=text)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, text=text) for item in value]
        return value
