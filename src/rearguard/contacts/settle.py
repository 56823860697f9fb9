"""When all input is read: partials are folded, judged and put into the view, one partition of clients at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rearguard.contacts.arrow import to_arrow, words_of
from rearguard.contacts.fold import fold_census, fold_contacts, largest_census, merge_observers
from rearguard.contacts.initiations import armed
from rearguard.contacts.judge import Judge
from rearguard.contacts.lone import CROWD_KEY, count_crowd, hash_clients, label_ends, pick_lone, table_size
from rearguard.contacts.rates import merge_rates
from rearguard.contacts.records import joined, put
from rearguard.contacts.single import widen
from rearguard.contacts.slices import order_of, slices
from rearguard.contacts.spill import side_by_side
from rearguard.contacts.tables import Filling
from rearguard.contacts.view import CENSUS_SQL, CROWD_SQL, INITIATIONS_SQL, JUDGED_SQL
from rearguard.model.bits import DIRECTIONS, INBOUND
from rearguard.model.memory import give_back

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue import Catalogue
    from rearguard.contacts.observing import Places
    from rearguard.contacts.reducer import Partials
    from rearguard.policy import Policy

__all__ = ["Settled", "settle"]

BATCH = 32_768
"""Contacts that are judged at once; what bounds the memory of judging."""

CROWD_CELLS = 1 << 12


class Settled:
    """What settling found out beside the tables: for the notes of the report."""

    def __init__(self) -> None:
        self.contacts = 0
        self.crowd_clients = 0


def settle(
    partials: Partials,
    places: Places,
    policy: Policy,
    catalogue: Catalogue,
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    today: date,
    clock: Callable[[str], None],
    attacked: Iterable[tuple[int, int]] = (),
) -> Settled:
    """Make ``judged``, ``census``, ``crowd`` and ``initiations``. ``places`` says which observers saw the same
    packets (rule A5), and their sampling rates;
    ``attacked`` are the addresses (as halves) whose initiations are wanted.

    What does not fit into memory is put into ``folder``, which must live as long as the connection is used.

    Observers of one group saw different packets and are added; of several groups the largest count holds.
    ``clock(stage)`` is told when a stage is done.
    """
    judged = Filling("judged", JUDGED_SQL, folder)
    hosts = partials.hosts.batches(4 * BATCH)
    judge = Judge.build(policy, catalogue, hosts, places.hearing, places.heard_by(), today)
    clock("hosts")
    settled = Settled()
    crowd: list[npt.NDArray[Any]] = []
    listed = 0
    limit = policy.limits.lone_clients
    ports = judge.rights.ports()
    waiting: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
    ready = 0  # rows that wait
    for singles, rows in side_by_side(partials.singles, partials.contacts):
        client, server = label_ends(singles, judge.networks)
        lone = _lone(singles, rows, client)
        counted = _excess(singles, lone, max(0, limit - listed))
        listed += int(np.count_nonzero(lone))
        if excess := int(np.count_nonzero(counted)):
            crowd.append(_crowd_rows(singles, counted, server, ports))
            settled.crowd_clients += excess
            singles = singles.take(np.flatnonzero(~counted))
        waiting.append((singles, rows))
        ready += len(singles) + len(rows)
        del singles, rows
        if ready >= BATCH:
            ready = 0
            settled.contacts += _judged(waiting, partials, places, judge, judged)
    if waiting:
        settled.contacts += _judged(waiting, partials, places, judge, judged)
    judged.show(con)
    clock("fold and judge")
    crowds = Filling("crowd", CROWD_SQL, folder)
    if crowd:
        crowds.add(_crowd_table(np.concatenate(crowd), judge))
    crowds.show(con)
    census = Filling("census", CENSUS_SQL, folder)
    _census(partials, places, census)
    census.show(con)
    initiations = Filling("initiations", INITIATIONS_SQL, folder)
    opened = armed(partials.initiations, attacked)
    initiations.add(to_arrow({name: opened[name] for name in opened.dtype.names or ()}))
    initiations.show(con)
    give_back()
    clock("census")
    return settled


def _judged(
    waiting: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    partials: Partials,
    places: Places,
    judge: Judge,
    judged: Filling,
) -> int:
    """Fold and judge the singles and rows of successive partitions, and forget them; how many contacts they are."""
    singles, rows = (parts[0] if len(parts) == 1 else joined(parts) for parts in zip(*waiting, strict=True))
    waiting.clear()
    contacts = 0
    for some, full in slices(singles, rows):
        everything = np.empty(len(full) + len(some), dtype=full.dtype)
        put(full, everything[: len(full)])
        widen(some, partials.lanes.observer, partials.lanes.sampling, everything[len(full) :])
        folded, observers = _folded(everything, places)
        order = order_of(folded)
        contacts += len(order)
        for start in range(0, len(order), BATCH):
            judged.add(judge.table(folded, order[start : start + BATCH], observers))
    return contacts


def _folded(everything: npt.NDArray[Any], places: Places) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint32]]:
    """One row a contact, and at how many places each was seen. The given rows are used up."""
    everything["sampling"] = places.sampling(everything["observer"], everything["sampling"])
    everything["observer"] = places.groups[everything["observer"]]
    folded = merge_rates(fold_contacts(everything, spent=True))
    if places.count > 1:
        return merge_observers(folded, spent=True)
    return folded, np.ones(len(folded), dtype=np.uint32)


def _lone(
    singles: npt.NDArray[Any], rows: npt.NDArray[Any], client: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Which singles are from lone clients that are not ours; ``client`` labels each single's client."""
    lone = np.zeros(len(singles), dtype=np.bool_)
    hashes = np.empty(len(singles), dtype=np.uint64)
    others = np.empty(len(rows), dtype=np.uint64)
    hash_clients(singles, hashes)
    hash_clients(rows, others)
    pick_lone(hashes, others, np.zeros(table_size(len(hashes) + len(others)), dtype=np.int32), lone)
    return lone & (client < 0)


def _excess(singles: npt.NDArray[Any], lone: npt.NDArray[np.bool_], quota: int) -> npt.NDArray[np.bool_]:
    """Which lone singles are counted and not listed. Partitions come by hash; the lowest hashes are listed."""
    if np.count_nonzero(lone) <= quota:
        return np.zeros(len(singles), dtype=np.bool_)
    if quota == 0:
        return lone
    at = np.flatnonzero(lone)
    hashes = np.empty(len(at), dtype=np.uint64)
    hash_clients(singles.take(at), hashes)
    rest = np.zeros(len(singles), dtype=np.bool_)
    rest[at[np.argsort(hashes, kind="stable")[quota:]]] = True
    return rest


def _crowd_rows(
    singles: npt.NDArray[Any],
    counted: npt.NDArray[np.bool_],
    server: npt.NDArray[np.int32],
    ports: npt.NDArray[np.uint8],
) -> npt.NDArray[Any]:
    """Crowd cells of one partition, joined with the single that was the earliest of each."""
    found, start = [], 0
    while start < len(singles):
        cells = np.zeros(CROWD_CELLS, dtype=CROWD_KEY)
        start = count_crowd(singles, start, counted, server, ports, cells, np.zeros(1, dtype=np.int64))
        cells = cells[cells["clients"] > 0]
        joined = np.zeros(len(cells), dtype=_CROWD_ROW)
        for name in CROWD_KEY.names or ():
            if name != "row":
                joined[name] = cells[name]
        for name in ("client_hi", "client_lo", "server_hi", "server_lo", "rec", "time", "client_port"):
            joined[name] = singles[name][cells["row"]]
        found.append(joined)
    return np.concatenate(found)


_CROWD_ROW = np.dtype(
    [
        *((name, kind[0]) for name, kind in (CROWD_KEY.fields or {}).items() if name != "row"),
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("rec", "u8"),
        ("time", "i8"),
        ("client_port", "u2"),
    ]
)


def _crowd_table(rows: npt.NDArray[Any], judge: Judge) -> Any:
    """Cells of all partitions merged, as the ``crowd`` table has them (each single is one try, one packet)."""
    keys = ("network", "port", "proto", "lane", "minute")
    order = np.lexsort((rows["rec"], rows["first"], *(rows[name] for name in keys)))
    rows = rows[order]
    changed = np.zeros(len(rows), dtype=np.bool_)
    changed[0] = True
    for name in keys:
        changed[1:] |= rows[name][1:] != rows[name][:-1]
    starts = np.flatnonzero(changed)
    one = rows[starts]  # the earliest of each cell comes first
    clients = np.add.reduceat(rows["clients"], starts)
    label = one["network"]
    interface = judge.rights.of_device(one["proto"], one["port"], label)
    direction = np.full(len(one), INBOUND, dtype=np.int32)
    return to_arrow(
        {
            "interface": words_of(interface, judge.rights.names),
            "direction": words_of(direction, DIRECTIONS),
            "network": words_of(label, judge.network_names),
            "port": one["port"],
            "proto": one["proto"],
            "minute": one["minute"],
            "clients": clients.astype(np.uint64),
            "tries": clients.astype(np.uint64),
            "packets": clients.astype(np.uint64),
            "bytes": np.add.reduceat(rows["bytes"], starts).astype(np.uint64),
            "first": np.minimum.reduceat(rows["first"], starts),
            "last": np.maximum.reduceat(rows["last"], starts),
            "proof_rec_c": one["rec"],
            "proof_time_c": one["time"],
            "proof_port_c": one["client_port"],
            **{name: one[name] for name in ("client_hi", "client_lo", "server_hi", "server_lo")},
        }
    )


def _census(partials: Partials, places: Places, census: Filling) -> None:
    """Cells, merged; of several observer groups the largest counts (rule A5)."""
    for number in range(partials.census.partitions):
        cells = partials.census.partition(number)
        cells["sampling"] = places.sampling(cells["observer"], cells["sampling"])
        cells["observer"] = places.groups[cells["observer"]]
        cells = largest_census(fold_census(cells))
        columns = {name: cells[name] for name in _CENSUS_NUMBERS}
        table = to_arrow(columns)
        for name in ("sources", "targets"):
            flat = pa.py_buffer(np.ascontiguousarray(cells[name]).tobytes())
            blobs = pa.FixedSizeBinaryArray.from_buffers(pa.binary(64), len(cells), [None, flat])
            table = table.append_column(name, blobs.cast(pa.binary()))
        census.add(table)


_CENSUS_NUMBERS = ("minute", "port", "proto", "direction", "sampling", "packets", "bytes", "tries")
