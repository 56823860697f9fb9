"""Exact equality of first-match lists, with a packet for each way in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import numpy as np

from rearguard.filters.lines import AccessList
from rearguard.filters.model import Packet
from rearguard.filters.prove.kernel import FULL, sweep
from rearguard.filters.prove.table import Table, memo, memory_for, table, work
from rearguard.filters.spans import address_of
from rearguard.model.address import Address
from rearguard.model.errors import InputError

__all__ = ["Compared", "compare", "unneeded"]

MOST = 4096
"""Cells that differ and are told; beyond that the comparison stops."""

_NICE = {
    4: tuple(map(ip_address, ("203.0.113.7", "198.51.100.66", "192.0.2.66", "8.8.8.8"))),
    6: tuple(map(ip_address, ("2001:db8:ffff::7", "2001:db8:7::7", "2001:4860:4860::8888"))),
}
"""Addresses that a reader takes for a stranger's, where any will do."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Packets that are judged differently, one for each combination of deciding lines and kind of packet."""

    witnesses: tuple[Packet, ...]
    complete: bool
    """Whether all of the lists were compared; else there are more witnesses than could be kept."""

    @property
    def equal(self) -> bool:
        """Whether no packet is judged differently."""
        return self.complete and not self.witnesses


def compare(one: AccessList | Sequence[AccessList], other: AccessList) -> Compared:
    """Compare two lists of one family, or what any of several lists drops with what one list drops.

    ``InputError``: the lists are so entangled that comparing them would need more memory than is allowed.
    """
    wanted = [one] if isinstance(one, AccessList) else list(one)
    given = table([*wanted, other], [0] * len(wanted) + [1])
    found, cells = _swept(given, np.empty(0, dtype=np.uint8))
    packets = tuple(dict.fromkeys(_packets(given, cells, other)))
    return Compared(packets, found != FULL)


def unneeded(given: AccessList) -> tuple[int, ...]:
    """Positions of lines that can each be taken out without changing what the list does."""
    needed = np.zeros(len(given.lines) + 1, dtype=np.uint8)
    _swept(table([given], [0], apart=True), needed)
    return tuple(at for at in range(len(given.lines)) if not needed[at])


def _swept(given: Table, needed: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> tuple[int, list[list[int]]]:
    room = work(given)
    slots = memory_for(given)
    out = np.full((MOST, 5), -1, dtype=np.int64)
    found = sweep(
        given.rows,
        given.events,
        room,
        memo(slots),
        memo(slots),
        memo(4 * MOST),
        np.zeros(given.rows.masks.shape[1], dtype=np.uint64),
        needed,
        np.zeros(2, dtype=np.int64),
        out,
    )
    if found == FULL and (out[-1] < 0).any():
        raise InputError(
            "the filter is too entangled to be proven: one destination has millions of ranges of sources",
            remedy="aggregate its prefixes",
        )
    return found, [row for row in out.tolist() if row[0] >= 0]


def _packets(given: Table, cells: list[list[int]], like: AccessList) -> Iterator[Packet]:
    for first, second, dport, sport, number in cells:
        ends = [_address(given.first, first, like.family), _address(given.second, second, like.family)]
        if given.by_destination:
            ends.reverse()
        atom = given.atoms[number]
        yield Packet(like.attachment, ends[0], ends[1], atom.protocol, atom.piece, sport, dport, atom.flags)


def _address(bounds: tuple[int, ...], at: int, family: int) -> Address:
    """An address in a strip, one that reads well if there is one."""
    low, high = bounds[at], bounds[at + 1] - 1
    for nice in _NICE[family]:
        if low <= int(nice) <= high:
            return nice
    return address_of(low + min(high - low, 1) if low == 0 else low, family)
