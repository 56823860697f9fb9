"""Small random lists whose lines overlap a lot, and single changes to them."""

from __future__ import annotations

import random
from dataclasses import replace

from rearguard.filters.lines import PORTED, READABLE, AccessList, Line, Match, flags_with
from rearguard.filters.model import Attachment, Piece, Verdict
from rearguard.filters.spans import BITS, Spans
from rearguard.model.bits import ACK, RST, SYN, TCP

PIECES = (None, None, READABLE, frozenset({Piece.UNREADABLE}), frozenset({Piece.OFFSET_ONE, Piece.LATER}))
FLAGS = (None, None, flags_with(ACK | RST, 0), flags_with(SYN, SYN), 0xFF)


def spans(chance: random.Random, bits: int, most: int = 2) -> Spans | None:
    """A few ranges near each other, or everything."""
    if chance.random() < 0.3:
        return None
    cuts = sorted(chance.sample(range(16), 2 * chance.randint(1, most)))
    unit = 1 << bits - 4
    found = [
        (low * unit, high * unit - 1 + chance.choice((0, 0, 1)))
        for low, high in zip(cuts[::2], cuts[1::2], strict=True)
    ]
    return tuple(each for each in found if each[0] <= each[1]) or None


def match(chance: random.Random, bits: int) -> Match:
    """A box."""
    protocols = chance.choice(
        (None, frozenset({6}), frozenset({6}), frozenset({17}), frozenset({6, 17}), frozenset({50}))
    )
    pieces = chance.choice(PIECES)
    sports = dports = flags = None
    if pieces == READABLE and protocols is not None and protocols <= PORTED:
        sports = spans(chance, 16, 1) if chance.random() < 0.3 else None
        dports = spans(chance, 16) if chance.random() < 0.7 else None
        flags = chance.choice(FLAGS) if protocols == frozenset({TCP}) else None
    return Match(spans(chance, bits), spans(chance, bits), protocols, pieces, sports, dports, flags)


def access_list(chance: random.Random, family: int, lines: int) -> AccessList:
    """A list."""
    made = tuple(
        Line(
            tuple(match(chance, BITS[family]) for _ in range(chance.choice((1, 1, 2)))),
            chance.choice((Verdict.PASS, Verdict.DROP)),
            number,
            f"line {number}",
        )
        for number in range(1, lines + 1)
    )
    default = chance.choice((Verdict.PASS, Verdict.DROP))
    return AccessList("random", Attachment.ENTERING, family, made, default)


def changed(chance: random.Random, given: AccessList) -> AccessList:
    """The list with one line gone, swapped with the next, turned round or made anew."""
    at = chance.randrange(len(given.lines))
    lines = list(given.lines)
    kind = chance.choice(("drop", "swap", "turn", "new", "none"))
    if kind == "drop":
        return given.without(at)
    if kind == "swap" and at + 1 < len(lines):
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    elif kind == "turn":
        other = Verdict.PASS if lines[at].verdict is Verdict.DROP else Verdict.DROP
        lines[at] = replace(lines[at], verdict=other)
    elif kind == "new":
        lines[at] = replace(lines[at], matches=(match(chance, BITS[given.family]),))
    return replace(given, lines=tuple(lines))
