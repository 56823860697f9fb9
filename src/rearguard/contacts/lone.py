"""Lone clients: seen with one packet in the whole input, unanswered. Some are listed, the rest is counted.

A flood from spoofed sources consists of them. Which clients are lone depends on all facts together and not
on their order; which of them are listed, on the hash of their address. So both are the same for every
split of the input. All other clients are always kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix2
from rearguard.contacts.ranges import Ranges, label_at, ranges_of
from rearguard.model.bits import TCP
from rearguard.model.compiled import inlined, kernel
from rearguard.model.prefixes import PrefixTable

__all__ = ["CROWD_KEY", "count_crowd", "hash_clients", "label_ends", "pick_lone", "table_size"]

CROWD_KEY = np.dtype(
    [
        ("network", "i4"),  # label of the server's network
        ("lane", "u4"),
        ("minute", "i8"),
        ("clients", "i8"),
        ("bytes", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        ("row", "i8"),  # index of the earliest single
        ("port", "u2"),  # 0 where no interface of the catalogue is meant
        ("proto", "u1"),
    ],
    align=True,
)
"""One cell of the crowd: what lone clients beyond the limit did, per network, port and minute."""


def table_size(rows: int) -> int:
    """Entries of an open-addressing table for that many rows: a power of two, at most half full."""
    return 1 << max(4, (2 * rows).bit_length())


@kernel
def hash_clients(rows: Any, hashes: npt.NDArray[np.uint64]) -> None:
    """The hash of each row's client address."""
    for i in range(rows.size):
        hashes[i] = mix2(rows[i].client_hi, rows[i].client_lo)


@kernel
def pick_lone(
    singles: npt.NDArray[np.uint64],
    others: npt.NDArray[np.uint64],
    table: npt.NDArray[np.int32],
    lone: npt.NDArray[np.bool_],
) -> None:
    """``lone[i]``: hash i stands once in ``singles`` and not in ``others``.

    ``table`` is zeroed and made by :func:`table_size` for both together. An entry is the number of a hash, from 1
    among the singles, from -1 downwards among the others. Two clients whose hashes collide are both not lone: they
    are listed.
    """
    for k in range(others.size):
        at = _entry(others[k], singles, others, table)
        if table[at] == 0:
            table[at] = -1 - k
    for i in range(singles.size):
        at = _entry(singles[i], singles, others, table)
        first = table[at]
        lone[i] = first == 0
        if first == 0:
            table[at] = i + 1
        elif first > 0:
            lone[first - 1] = False


@inlined
def _entry(
    wanted: np.uint64,
    singles: npt.NDArray[np.uint64],
    others: npt.NDArray[np.uint64],
    table: npt.NDArray[np.int32],
) -> int:
    """Where the hash is, or the empty entry where it belongs."""
    last = np.uint64(table.size - 1)
    at = (wanted >> np.uint64(20)) & last
    while table[at] != 0:
        number = table[at]
        if (singles[number - 1] if number > 0 else others[-1 - number]) == wanted:
            break
        at = (at + np.uint64(1)) & last
    return int(at)


def label_ends(
    rows: npt.NDArray[Any], networks: PrefixTable
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The labels of each row's client and server, as ``networks.lookup`` gives them, without its temporaries."""
    client = np.empty(len(rows), dtype=np.int32)
    server = np.empty(len(rows), dtype=np.int32)
    _label_ends(rows, ranges_of(networks), client, server)
    return client, server


@kernel
def _label_ends(
    rows: Any, networks: Ranges, client: npt.NDArray[np.int32], server: npt.NDArray[np.int32]
) -> None:
    for i in range(rows.size):
        row = rows[i]
        client[i] = label_at(networks, row.client_hi, row.client_lo)
        server[i] = label_at(networks, row.server_hi, row.server_lo)


@kernel
def count_crowd(
    singles: Any,
    start: int,
    counted: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int32],
    ports: npt.NDArray[np.uint8],
    cells: Any,
    used: npt.NDArray[np.int64],
) -> int:
    """Count the ``counted`` singles into CROWD_KEY cells, an open-addressing table; empty: no clients.

    ``labels`` gives each server's network; ``ports[0 tcp | 1 udp, port]`` is 1 where an interface is meant;
    ``used[0]`` counts entries. Returns the first row not taken because the table is half full.
    """
    last = np.uint64(cells.size - 1)
    at = np.uint64(0)
    for i in range(start, singles.size):
        if not counted[i]:
            continue
        one = singles[i]
        port = one.port if ports[0 if one.proto == TCP else 1, one.port] else np.uint16(0)
        minute = one.time // 60_000_000_000
        word = np.uint64(port) | np.uint64(one.proto) << np.uint64(16) | np.uint64(one.lane) << np.uint64(24)
        same = (  # as the one before, mostly: no need to look for the cell
            cells[at].clients != 0
            and cells[at].port == port
            and cells[at].proto == one.proto
            and cells[at].lane == one.lane
            and cells[at].network == labels[i]
            and cells[at].minute == minute
        )
        if not same:
            at = mix2(word ^ np.uint64(labels[i] + 1) << np.uint64(48), np.uint64(minute)) & last
        while cells[at].clients != 0 and not (
            cells[at].port == port
            and cells[at].proto == one.proto
            and cells[at].lane == one.lane
            and cells[at].network == labels[i]
            and cells[at].minute == minute
        ):
            at = (at + np.uint64(1)) & last
        cell = cells[at]
        if cell.clients == 0:
            if used[0] * 2 >= cells.size:
                return int(i)
            used[0] += 1
            cell.port, cell.proto, cell.lane = port, one.proto, one.lane
            cell.network, cell.minute = labels[i], minute
            cell.bytes = 0
            cell.first = cell.last = one.time
            cell.row = i
        best = singles[cell.row]
        if one.time < best.time or (one.time == best.time and one.rec < best.rec):
            cell.row = i
        cell.clients += 1
        cell.bytes += one.bytes
        cell.first = min(cell.first, one.time)
        cell.last = max(cell.last, one.time)
    return int(singles.size)
