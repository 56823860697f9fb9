"""Where a section goes in a list that a router already carries (rule C3), found by proof.

A place is right when the merged list drops exactly what the policy's filter or the list in force drops. A
permit of the list that stands before the section would let strangers through; a permit of the section must not
keep a later deny of the list from deciding. The last right place is taken: after anti-spoofing and bogons,
before the general permits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rearguard.filters.lines import AccessList, Line, decide
from rearguard.filters.model import Verdict
from rearguard.filters.prove.equal import compare
from rearguard.filters.prove.words import by_line, packet_words
from rearguard.model.errors import UsageError

__all__ = ["joined", "place_of"]


def place_of(wanted: AccessList, pairs: Sequence[tuple[AccessList, AccessList]]) -> int:
    """The position in the existing list before which the section goes: (section, existing) in each reading.

    ``UsageError``: there is none; the message shows the packet and the two lines that stand in each other's way.
    """
    at = sum(1 for line in pairs[0][1].lines if line.number)
    while True:
        before = at
        for section, existing in pairs:
            at = _before(wanted, section, existing, at)
        if at == before:
            return at


def _before(wanted: AccessList, section: AccessList, existing: AccessList, at: int) -> int:
    """``at`` where that place is right; else the last one that may be."""
    merged = joined(existing, section.lines, at)
    compared = compare([wanted, existing], merged)
    if compared.equal:
        return at
    before = []
    for packet in compared.witnesses:
        verdict, line = decide(merged, packet)
        position = next((each for each, known in enumerate(merged.lines) if known is line), len(merged.lines))
        if verdict is Verdict.DROP or position >= at:
            kept, where = decide(existing, packet)
            raise UsageError(
                f"no place in the list {existing.name} is right for the section: {packet_words(packet)} "
                f"{by_line(kept, where)} of the list in force, and the section would decide otherwise "
                f"({'nothing' if line is None else line.text})",
                remedy="move that line of the list in front of its general permits, then compile again",
            )
        before.append(position)
    if not before:
        raise UsageError(
            f"the list {existing.name} and the section differ in too many ways",
            remedy="prove the list in force by itself first",
        )
    return min(before)


def joined(existing: AccessList, section: tuple[Line, ...], at: int) -> AccessList:
    """The existing list with the section before one of its positions."""
    return replace(existing, lines=(*existing.lines[:at], *section, *existing.lines[at:]))
