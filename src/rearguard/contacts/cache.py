"""The contact cache: fixed size, set-associative, and it loses nothing: what it evicts it emits as a partial.

Theory of operation. A set has eight ways. One 64-byte line holds the ways' tags and ages, so a look-up costs
one line, and one more for the key of the way that matches. A way is in one of three states:

    state    tag word          holds
    empty    0                 nothing
    single   used | hash       one packet from the client (rows.single)
    full     used|full | hash  any number of packets (rows.full; the key stays in rows.single)

    event                     single            full              not there
    packet of the contact     becomes full      counts it         the victim is emitted, the way is filled
    flush                     emitted           emitted           -

The victim is an empty way, else the oldest way whose server never answered, else the oldest. Answered
contacts therefore survive a flood of unanswered ones.

While nearly every look-up misses (spoofed sources, a sweep), keeping singles is of no use: a new one is then
emitted at once and takes no way (PASSED_BY); seven of eight are not even looked up. Whether that happens changes
how many partials there are, and nothing that is made of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.contacts.single import NEVER_FIRST, NEVER_LAST, NO_PROOF, NO_RECORD, SINGLE
from rearguard.model.compiled import inlined, kernel
from rearguard.model.fields import CONTACT, dtype

__all__ = [
    "FULL",
    "PASSED_BY",
    "SINGLES",
    "WAYS",
    "Cache",
    "Emitted",
    "flush",
    "locate",
    "new_cache",
    "new_emitted",
]

WAYS = 8
SINGLES = 0
FULL = 1
PASSED_BY = -(1 << 62)

_EPOCH = 8192  # look-ups after which it is decided anew whether singles pass by
_USELESS = 7 * _EPOCH // 8  # misses in an epoch from which they do

_UNSEEN = 7  # of eight singles that pass by, those that are not even looked up

_USED = np.uint32(1 << 31)
_IS_FULL = np.uint32(1 << 30)
_HASH = np.uint32((1 << 30) - 1)
_ANSWERED = np.uint32(1 << 31)
_AGE_SHIFT = 27  # ages count 2^27 ns = 0.134 s
_AGE_MAX = (1 << 31) - 1


class Cache(NamedTuple):
    """``line`` uint32[sets, 16]: eight tags, eight ages; ``single`` and ``full``: a row a way.

    ``epoch`` is (look-ups, misses, whether singles pass by, how many did).
    """

    line: npt.NDArray[np.uint32]
    single: npt.NDArray[Any]
    full: npt.NDArray[Any]
    epoch: npt.NDArray[np.int64]


class Emitted(NamedTuple):
    """Where evicted rows go; ``used[SINGLES]`` and ``used[FULL]`` of them are there."""

    single: npt.NDArray[Any]
    full: npt.NDArray[Any]
    used: npt.NDArray[np.int64]


def new_cache(rows: int) -> Cache:
    """An empty cache of ``rows`` contacts (a power of two, 8 or more)."""
    if rows < WAYS or rows & (rows - 1):
        raise ValueError("a cache has a power of two of rows, 8 or more")
    return Cache(
        _line_aligned(rows // WAYS, np.dtype(np.uint32), 2 * WAYS),
        _line_aligned(rows, SINGLE, 1)[:, 0],
        np.zeros(rows, dtype=dtype(CONTACT)),
        np.zeros(4, dtype=np.int64),
    )


def new_emitted(singles: int, full: int) -> Emitted:
    """Empty output of the given capacities."""
    return Emitted(
        np.zeros(singles, dtype=SINGLE), np.zeros(full, dtype=dtype(CONTACT)), np.zeros(2, dtype=np.int64)
    )


def _line_aligned(rows: int, kind: np.dtype[Any], columns: int) -> npt.NDArray[Any]:
    """Zeroed (rows, columns) that begins on a 64-byte boundary, so that a set's line is one cache line."""
    size = rows * columns * kind.itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(kind).reshape(rows, columns)


@inlined
def age_of(ts: int, base: int) -> np.uint32:
    """A time as an age word, larger is younger; what lies before ``base`` is as old as it gets."""
    age = (ts - base) >> _AGE_SHIFT
    return np.uint32(min(max(age, 0), _AGE_MAX))


@inlined
def emit(cache: Cache, out: Emitted, group: int, way: int) -> None:
    """Hand one way's row out and leave the way empty. The caller has made sure that there is room."""
    slot = group * WAYS + way
    if cache.line[group, way] & _IS_FULL:
        out.full[out.used[FULL]] = cache.full[slot]
        out.used[FULL] += 1
    else:
        out.single[out.used[SINGLES]] = cache.single[slot]
        out.used[SINGLES] += 1
    cache.line[group, way] = np.uint32(0)


@inlined
def locate(
    cache: Cache,
    out: Emitted,
    client_hi: np.uint64,
    client_lo: np.uint64,
    server_hi: np.uint64,
    server_lo: np.uint64,
    port: int,
    proto: int,
    lane: int,
    age: np.uint32,
    from_server: bool,
    single: bool,
) -> int:
    """The slot of a contact. Not there: a way is made free and ``-1 - slot`` is returned, its key unset.

    ``single`` and of no use to keep: PASSED_BY, and nothing was changed.
    """
    if single and cache.epoch[2] != 0:
        cache.epoch[3] += 1
        if cache.epoch[3] & _UNSEEN != 0:
            return PASSED_BY
    cache.epoch[0] += 1
    if cache.epoch[0] == _EPOCH:
        cache.epoch[2] = 1 if cache.epoch[1] >= _USELESS else 0
        cache.epoch[0] = cache.epoch[1] = 0
    word = np.uint64(port) | np.uint64(proto) << np.uint64(16) | np.uint64(lane) << np.uint64(24)
    h = mix5(client_hi, client_lo, server_hi, server_lo, word)
    group = int(h & np.uint64(cache.line.shape[0] - 1))
    tag = np.uint32(h >> np.uint64(34)) & _HASH
    for way in range(WAYS):
        if cache.line[group, way] & (_USED | _HASH) != _USED | tag:
            continue
        row = cache.single[group * WAYS + way]
        if (
            row.client_lo == client_lo
            and row.server_lo == server_lo
            and row.client_hi == client_hi
            and row.server_hi == server_hi
            and row.port == port
            and row.proto == proto
            and row.lane == lane
        ):
            last = cache.line[group, WAYS + way]
            answered = _ANSWERED if from_server else last & _ANSWERED
            cache.line[group, WAYS + way] = max(last & ~_ANSWERED, age) | answered
            return group * WAYS + way
    cache.epoch[1] += 1
    if single and cache.epoch[2] != 0:
        return PASSED_BY
    victim = 0
    worst = np.uint32(0xFFFF_FFFF)
    for way in range(WAYS):
        if cache.line[group, way] == 0:
            victim = way
            break
        if cache.line[group, WAYS + way] < worst:
            victim, worst = way, cache.line[group, WAYS + way]
    if cache.line[group, victim] != 0:
        emit(cache, out, group, victim)
    cache.line[group, victim] = _USED | tag
    cache.line[group, WAYS + victim] = age | (_ANSWERED if from_server else np.uint32(0))
    return -1 - (group * WAYS + victim)


@inlined
def is_full(cache: Cache, slot: int) -> bool:
    """Whether the way holds a full row."""
    return bool(cache.line[slot // WAYS, slot % WAYS] & _IS_FULL != 0)


@inlined
def make_full(cache: Cache, slot: int, observer: int, sampling: int) -> None:
    """Turn a way into a full row that has its key and nothing else."""
    cache.line[slot // WAYS, slot % WAYS] |= _IS_FULL
    one = cache.single[slot]
    row = cache.full[slot]
    row.client_hi, row.client_lo = one.client_hi, one.client_lo
    row.server_hi, row.server_lo = one.server_hi, one.server_lo
    row.port, row.proto = one.port, one.proto
    row.observer, row.sampling = observer, sampling
    row.packets_c = row.packets_s = 0
    row.bytes_c = row.bytes_s = 0
    row.payload_c = row.payload_s = 0
    row.first_c = row.first_s = NEVER_FIRST
    row.last_c = row.last_s = NEVER_LAST
    row.proof_rank_c = row.proof_rank_s = NO_PROOF
    row.proof_time_c = row.proof_time_s = NEVER_FIRST
    row.proof_rec_c = row.proof_rec_s = NO_RECORD
    row.proof_port_c = row.proof_port_s = 0
    row.load_time_c = row.load_time_s = NEVER_FIRST
    row.load_rec_c = row.load_rec_s = NO_RECORD
    row.load_port_c = row.load_port_s = 0
    row.flags_c = row.flags_s = 0
    row.seen_c = row.seen_s = 0
    row.role = 0
    row.known = 0xFFFF_FFFF
    row.tries = 0
    row.sessions = 0
    row.unacked = 0
    row.no_options = 0
    row.fp_mirai = row.fp_zmap = row.fp_masscan = 0


@kernel
def flush(cache: Cache, out: Emitted, start: int) -> int:
    """Emit every way from set ``start`` on while there is room; returns the first set not done."""
    for group in range(start, cache.line.shape[0]):
        room = min(out.single.size - out.used[SINGLES], out.full.size - out.used[FULL])
        if room < WAYS:
            return int(group)
        for way in range(WAYS):
            if cache.line[group, way] != 0:
                emit(cache, out, group, way)
    return int(cache.line.shape[0])
