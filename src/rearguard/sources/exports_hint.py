"""Does a capture that is read as traffic look as if it carried flow exports? Asked of its beginning only.

The first half MiB of the file is decoded once more, and of its UDP payloads a few dozen are looked at, so that the
answer costs nothing per packet of the whole. The version in the first bytes is not enough: the decoders must find
nothing wrong with what they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rearguard.model.bits import FRAG_NONE, UDP, WHY_PACKET
from rearguard.model.chunk import Chunk
from rearguard.model.errors import InputError
from rearguard.sources.opening import open_packets

__all__ = ["LOOKED_AT", "carries_exports", "exports_hint"]

PEEK = 512 * 1024
LOOKED_AT = 64
"""UDP payloads of a capture."""
SEVERAL = 3
"""Of these, as many must be exports; one or two may be chance."""
FILES = 8
"""Captures of a run that are looked into."""
VERSIONS = (1, 5, 7, 9, 10)


def exports_hint(uris: Sequence[str]) -> list[str]:
    """What the user should know about captures that carry exports."""
    files = [uri for uri in uris if Path(uri).is_file()][:FILES]
    found = [uri for uri in files if carries_exports(uri)]
    if not found:
        return []
    named = found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more"
    return [
        f"{named}: the UDP payloads look like flow exports (NetFlow, IPFIX or sFlow), which were not read but "
        "judged as the traffic between exporter and collector; use --exports to read the flows in them"
    ]


def carries_exports(uri: str) -> bool:
    """Whether several of the first UDP payloads are exports; False for what is no capture."""
    try:
        with open_packets(uri, window=PEEK) as capture:
            first = next(capture.chunks(), None)
            if first is None:
                return False
            candidates = _candidates(first)
            return len(candidates) >= SEVERAL and _really(first, candidates)
    except InputError:
        return False


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
