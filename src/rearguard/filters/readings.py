"""The ways in which a list can be read where its vendor leaves one thing open: what entries with ports do to later
fragments.

Theory. A later fragment has no ports. Routers pass it by, or take it by its addresses and protocol, or compare
its data with the ports as if they were there: nftables does on Linux 6.18 (measured), and several vendors do not
say. So such a text is read twice: as its parser reads it, and as if every entry with ports or flags held all later
fragments of its addresses and protocol. A text that means the policy's filter in both readings lets later fragments
through before any port is asked, and then it does not matter what the router makes of their data.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from rearguard.filters.lines import AccessList, Match
from rearguard.filters.model import Piece

__all__ = ["WARY", "readings", "warily", "widened"]

WARY = "as if ports were read in later fragments"
"""The view of the second reading."""
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})


def readings(
    lists: Sequence[AccessList], wary: Collection[int], existing: AccessList | None = None
) -> tuple[AccessList, ...]:
    """The lists, those of the ``wary`` families in both readings where these differ.

    What the list in force says already is read in the usual way: it is not ours to change. Where a parser gives the
    second reading itself, because chains must be read so before they are flattened, it counts.
    """
    given = {(each.attachment, each.family) for each in lists if each.view.endswith(WARY)}
    found = []
    for each in lists:
        found.append(each)
        asked = each.family in wary and (each.attachment, each.family) not in given
        if asked and (second := warily(each, existing)).lines != each.lines:
            found.append(second)
    return tuple(found)


def warily(given: AccessList, existing: AccessList | None = None) -> AccessList:
    """The second reading, line by line the same list."""
    view = f"{given.view}, {WARY}" if given.view else WARY
    theirs = frozenset((line.matches, line.verdict) for line in existing.lines) if existing else frozenset()
    lines = tuple(
        line if (line.matches, line.verdict) in theirs else replace(line, matches=widened(line.matches))
        for line in given.lines
    )
    return replace(given, lines=lines, view=view)


def widened(matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """With the later fragments that a router may take for packets of these boxes."""
    more = dict.fromkeys(
        Match(each.sources, each.destinations, each.protocols, _LATER) for each in matches if _asks(each)
    )
    return (*matches, *more)


def _asks(match: Match) -> bool:
    return match.sports is not None or match.dports is not None or match.flags is not None
