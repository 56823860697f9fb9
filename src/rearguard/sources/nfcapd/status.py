"""What the kernels of both layouts have in common: why they return, and what they need."""

from __future__ import annotations

__all__ = ["ASK", "DONE", "FULL", "HEADER", "META", "ROOM", "TORN"]

DONE = 0
"""The block is at its end."""
FULL = 1
"""There is no room for another flow."""
META = 2
"""A record that is no flow is at the returned position."""
ASK = 3
"""The flow at the returned position is of an exporter that is not known."""
TORN = 4
"""What is at the returned position is no record."""

ROOM = 2
"""Rows that one flow may need."""
HEADER = 4
"""Bytes of every record's header: type, size."""
