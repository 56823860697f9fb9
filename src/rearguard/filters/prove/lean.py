"""Lists without the lines that change nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rearguard.filters.lines import AccessList
from rearguard.filters.prove.equal import compare, unneeded

__all__ = ["lean"]


def lean(readings: Sequence[AccessList], ours: Collection[int]) -> frozenset[int]:
    """Which of our lines (by position) can go, all together, without changing what any of the readings does.

    The readings are of one list, position by position the same lines. Of lines of which each is spare because of
    another the later ones go.
    """
    left = list(range(len(readings[0].lines)))
    read = list(readings)
    while True:
        spare = frozenset.intersection(*(frozenset(unneeded(each)) for each in read))
        spare = frozenset(at for at in spare if left[at] in ours)
        if not spare:
            return frozenset(range(len(readings[0].lines))).difference(left)
        # All of them where that is right; else the last one, and it is asked again.
        for gone in (spare, frozenset({max(spare)})):
            tried = [each.without(*gone) for each in read]
            if len(gone) == 1 or all(
                compare(one, other).equal for one, other in zip(read, tried, strict=True)
            ):
                read = tried
                left = [position for at, position in enumerate(left) if at not in gone]
                break
