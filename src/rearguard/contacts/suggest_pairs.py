"""Contacts summed up as pairs of units, with what each hints at: the first half of the vote on our networks.

The theory stands in :mod:`rearguard.contacts.suggest`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rearguard.contacts.slim import (
    ANSWERED,
    CLIENT_SENT,
    CLIENT_WENT_ON,
    CONVERSED,
    LISTENER_OPENED,
    Rows,
    starts_of,
)
from rearguard.contacts.units import NO_UNIT, Units, area_of, unit_of

__all__ = ["LOCAL", "MANAGED", "OUTWARD", "PAIRS", "PAIR_TYPE", "SWEPT", "pairs_of", "sum_pairs"]

SWEEP = 5
"""Addresses, or ports of one address, that a client tries before it is held to sweep."""
SCATTERED = 10
"""Areas over which the targets of a client must spread before they are held to be the Internet."""
PAIRS = 1 << 19
"""Pairs of units that are kept; of more, all that a sweep tells and a fair sample of the rest, by hash."""

SWEPT, OUTWARD, LOCAL, MANAGED, OTHER = range(5)

_MIX = tuple(np.uint64(word) for word in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xBF58476D1CE4E5B9))

_TWO = ("client_hi", "client_lo", "server_hi", "server_lo")
PAIR_TYPE = np.dtype([("client", "u8"), ("server", "u8"), ("hint", "u1"), ("alive", "u1"), ("weight", "i8")])
"""``alive``: it held a talk; ``weight``: contacts."""


def pairs_of(rows: Rows, listed: npt.NDArray[np.bool_]) -> Rows:
    """Contacts of whole clients, as pairs of units with what each contact hints at."""
    client = unit_of(rows["client_hi"], rows["client_lo"])
    keep = (client != NO_UNIT) & (rows["bits"] & LISTENER_OPENED == 0)
    rows, client = rows[keep], client[keep]
    server = unit_of(rows["server_hi"], rows["server_lo"])
    out: Rows = np.zeros(len(rows), dtype=PAIR_TYPE)
    out["client"], out["server"], out["weight"] = client, server, 1
    went_on = rows["bits"] & (ANSWERED | CLIENT_WENT_ON)
    out["alive"] = (went_on == (ANSWERED | CLIENT_WENT_ON)) | (rows["bits"] & CONVERSED == CONVERSED)
    management = listed[rows["proto"], rows["port"]]
    swept, outward = _sweeps(rows, server, management)
    out["hint"] = np.select(
        [server == NO_UNIT, outward, swept, management], [LOCAL, OUTWARD, SWEPT, MANAGED], OTHER
    )
    return sum_pairs(out)


def _sweeps(
    rows: Rows, server: Units, management: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which contacts belong to a sweep over addresses close together (or ports), and which to a scattered one."""
    swept = np.zeros(len(rows), dtype=np.bool_)
    outward = np.zeros(len(rows), dtype=np.bool_)
    sends = rows["bits"] & CLIENT_SENT > 0
    vain = rows["bits"] & CONVERSED != CONVERSED
    area = area_of(server)
    for names, wide in ((("client_hi", "client_lo", "port", "proto"), True), (_TWO, False)):
        order = np.lexsort((area, *(rows[name] for name in reversed(names))))
        starts = starts_of(rows[order], names)
        if not len(starts):
            continue
        size = np.diff(np.append(starts, len(order)))
        which = np.repeat(np.arange(len(starts)), size)
        areas = np.bincount(which, _changes(area[order], starts), len(starts))
        tries = np.bincount(which, sends[order], len(starts)) > 0
        in_vain = 2 * np.bincount(which, vain[order], len(starts)) >= size
        many = tries & (size >= SWEEP)
        scattered = many & (areas >= SCATTERED) & (2 * areas >= size)
        near = many & ~scattered & (in_vain | (wide & management[order[starts]]))
        outward[order[scattered[which]]] = True
        swept[order[near[which]]] = True
    return swept & ~outward, outward


def _changes(values: Units, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Where a value differs from the one before it, or a group begins."""
    changed = np.ones(len(values), dtype=np.bool_)
    changed[1:] = values[1:] != values[:-1]
    changed[starts] = True
    return changed


def sum_pairs(pairs: Rows) -> Rows:
    """One row a (client, server, hint); beyond PAIRS the ones with the smallest hash."""
    keys = ("client", "server", "hint")
    pairs = pairs[np.lexsort(tuple(pairs[name] for name in reversed(keys)))]
    starts = starts_of(pairs, keys)
    out = pairs[starts]
    if len(out):
        out["weight"] = np.add.reduceat(pairs["weight"], starts)
        out["alive"] = np.maximum.reduceat(pairs["alive"], starts)
    if len(out) > PAIRS:
        hashed = (out["client"] * _MIX[0]) ^ (out["server"] * _MIX[1])
        hashed = (hashed ^ hashed >> np.uint64(29)) * _MIX[2] >> np.uint64(1)
        weak = (out["hint"] == MANAGED) | (out["hint"] == OTHER)
        hashed |= weak.astype(np.uint64) << np.uint64(63)
        out = out[np.sort(np.argsort(hashed, kind="stable")[:PAIRS])]
    return out
