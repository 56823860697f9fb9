"""Names and remarks that are safe in every router's configuration, whatever a policy says in them.

Only letters, digits, spaces and a few marks are kept: nothing that ends a line, a string or a comment, asks for
help (``?``), starts a command (``!``, ``#``, ``;``), a variable (``$``) or a substitution (``[``) in any
dialect.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from rearguard.filters.model import Rule
from rearguard.filters.render.reading import pointer

__all__ = ["digest_of", "plain", "remark", "set_name"]

_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:()/_+=@-]")
_SPACES = re.compile(r" {2,}")
LONGEST = 90
"""Characters of a remark: below the limits of IOS (100) and EOS."""


def plain(text: str, longest: int = LONGEST) -> str:
    """One line of harmless characters; everything else becomes a dot."""
    safe = _SPACES.sub(" ", _UNSAFE.sub(".", text)).strip()
    return safe if len(safe) <= longest else safe[: longest - 3] + "..."


def remark(rule: Rule) -> str:
    """What is written beside a rule: its id, where to read on, until when and why it is there (rule C7)."""
    why = rule.text if rule.drop is None else f"until {rule.review_by}: {rule.basis}"
    return plain(": ".join(part for part in (rule.id, pointer(rule), why) if part))


def set_name(name: str, longest: int = 31) -> str:
    """The name of a set of addresses; a long one keeps its beginning and a digest of all of it."""
    safe = f"rg-{name}"
    return safe if len(safe) <= longest else f"{safe[: longest - 9]}-{digest_of([safe])}"


def digest_of(lines: Iterable[str]) -> str:
    """Eight hexadecimal digits that change with the text."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
