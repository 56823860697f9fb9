"""The sweep over two first-match filters, compiled: where do they differ, and which rows does nothing need?

Theory. All rows are cut along the first address axis: between two neighbouring bounds the rows that are
*active* do not change. Each such strip is cut along the second axis in the same way, each of its pieces along
the destination ports, then along the source ports. What is left is a cell in which every row holds either all
packets of an *atom* (protocol, piece, flags) or none; there the first row that holds an atom decides, in sets
of bits.

Rows that say the same but for the axis already cut have one number (``strip`` before the second cut, ``cell``
after it). A sequence of such numbers that was seen before needs no second look: filters that are compiled from
networks and controllers have few different strips and cells, whatever their length.

From one strip to the next few rows change. What none of these holds is judged by the same rows as before, and
was looked at there; so only the *regions* of the rows that changed are looked at: their ranges on the second
axis, their ports, their atoms, with the active rows that share any of it. The row that holds everything is the
region of the first strip, and of strips in which about everything changes.

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
    first_after,
    keyed,
    meeting,
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
MANY = 2
"""A strip is looked at as a whole when this many times the rows that changed are all that are active."""


@kernel
def _compare(rows: Rows, work: Work, count: int, region: int, differ: U64) -> bool:
    """The atoms that the two sides judge differently, in a cell where all rows of ``third`` are active."""
    words = differ.size
    for each in range(rows.sides.size):
        for word in range(words):
            work.rest[each, word] = rows.masks[region, word]
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
def _need(rows: Rows, work: Work, count: int, region: int, needed: U8) -> None:
    """Mark the lines without which some atom of the cell would be judged otherwise."""
    for word in range(rows.masks.shape[1]):
        rest = rows.masks[region, word]
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
    region: int,
    findings: Memo,
    differ: U64,
    needed: U8,
    place: I64,
    out: I64,
    found: int,
) -> int:
    """Cut the active rows of ``inner`` along both port axes; returns the findings so far, or ``FULL``."""
    cuts = steps(work.inner, count, rows.dport, region, work.ports)
    for step in range(cuts - 1):
        port = work.ports[step]
        chosen = 0
        for at in range(count):
            row = work.inner[at]
            if rows.dport[row, 0] <= port <= rows.dport[row, 1]:
                work.key[chosen] = row
                chosen += 1
        inner_steps = steps(work.key, chosen, rows.sport, region, work.near)
        for inner_step in range(inner_steps - 1):
            sport = work.near[inner_step]
            last = 0
            for at in range(chosen):
                row = work.key[at]
                if rows.sport[row, 0] <= sport <= rows.sport[row, 1]:
                    work.third[last] = row
                    last += 1
            if needed.size > 0:
                _need(rows, work, last, region, needed)
            elif _compare(rows, work, last, region, differ):
                for word in range(differ.size):
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
    region: int,
    memo: Memo,
    findings: Memo,
    differ: U64,
    needed: U8,
    place: I64,
    out: I64,
    found: int,
) -> int:
    """Cut the rows of ``chosen`` along the second axis, as far as the region goes."""
    mine = rows.spans[region]
    own, end = rows.begins[mine], rows.begins[mine + 1]
    low, after = rows.firsts[own], rows.afters[end - 1]
    pending = 0
    for at in range(count):
        spans = rows.spans[work.chosen[at]]
        each = first_after(rows, spans, low)
        while each < rows.begins[spans + 1] and rows.firsts[each] < after:
            if pending + 2 > work.events.size:
                return FULL
            # Ends sort before beginnings at the same place.
            work.events[pending] = max(rows.firsts[each], low) << 33 | 1 << 32 | at
            work.events[pending + 1] = rows.afters[each] << 33 | at
            pending += 2
            each += 1
    sort(work.events, pending)
    inner = 0
    at = 0
    while at < pending:
        here = work.events[at] >> 33
        while at < pending and work.events[at] >> 33 == here:
            row = work.chosen[work.events[at] & 0xFFFFFFFF]
            begins = work.events[at] >> 32 & 1 == 1
            inner = put(work.inner, inner, row) if begins else take(work.inner, inner, row)
            at += 1
        if at == pending:
            break
        # Whether the piece that begins here holds anything of the region.
        while own < end and rows.afters[own] <= here:
            own += 1
        if own == end or rows.firsts[own] >= work.events[at] >> 33:
            continue
        length = keyed(rows, work.inner, inner, rows.cell, work.key)
        if alike(rows, work.key, length):
            continue
        work.key[length] = -1 - rows.sides.size - rows.cell[region]
        if seen(memo, work.key, length + 1):
            continue
        place[1] = max(here, rows.firsts[own])
        found = _cell(rows, work, inner, region, findings, differ, needed, place, out, found)
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
    everything = rows.strip.size - 1
    found = 0
    count = 0
    at = 0
    while at < events.shape[0]:
        here = events[at, 0]
        changed = 0
        while at < events.shape[0] and events[at, 0] == here:
            row = events[at, 2]
            count = put(work.active, count, row) if events[at, 1] == 1 else take(work.active, count, row)
            work.changed[changed] = row
            changed += 1
            at += 1
        if at == events.shape[0]:
            break
        length = keyed(rows, work.active, count, rows.strip, work.key)
        if alike(rows, work.key, length) or seen(strips, work.key, length):
            continue
        place[0] = here
        if MANY * changed >= count:
            work.changed[0] = everything
            changed = 1
        for each in range(changed):
            region = work.changed[each]
            chosen = meeting(rows, work.active, count, region, work.chosen)
            length = keyed(rows, work.chosen, chosen, rows.strip, work.key)
            if length == 0 or alike(rows, work.key, length):
                continue
            work.key[length] = -1 - rows.sides.size - rows.strip[region]
            if seen(strips, work.key, length + 1):
                continue
            found = _strip(rows, work, chosen, region, cells, findings, differ, needed, place, out, found)
            if found == FULL:
                return FULL
    return found
