"""The fold: partials of one key become one row. Every merge is commutative and associative (the one law).

A compiled hash merge instead of SQL: with forty aggregates DuckDB needed 14 microseconds a row for what takes
0.1 here, and a partition of the clients bounds the memory as well as its spilling would
(docs/decisions/002-fold-in-a-kernel.md). ``_merge`` says in code what the CONTACT table says in data; a
test holds one against the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.lone import table_size
from rearguard.contacts.mix import mix5
from rearguard.contacts.pointer import comes_first
from rearguard.model.compiled import inlined, kernel

__all__ = ["fold_census", "fold_contacts", "largest_census", "merge_observers"]


def fold_contacts(rows: npt.NDArray[Any], *, spent: bool = False) -> npt.NDArray[Any]:
    """One CONTACT row a key, in the order in which the keys first appear. ``spent``: the given rows are not needed
    any more, so the result takes their place."""
    out = rows if spent else np.empty_like(rows)
    table = np.zeros(table_size(len(rows)), dtype=np.int32)
    return out[: _fold(rows, table, out)]


def merge_observers(
    rows: npt.NDArray[Any], *, spent: bool = False
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint32]]:
    """One row a client, server, port and protocol, and at how many observers each was seen (rule A5).

    Each count is the largest of any observer, for the same packets may have passed several, and one may see
    one direction only; bits, times and pointers come from all. The ``observer`` of the result is the one
    that saw most packets. ``spent``: as for :func:`fold_contacts`.
    """
    out = rows if spent else np.empty_like(rows)
    seen_at = np.zeros(len(rows), dtype=np.uint32)
    most = np.zeros(len(rows), dtype=np.uint64)
    table = np.zeros(table_size(len(rows)), dtype=np.int32)
    n = _fold_observers(rows, table, out, seen_at, most)
    return out[:n], seen_at[:n]


@inlined
def _slot(rows: Any, i: int, with_observer: bool, table: npt.NDArray[np.int32], out: Any) -> int:
    """Where the row's key is in the table, or the empty entry where it belongs."""
    row = rows[i]
    word = np.uint64(row.port) | np.uint64(row.proto) << np.uint64(16)
    if with_observer:
        word |= np.uint64(row.observer) << np.uint64(24)
    h = mix5(row.client_hi, row.client_lo, row.server_hi, row.server_lo, word)
    last = np.uint64(table.size - 1)
    at = (h >> np.uint64(8)) & last
    while table[at] != 0:
        other = out[table[at] - 1]
        if (
            other.client_lo == row.client_lo
            and other.server_lo == row.server_lo
            and other.client_hi == row.client_hi
            and other.server_hi == row.server_hi
            and other.port == row.port
            and other.proto == row.proto
            and (not with_observer or (other.observer == row.observer and other.sampling == row.sampling))
        ):
            break
        at = (at + np.uint64(1)) & last
    return int(at)


@inlined
def _merge_facts(into: Any, row: Any) -> None:
    """Bits, times and pointers: what may be merged even when both rows saw the same packets."""
    into.first_c = min(into.first_c, row.first_c)
    into.first_s = min(into.first_s, row.first_s)
    into.last_c = max(into.last_c, row.last_c)
    into.last_s = max(into.last_s, row.last_s)
    into.flags_c |= row.flags_c
    into.flags_s |= row.flags_s
    into.seen_c |= row.seen_c
    into.seen_s |= row.seen_s
    into.role |= row.role
    into.known &= row.known
    if comes_first(
        row.proof_rank_c, row.proof_time_c, row.proof_rec_c,
        into.proof_rank_c, into.proof_time_c, into.proof_rec_c,
    ):  # fmt: skip
        into.proof_rank_c, into.proof_time_c = row.proof_rank_c, row.proof_time_c
        into.proof_rec_c, into.proof_port_c = row.proof_rec_c, row.proof_port_c
    if comes_first(
        row.proof_rank_s, row.proof_time_s, row.proof_rec_s,
        into.proof_rank_s, into.proof_time_s, into.proof_rec_s,
    ):  # fmt: skip
        into.proof_rank_s, into.proof_time_s = row.proof_rank_s, row.proof_time_s
        into.proof_rec_s, into.proof_port_s = row.proof_rec_s, row.proof_port_s
    if comes_first(0, row.load_time_c, row.load_rec_c, 0, into.load_time_c, into.load_rec_c):
        into.load_time_c, into.load_rec_c, into.load_port_c = row.load_time_c, row.load_rec_c, row.load_port_c
    if comes_first(0, row.load_time_s, row.load_rec_s, 0, into.load_time_s, into.load_rec_s):
        into.load_time_s, into.load_rec_s, into.load_port_s = row.load_time_s, row.load_rec_s, row.load_port_s


@inlined
def _merge(into: Any, row: Any) -> None:
    """Two partials of one key."""
    into.packets_c += row.packets_c
    into.packets_s += row.packets_s
    into.bytes_c += row.bytes_c
    into.bytes_s += row.bytes_s
    into.payload_c += row.payload_c
    into.payload_s += row.payload_s
    into.tries += row.tries
    into.sessions += row.sessions
    into.unacked += row.unacked
    into.no_options += row.no_options
    into.fp_mirai += row.fp_mirai
    into.fp_zmap += row.fp_zmap
    into.fp_masscan += row.fp_masscan
    _merge_facts(into, row)


@inlined
def _merge_largest(into: Any, row: Any) -> None:
    """What two observers saw of one contact: each count on its own, for one may see one direction only."""
    into.packets_c = max(into.packets_c, row.packets_c)
    into.packets_s = max(into.packets_s, row.packets_s)
    into.bytes_c = max(into.bytes_c, row.bytes_c)
    into.bytes_s = max(into.bytes_s, row.bytes_s)
    into.payload_c = max(into.payload_c, row.payload_c)
    into.payload_s = max(into.payload_s, row.payload_s)
    into.tries = max(into.tries, row.tries)
    into.sessions = max(into.sessions, row.sessions)
    into.unacked = max(into.unacked, row.unacked)
    into.no_options = max(into.no_options, row.no_options)
    into.fp_mirai = max(into.fp_mirai, row.fp_mirai)
    into.fp_zmap = max(into.fp_zmap, row.fp_zmap)
    into.fp_masscan = max(into.fp_masscan, row.fp_masscan)
    _merge_facts(into, row)


@kernel
def _fold(rows: Any, table: npt.NDArray[np.int32], out: Any) -> int:
    n = 0
    for i in range(rows.size):
        at = _slot(rows, i, True, table, out)
        if table[at] == 0:
            out[n] = rows[i]  # may be the same array: n is never more than i
            n += 1
            table[at] = n
        else:
            _merge(out[table[at] - 1], rows[i])
    return n


@kernel
def _fold_observers(
    rows: Any,
    table: npt.NDArray[np.int32],
    out: Any,
    seen_at: npt.NDArray[np.uint32],
    most: npt.NDArray[np.uint64],
) -> int:
    """``most`` is for the packets of the observer that each row has: of equals the lowest number, then the lowest
    rate, so that no order of the rows shows."""
    n = 0
    for i in range(rows.size):
        row = rows[i]
        packets = row.packets_c + row.packets_s
        at = _slot(rows, i, False, table, out)
        if table[at] == 0:
            out[n] = row
            seen_at[n] = 1
            most[n] = packets
            n += 1
            table[at] = n
            continue
        place = table[at] - 1
        into = out[place]
        _merge_largest(into, row)
        seen_at[place] += 1
        if packets > most[place] or (
            packets == most[place]
            and (
                row.observer < into.observer
                or (row.observer == into.observer and row.sampling < into.sampling)
            )
        ):
            into.observer, into.sampling = row.observer, row.sampling
            most[place] = packets
    return n


def fold_census(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One CENSUS row a key."""
    out = np.empty_like(rows)
    table = np.zeros(table_size(len(rows)), dtype=np.int32)
    return out[: _fold_census_rows(rows, False, table, out)]


def largest_census(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One row a minute, port, protocol and direction: of several observers the largest counts (rule A5)."""
    out = np.empty_like(rows)
    table = np.zeros(table_size(len(rows)), dtype=np.int32)
    return out[: _fold_census_rows(rows, True, table, out)]


@kernel
def _fold_census_rows(rows: Any, largest: bool, table: npt.NDArray[np.int32], out: Any) -> int:
    n = 0
    last = np.uint64(table.size - 1)
    for i in range(rows.size):
        row = rows[i]
        word = np.uint64(row.port) | np.uint64(row.proto) << np.uint64(16)
        word |= np.uint64(row.direction) << np.uint64(24)
        place = (
            np.uint64(0) if largest else np.uint64(row.observer) << np.uint64(32) | np.uint64(row.sampling)
        )
        at = mix5(word, np.uint64(row.minute), place, np.uint64(0), np.uint64(0)) & last
        while table[at] != 0:
            other = out[table[at] - 1]
            if (
                other.port == row.port
                and other.minute == row.minute
                and other.proto == row.proto
                and other.direction == row.direction
                and (largest or (other.observer == row.observer and other.sampling == row.sampling))
            ):
                break
            at = (at + np.uint64(1)) & last
        if table[at] == 0:
            out[n] = row
            n += 1
            table[at] = n
            continue
        into = out[table[at] - 1]
        if largest:
            into.packets = max(into.packets, row.packets)
            into.bytes = max(into.bytes, row.bytes)
            into.tries = max(into.tries, row.tries)
            into.sampling = max(into.sampling, row.sampling)
        else:
            into.packets += row.packets
            into.bytes += row.bytes
            into.tries += row.tries
        for k in range(row.sources.size):
            into.sources[k] = max(into.sources[k], row.sources[k])
            into.targets[k] = max(into.targets[k], row.targets[k])
    return n
