"""sFlow version 5: sampled packets that switches and hosts export, one datagram after the other.

``Decoder`` (:mod:`rearguard.sources.sflow.decoder`) takes datagrams and gives rows; :mod:`.samples` walks through
a datagram, :mod:`.record` reads what one sample tells of its packet, :mod:`.agents` remembers who was heard.
"""

from __future__ import annotations

__all__: list[str] = []
