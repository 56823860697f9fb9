"""Where collectors put their segments until the fold: in memory up to a budget, then in unnamed files.

Several collectors may add at once. More conversations than the limit cannot be kept: those with the smallest
hashes are, TCP and UDP apart (a flood of spoofed datagrams pushes no TCP conversation out). Which these are
depends on the set of conversations alone; collectors learn the border as it falls and stop taking what lies
beyond it.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rearguard.dialogue.gather import gather
from rearguard.dialogue.layout import (
    CONTROLLERS,
    NO_LIMIT,
    OF_CONTROLLER,
    SEGMENT,
    TCP_STRATUM,
    UDP_STRATUM,
)
from rearguard.model.bits import TCP
from rearguard.model.compiled import Buffer
from rearguard.model.errors import RearguardError

__all__ = ["CONVERSATIONS", "PARTITION_BITS", "Segments", "Sink"]

PARTITION_BITS = 6
"""Of the hash. A partition is what the fold holds at once when segments went to files."""
CONVERSATIONS = 100_000
"""Conversations of each protocol that are kept; more costs memory and time in the fold."""
MEMORY = 48 << 20

OF_CONTROLLERS = 1_000
"""Conversations with listed controllers that are kept: a sample, for they may do what they do (rule B2)."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Segments and the bytes that their ``at`` and ``length`` point into."""

    segment: npt.NDArray[Any]
    payload: Buffer

    def select(self, chosen: npt.NDArray[np.int64]) -> Segments:
        """Copies of these segments, by number, with only their bytes, in the order of the numbers."""
        segment = np.empty(len(chosen), dtype=SEGMENT)
        payload = np.empty(int(self.segment["length"][chosen].sum(dtype=np.int64)), np.uint8)
        gather(self.segment, self.payload, chosen, segment, payload)
        return Segments(segment, payload)

    @classmethod
    def join(cls, parts: list[Segments]) -> Segments:
        """All segments of the parts."""
        if not parts:
            return cls(np.zeros(0, dtype=SEGMENT), np.zeros(0, np.uint8))
        segment = np.concatenate([part.segment for part in parts])
        sizes = [len(part.payload) for part in parts]
        shift = np.cumsum([0, *sizes[:-1]])
        segment["at"] += np.repeat(shift, [len(part.segment) for part in parts])
        return cls(segment, np.concatenate([part.payload for part in parts]))


class Sink:
    """Segments in any order. ``chosen`` holds the largest hash still wanted, by stratum."""

    def __init__(self, folder: Path, conversations: int = CONVERSATIONS, memory: int = MEMORY) -> None:
        self.limits = (conversations, conversations, min(conversations, OF_CONTROLLERS))
        self.chosen = np.full(len(self.limits), NO_LIMIT, dtype=np.uint64)
        self._folder = folder
        self._memory = memory
        self._held: list[Segments] = []
        self._held_bytes = 0
        self._files: list[IO[bytes]] = []
        self._hashes = [np.zeros(0, dtype=np.uint64) for _ in self.limits]
        self._lock = threading.Lock()

    def add(self, segment: npt.NDArray[Any], payload: Buffer) -> None:
        """Keep a copy of the segments and of the bytes that they point into."""
        if not len(segment):
            return
        with self._lock:
            strata, loaded = _stratum(segment), segment["length"] > 0
            for stratum in range(len(self.limits)):
                self._choose(stratum, segment[(strata == stratum) & loaded]["hash"])
            new = Segments(segment, payload).select(self._wanted(segment))
            if self._files:
                self._store(new)
                return
            self._held.append(new)
            self._held_bytes += new.segment.nbytes + new.payload.nbytes
            if self._held_bytes > self._memory:
                self._files = [_scratch(self._folder) for _ in range(1 << PARTITION_BITS)]
                for part in self._held:
                    self._store(part)
                self._held.clear()

    def omitted(self) -> tuple[int, ...]:
        """About how many conversations of each stratum were left out; 0 is exact.

        The hashes are evenly spread, so the share of their range that is kept tells the whole number (the
        bottom-k estimate of Bar-Yossef et al. 2002).
        """
        return tuple(
            max(round((limit - 1) * 2.0**64 / (float(border) + 1)) - limit, 0) if border != NO_LIMIT else 0
            for limit, border in zip(self.limits, self.chosen, strict=True)
        )

    def partitions(self) -> Iterator[Segments]:
        """All that is kept; a conversation's segments come together, conversations in ascending hash."""
        if not self._files:
            whole = Segments.join(self._held)
            yield whole.select(self._wanted(whole.segment))
            return
        for file in self._files:
            part = Segments.join(list(_read(file)))
            yield part.select(self._wanted(part.segment))

    def close(self) -> None:
        """Free memory and disk."""
        self._held.clear()
        for file in self._files:
            file.close()

    def _choose(self, stratum: int, hashes: npt.NDArray[np.uint64]) -> None:
        """Lower the border when more conversations than the limit have shown payload."""
        known = np.union1d(self._hashes[stratum], hashes[hashes <= self.chosen[stratum]])
        if len(known) > self.limits[stratum]:
            known = known[: self.limits[stratum]]
            self.chosen[stratum] = known[-1]
        self._hashes[stratum] = known

    def _wanted(self, segment: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        return np.flatnonzero(segment["hash"] <= self.chosen[_stratum(segment)])

    def _store(self, new: Segments) -> None:
        numbers = (new.segment["hash"] >> np.uint64(64) - np.uint64(PARTITION_BITS)).astype(np.int64)
        order = np.argsort(numbers, kind="stable")
        new = new.select(order)
        ends = np.cumsum(np.bincount(numbers, minlength=1 << PARTITION_BITS))
        for file, end, count in zip(self._files, ends, np.diff(ends, prepend=0), strict=True):
            if count:
                segment = new.segment[end - count : end].copy()
                begin = int(segment["at"][0])
                stop = int(segment["at"][-1]) + int(segment["length"][-1])
                segment["at"] -= begin
                _write(file, Segments(segment, new.payload[begin:stop]))


def _stratum(segment: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    by_protocol = np.where(segment["proto"] == TCP, TCP_STRATUM, UDP_STRATUM)
    return np.where(segment["bits"] & OF_CONTROLLER, CONTROLLERS, by_protocol)


def _scratch(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def _write(file: IO[bytes], part: Segments) -> None:
    sizes = np.array([len(part.segment), len(part.payload)], dtype=np.int64)
    try:
        for block in (sizes.tobytes(), part.segment.tobytes(), part.payload.tobytes()):
            view = memoryview(block)
            while len(view):
                view = view[file.write(view) :]
    except OSError as error:
        raise RearguardError(
            f"the space for intermediate results is used up ({error.strerror})",
            remedy="set TMPDIR to a folder with more room",
        ) from error


def _read(file: IO[bytes]) -> Iterator[Segments]:
    file.seek(0)
    while sizes := _take(file, 16):
        segments, payload = np.frombuffer(sizes, dtype=np.int64).tolist()
        segment = np.frombuffer(_take(file, segments * SEGMENT.itemsize), dtype=SEGMENT)
        yield Segments(segment, np.frombuffer(_take(file, payload), np.uint8))
    file.seek(0, 2)


def _take(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size and (data := file.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
