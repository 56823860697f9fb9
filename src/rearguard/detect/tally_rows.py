"""The rows that a tally is made of: what it is given of each touch, and what it holds of each group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "ANSWER", "BARE", "DARK", "EXCEPTION", "MEMBER", "NO_RANK", "NO_RESULT", "PEER", "PEERS", "PROOF", "SAMPLE",
    "SURVEYOR", "TOTAL", "UNPROVEN", "VERIFIED", "by_name", "leading",
]  # fmt: skip

VERIFIED, DARK, BARE, UNPROVEN, ANSWER, SURVEYOR, EXCEPTION = (1 << place for place in range(7))
"""The bits of ``marks``. ``UNPROVEN``: something answered, and nothing tells what; ``ANSWER``: the proof is the
listener's packet; ``SURVEYOR``, ``EXCEPTION``: the policy names one."""
NO_RANK = 255
"""``rank`` of a touch that no packet proves."""
NO_RESULT = 255

_ENDS = [("client_hi", "u8"), ("client_lo", "u8"), ("server_hi", "u8"), ("server_lo", "u8")]
MEMBER = np.dtype(
    [
        ("place", "i8"),
        ("peer_hi", "u8"),
        ("peer_lo", "u8"),
        *_ENDS,
        ("begun", "i8"),
        ("last", "i8"),
        ("packets", "u8"),
        ("bytes", "u8"),
        ("tries", "u8"),
        ("mirai", "u8"),
        ("zmap", "u8"),
        ("masscan", "u8"),
        ("time", "i8"),
        ("rec", "u8"),
        ("rate", "u4"),
        ("sampling", "u4"),
        ("port", "u2"),
        ("far_port", "u2"),
        ("proto", "u1"),
        ("result", "u1"),
        ("rank", "u1"),
        ("marks", "u1"),
    ]
)
PEER = np.dtype(
    [(name, MEMBER[name]) for name in ("place", "peer_hi", "peer_lo", "begun", "packets", "rate", "marks")]
)
"""The fields that tell the peers."""
TOTAL = np.dtype(
    [
        *((name, "u8") for name in ("contacts", "packets", "bytes", "tries", "mirai", "zmap", "masscan")),
        ("first", "i8"),
        ("last", "i8"),
        ("results", "u8", 5),
        ("bare", "u8"),
        ("unproven", "u8"),
        ("surveyors", "u8"),
        ("exceptions", "u8"),
        ("sampling_low", "u4"),
        ("sampling_high", "u4"),
        ("proto", "u1"),
        ("verified", "u1"),
        ("proofs", "u4"),  # how many are held
        ("few", "u4"),  # ports that are held; FEW_PORTS + 1: they are in the bitmap
    ]
)
PEERS = np.dtype(
    [
        ("peers", "u8"),
        ("dark", "u8"),
        ("weight", "f8"),
        ("weight2", "f8"),
        ("sampled", "u4"),  # how many are held
        ("broken", "u1"),
        ("open", "u1"),  # whether the fields below hold a peer
        ("hi", "u8"),
        ("lo", "u8"),
        ("begun", "i8"),
        ("heard", "u8"),
        ("rate", "u4"),
        ("is_dark", "u1"),
    ]
)
SAMPLE = np.dtype([("begun", "i8"), ("hi", "u8"), ("lo", "u8")])
PROOF = np.dtype(
    [
        *_ENDS,
        ("time", "i8"),
        ("rec", "u8"),
        ("port", "u2"),
        ("far_port", "u2"),
        ("proto", "u1"),
        ("rank", "u1"),
        ("plain", "u1"),  # without Mirai's property
        ("mirai", "u1"),  # all tries have it
        ("answer", "u1"),
    ]
)


def leading(table: npt.NDArray[Any], counts: npt.NDArray[np.uint32]) -> Iterator[list[tuple[Any, ...]]]:
    """Of each line of the table so many entries, as plain values; all are converted together."""
    flat = table[np.arange(table.shape[1]) < counts[:, None]].tolist()
    end = 0
    for count in counts.tolist():
        start, end = end, end + count
        yield flat[start:end]


def by_name(table: npt.NDArray[Any]) -> Iterator[dict[str, Any]]:
    """The lines by column name, as plain values."""
    names = table.dtype.names or ()
    columns = [table[name].tolist() for name in names]
    return (dict(zip(names, line, strict=True)) for line in zip(*columns, strict=True))
