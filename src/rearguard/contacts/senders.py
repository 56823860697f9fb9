"""Which of our addresses were seen sending, and in which networks anything was: silence means something there.

Theory. The set of own IPv4 addresses that sent is an open-addressing table of low halves (of ``::ffff:0:0/96``, so
never 0), which doubles when it is half full. To put an address in twice changes nothing, so HOST rows need no fold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import finish
from rearguard.contacts.ranges import Ranges, label_at
from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined, kernel

__all__ = ["is_sender", "listen"]

_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_FIRST_SIZE = 1 << 12

Set = npt.NDArray[np.uint64]


def listen(
    batches: Iterable[npt.NDArray[Any]], hearing: npt.NDArray[np.uint32], networks: Ranges, count: int
) -> tuple[npt.NDArray[np.bool_], Set]:
    """``heard[hearing, network]`` for so many networks, and the set of own IPv4 addresses that sent, of HOST rows
    in any order; ``hearing`` is that of each observer."""
    heard = np.zeros((int(hearing.max(initial=0)) + 1, max(1, count)), dtype=np.bool_)
    senders = np.zeros(_FIRST_SIZE, dtype=np.uint64)
    used = np.zeros(1, dtype=np.int64)
    for rows in batches:
        done = _listen(rows, 0, hearing, networks, heard, senders, used)
        while done < len(rows):
            larger = np.zeros(2 * len(senders), dtype=np.uint64)
            _refill(senders, larger)
            senders = larger
            done = _listen(rows, done, hearing, networks, heard, senders, used)
    return heard, senders


@inlined
def _place(senders: Set, low: np.uint64) -> int:
    """Where the address is, or the empty entry where it belongs."""
    last = np.uint64(senders.size - 1)
    at = finish(low) & last
    while senders[at] != 0 and senders[at] != low:
        at = (at + np.uint64(1)) & last
    return int(at)


@inlined
def is_sender(senders: Set, low: np.uint64) -> bool:
    """Whether the IPv4 address with this low half is in the set."""
    return bool(senders[_place(senders, low)] == low)


@kernel
def _listen(
    rows: Any,
    start: int,
    hearing: npt.NDArray[np.uint32],
    networks: Ranges,
    heard: npt.NDArray[np.bool_],
    senders: Set,
    used: npt.NDArray[np.int64],
) -> int:
    """From row ``start`` on; returns the row for which the set has no room, or how many rows there are."""
    for i in range(start, rows.size):
        if 2 * used[0] >= senders.size:
            return int(i)
        row = rows[i]
        label = label_at(networks, row.addr_hi, row.addr_lo)
        if label >= 0:
            heard[hearing[row.observer], label] = True
        if row.addr_hi == 0 and row.addr_lo >> np.uint64(32) == _V4_PREFIX:
            at = _place(senders, row.addr_lo)
            if senders[at] == 0:
                senders[at] = row.addr_lo
                used[0] += 1
    return int(rows.size)


@kernel
def _refill(senders: Set, larger: Set) -> None:
    for low in senders:
        if low != 0:
            larger[_place(larger, low)] = low
