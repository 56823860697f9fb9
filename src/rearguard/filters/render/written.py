"""What a dialect gives back: files, and what an operator must know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Change", "Written"]


@dataclass(frozen=True, slots=True)
class Change:
    """One list of the text, and where its section goes (rule C3)."""

    name: str
    place: str
    """In words: where the section stands in the list that is in force."""
    before: int
    """Entries of the rules that change something if nothing were merged: one for each pair of prefixes."""
    after: int
    """Entries of the section as it is written."""
    cost: int
    """Entries of the hardware table that the whole list takes."""
    difference: tuple[str, ...] = ()
    """Against the list in force, as a unified diff; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a platform, by name of the file."""

    files: Mapping[str, str]
    changes: tuple[Change, ...]
    apply: tuple[str, ...]
    """Commands that put it in force."""
    rollback: tuple[str, ...]
    """Commands that take it back."""
    notes: tuple[str, ...] = field(default=())
