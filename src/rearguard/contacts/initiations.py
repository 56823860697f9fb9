"""What our own addresses open toward anybody: so that it can be told what a device does after it was attacked.

Every TCP SYN without ACK from an own address is noted (of flows also what their record says that it opened), and
every datagram to the TFTP port, by which payloads are fetched too. Which of these matter is known only when the
dialogues have been read (*armed* devices), so all are kept on disk and few come into memory: a row of 56 bytes
costs less than to read the input again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import ACK, KNOWN_FLAGS, SYN, TCP, UDP, WHY_INITIATOR
from rearguard.model.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.contacts.spill import Spill

__all__ = ["INITIATION", "armed", "note_initiations"]

TFTP = 69
BATCH = 131_072
MINUTE = 60_000_000_000

INITIATION = np.dtype(
    [
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("time", "i8"),  # ns
        ("rec", "u8"),  # record pointer
        ("port", "u2"),
        ("client_port", "u2"),
        ("proto", "u1"),
    ],
    align=True,
)
_KEY = ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto", "minute")


@kernel
def note_initiations(
    rows: Any, picked: npt.NDArray[np.int32], source: np.uint64, out: npt.NDArray[Any]
) -> int:
    """Write those of the rows ``picked`` (what ours sent) that open something to ``out``; returns how many."""
    m = 0
    for i in picked:
        if rows[i].proto == TCP:
            bare = rows[i].known & KNOWN_FLAGS != 0 and rows[i].flags & (SYN | ACK) == SYN
            if not bare and rows[i].why & WHY_INITIATOR == 0:
                continue
        elif rows[i].proto != UDP or rows[i].dport != TFTP:
            continue
        one = out[m]
        one.client_hi, one.client_lo = rows[i].src_hi, rows[i].src_lo
        one.server_hi, one.server_lo = rows[i].dst_hi, rows[i].dst_lo
        one.time, one.rec = rows[i].ts, source | rows[i].record
        one.port, one.client_port, one.proto = rows[i].dport, rows[i].sport, rows[i].proto
        m += 1
    return m


def armed(noted: Spill, devices: Iterable[tuple[int, int]]) -> npt.NDArray[Any]:
    """The initiations of these devices (halves of their addresses): of each minute, peer and port the earliest.

    INITIATION rows with a column ``minute`` (since the epoch), ascending by time and record. Of the same (time,
    record) there is one, so repetition and order of the input change nothing.
    """
    wanted = {(hi, lo) for hi, lo in devices}
    kind = np.dtype([*((name, INITIATION[name]) for name in INITIATION.names or ()), ("minute", "i8")])
    kept = [np.zeros(0, dtype=kind)]
    lows = np.array(sorted({lo for _, lo in wanted}), dtype=np.uint64)
    for batch in noted.batches(BATCH) if wanted else ():
        near = batch[np.isin(batch["client_lo"], lows)]
        ends = zip(near["client_hi"].tolist(), near["client_lo"].tolist(), strict=True)
        near = near[np.array([end in wanted for end in ends], dtype=np.bool_)]
        rows = np.zeros(len(near), dtype=kind)
        for name in INITIATION.names or ():
            rows[name] = near[name]
        rows["minute"] = rows["time"] // MINUTE
        kept.append(_earliest(rows))
    return _earliest(np.concatenate(kept))


def _earliest(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    order = np.lexsort((rows["rec"], rows["time"], *(rows[name] for name in _KEY)))
    rows = rows[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in _KEY])
    rows = rows[first]
    return rows[np.lexsort((rows["rec"], rows["time"]))]
