"""Observers that saw different packets, and observers that saw the same ones (rule A5).

Counts of one group are added, of several groups the largest holds. Files that follow each other in time are
one observer that was rotated; files (or interfaces of one file) whose times overlap may have seen the same
packets on their way, so they are apart. The policy's ``observers`` say it better: those that match one entry
are one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from rearguard.contacts.view import SourceInfo
from rearguard.policy import Policy

__all__ = ["group_observers"]

SLACK = 2_000_000_000
"""ns by which rotated files may overlap: packets are not written strictly in the order of their times."""


def group_observers(
    observers: Sequence[tuple[int, str]], sources: Sequence[SourceInfo], policy: Policy
) -> npt.NDArray[np.uint32]:
    """The group number of each observer, given as (source index, interface name)."""
    named: dict[str, int] = {}
    rotated: list[tuple[str, int | None]] = []  # interface name, last time; its index is its group below
    rotated_group: list[int] = []
    groups = np.zeros(len(observers), dtype=np.uint32)
    count = 0
    for number, (source, name) in sorted(
        enumerate(observers), key=lambda item: (sources[item[1][0]].first_seen or 0, item[1])
    ):
        info = sources[source]
        rule = _rule(policy, info.uri, name)
        if rule is not None:
            if rule not in named:
                named[rule] = count
                count += 1
            groups[number] = named[rule]
            continue
        for at, (other, last) in enumerate(rotated):
            if other == name and (last is None or info.first_seen is None or info.first_seen >= last - SLACK):
                groups[number] = rotated_group[at]
                rotated[at] = (name, info.last_seen if last is None else max(last, info.last_seen or last))
                break
        else:
            groups[number] = count
            rotated.append((name, info.last_seen))
            rotated_group.append(count)
            count += 1
    return groups


def _rule(policy: Policy, uri: str, name: str) -> str | None:
    for rule, entry in policy.observers.items():
        if (
            name == entry.match
            or fnmatchcase(uri, entry.match)
            or fnmatchcase(PurePath(uri).name, entry.match)
        ):
            return entry.group or rule
    return None
