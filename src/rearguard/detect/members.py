"""Kernels that pick the touches of groups, as rows for a tally: groups of a source, of a device, of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rearguard.detect.lookup import Lookup, device_of, find, reflection, source_lo_of
from rearguard.detect.pouring import pour
from rearguard.detect.tally import narrowed
from rearguard.detect.tally_rows import MEMBER, PEER
from rearguard.detect.touch_rows import BATCH, NO_WORD
from rearguard.model.compiled import inlined, kernel

if TYPE_CHECKING:
    import duckdb

    from rearguard.detect.ledger import Ledger

__all__ = ["Known", "Members", "OfRows", "of_sources", "of_targets", "rows_of_sources", "rows_of_targets"]

TOLD = 0x7F
"""The bits of a touch's ``marks`` that a tally knows."""

PEER_TABLE = (
    "place BIGINT, peer_hi UBIGINT, peer_lo UBIGINT, begun BIGINT,"
    " packets UBIGINT, rate UINTEGER, marks UTINYINT"
)

Rows = npt.NDArray[Any]


@dataclass(slots=True)
class Known:
    """By place of a group the surveyors and the exceptions among its touches."""

    surveyors: dict[int, set[str]] = field(default_factory=dict)
    exceptions: dict[int, set[str]] = field(default_factory=dict)


class Members(Protocol):
    """The touches of groups that are numbered from 0."""

    @property
    def hashed(self) -> bool:
        """Whether a group's peers come by partition and then by address, as clients do."""

    def batches(self) -> Iterator[Rows]:
        """Rows of MEMBER, at most 2 * BATCH at once; as often as wanted, always the same."""

    def sorted_peers(self, con: duckdb.DuckDBPyConnection, places: npt.NDArray[np.int64]) -> Iterator[Rows]:
        """Rows of PEER of the groups with these places, by group and peer."""

    def known(self) -> Known:
        """Whom the policy knows."""


@dataclass(frozen=True, slots=True)
class OfRows:
    """Touches that lie as rows in the ledger; ``pick`` is one of the kernels below, with what it picks by."""

    ledger: Ledger
    pick: Callable[[Rows, Rows, npt.NDArray[np.int64]], int]
    hashed: bool

    def batches(self) -> Iterator[Rows]:
        for _, _, members in self._picked():
            yield members

    def sorted_peers(self, con: duckdb.DuckDBPyConnection, places: npt.NDArray[np.int64]) -> Iterator[Rows]:
        wanted = np.zeros(int(places.max()) + 1, np.bool_)
        wanted[places] = True
        pour(con, PEER_TABLE, (_among(members, wanted) for _, _, members in self._picked()))
        for batch in con.sql("FROM poured ORDER BY place, peer_hi, peer_lo").to_arrow_reader(BATCH):
            made = np.empty(batch.num_rows, PEER)
            for name in PEER.names or ():
                made[name] = batch[name].to_numpy()
            yield made
        con.execute("DROP TABLE poured")

    def known(self) -> Known:
        known = Known()
        for rows, picked, members in self._picked():
            for name, into in (("surveyor", known.surveyors), ("exception", known.exceptions)):
                numbers = rows[name][picked]
                told = np.flatnonzero(numbers != NO_WORD)
                for place, number in {
                    *zip(members["place"][told].tolist(), numbers[told].tolist(), strict=True)
                }:
                    into.setdefault(place, set()).add(self.ledger.words[name][number])
        return known

    def _picked(self) -> Iterator[tuple[Rows, npt.NDArray[np.int64], Rows]]:
        """Touches, which of them belong to a group, and what a tally is told of those."""
        out, picked = np.empty(2 * BATCH, MEMBER), np.empty(2 * BATCH, np.int64)
        for rows in self.ledger.touches.batches():
            count = self.pick(rows, out, picked)
            yield rows, picked[:count], out[:count]


def _among(members: Rows, wanted: npt.NDArray[np.bool_]) -> Rows:
    """What tells the peers of those groups."""
    some = members.take(np.flatnonzero(members["place"] < len(wanted)))
    return narrowed(some.take(np.flatnonzero(wanted[some["place"]])))


def of_sources(ledger: Ledger, groups: Lookup, *, needed: int, refused: int = 0) -> OfRows:
    """What the sources of ``groups`` did, with all marks that are ``needed`` and none that is ``refused``; the
    peers are devices, and what seems to come from victims is left out."""

    def pick(rows: Rows, out: Rows, picked: npt.NDArray[np.int64]) -> int:
        return rows_of_sources(rows, groups, ledger.reflections, ledger.masks, needed, refused, out, picked)

    return OfRows(ledger, pick, hashed=False)


def of_targets(
    ledger: Ledger, devices: Lookup, places: npt.NDArray[np.int64], networks: npt.NDArray[np.int64]
) -> OfRows:
    """What was tried at ``devices``, whose groups have these ``places``, or in a network; the peers are clients.
    ``networks``: by interface, direction and network the place of a group, or -1."""

    def pick(rows: Rows, out: Rows, picked: npt.NDArray[np.int64]) -> int:
        return rows_of_targets(rows, devices, places, networks, ledger.masks, out, picked)

    return OfRows(ledger, pick, hashed=True)


@kernel
def rows_of_sources(
    rows: Any,
    groups: Lookup,
    reflections: Lookup,
    masks: npt.NDArray[np.uint64],
    needed: int,
    refused: int,
    out: Any,
    picked: npt.NDArray[np.int64],
) -> int:
    """Write a MEMBER row for each touch of ``groups`` (source, interface, direction) that has all marks that are
    ``needed`` and none that is ``refused``, but for those of victims; ``picked``: which touch each is. How many."""
    count = 0
    for i in range(rows.size):
        row = rows[i]
        if row.marks & needed != needed or row.marks & refused != 0:
            continue
        place = find(groups, row.client_hi, source_lo_of(row), np.uint64(row.interface), np.uint64(row.way))
        if place < 0 or reflection(row, reflections):
            continue
        into = out[count]
        into.place = place
        into.peer_hi, into.peer_lo = device_of(row, masks)
        _copy(row, into)
        picked[count] = i
        count += 1
    return count


@kernel
def rows_of_targets(
    rows: Any,
    devices: Lookup,
    places: npt.NDArray[np.int64],
    networks: npt.NDArray[np.int64],
    masks: npt.NDArray[np.uint64],
    out: Any,
    picked: npt.NDArray[np.int64],
) -> int:
    """Write a MEMBER row for each touch with tries at one of ``devices`` (whose groups are ``places``), and one for
    each in one of ``networks``."""
    count = 0
    for i in range(rows.size):
        row = rows[i]
        if row.tries == 0:
            continue
        hi, lo = device_of(row, masks)
        at = find(devices, hi, lo, np.uint64(row.interface), np.uint64(row.way))
        network = np.int64(-1)
        if row.network < networks.shape[2]:
            network = networks[row.interface, row.way, row.network]
        for place in (places[at] if at >= 0 else np.int64(-1), network):
            if place >= 0:
                into = out[count]
                into.place = place
                into.peer_hi, into.peer_lo = row.client_hi, row.client_lo
                _copy(row, into)
                picked[count] = i
                count += 1
    return count


@inlined
def _copy(row: Any, into: Any) -> None:
    into.client_hi, into.client_lo = row.client_hi, row.client_lo
    into.server_hi, into.server_lo = row.server_hi, row.server_lo
    into.begun, into.last, into.packets, into.bytes = row.begun, row.last, row.packets, row.bytes
    into.tries, into.mirai, into.zmap, into.masscan = row.tries, row.mirai, row.zmap, row.masscan
    into.time, into.rec, into.sampling = row.time, row.rec, row.sampling
    into.rate = max(row.sampling, np.uint32(1))
    into.port, into.far_port, into.proto = row.port, row.far_port, row.proto
    into.result, into.rank = row.result, row.rank
    into.marks = np.uint8(row.marks & TOLD)
