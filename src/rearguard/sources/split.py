"""Split one large capture into spans that can be read at the same time.

Where the spans meet is guessed (:mod:`rearguard.sources.chains`) and may be forged by who wrote the
payloads. So nobody may rely on it: the reader of each span says where its last record ended
(:attr:`~rearguard.sources.source.PacketSource.ended_at`) and by what interfaces it read
(:attr:`~rearguard.sources.source.PacketSource.interfaces_digest`). If each span ended exactly where the next
begins, and all digests are equal at start and end, then every record was read once and right, because the
first span began at the file's first record; if not, the file has to be read again as one. :func:`fits` is
that test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rearguard.sources.chains import CHAIN, find_pcap_chain, find_pcapng_chain
from rearguard.sources.inputs import STDIN
from rearguard.sources.opening import Options, open_source
from rearguard.sources.pcap import Pcap
from rearguard.sources.pcap_walk import MAX_CAPLEN
from rearguard.sources.pcapng import Pcapng
from rearguard.sources.reader import Span
from rearguard.sources.source import PacketSource

__all__ = ["SMALLEST", "fits", "split"]

SMALLEST = 32 * 1024 * 1024
"""A part smaller than this is not worth a second reader."""

REACH = MAX_CAPLEN + 64
"""A record begins within this many bytes after any place."""

LOOK = REACH + CHAIN * 65_536


def split(uri: str, parts: int, *, smallest: int = SMALLEST, options: Options | None = None) -> list[Span]:
    """At most ``parts`` spans that together are the file; one where it cannot be split.

    Only a plain, uncompressed, regular capture can be, and only where records follow each other as expected.
    """
    if uri == STDIN or not Path(uri).is_file():
        return [Span(0, 1 << 62)]
    with open_source(uri, window=1 << 16, options=options) as source:
        size = Path(uri).stat().st_size
        whole = [Span(0, 1 << 62)]
        parts = min(parts, size // max(smallest, 1))
        if not isinstance(source, PacketSource) or source.compression or parts < 2:
            return whole
        container = source.container
        starts = [0]
        with Path(uri).open("rb", buffering=0) as raw:
            for k in range(1, parts):
                guess = size * k // parts // 4 * 4
                raw.seek(guess)
                found = _record_after(np.frombuffer(raw.read(LOOK), np.uint8), container)
                if found >= 0 and guess + found > starts[-1]:
                    starts.append(guess + found)
    ends = [*starts[1:], 1 << 62]
    return [Span(start, end) for start, end in zip(starts, ends, strict=True)]


def _record_after(look: np.ndarray[tuple[int], np.dtype[np.uint8]], container: Pcap | Pcapng) -> int:
    reach = min(REACH, look.size)
    if isinstance(container, Pcapng):
        return find_pcapng_chain(look, look.size, reach, container.order == "big")
    h = container.header
    units = 1_000_000_000 if h.nanoseconds else 1_000_000
    return find_pcap_chain(look, look.size, reach, h.big_endian, h.record_header, units, h.snaplen)


def fits(spans: Sequence[Span], ended_at: Sequence[int], digests: Sequence[tuple[str, str]]) -> bool:
    """Whether spans that were read apart are the same as the file read as one.

    ``ended_at``: where each reader stopped; ``digests``: of each reader's interfaces before and after
    reading.
    """
    if any(end != span.start for end, span in zip(ended_at[:-1], spans[1:], strict=True)):
        return False
    first = digests[0][0]
    return all(before == first == after for before, after in digests[:-1]) and digests[-1][0] == first
