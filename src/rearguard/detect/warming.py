"""Every kernel of this room, and those that count addresses, called once with nothing: compiled then, and kept."""

from __future__ import annotations

import numpy as np

from rearguard.contacts.different import move, note, total
from rearguard.detect.grouping import FIRST, GROUP, PROGRESS, first_rows, group_rows
from rearguard.detect.loads import LOAD, hot_rows, load_rows
from rearguard.detect.looking import COUNTS, look_rows
from rearguard.detect.lookup import lookup
from rearguard.detect.members import rows_of_sources, rows_of_targets
from rearguard.detect.pace import peaks
from rearguard.detect.tally import Tally
from rearguard.detect.tally_rows import MEMBER, PEER
from rearguard.detect.touch_rows import TOUCH

__all__ = ["warm"]


def warm() -> None:
    """A tiny input has neither scans nor floods, and compiles only half of them."""
    rows, keys = np.zeros(0, TOUCH), lookup([])
    members, picked = np.zeros(0, MEMBER), np.zeros(0, np.int64)
    masks, used, nothing = np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(0, np.int64)
    look_rows(rows, np.zeros(len(COUNTS), np.uint64), np.zeros((256, 8192), np.uint8))
    group_rows(rows, 0, keys, np.zeros(2, GROUP), used)
    first_rows(rows, keys, keys, masks, nothing, np.zeros(0, PROGRESS), False, np.zeros(0, FIRST))
    rows_of_sources(rows, keys, keys, masks, 0, 0, members, picked)
    rows_of_targets(rows, keys, nothing, np.zeros((1, 1, 1), np.int64), masks, members, picked)
    load_rows(rows, 0, masks, np.zeros(1, np.uint64), np.zeros(2, LOAD), used)
    hot_rows(rows, masks, np.zeros(1, np.bool_), np.zeros(0, LOAD))
    tally = Tally.of(0, 1, 1)
    tally.add(members)
    tally.again(np.zeros(0, PEER))
    tally.close()
    peaks([(nothing, nothing)], 0, 1)
    numbers, halves, blocks = np.zeros(0, np.uint16), np.zeros(0, np.uint64), np.zeros((2, 4), np.uint64)
    numbers.flags.writeable = halves.flags.writeable = False  # as Arrow gives them
    note(numbers, halves, halves, halves, halves, 0, blocks, used)
    move(blocks, blocks)
    total(blocks, nothing)
