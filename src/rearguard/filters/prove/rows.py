"""What the sweep works on and with: rows, a sort, and a memory of sequences; none of it allocates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.model.compiled import inlined, kernel, wide

__all__ = [
    "I32",
    "I64",
    "U8",
    "U64",
    "Memo",
    "Rows",
    "Work",
    "alike",
    "first_after",
    "keyed",
    "meeting",
    "put",
    "seen",
    "sort",
    "steps",
    "take",
]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]


class Rows(NamedTuple):
    """The rows of all lists, in order; the last row of each list holds everything.

    What the lists of one side drop is what any of them drops.
    """

    strip: I32
    """Number of what the row says beyond the first axis."""
    cell: I32
    """Number of what it says beyond both."""
    spans: I32
    """Index into ``begins``: where its ranges on the second axis begin; ends where those of the next set do."""
    begins: I64
    firsts: I64
    afters: I64
    dport: I32
    """(first, last), one row each."""
    sport: I32
    masks: U64
    """The atoms it holds, 64 a word."""
    drops: U8
    of: U8
    """The list that it belongs to."""
    line: I32
    sides: U8
    """By list."""
    kinds: I32
    """By atom: what is told apart in findings."""


class Memo(NamedTuple):
    """Sequences of numbers that were seen; what does not fit is looked at again."""

    slots: I32
    at: I64
    length: I32
    kept: I32
    used: I64
    """[entries, numbers kept]"""


class Work(NamedTuple):
    """Room for one sweep; those from ``active`` to ``key`` hold as many rows as there are."""

    active: I32
    changed: I32
    chosen: I32
    inner: I32
    third: I32
    key: I32
    events: I64
    ports: I32
    near: I32
    told: I32
    rest: U64
    dropped: U64


@inlined
def put(rows: I32, count: int, row: int) -> int:
    """Insert into ascending rows."""
    at = count
    while at > 0 and rows[at - 1] > row:
        rows[at] = rows[at - 1]
        at -= 1
    rows[at] = row
    return count + 1


@inlined
def take(rows: I32, count: int, row: int) -> int:
    """Take out of ascending rows."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    for at in range(low, count - 1):
        rows[at] = rows[at + 1]
    return count - 1


@kernel
def first_after(rows: Rows, spans: int, low: int) -> int:
    """Index of the first range of a set that ends behind ``low``."""
    begin, end = int(rows.begins[spans]), int(rows.begins[spans + 1])
    while begin < end:
        middle = (begin + end) >> 1
        if rows.afters[middle] <= low:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def meeting(rows: Rows, active: I32, count: int, region: int, out: I32) -> int:
    """The active rows that share packets with a region: a row without its first axis."""
    spans = rows.spans[region]
    if rows.begins[spans] == rows.begins[spans + 1]:
        return 0
    low, after = rows.firsts[rows.begins[spans]], rows.afters[rows.begins[spans + 1] - 1]
    found = 0
    for at in range(count):
        row = active[at]
        if (
            rows.dport[row, 0] > rows.dport[region, 1]
            or rows.dport[row, 1] < rows.dport[region, 0]
            or rows.sport[row, 0] > rows.sport[region, 1]
            or rows.sport[row, 1] < rows.sport[region, 0]
        ):
            continue
        shares = False
        for word in range(rows.masks.shape[1]):
            shares = shares or rows.masks[row, word] & rows.masks[region, word] != 0
        if not shares:
            continue
        first = first_after(rows, rows.spans[row], low)
        if first < rows.begins[rows.spans[row] + 1] and rows.firsts[first] < after:
            out[found] = row
            found += 1
    return found


@kernel
def sort(values: npt.NDArray[Any], count: int) -> None:
    """Shell sort: no memory, short for what is short."""
    gap = 1
    while gap < count:
        gap = gap * 3 + 1
    while gap > 0:
        for at in range(gap, count):
            value = values[at]
            back = at
            while back >= gap and values[back - gap] > value:
                values[back] = values[back - gap]
                back -= gap
            values[back] = value
        gap //= 3


@kernel
def seen(memo: Memo, key: I32, count: int) -> bool:
    """Whether the sequence was seen; it is kept if there is room."""
    size = memo.slots.size
    state = 0x1C9DC5
    for at in range(count):
        state = (state ^ wide(key[at])) * 0x100000001B3 & 0x7FFF_FFFF_FFFF_FFFF
        state ^= state >> 29
    slot = state & (size - 1)
    while memo.slots[slot] >= 0:
        entry = memo.slots[slot]
        if memo.length[entry] == count:
            begin = memo.at[entry]
            same = True
            for at in range(count):
                if memo.kept[begin + at] != key[at]:
                    same = False
                    break
            if same:
                return True
        slot = (slot + 1) & (size - 1)
    entries, kept = memo.used[0], memo.used[1]
    if 2 * (entries + 1) < size and kept + count <= memo.kept.size:
        for at in range(count):
            memo.kept[kept + at] = key[at]
        memo.at[entries] = kept
        memo.length[entries] = count
        memo.slots[slot] = entries
        memo.used[0] = entries + 1
        memo.used[1] = kept + count
    return False


@kernel
def keyed(rows: Rows, chosen: I32, count: int, numbers: I32, key: I32) -> int:
    """The numbers of these rows, with a mark where a new list begins."""
    length = 0
    of = -1
    for at in range(count):
        row = chosen[at]
        while of < rows.of[row]:
            of += 1
            key[length] = -1 - of
            length += 1
        key[length] = numbers[row]
        length += 1
    return length


@inlined
def alike(rows: Rows, key: I32, length: int) -> bool:
    """Whether two lists say the same in the same order, so that nothing need be compared."""
    if rows.sides.size != 2 or length % 2 != 0 or key[length // 2] != -2:
        return False
    half = length // 2
    at = 1
    while at < half and key[at] == key[half + at]:
        at += 1
    return at == half


@kernel
def steps(rows: I32, count: int, ports: I32, region: int, out: I32) -> int:
    """The bounds between which these rows do not change along a port axis, from the region's first to its last."""
    low, after = ports[region, 0], ports[region, 1] + 1
    out[0] = low
    out[1] = after
    found = 2
    for at in range(count):
        first, last = ports[rows[at], 0], ports[rows[at], 1]
        if low < first < after:
            out[found] = first
            found += 1
        if low <= last < after - 1:
            out[found] = last + 1
            found += 1
    sort(out, found)
    kept = 1
    for at in range(1, found):
        if out[at] != out[kept - 1]:
            out[kept] = out[at]
            kept += 1
    return kept
