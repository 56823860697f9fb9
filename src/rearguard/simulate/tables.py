"""The conversations as arrays that kernels read: one row a packet, one entry a kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import ACK, FIN, PSH, RST, SYN
from rearguard.simulate.conversations import SHAPES, SYN_OPTIONS, Shape
from rearguard.simulate.texts import TEXTS

__all__ = ["KIND_TYPE", "ROW_TYPE", "Tables", "tables"]

TCP_HEADER, UDP_HEADER = 20, 8
MILLI = 1_000
"""Round trips are kept in thousandths, so that all reckoning is in whole numbers."""
_LETTERS = {"S": SYN, "A": ACK, "P": PSH, "F": FIN, "R": RST}

ROW_TYPE = np.dtype(
    [
        ("after", "i8"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("octets", "u2"),
        ("text", "i2"),
        ("flags", "u1"),
        ("up", "u1"),
        ("options", "u1"),
    ]
)
"""``after`` in thousandths of a round trip; ``octets`` is all behind the IP header."""
KIND_TYPE = np.dtype(
    [
        ("first", "i8"),
        ("head", "i8"),
        ("loop", "i8"),
        ("tail", "i8"),
        ("turn", "i8"),
        ("wait", "i8"),
        ("up_head", "i8"),
        ("up_loop", "i8"),
        ("loop_up", "u4"),
        ("loop_down", "u4"),
        ("proto", "u1"),
        ("plain", "u1"),
        ("answered", "u1"),
        ("opens", "u1"),
    ]
)
"""``up_head`` counts head and tail; ``loop_up`` and ``loop_down`` are the sequence numbers that a turn uses up."""


@dataclass(frozen=True, slots=True)
class Tables:
    """All shapes as two arrays: rows one after another, and of each kind where its rows lie."""

    rows: NDArray[np.void]
    kinds: NDArray[np.void]


def tables() -> Tables:
    """Lay the shapes out, with sequence numbers worked out."""
    rows: list[tuple[int, ...]] = []
    kinds = []
    for shape in SHAPES.values():
        parts = (shape.head, shape.loop, shape.tail)
        up = [sum(row[1] == ">" for row in part) for part in parts]
        moved = {">": 0, "<": 0}
        for _, who, letters, carried in shape.loop:
            moved[who] += _uses(letters, _size(carried))
        kinds.append(
            (
                len(rows),
                *(len(part) for part in parts),
                round(shape.turn * MILLI),
                round(shape.wait * 1e9),
                up[0] + up[2],
                up[1],
                moved[">"],
                moved["<"],
                6 if shape.head[0][2] else 17,
                shape.plain,
                shape.answered,
                shape.opens,
            )
        )
        rows += _numbered(shape, moved)
    return Tables(np.array(rows, ROW_TYPE), np.array(kinds, KIND_TYPE))


def _numbered(shape: Shape, moved: dict[str, int]) -> Iterator[tuple[int, ...]]:
    """Rows with their sequence numbers, those of the tail as if the loop took no turn."""
    names = list(TEXTS)
    sent = {">": 0, "<": 0}
    for part in (shape.head, shape.loop, shape.tail):
        if part is shape.tail and shape.loop:
            sent = {who: sent[who] - moved[who] for who in sent}
        for at, who, letters, carried in part:
            flags = sum(_LETTERS[letter] for letter in letters)
            size = _size(carried)
            options = bool(flags & SYN) and not (shape.plain and who == ">")
            header = TCP_HEADER + len(SYN_OPTIONS) * options if letters else UDP_HEADER
            seq = 0 if flags & SYN else sent[who]
            ack = sent["<" if who == ">" else ">"] if flags & ACK else 0
            yield (
                round(at * MILLI),
                seq,
                ack,
                header + size,
                names.index(carried) if isinstance(carried, str) else -1,
                flags,
                who == ">",
                options,
            )
            sent[who] = seq + _uses(letters, size)


def _size(carried: int | str) -> int:
    return len(TEXTS[carried]) if isinstance(carried, str) else carried


def _uses(letters: str, size: int) -> int:
    """Sequence numbers that a segment uses up (RFC 9293 section 3.4)."""
    return size + ("S" in letters or "F" in letters)
