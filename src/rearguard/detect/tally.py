"""What the touches of many groups come to, counted in one pass: the sums, ports, peers and proofs of a portrait.

A row is a touch with the place of its group. All but the peers is added up as it comes. Peers must be counted once
each, and a set of them would grow with the traffic: so a peer is closed when the next one comes, which is right as
long as the peers of a group come in ascending order. They do where the group's peers are servers, for contacts are
stored by client and then by server; and where they are clients, in the order of clients. A group whose peers came
in another order is marked as ``broken``; its peers are counted again in a second pass, sorted
(:func:`rearguard.detect.portrait.draw`). Memory depends on the number of groups alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix2
from rearguard.detect.tally_rows import (
    ANSWER,
    BARE,
    DARK,
    EXCEPTION,
    NO_RANK,
    NO_RESULT,
    PEER,
    PEERS,
    PROOF,
    SAMPLE,
    SURVEYOR,
    TOTAL,
    UNPROVEN,
    VERIFIED,
)
from rearguard.model.compiled import inlined, kernel

__all__ = ["Tally", "narrowed"]

FEW_PORTS = 8
"""Ports of a group that are held as a list; of more, a bitmap of all ports is used."""
PARTITION = np.uint64(56)
"""Clients are stored by the upper eight bits of their hash, then by address (:mod:`rearguard.contacts.slices`)."""
MOST = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

Rows = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of some groups, which are numbered from 0; ``add`` changes them."""

    totals: Rows
    peers: Rows
    sample: Rows
    """Of each group the peers that came first."""
    proofs: Rows
    few: npt.NDArray[np.uint16]
    many: npt.NDArray[np.uint8]
    """A bitmap of ports a group; of most groups never touched, so that it takes no memory."""

    @classmethod
    def of(cls, groups: int, sample: int, proofs: int) -> Tally:
        """Nothing yet; at most so many peers and proofs are kept of each group."""
        totals = np.zeros(groups, TOTAL)
        totals["first"], totals["last"] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        totals["sampling_low"], totals["proto"] = 0xFFFF_FFFF, 0xFF
        return cls(
            totals,
            np.zeros(groups, PEERS),
            np.zeros((groups, sample), SAMPLE),
            np.zeros((groups, proofs), PROOF),
            np.zeros((groups, FEW_PORTS), np.uint16),
            np.zeros((groups, 8192), np.uint8),
        )

    def add(self, rows: Rows, *, hashed: bool = False) -> Rows:
        """Count rows of MEMBER; what tells their peers, for when it must be given again. ``hashed``: peers come by
        partition and then by address, as clients do."""
        _add(rows, self.totals, self.proofs, self.few, self.many)
        told = narrowed(rows)
        _add_peers(told, hashed, self.peers, self.sample)
        return told

    def close(self) -> npt.NDArray[np.int64]:
        """Count the last peer of each group too; the groups whose peers must be given again, in order."""
        _close(self.peers, self.sample)
        return np.flatnonzero(self.peers["broken"])

    def again(self, rows: Rows) -> None:
        """Rows of PEER of broken groups, sorted by group, ``peer_hi`` and ``peer_lo``; all, in pieces."""
        _add_peers(rows, False, self.peers, self.sample)

    def forget(self, groups: npt.NDArray[np.int64]) -> None:
        """Begin the peers of these groups anew."""
        self.peers[groups] = np.zeros((), PEERS)

    def ports(self, group: int) -> tuple[int, ...]:
        """The distinct ports of a group, ascending."""
        held = int(self.totals["few"][group])
        if held <= FEW_PORTS:
            return tuple(sorted(self.few[group, :held].tolist()))
        found: list[int] = np.flatnonzero(np.unpackbits(self.many[group], bitorder="little")).tolist()
        return tuple(found)


def narrowed(rows: Rows) -> Rows:
    """Rows of MEMBER as rows of PEER. Rows in turn of one peer become one: a source's contacts lie side by side."""
    made = np.empty(len(rows), PEER)
    return made[: _join_runs(rows, made)].copy()


@inlined
def _more(total: Any, part: Any) -> Any:
    """The sum, or the largest number where a forged counter would make it wrap."""
    return total + part if part <= MOST - total else MOST


@kernel
def _add(rows: Any, totals: Any, proofs: Any, few: Any, many: Any) -> None:
    for i in range(rows.size):
        row = rows[i]
        total = totals[row.place]
        total.contacts += np.uint64(1)
        total.packets = _more(total.packets, row.packets)
        total.bytes = _more(total.bytes, row.bytes)
        total.tries = _more(total.tries, row.tries)
        total.mirai = _more(total.mirai, row.mirai)
        total.zmap = _more(total.zmap, row.zmap)
        total.masscan = _more(total.masscan, row.masscan)
        total.first = min(total.first, row.begun)
        total.last = max(total.last, row.last)
        if row.result != NO_RESULT:
            total.results[row.result] += np.uint64(1)
        total.sampling_low = min(total.sampling_low, row.sampling)
        total.sampling_high = max(total.sampling_high, row.sampling)
        total.proto = min(total.proto, row.proto)
        if row.marks & VERIFIED:
            total.verified = np.uint8(1)
        total.bare += np.uint64(row.marks & BARE != 0)
        total.unproven += np.uint64(row.marks & UNPROVEN != 0)
        total.surveyors += np.uint64(row.marks & SURVEYOR != 0)
        total.exceptions += np.uint64(row.marks & EXCEPTION != 0)
        _note_port(row.port, row.place, total, few, many)
        if row.rank != NO_RANK:
            _note_proof(row, total, proofs)


@inlined
def _note_port(port: Any, place: Any, total: Any, few: Any, many: Any) -> None:
    held = total.few
    if held <= FEW_PORTS:
        for k in range(held):
            if few[place, k] == port:
                return
        if held < FEW_PORTS:
            few[place, held] = port
            total.few = np.uint32(held + 1)
            return
        for k in range(held):
            many[place, few[place, k] >> 3] |= np.uint8(1 << (few[place, k] & 7))
        total.few = np.uint32(FEW_PORTS + 1)
    many[place, port >> 3] |= np.uint8(1 << (port & 7))


@inlined
def _proves_more(row: Any, plain: Any, other: Any) -> Any:
    """The stronger rank, then a tool's mark, then the earlier."""
    if row.rank != other.rank:
        return row.rank < other.rank
    if plain != other.plain:
        return plain < other.plain
    if row.time != other.time:
        return row.time < other.time
    return row.rec < other.rec


@inlined
def _note_proof(row: Any, total: Any, proofs: Any) -> None:
    place, held, most = row.place, np.int64(total.proofs), proofs.shape[1]
    plain = np.uint8(row.mirai == 0)
    if held == most and not _proves_more(row, plain, proofs[place, most - 1]):
        return
    at = min(held, most - 1)
    while at > 0 and _proves_more(row, plain, proofs[place, at - 1]):
        proofs[place, at] = proofs[place, at - 1]
        at -= 1
    into = proofs[place, at]
    into.client_hi, into.client_lo = row.client_hi, row.client_lo
    into.server_hi, into.server_lo = row.server_hi, row.server_lo
    into.time, into.rec, into.port, into.far_port = row.time, row.rec, row.port, row.far_port
    into.proto, into.rank, into.plain = row.proto, row.rank, plain
    into.mirai = np.uint8(row.tries > 0 and row.mirai == row.tries)
    into.answer = np.uint8(row.marks & ANSWER != 0)
    total.proofs = np.uint32(min(held + 1, most))


@kernel
def _join_runs(rows: Any, made: Any) -> int:
    """Make one row of each run of rows with the same group and peer; how many they are."""
    count = 0
    for i in range(rows.size):
        row, last = rows[i], made[max(0, count - 1)]
        if (
            count > 0
            and row.place == last.place
            and row.peer_hi == last.peer_hi
            and row.peer_lo == last.peer_lo
        ):
            last.begun = min(last.begun, row.begun)
            last.packets = _more(last.packets, row.packets)
            last.rate = max(last.rate, row.rate)
            last.marks |= row.marks
        else:
            into = made[count]
            into.place, into.peer_hi, into.peer_lo = row.place, row.peer_hi, row.peer_lo
            into.begun, into.packets = row.begun, row.packets
            into.rate, into.marks = row.rate, row.marks
            count += 1
    return count


@kernel
def _add_peers(rows: Any, hashed: bool, peers: Any, sample: Any) -> None:
    for i in range(rows.size):
        row = rows[i]
        into = peers[row.place]
        if into.broken:
            continue
        dark = np.uint8(row.marks & DARK != 0)
        if into.open and row.peer_hi == into.hi and row.peer_lo == into.lo:
            into.begun = min(into.begun, row.begun)
            into.heard = _more(into.heard, row.packets)
            into.rate = max(into.rate, row.rate)
            into.is_dark |= dark
            continue
        if into.open:
            if _goes_back(row, into, hashed):
                into.broken = np.uint8(1)
                continue
            _count_peer(into, row.place, sample)
        into.open = np.uint8(1)
        into.hi, into.lo, into.begun, into.heard = row.peer_hi, row.peer_lo, row.begun, row.packets
        into.rate, into.is_dark = row.rate, dark


@inlined
def _goes_back(row: Any, into: Any, hashed: bool) -> Any:
    """Whether the row's peer belongs before the open one, so that it may have been counted."""
    if hashed:
        was = mix2(into.hi, into.lo) >> PARTITION
        now = mix2(row.peer_hi, row.peer_lo) >> PARTITION
        if was != now:
            return now < was
    return row.peer_hi < into.hi or (row.peer_hi == into.hi and row.peer_lo < into.lo)


@inlined
def _count_peer(into: Any, place: Any, sample: Any) -> None:
    """Of the peers that were sampled once there are many more; one that was sampled again is itself."""
    rate = 1.0 if into.heard > 1 else float(into.rate)
    into.peers += np.uint64(1)
    into.weight += rate
    into.weight2 += rate * rate
    into.dark += np.uint64(into.is_dark)
    held, most = np.int64(into.sampled), sample.shape[1]
    if held == most and not _came_first(into, sample[place, most - 1]):
        return
    at = min(held, most - 1)
    while at > 0 and _came_first(into, sample[place, at - 1]):
        sample[place, at] = sample[place, at - 1]
        at -= 1
    one = sample[place, at]
    one.begun, one.hi, one.lo = into.begun, into.hi, into.lo
    into.sampled = np.uint32(min(held + 1, most))


@inlined
def _came_first(one: Any, other: Any) -> Any:
    if one.begun != other.begun:
        return one.begun < other.begun
    if one.hi != other.hi:
        return one.hi < other.hi
    return one.lo < other.lo


@kernel
def _close(peers: Any, sample: Any) -> None:
    for place in range(peers.size):
        into = peers[place]
        if into.open and not into.broken:
            _count_peer(into, place, sample)
            into.open = np.uint8(0)
