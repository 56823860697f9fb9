"""Which of two record pointers is the one to keep: the smaller of (rank, time, record)."""

from __future__ import annotations

import numpy as np

from rearguard.model.compiled import inlined

__all__ = ["comes_first"]


@inlined
def comes_first(
    rank: int, time: int, rec: np.uint64, other_rank: int, other_time: int, other_rec: np.uint64
) -> bool:
    """Whether the first pointer comes before the other one."""
    if rank != other_rank:
        return bool(rank < other_rank)
    if time != other_time:
        return bool(time < other_time)
    return bool(rec < other_rec)
