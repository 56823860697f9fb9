"""What options say of sampling and of the exporter's clock (RFC 3954 section 6.1, RFC 5476, RFC 7011).

A rate belongs to a sampler (48, 302) if the record names one, to an interface if that is its scope, else to the
whole exporter, which is what routers mean by scopes such as "system", a line card or a metering process.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rearguard.sources.exports.fields import IANA
from rearguard.sources.exports.templates import SCOPE, VARIABLE, Template

__all__ = ["MOST_RECORDS", "Told", "read_options"]

MOST_RECORDS = 512
"""Records of one set that are read; a router tells of some dozens."""
HIGHEST = 0xFFFF_FFFF
SCOPE_INTERFACE = 2
INGRESS, EGRESS = 10, 14
SAMPLERS = (302, 48)
BOOT = 160


@dataclass(frozen=True, slots=True)
class Told:
    """One record of options."""

    rate: int = 0
    """1 in so many; 0: it tells none."""
    sampler: int | None = None
    interface: int | None = None
    boot: int = 0
    """When the exporter was started, ms since 1970; 0: not told."""


def read_options(template: Template, body: bytes) -> list[Told]:
    """The records of a data set (without its header) of an options template that say something."""
    told = []
    for count, (scope, values) in enumerate(_records(template, body)):
        if count == MOST_RECORDS:
            break
        one = Told(
            rate=_rate(values),
            sampler=next((values[field] for field in SAMPLERS if field in values), None),
            interface=scope.get(
                (SCOPE, SCOPE_INTERFACE), scope.get((IANA, INGRESS), scope.get((IANA, EGRESS)))
            ),
            boot=values.get(BOOT, 0),
        )
        if one.rate or one.boot:
            told.append(one)
    return told


def _records(template: Template, body: bytes) -> Iterator[tuple[dict[tuple[int, int], int], dict[int, int]]]:
    """For each record: its scope, and its numbers (of IANA) by element."""
    at = 0
    while at + template.least <= len(body):
        scope: dict[tuple[int, int], int] = {}
        values: dict[int, int] = {}
        for place, (enterprise, element, length) in enumerate(template.fields):
            size = length
            if length == VARIABLE:
                size = body[at] if at < len(body) else 0
                at += 1
                if size == 255:
                    size = int.from_bytes(body[at : at + 2], "big")
                    at += 2
            if at + size > len(body):
                return
            if length != VARIABLE and 0 < size <= 8:
                number = int.from_bytes(body[at : at + size], "big")
                if place < template.scopes:
                    scope[enterprise, element] = number
                if enterprise == IANA:
                    values.setdefault(element, number)
            at += size
        yield scope, values


def _rate(values: dict[int, int]) -> int:
    """The rate as the elements tell it, the exact ones first; 0 where none does."""
    for some, others, whole in ((305, 306, False), (309, 310, True)):
        if values.get(some) and others in values:
            total = values[others] if whole else values[some] + values[others]
            return min(max(1, (total + values[some] // 2) // values[some]), HIGHEST)
    for element in (34, 50):
        if values.get(element):
            return min(values[element], HIGHEST)
    if 311 in values:
        probability = float(struct.unpack(">d", values[311].to_bytes(8, "big"))[0])
        if math.isfinite(probability) and 1 / HIGHEST <= probability <= 1:
            return round(1 / probability)
    return 0
