"""sFlow datagrams: what the decoder says of them is what the plain reader says."""

from __future__ import annotations

from sources import sflow_build as s
from sources.sflow_outcome import agree
from sources.test_sflow import FRAMES

__all__ = ["SEEDS", "sflow"]

APART = b"\xff\xfe\xfd\xfc"
"""Between two datagrams."""
MOST = 16

SEEDS = [
    *(s.datagram(s.flow(one, expanded=n % 2 == 1), s.counters()) for n, one in enumerate(FRAMES.values())),
    s.datagram(s.flow(s.plain4()), agent="2001:db8::1")
    + APART
    + s.datagram(s.DISCARDED, agent=None, number=2),
]
"""Where it starts from."""


def sflow(data: bytes) -> None:
    """Up to MOST datagrams: rows, reasons and counts are those of the plain reader."""
    agree(data.split(APART)[:MOST])
