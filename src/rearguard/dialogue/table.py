"""The table of conversations: what each side has spent of its budget in the present spell.

Theory of operation. An entry counts what it has seen in ascending (time, record). What comes out of order or
from an earlier spell is wanted, uncounted. An entry that is taken over by another conversation, and one that
enters a new spell, count from zero. So the table may want too much, never too little: what it refuses has a
full budget in front of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.dialogue.layout import FROM_SERVER
from rearguard.model.compiled import inlined

__all__ = ["SEGMENT_COST", "SPELL", "WAYS", "new_table", "wanted"]

SPELL = 1 << 38
"""Nanoseconds (275 s) after which a conversation that goes on may fill another budget."""
SEGMENT_COST = 32
"""What a segment weighs beyond its payload, so that many small ones are bounded too."""

ENTRY = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("spell", "i8"),
        ("last", "i8", (2,)),  # by side: (time, record) of the latest segment counted
        ("last_rec", "u8", (2,)),
        ("spent", "i8", (2,)),
        ("touched", "i8"),
        ("lane", "u4"),
        ("client_port", "u2"),
        ("port", "u2"),
        ("proto", "u1"),  # 0: empty
    ],
    align=True,
)

WAYS = 4
_NEVER = np.iinfo(np.int64).min


def new_table(rows: int) -> npt.NDArray[Any]:
    """An empty table of ``rows`` conversations (a power of two, WAYS or more), as (sets, ways)."""
    if rows < WAYS or rows & (rows - 1):
        raise ValueError(f"a table has a power of two of rows, {WAYS} or more")
    return np.zeros((rows // WAYS, WAYS), dtype=ENTRY)


@inlined
def _find(table: Any, one: Any, spell: int) -> tuple[Any, int]:
    """Set and way of the conversation of segment ``one``; a stranger takes the way that was touched longest
    ago."""
    group = np.int64(one.hash & np.uint64(table.shape[0] - 1))
    victim = 0
    for way in range(WAYS):
        row = table[group, way]
        if (
            row.proto == one.proto
            and row.client_lo == one.client_lo
            and row.server_lo == one.server_lo
            and row.client_port == one.client_port
            and row.port == one.port
            and row.lane == one.lane
            and row.client_hi == one.client_hi
            and row.server_hi == one.server_hi
        ):
            return group, way
        if table[group, victim].proto != 0 and (row.proto == 0 or row.touched < table[group, victim].touched):
            victim = way
    row = table[group, victim]
    row.client_hi, row.client_lo = one.client_hi, one.client_lo
    row.server_hi, row.server_lo = one.server_hi, one.server_lo
    row.client_port, row.port, row.proto, row.lane = one.client_port, one.port, one.proto, one.lane
    row.touched = one.ts
    _begin(row, spell)
    return group, victim


@inlined
def _begin(row: Any, spell: int) -> None:
    row.spell = spell
    row.spent[0] = row.spent[1] = 0
    row.last[0] = row.last[1] = _NEVER
    row.last_rec[0] = row.last_rec[1] = 0


@inlined
def wanted(table: Any, one: Any, budget: int) -> bool:
    """Count a segment; False when a full budget has been seen in front of it."""
    spell = one.ts // SPELL
    group, way = _find(table, one, spell)
    row = table[group, way]
    row.touched = max(row.touched, one.ts)
    if spell < row.spell:
        return True
    if spell > row.spell:
        _begin(row, spell)
    side = np.int64(one.bits & FROM_SERVER)
    if one.ts < row.last[side] or (one.ts == row.last[side] and one.rec <= row.last_rec[side]):
        return True
    if row.spent[side] >= budget:
        return False
    row.spent[side] += np.int64(one.length) + SEGMENT_COST
    row.last[side], row.last_rec[side] = one.ts, one.rec
    return True
