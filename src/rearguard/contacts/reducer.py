"""One worker's reduction: chunks in, partials out to where they are kept. Nothing here knows a file format."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rearguard.contacts.cache import FULL, SINGLES, WAYS, flush, new_cache, new_emitted
from rearguard.contacts.census import clear, count_cells, find_cells, new_pool
from rearguard.contacts.hosts import new_hosts, note_hosts
from rearguard.contacts.initiations import INITIATION, note_initiations
from rearguard.contacts.place import place_rows
from rearguard.contacts.reduce import reduce_contacts
from rearguard.contacts.single import SINGLE
from rearguard.contacts.spill import PartitionedSpill, Spill, by_cell, by_client
from rearguard.contacts.view import RECORD_BITS
from rearguard.model.chunk import ROWS, Chunk
from rearguard.model.fields import CENSUS, CONTACT, HOST, dtype
from rearguard.model.guard import Guard

__all__ = ["Circles", "Lanes", "Listener", "Partials", "Reducer", "Sizes"]

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

    contacts: int = 16_384
    hosts: int = 16_384
    census_cells: int = 131_072
    emitted: int = 65_536
    spill: int = 24 << 20
    initiations: int = 4 << 20


class Lanes:
    """Numbers for (observer, sampling) pairs, shared by all workers; a lane is part of a contact's key."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()
        self.observer = np.zeros(0, dtype=np.uint32)
        self.sampling = np.zeros(0, dtype=np.uint32)

    def number(self, observer: int, sampling: int) -> int:
        """The lane of a pair; the arrays ``observer`` and ``sampling`` know it from then on."""
        with self._lock:
            known = self._numbers.setdefault((observer, sampling), len(self._numbers))
            if known == len(self.observer):
                self.observer = np.append(self.observer, np.uint32(observer))
                self.sampling = np.append(self.sampling, np.uint32(sampling))
            return known


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
    _cells: Any = None
    _hosts: Any = None
    _hosts_out: Any = None
    _hosts_count: Any = None
    _place: Any = None
    _lanes: Any = None
    _initiations: Any = None
    _base: int = -1

    def __post_init__(self) -> None:
        if self.sizes.emitted < WAYS:
            raise ValueError(f"emitted must be {WAYS} or more: a set of the cache is handed out at once")
        self._cache = new_cache(self.sizes.contacts)
        self._out = new_emitted(self.sizes.emitted, ROWS)
        self._pool = new_pool(self.sizes.census_cells)
        self._cells = np.zeros(ROWS, dtype=np.int32)
        self._hosts = new_hosts(self.sizes.hosts)
        self._hosts_out = np.zeros(ROWS, dtype=dtype(HOST))
        self._hosts_count = np.zeros(1, dtype=np.int64)
        self._place = np.zeros(ROWS, dtype=np.uint8)
        self._lanes = np.zeros(ROWS, dtype=np.uint32)
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
        rows, n = chunk.rows, chunk.n
        if n == 0:
            return
        if self._base < 0:
            self._base = int(chunk.column("ts").min())
        self._set_lanes(chunk, observers)
        place_rows(rows, n, self.guard, self._place)
        pointer = np.uint64(source << RECORD_BITS)
        self._contacts(rows, n, pointer)
        if circles is not None:
            self._set_lanes(chunk, circles.ways)
        self._count(rows, n, 1 if circles is None else FLOW_MINUTES)
        self._note(rows, n)
        opened = note_initiations(rows, n, self._place, pointer, self._initiations)
        self.partials.initiations.add(self._initiations[:opened])
        if self.listener is not None:
            if circles is not None:
                self._set_lanes(chunk, circles.speakers)
            self.listener.feed(chunk, self._place[:n], self._lanes[:n], pointer)

    def finish(self) -> None:
        """Hand out all that is still held."""
        if self.listener is not None:
            self.listener.finish()
        group = 0
        while group < self._cache.line.shape[0]:
            group = flush(self._cache, self._out, group)
            self._hand_out()
        self._census_out()
        held = self._hosts.reshape(-1)
        self.partials.hosts.add(held[held["packets"] > 0])
        held["packets"] = 0
        self._hosts_spill()

    def _set_lanes(self, chunk: Chunk, observers: npt.NDArray[np.uint32]) -> None:
        out = self._lanes
        lanes = self.partials.lanes
        observer, sampling = chunk.column("observer"), chunk.column("sampling")
        if observer.min() == observer.max() and sampling.min() == sampling.max():
            out[: chunk.n] = lanes.number(int(observers[observer[0]]), int(sampling[0]))
            return
        if sampling.min() == sampling.max():
            rate = int(sampling[0])
            told = np.zeros(len(observers), dtype=np.uint32)
            present = np.flatnonzero(np.bincount(observer, minlength=len(observers)))
            told[present] = [lanes.number(int(observers[one]), rate) for one in present.tolist()]
            out[: chunk.n] = told[observer]
            return
        pairs = observer.astype(np.uint64) << np.uint64(32) | sampling
        found, which = np.unique(pairs, return_inverse=True)
        numbers = [lanes.number(int(observers[pair >> 32]), pair & 0xFFFF_FFFF) for pair in found.tolist()]
        out[: chunk.n] = np.array(numbers, dtype=np.uint32)[which]

    def _contacts(self, rows: Any, n: int, source: np.uint64) -> None:
        lanes, done = self.partials.lanes, 0
        while True:
            done = reduce_contacts(
                rows, done, n, self._place, self.guard, self._lanes, lanes.observer, lanes.sampling,
                source, self._base, self._cache, self._out,
            )  # fmt: skip
            if done == n:
                return
            self._hand_out()

    def _hand_out(self) -> None:
        count = self._out.used
        self.partials.singles.add(self._out.single[: count[SINGLES]])
        self.partials.contacts.add(self._out.full[: count[FULL]])
        count[:] = 0

    def _count(self, rows: Any, n: int, span: int) -> None:
        done = 0
        while done < n:
            upto = find_cells(
                rows, done, n, self._place, self._lanes, self._pool, self._cells, span, self.guard
            )
            count_cells(rows, done, upto, self.guard, self._pool, self._cells)
            if upto < n:
                self._census_out()
            done = upto

    def _census_out(self) -> None:
        lanes, cells = self.partials.lanes, self._pool.cells[: self._pool.now[0]]
        numbers = cells["observer"].copy()
        cells["observer"] = lanes.observer[numbers]
        cells["sampling"] = lanes.sampling[numbers]
        self.partials.census.add(cells)
        clear(self._pool)

    def _note(self, rows: Any, n: int) -> None:
        done, observer = 0, self.partials.lanes.observer
        while True:
            done = note_hosts(
                rows, done, n, self._place, self._lanes, observer,
                self._hosts, self._hosts_out, self._hosts_count,
            )  # fmt: skip
            if done == n:
                return
            self._hosts_spill()

    def _hosts_spill(self) -> None:
        self.partials.hosts.add(self._hosts_out[: self._hosts_count[0]])
        self._hosts_count[0] = 0
