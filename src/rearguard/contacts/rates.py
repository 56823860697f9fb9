"""One place that sampled at two rates: what it saw at both is put together.

The packets are different ones, so counts are added; unscaled counts of two rates have no rate of their own, so
the row gets the one by which the scaled count stays what it was (rounded). It is done once, after everything of one
rate has merged, and in the order of the rates, so that no order of the input shows. Where one of the rates is
unknown, so is that of the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.fold import fold_contacts

__all__ = ["merge_rates"]

KEY = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto", "observer")


def merge_rates(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One row a key and observer of folded CONTACT rows; the same rows where each has one rate."""
    if len(rows) < 2 or (rows["sampling"] == rows["sampling"][0]).all():
        return rows
    order = np.lexsort((rows["sampling"], *(rows[name] for name in KEY)))
    rows = rows[order]
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in KEY])
    if begins.all():
        return rows
    starts = np.flatnonzero(begins)
    packets = (rows["packets_c"] + rows["packets_s"]).astype(np.float64)
    seen = np.add.reduceat(packets, starts)
    scaled = np.add.reduceat(packets * rows["sampling"], starts)
    known = np.minimum.reduceat(rows["sampling"], starts) > 0
    mean = np.rint(scaled / np.maximum(seen, 1))
    rates = np.where(known, np.where(seen > 0, mean, rows["sampling"][starts]), 0)
    rows["sampling"] = np.repeat(rates, np.diff(np.append(starts, len(rows)))).astype(np.uint32)
    return fold_contacts(rows)
