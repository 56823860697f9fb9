"""Sources: captures become chunks of decoded rows.

``expand`` and ``order`` turn what the user typed into a list of captures; ``open_source(uri)`` gives a
:class:`Source`, whose ``chunks()`` are rows in the layout of :data:`rearguard.model.fields.CHUNK`; ``split``
and ``fits`` let one large file be read by several readers. Importing this package loads numba.
"""

from __future__ import annotations

from rearguard.sources.inputs import Progress
from rearguard.sources.paths import expand, order
from rearguard.sources.source import Source, Span, Tally, open_source
from rearguard.sources.split import fits, split

__all__ = ["Progress", "Source", "Span", "Tally", "expand", "fits", "open_source", "order", "split"]
