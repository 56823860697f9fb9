"""How many different clients and servers groups of contacts have: exactly, in any order, in bounded memory.

A set of addresses costs a look at distant memory for each contact, and a database more. Addresses that are attacked
lie close together, so what is kept here is a block of 64 of them for each group, with a bit for each: an access
network fits into a core's cache. When too many blocks are known they go to the database, which can use the disk,
and are put together there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.arrow import to_arrow
from rearguard.contacts.mix import mix5
from rearguard.model.compiled import inlined, kernel

if TYPE_CHECKING:
    import duckdb

__all__ = ["Different", "different"]

FEW = 8_192
"""Contacts up to which a set of Python's counts: to load a kernel would take longer."""
LEAST, MOST = 1 << 14, 1 << 18
"""Entries of the table, of 32 bytes, half of which are used: at first, and when blocks go to the database."""
BATCH = 65_536

HI, BLOCK, GROUP, BITS = range(4)
"""The words of an entry: what is above the lowest six bits of an address, the group, and which of the 64 were seen.
An entry without bits is empty."""

_NONE = np.uint64(0)
_4, _6 = np.uint64(4), np.uint64(6)

_COLUMNS = "client_hi, client_lo, server_hi, server_lo"
_TOGETHER_SQL = """
SELECT entry, sum(bit_count(bits))::BIGINT
FROM (SELECT entry, bit_or(bits) AS bits FROM different_blocks GROUP BY entry, hi, block)
GROUP BY entry
"""

Numbers = npt.NDArray[Any]


class Different:
    """``add`` contacts, then ask for the ``counts``. ``con`` is used where there are too many for the memory."""

    def __init__(self, groups: int, con: duckdb.DuckDBPyConnection) -> None:
        self._groups = groups
        self._con = con
        self._own: duckdb.DuckDBPyConnection | None = None  # for con may be in the middle of an answer
        self._held: list[tuple[Numbers, ...]] = []
        self._rows = 0  # held
        self._table = np.zeros((0, 4), np.uint64)
        self._used = np.zeros(1, np.int64)

    def add(
        self, group: Numbers, client_hi: Numbers, client_lo: Numbers, server_hi: Numbers, server_lo: Numbers
    ) -> None:
        """The group of each contact, and both halves of its ends, as uint64; arrays that stay as they are."""
        if not len(self._table):
            self._held.append((group, client_hi, client_lo, server_hi, server_lo))
            self._rows += len(group)
            if self._rows <= FEW:
                return
            self._table = np.zeros((LEAST, 4), np.uint64)
            for rows in self._held:
                self.add(*rows)
            self._held.clear()
            return
        start = 0
        while start < len(group):
            start = note(group, client_hi, client_lo, server_hi, server_lo, start, self._table, self._used)
            if start < len(group):
                self._make_room()

    def counts(self) -> list[tuple[int, int]]:
        """Of each group the clients and the servers. Ends the counting."""
        found = np.zeros(2 * self._groups, np.int64)
        if self._own is not None:
            self._pour()
            for entry, number in self._own.execute(_TOGETHER_SQL).fetchall():
                found[entry] = number
            self._own.execute("DROP TABLE different_blocks")
            self._own.close()
        elif len(self._table):
            total(self._table, found)
        else:
            for entry, *_ in {*self._addresses()}:
                found[entry] += 1
        return [(clients, servers) for clients, servers in found.reshape(-1, 2).tolist()]

    def _addresses(self) -> Any:
        for group, client_hi, client_lo, server_hi, server_lo in self._held:
            numbers = group.tolist()
            yield from zip((2 * n for n in numbers), client_hi.tolist(), client_lo.tolist(), strict=True)
            yield from zip((2 * n + 1 for n in numbers), server_hi.tolist(), server_lo.tolist(), strict=True)

    def _make_room(self) -> None:
        if len(self._table) < MOST:
            larger = np.zeros((2 * len(self._table), 4), np.uint64)
            move(self._table, larger)
            self._table = larger
            return
        self._pour()

    def _pour(self) -> None:
        if self._own is None:
            self._own = self._con.cursor()
            self._own.execute(
                "CREATE TABLE different_blocks (hi UBIGINT, block UBIGINT, entry UBIGINT, bits UBIGINT)"
            )
        rows = self._table[self._table[:, BITS] != 0]
        columns = {"hi": HI, "block": BLOCK, "entry": GROUP, "bits": BITS}
        self._own.register("given", to_arrow({name: rows[:, place] for name, place in columns.items()}))
        self._own.execute("INSERT INTO different_blocks BY NAME FROM given")
        self._own.unregister("given")
        self._table[:] = 0
        self._used[0] = 0


def different(con: duckdb.DuckDBPyConnection, groups: int, number: str, rows: str) -> list[tuple[int, int]]:
    """Of each group the different clients and servers. ``number`` is SQL for the group of a contact, from 0, and
    ``rows`` for what comes after FROM; nothing is NULL."""
    counting = Different(groups, con)
    sql = f"SELECT ({number})::USMALLINT AS number, {_COLUMNS} FROM {rows}"
    for batch in con.sql(sql).to_arrow_reader(BATCH):
        counting.add(*(column.to_numpy() for column in batch.columns))
    return counting.counts()


@kernel
def note(
    group: Any,
    client_hi: Any,
    client_lo: Any,
    server_hi: Any,
    server_lo: Any,
    start: int,
    table: Any,
    used: Any,
) -> int:
    """Note both ends of the contacts from ``start`` on. The first that was not taken, because the table was half
    full; ``used[0]`` counts entries."""
    most = table.shape[0] // 2 - 2
    for i in range(start, group.size):
        if used[0] > most:
            return int(i)
        entry = np.uint64(group[i]) << np.uint64(1)
        if (
            i == start
            or client_lo[i] != client_lo[i - 1]
            or client_hi[i] != client_hi[i - 1]
            or group[i] != group[i - 1]
        ):
            used[0] += _put(table, client_hi[i], client_lo[i] >> _6, entry, _bit(client_lo[i]))
        used[0] += _put(table, server_hi[i], server_lo[i] >> _6, entry | np.uint64(1), _bit(server_lo[i]))
    return int(group.size)


@kernel
def move(table: Any, larger: Any) -> None:
    """Put all entries into a larger table, which is empty."""
    for k in range(table.shape[0]):
        if table[k, BITS] != 0:
            _put(larger, table[k, HI], table[k, BLOCK], table[k, GROUP], table[k, BITS])


@kernel
def total(table: Any, counts: Any) -> None:
    """Add the addresses of each group to its count."""
    for k in range(table.shape[0]):
        bits = table[k, BITS]
        while bits != 0:
            bits &= bits - np.uint64(1)
            counts[table[k, GROUP]] += 1


@inlined
def _bit(lo: np.uint64) -> np.uint64:
    return np.uint64(1) << (lo & np.uint64(63))


@inlined
def _put(table: Any, hi: np.uint64, block: np.uint64, group: np.uint64, bits: np.uint64) -> int:
    """Add the bits to their entry; 1 where it is new. Blocks that are next to one another have entries that are."""
    last = np.uint64(table.shape[0] - 1)
    at = (mix5(hi, block >> _4, group, _NONE, _NONE) + (block & np.uint64(15))) & last
    while table[at, BITS] != 0:
        if table[at, BLOCK] == block and table[at, HI] == hi and table[at, GROUP] == group:
            table[at, BITS] |= bits
            return 0
        at = (at + np.uint64(1)) & last
    table[at, HI], table[at, BLOCK], table[at, GROUP], table[at, BITS] = hi, block, group, bits
    return 1
