"""Plans: what the kernel does with each record of a template, worked out once when the template comes.

A plan is a list of steps, each an offset, a length and a target. Offsets count from the base: the record's first
byte, or the end of the last field of variable length before the step. A step ``JUMP`` reads such a field's length
and moves the base behind it. What no target needs has no step, so a record costs what is read of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rearguard.model.bits import TCP, UDP
from rearguard.sources.exports.fields import (
    BACK_OCTETS,
    BOOT,
    DST4,
    DST6,
    DURATION,
    END,
    FIELDS,
    IANA,
    OBSERVED,
    OCTETS,
    POPULATION,
    RATE,
    RATE_OF,
    SPACED,
    SRC4,
    SRC6,
    START,
    Use,
    has,
)
from rearguard.sources.exports.templates import VARIABLE, Template

__all__ = ["DATA", "IGNORED", "JUMP", "NO_ADDRESSES", "OPTIONS", "Plan", "compile_plan"]

JUMP = -1

# What is done with the records of a set.
DATA = 1
NO_ADDRESSES = 2
"""Flow records without a pair of IP addresses: counted, not looked at."""
OPTIONS = 3
"""Options that say something about sampling or the exporter's clock."""
IGNORED = 4
"""Other options."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled template."""

    kind: int
    steps: tuple[tuple[int, int, int], ...]
    """(offset from the base, length, target or JUMP)."""
    least: int
    """Bytes of the shortest record; of every record, when nothing is variable."""
    tail: int
    """Bytes from the last base to the record's end."""
    has: int
    """The set of targets that are read, as bits."""
    kinds: tuple[int, ...]
    """Of START, END, DURATION, OBSERVED, RATE, OCTETS, BACK_OCTETS: the kind; 0 where it is not read."""
    proto: int
    """What TCP or UDP ports say of the protocol when no field does, else 0."""
    session: bool
    """Its counters are those of a session's initiator and responder, so the source is who opened it."""


@lru_cache(maxsize=1_024)
def compile_plan(template: Template) -> Plan | None:
    """The plan of a template; None for one whose records have no length."""
    if template.least == 0:
        return None
    chosen = _chosen(template)
    wanted = {place: target for target, (place, _) in chosen.items()}
    steps: list[tuple[int, int, int]] = []
    at = 0
    for place, (_, _, length) in enumerate(template.fields):
        if length == VARIABLE:
            steps.append((at, 0, JUMP))
            at = 0
            continue
        if place in wanted:
            steps.append((at, length, wanted[place]))
        at += length
    targets = sum(has(target) for target in chosen)
    kinds = tuple(
        chosen[target][1].kind if target in chosen else 0
        for target in (START, END, DURATION, OBSERVED, RATE, OCTETS, BACK_OCTETS)
    )
    elements = {
        element
        for enterprise, element, length in template.fields
        if enterprise == IANA and (use := FIELDS.get((IANA, element))) and length in use.sizes
    }
    return Plan(
        kind=_kind(template, targets),
        steps=tuple(steps),
        least=template.least,
        tail=at,
        has=targets,
        kinds=kinds,
        proto=_proto(elements),
        session=bool(elements & {231, 298}),
    )


def _chosen(template: Template) -> dict[int, tuple[int, Use]]:
    """For each target, the place of the field that fills it best."""
    chosen: dict[int, tuple[int, Use]] = {}
    for place, (enterprise, element, length) in enumerate(template.fields):
        use = FIELDS.get((enterprise, element))
        if use is None or length not in use.sizes:
            continue
        if use.target not in chosen or use.rank < chosen[use.target][1].rank:
            chosen[use.target] = place, use
    if RATE_OF not in chosen and RATE in chosen and chosen[RATE][1].kind in (SPACED, POPULATION):
        del chosen[RATE]  # a part of what nobody tells
    return chosen


def _kind(template: Template, targets: int) -> int:
    if template.options:
        return OPTIONS if targets & (has(RATE) | has(BOOT)) else IGNORED
    pairs = (has(SRC4) | has(DST4), has(SRC6) | has(DST6))
    return DATA if any(targets & pair == pair for pair in pairs) else NO_ADDRESSES


def _proto(elements: set[int]) -> int:
    if 4 in elements:
        return 0
    return TCP if elements & {182, 183} else UDP if elements & {180, 181} else 0
