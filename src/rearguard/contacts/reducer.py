"""One worker's reduction: chunks in, partials out to where they are kept. Nothing here knows a file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rearguard.contacts.cache import FULL, SINGLES, WAYS, flush, new_cache, new_emitted
from rearguard.contacts.census import clear, count_waiting, new_pool, note_tries
from rearguard.contacts.hosts import held, new_hosts, note_hosts
from rearguard.contacts.initiations import INITIATION, note_initiations
from rearguard.contacts.lanes import Lanes, RowLanes
from rearguard.contacts.reduce import reduce_contacts
from rearguard.contacts.screen import CONTACTS, INITIATIONS, SENDERS, TRIES, new_picked, screen
from rearguard.contacts.single import SINGLE
from rearguard.contacts.spill import PartitionedSpill, Spill, by_cell, by_client
from rearguard.contacts.view import RECORD_BITS
from rearguard.model.chunk import ROWS, Chunk
from rearguard.model.fields import CENSUS, CONTACT, HOST, dtype
from rearguard.model.guard import Guard

__all__ = ["Circles", "Listener", "Partials", "Reducer", "Sizes"]

FLOW_MINUTES = 64
"""Minutes of which the census holds cells at once for flows, whose records come as they end. An assumption is that
exporters cut flows after half an hour at most; a record that began earlier costs time and changes nothing."""


@dataclass(frozen=True, slots=True)
class Circles:
    """Wider observers of flows, by the source's observer number. An exporter has as many observers as pairs of
    interfaces; what does not ask for the interfaces is counted by fewer keys."""

    ways: npt.NDArray[np.uint32]
    """The exporter and the way of its observation: for the census and the hosts."""
    speakers: npt.NDArray[np.uint32]
    """The exporter: for dialogues, whose two directions come by different interfaces."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much memory the reduction may take: rows of the caches of one worker, bytes kept before spilling.

    Small enough for a core's second-level cache, where a look-up costs a tenth of what it costs in memory: larger
    caches hold hardly more of ordinary traffic and nothing of a flood (`docs/performance.md`).
    """

    contacts: int = 8_192
    hosts: int = 4_096
    census_cells: int = 131_072
    emitted: int = 65_536
    spill: int = 24 << 20
    initiations: int = 4 << 20


class Listener(Protocol):
    """One worker's part in the dialogues: it sees every chunk that the reducer sees."""

    def feed(
        self,
        chunk: Chunk,
        place: npt.NDArray[np.uint8],
        lanes: npt.NDArray[np.uint32],
        source: np.uint64,
    ) -> None:
        """Take what is wanted; ``place`` and ``lanes`` have a value a row."""

    def finish(self) -> None:
        """Hand over what is held."""


@dataclass(slots=True)
class Partials:
    """Everything that the workers emitted, and the lanes by which to read it."""

    lanes: Lanes
    singles: PartitionedSpill
    contacts: PartitionedSpill
    census: PartitionedSpill
    hosts: Spill
    initiations: Spill

    @classmethod
    def new(cls, folder: Path, sizes: Sizes) -> Partials:
        """Nothing yet; what does not fit into memory goes to unnamed files in ``folder``."""
        return cls(
            Lanes(),
            PartitionedSpill(SINGLE, by_client, sizes.spill, folder),
            PartitionedSpill(dtype(CONTACT), by_client, sizes.spill, folder),
            PartitionedSpill(dtype(CENSUS), by_cell, sizes.spill, folder),
            Spill(dtype(HOST), sizes.spill, folder),
            Spill(INITIATION, sizes.initiations, folder),
        )

    def close(self) -> None:
        for spill in (self.singles, self.contacts, self.census, self.hosts, self.initiations):
            spill.close()


@dataclass(slots=True)
class Reducer:
    """Feed it chunks of one source at a time; :meth:`finish` hands out what the caches still hold."""

    guard: Guard
    partials: Partials
    sizes: Sizes = field(default_factory=Sizes)
    listener: Listener | None = None
    _cache: Any = None
    _out: Any = None
    _pool: Any = None
    _hosts: Any = None
    _hosts_out: Any = None
    _hosts_count: Any = None
    _place: Any = None
    _picked: Any = None
    _lanes: Any = None
    _initiations: Any = None
    _base: int = -1

    def __post_init__(self) -> None:
        if self.sizes.emitted < WAYS:
            raise ValueError(f"emitted must be {WAYS} or more: a set of the cache is handed out at once")
        self._cache = new_cache(self.sizes.contacts)
        self._out = new_emitted(self.sizes.emitted, ROWS)
        self._pool = new_pool(self.sizes.census_cells)
        self._hosts = new_hosts(self.sizes.hosts)
        self._hosts_out = np.zeros(ROWS, dtype=dtype(HOST))
        self._hosts_count = np.zeros(1, dtype=np.int64)
        self._place = np.zeros(ROWS, dtype=np.uint8)
        self._picked = new_picked(ROWS)
        self._lanes = RowLanes(ROWS)
        self._initiations = np.zeros(ROWS, dtype=INITIATION)

    def feed(
        self,
        chunk: Chunk,
        source: int,
        observers: npt.NDArray[np.uint32],
        circles: Circles | None = None,
    ) -> None:
        """Reduce one chunk. ``observers`` maps the source's observer numbers to those of the run; ``circles`` are
        given where the chunk's rows are flows.
        """
        if chunk.n == 0:
            return
        rows, known = chunk.rows, self.partials.lanes
        if self._base < 0:
            self._base = int(chunk.column("ts").min())
        screen(rows, chunk.n, self.guard, self._place, self._picked)
        pointer = np.uint64(source << RECORD_BITS)
        if circles is None:
            (lanes,) = self._lanes.assign(chunk, (observers,), known)
            ways = speakers = lanes
        else:
            maps = (observers, circles.ways, circles.speakers)
            lanes, ways, speakers = self._lanes.assign(chunk, maps, known)
        self._contacts(rows, self._list(CONTACTS), lanes, pointer)
        self._count(rows, self._list(TRIES), ways, 1 if circles is None else FLOW_MINUTES)
        self._note(rows, self._list(SENDERS), ways)
        opened = note_initiations(rows, self._list(INITIATIONS), pointer, self._initiations)
        self.partials.initiations.add(self._initiations[:opened])
        if self.listener is not None and chunk.buffer.size:
            self.listener.feed(chunk, self._place[: chunk.n], speakers, pointer)

    def finish(self) -> None:
        """Hand out all that is still held."""
        if self.listener is not None:
            self.listener.finish()
        group = 0
        while group < self._cache.line.shape[0]:
            group = flush(self._cache, self._out, group)
            self._hand_out()
        self._census_out()
        self.partials.hosts.add(held(self._hosts))
        self._hosts_spill()

    def _list(self, which: int) -> npt.NDArray[np.int32]:
        picked: npt.NDArray[np.int32] = self._picked.row[which, : self._picked.counts[which]]
        return picked

    def _contacts(
        self, rows: Any, picked: npt.NDArray[np.int32], of_row: npt.NDArray[np.uint32], source: np.uint64
    ) -> None:
        lanes, done = self.partials.lanes, 0
        while True:
            done = reduce_contacts(
                rows, picked, done, self._place, self.guard, of_row, lanes.observer, lanes.sampling,
                source, self._base, self._cache, self._out,
            )  # fmt: skip
            if done == len(picked):
                return
            self._hand_out()

    def _hand_out(self) -> None:
        count = self._out.used
        self.partials.singles.add(self._out.single[: count[SINGLES]])
        self.partials.contacts.add(self._out.full[: count[FULL]])
        count[:] = 0

    def _count(
        self, rows: Any, picked: npt.NDArray[np.int32], of_row: npt.NDArray[np.uint32], span: int
    ) -> None:
        done = 0
        while True:
            done = note_tries(rows, picked, done, self._place, of_row, self._pool, span)
            if done == len(picked):
                return
            self._census_out()

    def _census_out(self) -> None:
        """Hand out all cells, those of the tries that wait included."""
        lanes, counted = self.partials.lanes, False
        while not counted:
            counted = count_waiting(self._pool)
            cells = self._pool.cells[: self._pool.now[0]]
            numbers = cells["observer"].copy()
            cells["observer"] = lanes.observer[numbers]
            cells["sampling"] = lanes.sampling[numbers]
            self.partials.census.add(cells)
            clear(self._pool)

    def _note(self, rows: Any, picked: npt.NDArray[np.int32], of_row: npt.NDArray[np.uint32]) -> None:
        done, observer = 0, self.partials.lanes.observer
        while True:
            done = note_hosts(
                rows, picked, done, of_row, observer, self._hosts, self._hosts_out, self._hosts_count
            )
            if done == len(picked):
                return
            self._hosts_spill()

    def _hosts_spill(self) -> None:
        self.partials.hosts.add(self._hosts_out[: self._hosts_count[0]])
        self._hosts_count[0] = 0
