"""The numbers of CWE, ATT&CK and CVE that entries may use, each with where it was seen.

A number can have the right form and not exist. The lists shipped here are short, only what the knowledge base
uses, and each says where number and name were seen together; a record that needs another adds it to the list.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rearguard.lessons.entries import parse
from rearguard.lessons.model import Entry, Text, Web

__all__ = ["Identifiers", "Technique", "Vulnerability", "WeaknessName", "form_of", "identifiers"]

_FORMS = {
    "CVE": re.compile(r"CVE-(1999|2\d{3})-\d{4,7}"),
    "CWE": re.compile(r"CWE-[1-9]\d{0,4}"),
    "ATT&CK": re.compile(r"T\d{4}(\.\d{3})?"),
}


class WeaknessName(Entry):
    """A class of weakness."""

    id: Text = Field(description="such as CWE-78")
    name: Text = Field(description="its name in the list of MITRE")


class Technique(Entry):
    """A technique of ATT&CK."""

    id: Text = Field(description="such as T1190 or T1584.008")
    name: Text = Field(description="its name, without that of the technique above it")
    domain: Literal["enterprise", "ics"] = Field(description="which matrix")


class Vulnerability(Entry):
    """A CVE number that a record cites."""

    id: Text = Field(description="such as CVE-2016-10372")
    seen_at: Text = Field(description="where the number was seen printed")


class _Weaknesses(Entry):
    source: Text = Field(description="whose list it is and how it was checked")
    url: Web = Field(description="where the whole list is")
    entries: Annotated[tuple[WeaknessName, ...], Field(min_length=1)] = Field(
        description="the numbers in use"
    )


class _Techniques(Entry):
    source: Text = Field(description="whose list it is and how it was checked")
    url: Web = Field(description="where the whole list is")
    entries: Annotated[tuple[Technique, ...], Field(min_length=1)] = Field(description="the numbers in use")


class _Vulnerabilities(Entry):
    source: Text = Field(description="whose list it is and how it was checked")
    url: Web = Field(description="where the whole list is")
    entries: Annotated[tuple[Vulnerability, ...], Field(min_length=1)] = Field(
        description="the numbers in use"
    )


class Identifiers(Entry):
    """The three lists."""

    weaknesses: _Weaknesses = Field(description="CWE")
    techniques: _Techniques = Field(description="ATT&CK, enterprise and ICS")
    vulnerabilities: _Vulnerabilities = Field(description="CVE")

    def names(self) -> dict[str, str]:
        """The name of every weakness and technique, by number."""
        weaknesses = {each.id: each.name for each in self.weaknesses.entries}
        return weaknesses | {each.id: each.name for each in self.techniques.entries}

    def known(self) -> frozenset[str]:
        """All numbers of the three lists."""
        return frozenset((*self.names(), *(each.id for each in self.vulnerabilities.entries)))


def form_of(number: str) -> str | None:
    """``CVE``, ``CWE`` or ``ATT&CK`` when the number has the form of one; None otherwise."""
    return next((name for name, form in _FORMS.items() if form.fullmatch(number)), None)


@cache
def identifiers() -> Identifiers:
    """The lists that are shipped."""
    file = Path(__file__).parent / "data" / "identifiers.yaml"
    return parse(file.read_text(encoding="utf-8"), str(file), Identifiers)
