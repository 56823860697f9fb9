"""Lists as arrays for the sweep: addresses become ranks, what rows say becomes numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import attrgetter

import numpy as np

from rearguard.filters.lines import AccessList, Match
from rearguard.filters.model import UNKNOWN_PROTOCOL, Piece, Verdict
from rearguard.filters.prove.atoms import Atom, Atoms, kind_of
from rearguard.filters.prove.rows import I64, Memo, Rows, Work
from rearguard.filters.spans import BITS, PORTS, Spans
from rearguard.model.errors import InputError

__all__ = ["Table", "memo", "memory_for", "table", "work"]

SLOTS = 1 << 18
KEPT = 1 << 22
MOST_EVENTS = 1 << 24
"""Bounds on the second axis of the rows of one strip; beyond that the lists are refused."""
MOST_ROWS = 1 << 21
"""Lines with one range of each port; beyond that the lists are refused."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, the bounds of the first axis, and how ranks are turned back into packets."""

    rows: Rows
    events: I64
    atoms: tuple[Atom, ...]
    first: tuple[int, ...]
    """The address at each rank of the first axis; the last one lies behind all addresses."""
    second: tuple[int, ...]
    by_destination: bool
    """Whether the first axis is the destination."""
    spans: int
    """Ranges on the second axis, over all rows."""


class _Ranks:
    """An axis: bounds to ranks."""

    def __init__(self, sets: Iterable[Spans | None], family: int) -> None:
        self.all: Spans = ((0, (1 << BITS[family]) - 1),)
        self.sets: dict[Spans, int] = {}
        for each in sets:
            self.sets.setdefault(self.all if each is None else each, len(self.sets))
        bounds = {0, 1 << BITS[family]}
        for spans in self.sets:
            for low, high in spans:
                bounds.add(low)
                bounds.add(high + 1)
        self.bounds = tuple(sorted(bounds))
        self.rank = {bound: at for at, bound in enumerate(self.bounds)}

    def of(self, spans: Spans | None) -> int:
        """The number of a set."""
        return self.sets[self.all if spans is None else spans]


def table(lists: Sequence[AccessList], sides: Sequence[int], *, apart: bool = False) -> Table:
    """The rows of all lists. ``apart``: rows that say the same keep numbers of their own, line by line."""
    family = lists[0].family
    entries = list(_entries(lists))
    matches = [entry[3] for entry in entries]
    atoms = Atoms.of(matches, family)
    # The axis that more lines leave open is cut last: less is active before it.
    by_destination = sum(match.destinations is None for match in matches) <= sum(
        match.sources is None for match in matches
    )
    rows_needed = sum(len(each.dports or PORTS) * len(each.sports or PORTS) for each in matches)
    if rows_needed > MOST_ROWS:
        raise InputError(
            f"the filter is too entangled to be proven: {rows_needed:,} pairs of source and destination ports",
            remedy="ask for fewer ranges of ports in one line",
        )
    names = ("destinations", "sources") if by_destination else ("sources", "destinations")
    on_first, on_second = (attrgetter(name) for name in names)
    first = _Ranks(map(on_first, matches), family)
    second = _Ranks(map(on_second, matches), family)
    cells: dict[tuple[object, ...], int] = {}
    strips: dict[tuple[int, int], int] = {}
    rows: list[tuple[int, ...]] = []
    events: list[tuple[int, int, int]] = []
    edges = {
        number: [(first.rank[low], first.rank[high + 1]) for low, high in spans]
        for spans, number in first.sets.items()
    }
    masks: list[int] = []
    for number, at, verdict, match in entries:
        drops = int(verdict is Verdict.DROP)
        mask = atoms.masks[kind_of(match)]
        axis, other = first.of(on_first(match)), second.of(on_second(match))
        for dport, sport in product(match.dports or PORTS, match.sports or PORTS):
            told = (drops, mask, dport, sport, at if apart else -1)
            cell = cells.setdefault(told, len(cells))
            strip = strips.setdefault((cell, other), len(strips))
            row = len(rows)
            rows.append((strip, cell, other, *dport, *sport, drops, number, at))
            masks.append(mask)
            for low, high in edges[axis]:
                events.append((low, 1, row))
                events.append((high, 0, row))
    columns = np.array(rows, dtype=np.int32).reshape(-1, 10)
    words = max(1, -(-len(atoms.atoms) // 64))
    split = [[mask >> 64 * word & 0xFFFF_FFFF_FFFF_FFFF for word in range(words)] for mask in masks]
    parts = [(second.rank[low], second.rank[high + 1]) for spans in second.sets for low, high in spans]
    begins = np.cumsum([0, *map(len, second.sets)], dtype=np.int64)
    bounds = np.array(parts, dtype=np.int64).reshape(-1, 2)
    made = Rows(
        strip=np.ascontiguousarray(columns[:, 0]),
        cell=np.ascontiguousarray(columns[:, 1]),
        spans=np.ascontiguousarray(columns[:, 2]),
        begins=begins,
        firsts=np.ascontiguousarray(bounds[:, 0]),
        afters=np.ascontiguousarray(bounds[:, 1]),
        dport=np.ascontiguousarray(columns[:, 3:5]),
        sport=np.ascontiguousarray(columns[:, 5:7]),
        masks=np.array(split, dtype=np.uint64).reshape(-1, words),
        drops=columns[:, 7].astype(np.uint8),
        of=columns[:, 8].astype(np.uint8),
        line=np.ascontiguousarray(columns[:, 9]),
        sides=np.array(sides, dtype=np.uint8),
        kinds=np.array([_kind(atom) for atom in atoms.atoms], dtype=np.int32),
    )
    marks = np.array(events, dtype=np.int64).reshape(-1, 3)
    marks = marks[np.lexsort((marks[:, 1], marks[:, 0]))]
    total = int((begins[1:] - begins[:-1])[columns[:, 2]].sum())
    return Table(
        made,
        marks,
        atoms.atoms,
        first.bounds,
        second.bounds,
        by_destination,
        total,
    )


def _entries(lists: Sequence[AccessList]) -> Iterator[tuple[int, int, Verdict, Match]]:
    """(list, position, verdict, box) of all lines; the default is one more line, which holds everything."""
    for number, given in enumerate(lists):
        for at, line in enumerate(given.lines):
            for match in line.matches:
                yield number, at, line.verdict, match
        yield number, len(given.lines), given.default, Match()


def _kind(atom: Atom) -> int:
    """Atoms of one kind need no witness each."""
    return 2 * tuple(Piece).index(atom.piece) + (atom.protocol == UNKNOWN_PROTOCOL)


def memory_for(given: Table) -> int:
    """Slots that are worth having for a table, a power of two."""
    return int(min(SLOTS, 1 << (16 * len(given.rows.strip) + 1024).bit_length()))


def memo(slots: int) -> Memo:
    """An empty memory; ``slots`` is a power of two."""
    return Memo(
        np.full(slots, -1, dtype=np.int32),
        np.empty(slots, dtype=np.int64),
        np.empty(slots, dtype=np.int32),
        np.empty(slots * KEPT // SLOTS, dtype=np.int32),
        np.zeros(2, dtype=np.int64),
    )


def work(given: Table) -> Work:
    """Room for a sweep over a table."""
    rows = len(given.rows.strip) + 1
    words = given.rows.masks.shape[1]

    def room(size: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.empty(size, dtype=np.int32)

    return Work(
        room(rows),
        room(rows),
        room(rows),
        room(rows),
        room(rows),
        room(rows + len(given.rows.sides) + 1),
        np.empty(min(2 * given.spans + 2, MOST_EVENTS), dtype=np.int64),
        room(2 * rows + 2),
        room(2 * rows + 2),
        room(len(given.rows.sides) + 1),
        np.zeros((len(given.rows.sides), words), dtype=np.uint64),
        np.zeros((2, words), dtype=np.uint64),
    )
