"""Lists as arrays for the sweep: addresses become ranks, what rows say becomes numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rearguard.filters.lines import AccessList, Line, Match
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
_ALL = Match()
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
    """An axis: sets of addresses become numbers, and when all are known bounds become ranks."""

    def __init__(self, family: int) -> None:
        self.all: Spans = ((0, (1 << BITS[family]) - 1),)
        self.sets: dict[Spans, int] = {}
        self.known: dict[int, int] = {}
        """By identity, which is asked first: lines share most of their sets."""
        self.bounds: tuple[int, ...] = ()

    def of(self, spans: Spans | None) -> int:
        """The number of a set."""
        found = self.sets.setdefault(self.all if spans is None else spans, len(self.sets))
        self.known[id(spans)] = found
        return found

    def finish(self) -> None:
        """All sets are known."""
        bounds = {0, self.all[0][1] + 1}
        for spans in self.sets:
            for low, high in spans:
                bounds.add(low)
                bounds.add(high + 1)
        self.bounds = tuple(sorted(bounds))

    def ranges(self) -> tuple[I64, I64]:
        """Where the ranges of each set begin among all of them, and from which rank to which each one goes."""
        begins = np.cumsum([0, *map(len, self.sets)], dtype=np.int64)
        rank = {bound: at for at, bound in enumerate(self.bounds)}
        parts = [(rank[low], rank[high + 1]) for spans in self.sets for low, high in spans]
        return begins, np.array(parts, dtype=np.int64).reshape(-1, 2)

    def events(self, sets: I64) -> I64:
        """(rank, 1 if it begins, row) of each range of each row's set, by rank, ends before beginnings."""
        begins, bounds = self.ranges()
        counts = begins[sets + 1] - begins[sets]
        row = np.repeat(np.arange(len(sets)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts = bounds[np.repeat(begins[sets], counts) + within]
        one = np.ones(len(row), dtype=np.int64)
        marks = np.concatenate(
            (np.stack((parts[:, 0], one, row), axis=1), np.stack((parts[:, 1], 0 * one, row), axis=1))
        )
        # Equal keys stay in the order of their rows.
        return marks[np.lexsort((marks[:, 2], marks[:, 1], marks[:, 0]))]


class _Shapes:
    """What boxes ask beside addresses: protocol, piece, flags and ports."""

    def __init__(self) -> None:
        self.kept: list[Match] = []
        """One box for each."""
        self._known: dict[tuple[int, ...], int] = {}
        self._equal: dict[tuple[object, ...], int] = {}

    def of(self, match: Match) -> int:
        """The number of a shape. Most lines share the parts of theirs, so it is known by their identity first."""
        key = id(match.protocols), id(match.pieces), id(match.flags), id(match.dports), id(match.sports)
        found = self._known.get(key)
        if found is None:
            parts = match.protocols, match.pieces, match.flags, match.dports, match.sports
            found = self._known[key] = self._equal.setdefault(parts, len(self.kept))
            if found == len(self.kept):
                self.kept.append(match)
        return found

    def sizes(self) -> I64:
        """Pairs of one range of each port, by shape."""
        sizes = [len(each.dports or PORTS) * len(each.sports or PORTS) for each in self.kept]
        return np.array(sizes, dtype=np.int64)

    def pairs(self, atoms: Atoms) -> tuple[I64, I64]:
        """(number, dport, sport) of all pairs, one shape after the other; and the kind of each shape.

        What holds the same atoms and ports has the same number.
        """
        kinds = {kind: at for at, kind in enumerate(atoms.masks)}
        numbers: dict[tuple[int, ...], int] = {}
        rows = []
        for each in self.kept:
            mask = atoms.masks[kind_of(each)]
            for dport, sport in product(each.dports or PORTS, each.sports or PORTS):
                number = numbers.setdefault((mask, *dport, *sport), len(numbers))
                rows.append((number, *dport, *sport))
        kind = np.array([kinds[kind_of(each)] for each in self.kept], dtype=np.int64)
        return np.array(rows, dtype=np.int64).reshape(-1, 5), kind


def table(lists: Sequence[AccessList], sides: Sequence[int], *, apart: bool = False) -> Table:
    """The rows of all lists; the last line of each holds everything.

    ``apart``: rows that say the same keep numbers of their own, line by line.
    """
    family = lists[0].family
    shapes, sources, destinations = _Shapes(), _Ranks(family), _Ranks(family)
    # Plain numbers and not tuples, in one list: of a million tuples the memory is looked over again and again.
    flat: list[int] = []
    begun = 0
    for number, given in enumerate(lists):
        end = Line((_ALL,), given.default, 0, "")
        for at, line in enumerate((*given.lines, end)):
            drops = line.verdict is Verdict.DROP
            for match in line.matches:
                source = sources.known.get(id(match.sources))
                if source is None:
                    source = sources.of(match.sources)
                destination = destinations.known.get(id(match.destinations))
                if destination is None:
                    destination = destinations.of(match.destinations)
                flat += (shapes.of(match), source, destination, drops, number, at, begun + at)
        begun += len(given.lines) + 1
    boxes = np.array(flat, dtype=np.int64).reshape(-1, 7)
    sizes = shapes.sizes()
    counts = sizes[boxes[:, 0]]
    if counts.sum() > MOST_ROWS:
        raise InputError(
            f"the filter is too entangled to be proven: {counts.sum():,} pairs of source and destination ports",
            remedy="ask for fewer ranges of ports in one line",
        )
    # The axis that more lines leave open is cut last: less is active before it.
    everywhere = [
        int((boxes[:, 1 + at] == each.of(None)).sum()) for at, each in enumerate((sources, destinations))
    ]
    by_destination = everywhere[1] <= everywhere[0]
    first, second = (destinations, sources) if by_destination else (sources, destinations)
    first.finish()
    second.finish()
    atoms = Atoms.of(shapes.kept, family)
    pairs, kinds = shapes.pairs(atoms)
    rows = boxes[np.repeat(np.arange(len(boxes)), counts)]
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    told = pairs[(np.cumsum(sizes) - sizes)[rows[:, 0]] + within]
    axis, other = (rows[:, 2], rows[:, 1]) if by_destination else (rows[:, 1], rows[:, 2])
    said = told[:, 0] << 1 | rows[:, 3]
    cell = _numbered(rows[:, 6] * (2 * len(pairs)) + said if apart else said)
    words = max(1, -(-len(atoms.atoms) // 64))
    split = [
        [mask >> 64 * word & 0xFFFF_FFFF_FFFF_FFFF for word in range(words)] for mask in atoms.masks.values()
    ]
    begins, bounds = second.ranges()
    made = Rows(
        strip=_numbered(cell * len(second.sets) + other).astype(np.int32),
        cell=cell.astype(np.int32),
        spans=other.astype(np.int32),
        begins=begins,
        firsts=np.ascontiguousarray(bounds[:, 0]),
        afters=np.ascontiguousarray(bounds[:, 1]),
        dport=told[:, 1:3].astype(np.int32, order="C"),
        sport=told[:, 3:5].astype(np.int32, order="C"),
        masks=np.array(split, dtype=np.uint64).reshape(-1, words)[kinds[rows[:, 0]]],
        drops=rows[:, 3].astype(np.uint8),
        of=rows[:, 4].astype(np.uint8),
        line=rows[:, 5].astype(np.int32),
        sides=np.array(sides, dtype=np.uint8),
        kinds=np.array([_kind(atom) for atom in atoms.atoms], dtype=np.int32),
    )
    total = int((begins[1:] - begins[:-1])[other].sum())
    return Table(made, first.events(axis), atoms.atoms, first.bounds, second.bounds, by_destination, total)


def _numbered(keys: I64) -> I64:
    """The same keys as numbers from nought, in the order in which they first come."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


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
