"""From any state of our table to any other in one transaction, without a moment in which packets slip through.

Theory. What lets packets through while a filter is replaced is the base chain leaving its hook (measured, see
docs/filters.md). So the table, the base chain and the counters stay; every chain and set is emptied, what the new
text does not have is removed, and the new text declares and fills the rest. ``nft -f`` applies all of it or
nothing, and packets see either the old rules or the new ones. Only where there was no table before does taking a
filter back remove the table again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearguard.filters.apply.kernel import TABLE, KernelError, Listing

__all__ = ["removal", "replacement"]

_KNOWN = frozenset({"metainfo", "table", "counter", "set", "map", "chain", "rule"})
_DECLARED = re.compile(r"^\t(chain|set|map) (\S+) \{", re.MULTILINE)


def replacement(now: Listing, wanted: str) -> str:
    """The commands that make the table what ``wanted`` says: a file of ours, or what ``nft -s list table`` said.

    ``KernelError``: the table holds objects of which Rearguard knows nothing.
    """
    return "\n".join([*_emptied(now, wanted), wanted])


def removal(now: Listing) -> str:
    """The commands that leave no table."""
    return f"delete table {TABLE}\n" if now else ""


def _emptied(now: Listing, wanted: str) -> Iterator[str]:
    foreign = sorted({kind for kind, _ in now.objects} - _KNOWN)
    if foreign:
        raise KernelError(
            f"the table {TABLE} holds a {foreign[0]}, which Rearguard did not make",
            remedy=f"move it to a table of its own: nft list table {TABLE}",
        )
    kept = set(_DECLARED.findall(wanted))
    for name in now.names("chain"):
        yield f"flush chain {TABLE} {name}"
    for kind in ("set", "map"):
        for name in now.names(kind):
            yield f"flush {kind} {TABLE} {name}"
    for kind in ("chain", "set", "map"):
        for name in now.names(kind):
            if (kind, name) not in kept:
                yield f"delete {kind} {TABLE} {name}"
