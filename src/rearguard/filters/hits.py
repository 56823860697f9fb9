"""What a replay said, for the change ticket: how much the filter will have to do, and whom it would hurt.

The file is what ``rearguard filter replay --json`` printed. It is read like any other input: bounded, checked, and
only for the policy that it was made with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rearguard.filters.model import Filter
from rearguard.filters.render.plain import plain
from rearguard.model.errors import InputError, Place, UsageError

__all__ = ["Hits", "hits_lines", "read_hits"]

SHOWN = 20
"""Findings that a ticket lists."""
_FIGURES = (
    "initiations_dropped",
    "passed",
    "contacts_dropped",
    "authorised_dropped",
    "collateral_dropped",
    "collateral_packets",
    "unjudged",
)


@dataclass(frozen=True, slots=True)
class Hits:
    """The figures of :class:`rearguard.filters.replay.Replay`, and what each finding lost."""

    policy: str
    file: str
    figures: Mapping[str, int]
    findings: tuple[tuple[str, int, int], ...]
    """In words, initiations dropped, initiations passed; those with the most dropped first."""

    @property
    def cuts(self) -> int:
        """Authorised initiations that would be cut."""
        return self.figures["authorised_dropped"]


def read_hits(text: str, file: str, policy: str) -> Hits:
    """``InputError``: it is no such answer. ``UsageError``: it is one about another policy, or about none."""
    place = Place(file=file)
    remedy = "write it with `rearguard filter replay --json`"
    try:
        said = json.loads(text)
        digest = str(said["policy"])
        replay = said["filter"]["replay"]
        if digest != policy:
            raise UsageError(
                f"the replay is of the policy {plain(digest)}, and this is {policy}",
                remedy="run `rearguard filter replay --json` again with this policy",
                place=place,
            )
        if replay is None:
            raise UsageError("the replay had no filter", remedy=remedy, place=place)
        figures = {name: _count(replay[name]) for name in _FIGURES}
        findings = sorted((_finding(each) for each in said["findings"]), key=lambda each: (-each[1], each))
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InputError("this is no replay", remedy=remedy, place=place) from None
    return Hits(digest, file, figures, tuple(findings))


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is a whole number")
    return value


def _finding(said: Mapping[str, Any]) -> tuple[str, int, int]:
    words = [said["severity"], said["kind"], said["subject"], said["interface"] or "", said["direction"]]
    return plain(" ".join(map(str, words))), _count(said["dropped"]), _count(said["passed"])


def hits_lines(given: Filter, hits: Hits | None) -> Iterator[str]:
    """For a ticket, in Markdown."""
    if hits is None:
        yield "Not known from the policy: run `rearguard filter replay --json` over recorded traffic, and compile"
        yield "again with `--hits FILE`."
        return
    found = hits.figures
    yield f"From the replay in {plain(hits.file)}, for all edges of the policy {given.policy_digest} together."
    yield "What this platform cannot match is in these figures. Initiations are packets as they were recorded."
    yield ""
    yield "| expected | count |"
    yield "|---|---|"
    yield f"| initiations dropped | {found['initiations_dropped']:,} |"
    yield f"| initiations that pass, each for a reason that the replay tells | {found['passed']:,} |"
    yield f"| contacts dropped | {found['contacts_dropped']:,} |"
    yield f"| **authorised initiations cut** | {found['authorised_dropped']:,} |"
    yield (
        f"| collateral | {found['collateral_dropped']:,} contacts, {found['collateral_packets']:,} packets |"
    )
    yield f"| not judged, because the record does not show enough | {found['unjudged']:,} |"
    if hits.cuts:
        yield ""
        yield "**Do not apply this: it cuts controllers of the policy. The replay names them, and what to write.**"
    hit = [each for each in hits.findings if each[1]]
    if hit:
        yield ""
        yield "| finding | dropped | passed |"
        yield "|---|---|---|"
        yield from (f"| {words} | {dropped:,} | {passed:,} |" for words, dropped, passed in hit[:SHOWN])
        if len(hit) > SHOWN:
            yield ""
            yield f"and {len(hit) - SHOWN:,} more findings."
