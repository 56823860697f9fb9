"""Does a capture that is read as traffic look as if it carried flow exports? Asked of its beginning only.

The first half MiB of a file is decoded once more, and of its UDP payloads a few dozen are looked at, so that the
answer costs nothing per packet of the whole. Standard input cannot be opened twice: there :class:`FirstLook` looks
at the first chunk on its way through. The version in the first bytes is not enough: the decoders must find nothing
wrong with what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import FRAG_NONE, UDP, WHY_PACKET
from rearguard.model.chunk import Chunk
from rearguard.model.errors import InputError
from rearguard.sources.inputs import STDIN
from rearguard.sources.opening import Options, open_packets, open_source

__all__ = ["LOOKED_AT", "FirstLook", "carries_exports", "exports_hint", "several_exports"]

PEEK = 512 * 1024
LOOKED_AT = 64
"""UDP payloads of a capture."""
SEVERAL = 3
"""Of these, as many must be exports; one or two may be chance."""
FILES = 8
"""Captures of a run that are looked into."""
EXPORTS_IN = "exports in "
"""How the format of a capture of exports begins."""
VERSIONS = (1, 5, 7, 9, 10)


def exports_hint(uris: Sequence[str]) -> list[str]:
    """What the user should know about captures that carry exports."""
    files = [uri for uri in uris if Path(uri).is_file()][:FILES]
    found = [uri for uri in files if carries_exports(uri)]
    if not found:
        return []
    return [_told(found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more")]


def _told(named: str) -> str:
    return (
        f"{named}: the UDP payloads look like flow exports (NetFlow, IPFIX or sFlow), which were not read but "
        "judged as the traffic between exporter and collector; use --exports to read the flows in them"
    )


class _Hears(Protocol):
    """Sees every chunk of packets, with its record pointer."""

    def feed(self, chunk: Chunk, place: Any, lanes: Any, source: np.uint64) -> None: ...

    def finish(self) -> None: ...


@dataclass(slots=True)
class FirstLook:
    """The hint for standard input, given after it was read: put :meth:`around` what makes listeners."""

    _carried: dict[int, bool] = field(default_factory=dict)
    """By the record pointer of a job: whether its first chunk carried exports."""

    def around(self, begin: Callable[[], Callable[[], _Hears]]) -> Callable[[], Callable[[], _Hears]]:
        """The same, whose listeners look at the first chunk of each input too."""

        def begin_looking() -> Callable[[], _Hears]:
            self._carried.clear()
            make = begin()
            return lambda: _Looking(make(), self._carried)

        return begin_looking

    def hint(self, pointers: Iterable[int]) -> list[str]:
        """What the user should know; ``pointers`` are the record pointers of the jobs that read standard input."""
        return [_told("standard input")] if any(self._carried.get(one) for one in pointers) else []


@dataclass(slots=True)
class _Looking:
    inner: _Hears
    carried: dict[int, bool]

    def feed(self, chunk: Chunk, place: Any, lanes: Any, source: np.uint64) -> None:
        if int(source) not in self.carried:
            self.carried[int(source)] = _carries(chunk)
        self.inner.feed(chunk, place, lanes, source)

    def finish(self) -> None:
        self.inner.finish()


def several_exports(uris: Sequence[str], options: Options) -> bool:
    """Whether more than one of the inputs is a capture that is read as exports (with standard input, if it is one:
    nobody looks)."""
    found = 0
    for uri in uris:
        if uri == STDIN:
            found += 1
        elif Path(uri).is_file():
            with open_source(uri, window=PEEK, options=options) as source:
                found += source.format.startswith(EXPORTS_IN)
        if found > 1:
            return True
    return False


def carries_exports(uri: str) -> bool:
    """Whether several of the first UDP payloads are exports; False for what is no capture."""
    try:
        with open_packets(uri, window=PEEK) as capture:
            first = next(capture.chunks(), None)
            return first is not None and _carries(first)
    except InputError:
        return False


def _carries(packets: Chunk) -> bool:
    candidates = _candidates(packets)
    return len(candidates) >= SEVERAL and _really(packets, candidates)


def _candidates(packets: Chunk) -> npt.NDArray[np.intp]:
    """Rows with a UDP payload that begins with a version."""
    usable = (
        (packets.column("proto") == UDP)
        & (packets.column("why") == WHY_PACKET)
        & (packets.column("frag") == FRAG_NONE)
        & (packets.column("pay_len") >= 16)
    )
    rows = np.flatnonzero(usable)[:LOOKED_AT]
    heads = packets.buffer[packets.column("pay_off")[rows][:, None] + np.arange(4)].astype(np.int64)
    high, low = heads[:, 0] << 8 | heads[:, 1], heads[:, 2] << 8 | heads[:, 3]
    picked: npt.NDArray[np.intp] = rows[np.isin(high, VERSIONS) | ((high == 0) & (low == 5))]
    return picked


def _really(packets: Chunk, candidates: npt.NDArray[np.intp]) -> bool:
    """Whether several of the candidates are exports that their decoders can read; loads these only now."""
    from rearguard.sources.exports_capture import sound_exports

    return sound_exports(packets, candidates) >= SEVERAL
