"""What one file of exports hands on to the next one of a run: the templates in force, and what options told.

A capture that was cut into files (``tcpdump -C``) has the templates where the exporter happened to repeat them; the
data before that in the next file can be read by those of the file before. Theory: an exporter (address, domain and
version) that is heard in a later file goes on with what it said, if not more time lies between than it takes to
repeat templates. Files that overlap in time, as two taps do, hand nothing on: what one had at its end is later than
what the other begins with.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from rearguard.sources.exports.sampling import Told
from rearguard.sources.exports.templates import Template
from rearguard.sources.observers import MAX_EXPORTERS

__all__ = ["Carried", "Key", "Known"]

GAP = 1_800_000_000_000
"""Time (ns) between the last use of a template and the next file beyond which it is not handed on."""

Key = tuple[int, int, int, int]
"""Address (two halves), domain and version of an exporter."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one exporter at the end of a file."""

    templates: tuple[tuple[Template, int], ...]
    """Each with when it was sent or used last, ns."""
    told: tuple[Told, ...]
    """Sampling rates and when it was started, as options told them."""


@dataclass(slots=True)
class Carried:
    """Exporters by key, of all files that were read so far; the files come one after the other."""

    _known: OrderedDict[Key, Known] = field(default_factory=OrderedDict)

    def put(self, key: Key, known: Known) -> None:
        """Keep what is known at the end of a file, in place of what was known before it."""
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > MAX_EXPORTERS:
            self._known.popitem(last=False)

    def get(self, key: Key, time: int) -> Known:
        """What holds for an exporter that is heard at ``time`` (ns) for the first time in a file."""
        known = self._known.get(key)
        if known is None:
            return Known((), ())
        templates = tuple(one for one in known.templates if 0 <= time - one[1] <= GAP)
        return Known(templates, known.told if templates else ())
