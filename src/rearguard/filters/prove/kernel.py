"""The sweep over two first-match filters, compiled: where do they differ, and which rows does nothing need?

Theory. All rows are cut along the first address axis: between two neighbouring bounds the rows that are
*active* do not change. Each such strip is cut along the second axis in the same way, each of its pieces along
the destination ports, then along the source ports. What is left is a cell in which every row holds either all
packets of an *atom* (protocol, piece, flags) or none; there the first row that holds an atom decides, in sets
of bits.

Rows that say the same but for the axis already cut have one number (``strip`` before the second cut, ``cell``
after it). A sequence of such numbers that was seen before needs no second look: filters that are compiled from
networks and controllers have few different strips and cells, whatever their length.

The slow, obvious form is :func:`rearguard.filters.lines.decide`.
"""

from __future__ import annotations

import numpy as np

from rearguard.filters.prove.rows import (
    I64,
    U8,
    U64,
    Memo,
    Rows,
    Work,
    alike,
    keyed,
    put,
    seen,
    sort,
    steps,
    take,
)
from rearguard.model.compiled import kernel

__all__ = ["FULL", "sweep"]

FULL = -1
"""Returned when there was no room for another finding."""


@kernel
def _compare(rows: Rows, work: Work, count: int, whole: U64, differ: U64) -> bool:
    """The atoms that the two sides judge differently, in a cell where all rows of ``third`` are active."""
    words = whole.size
    for each in range(rows.sides.size):
        for word in range(words):
            work.rest[each, word] = whole[word]
    for side in range(2):
        for word in range(words):
            work.dropped[side, word] = 0
    for at in range(count):
        row = work.third[at]
        each = rows.of[row]
        for word in range(words):
            hit = work.rest[each, word] & rows.masks[row, word]
            if hit != 0:
                work.rest[each, word] ^= hit
                if rows.drops[row] == 1:
                    work.dropped[rows.sides[each], word] |= hit
    found = False
    for word in range(words):
        differ[word] = work.dropped[0, word] ^ work.dropped[1, word]
        found = found or differ[word] != 0
    return found


@kernel
def _new(rows: Rows, work: Work, count: int, atom: int, findings: Memo) -> bool:
    """Whether these lines were not yet found to differ over this kind of packet."""
    word, bit = atom // 64, np.uint64(atom % 64)
    lists = rows.sides.size
    for each in range(lists):
        work.told[each] = -1
    for at in range(count):
        row = work.third[at]
        each = rows.of[row]
        if work.told[each] < 0 and rows.masks[row, word] >> bit & np.uint64(1) != 0:
            work.told[each] = rows.line[row]
    work.told[lists] = rows.kinds[atom]
    return not seen(findings, work.told, lists + 1)


@kernel
def _need(rows: Rows, work: Work, count: int, whole: U64, needed: U8) -> None:
    """Mark the lines without which some atom of the cell would be judged otherwise."""
    for word in range(whole.size):
        rest = whole[word]
        for at in range(count):
            row = work.third[at]
            hit = rest & rows.masks[row, word]
            rest ^= hit
            line = rows.line[row]
            if hit == 0 or needed[line] == 1:
                continue
            for later in range(at + 1, count):
                other = work.third[later]
                if rows.line[other] == line:
                    continue
                taken = hit & rows.masks[other, word]
                if taken != 0 and rows.drops[other] != rows.drops[row]:
                    needed[line] = 1
                    break
                hit ^= taken
                if hit == 0:
                    break


@kernel
def _cell(
    rows: Rows,
    work: Work,
    count: int,
    findings: Memo,
    whole: U64,
    differ: U64,
    needed: U8,
    place: I64,
    out: I64,
    found: int,
) -> int:
    """Cut the active rows of ``inner`` along both port axes; returns the findings so far, or ``FULL``."""
    cuts = steps(work.inner, count, rows.dport, work.ports)
    for step in range(cuts - 1):
        port = work.ports[step]
        chosen = 0
        for at in range(count):
            row = work.inner[at]
            if rows.dport[row, 0] <= port <= rows.dport[row, 1]:
                work.key[chosen] = row
                chosen += 1
        inner_steps = steps(work.key, chosen, rows.sport, work.near)
        for inner_step in range(inner_steps - 1):
            sport = work.near[inner_step]
            last = 0
            for at in range(chosen):
                row = work.key[at]
                if rows.sport[row, 0] <= sport <= rows.sport[row, 1]:
                    work.third[last] = row
                    last += 1
            if needed.size > 0:
                _need(rows, work, last, whole, needed)
            elif _compare(rows, work, last, whole, differ):
                for word in range(whole.size):
                    for bit in range(64):
                        if differ[word] >> np.uint64(bit) & np.uint64(1) != 0:
                            if not _new(rows, work, last, word * 64 + bit, findings):
                                continue
                            if found >= out.shape[0]:
                                return FULL
                            out[found, 0] = place[0]
                            out[found, 1] = place[1]
                            out[found, 2] = port
                            out[found, 3] = sport
                            out[found, 4] = word * 64 + bit
                            found += 1
    return found


@kernel
def _strip(
    rows: Rows,
    work: Work,
    count: int,
    memo: Memo,
    findings: Memo,
    whole: U64,
    differ: U64,
    needed: U8,
    place: I64,
    out: I64,
    found: int,
) -> int:
    """Cut the active rows along the second axis."""
    pending = 0
    for at in range(count):
        spans = rows.spans[work.active[at]]
        for each in range(rows.begins[spans], rows.begins[spans + 1]):
            if pending + 2 > work.events.size:
                return FULL
            # Ends sort before beginnings at the same place.
            work.events[pending] = rows.firsts[each] << 33 | 1 << 32 | at
            work.events[pending + 1] = rows.afters[each] << 33 | at
            pending += 2
    sort(work.events, pending)
    inner = 0
    at = 0
    while at < pending:
        here = work.events[at] >> 33
        while at < pending and work.events[at] >> 33 == here:
            row = work.active[work.events[at] & 0xFFFFFFFF]
            begins = work.events[at] >> 32 & 1 == 1
            inner = put(work.inner, inner, row) if begins else take(work.inner, inner, row)
            at += 1
        if at == pending:
            break
        length = keyed(rows, work.inner, inner, rows.cell, work.key)
        if alike(rows, work.key, length) or seen(memo, work.key, length):
            continue
        place[1] = here
        found = _cell(rows, work, inner, findings, whole, differ, needed, place, out, found)
        if found == FULL:
            return FULL
    return found


@kernel
def sweep(
    rows: Rows,
    events: I64,
    work: Work,
    strips: Memo,
    cells: Memo,
    findings: Memo,
    whole: U64,
    differ: U64,
    needed: U8,
    place: I64,
    out: I64,
) -> int:
    """Find the packets that the two sides judge differently, or mark the lines that are needed.

    ``events`` are the bounds of all rows on the first axis: place, 1 for a beginning, row, sorted. ``out``
    takes (first axis, second axis, destination port, source port, atom) of the low corner of a cell that
    differs, one for each combination of deciding lines and kind of packet. With a ``needed`` that is not
    empty there must be one list; nothing is compared, and ``needed[line]`` becomes 1. Returns the number of
    findings, or ``FULL``.
    """
    found = 0
    count = 0
    at = 0
    while at < events.shape[0]:
        here = events[at, 0]
        while at < events.shape[0] and events[at, 0] == here:
            if events[at, 1] == 1:
                count = put(work.active, count, events[at, 2])
            else:
                count = take(work.active, count, events[at, 2])
            at += 1
        if at == events.shape[0]:
            break
        length = keyed(rows, work.active, count, rows.strip, work.key)
        if alike(rows, work.key, length) or seen(strips, work.key, length):
            continue
        place[0] = here
        found = _strip(rows, work, count, cells, findings, whole, differ, needed, place, out, found)
        if found == FULL:
            return FULL
    return found
