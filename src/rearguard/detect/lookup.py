"""Keys of four numbers and their places, for kernels: of a touch its source's group, its device, its reflection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rearguard.contacts.mix import mix5
from rearguard.model.address import V4_MAPPED
from rearguard.model.compiled import inlined, kernel, wide

__all__ = ["Lookup", "device_of", "find", "is_v4", "lookup", "reflection", "source_lo_of"]

_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_NONE = np.uint64(0)


class Lookup(NamedTuple):
    """``table`` is an open-addressing table of places in ``keys``, from 1; at most half full."""

    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.int32]


def lookup(keys: Sequence[Sequence[int]] | npt.NDArray[np.uint64]) -> Lookup:
    """Of different keys; the place of each is its place in the sequence."""
    made = np.ascontiguousarray(np.array(keys, np.uint64).reshape(-1, 4))
    table = np.zeros(1 << max(4, (2 * len(made)).bit_length()), np.int32)
    _fill(made, table)
    return Lookup(made, table)


@kernel
def _fill(keys: Any, table: Any) -> None:
    for k in range(keys.shape[0]):
        table[_entry(keys, table, keys[k, 0], keys[k, 1], keys[k, 2], keys[k, 3])] = k + 1


@inlined
def _entry(keys: Any, table: Any, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> int:
    """Where the key is, or the empty entry where it belongs."""
    last = np.uint64(table.size - 1)
    at = (mix5(a, b, c, d, _NONE) >> np.uint64(8)) & last
    while table[at] != 0:
        k = table[at] - 1
        if keys[k, 1] == b and keys[k, 0] == a and keys[k, 2] == c and keys[k, 3] == d:
            break
        at = (at + np.uint64(1)) & last
    return int(at)


@inlined
def find(where: Lookup, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> int:
    """The place of a key, or -1."""
    if where.keys.shape[0] == 0:
        return -1
    return int(where.table[_entry(where.keys, where.table, a, b, c, d)]) - 1


@inlined
def is_v4(hi: np.uint64, lo: np.uint64) -> bool:
    """IPv4 lies in ``::ffff:0:0/96``."""
    return bool(hi == 0 and lo >> np.uint64(32) == _V4_PREFIX)


@inlined
def source_lo_of(row: Any) -> np.uint64:
    """The lower half of a touch's source, which is an IPv4 address or an IPv6 /64 (rule A8)."""
    return row.client_lo if is_v4(row.client_hi, row.client_lo) else _NONE


@inlined
def reflection(row: Any, reflections: Lookup) -> bool:
    """Whether the touch seems to come from the victim of a reflection (rule B4); the key is server, interface and
    the source's /24 or /48."""
    if reflections.keys.shape[0] == 0:
        return False
    four = is_v4(row.client_hi, row.client_lo)
    net = row.client_lo >> np.uint64(8) if four else row.client_hi >> np.uint64(16)
    return find(reflections, row.server_hi, row.server_lo, np.uint64(row.interface), net) >= 0


@inlined
def device_of(row: Any, masks: npt.NDArray[np.uint64]) -> tuple[np.uint64, np.uint64]:
    """Both halves of a touch's device: its address, or the delegated prefix where the policy gives its length.
    ``masks``: by network that of the upper half, 0 where there is none; the last one is for no network."""
    mask = masks[min(wide(row.network), masks.size - 1)]
    if mask != 0 and not is_v4(row.server_hi, row.server_lo):
        return row.server_hi & mask, _NONE
    return row.server_hi, row.server_lo
