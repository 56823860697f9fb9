"""Sources: captures and flow records become chunks of decoded rows.

``expand`` and ``order`` turn what the user typed into a list of inputs; ``open_source(uri)`` gives a
:class:`Reader`, whose ``chunks()`` are rows in the layout of :data:`rearguard.model.fields.CHUNK`; ``split``
and ``fits`` let one large file be read by several readers. Importing this package loads numba.
"""

from __future__ import annotations

from rearguard.sources.inputs import Progress
from rearguard.sources.opening import Options, open_packets, open_source
from rearguard.sources.paths import expand, order
from rearguard.sources.reader import Exporter, Observer, Reader, Span, Tally
from rearguard.sources.source import PacketSource
from rearguard.sources.split import fits, split

__all__ = [
    "Exporter",
    "Observer",
    "Options",
    "PacketSource",
    "Progress",
    "Reader",
    "Span",
    "Tally",
    "expand",
    "fits",
    "open_packets",
    "open_source",
    "order",
    "split",
]
