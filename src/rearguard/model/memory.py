"""Memory that is free and still held: glibc and Arrow keep what was given back to them, for the next who asks."""

from __future__ import annotations

import ctypes

__all__ = ["give_back"]


def give_back() -> None:
    """Return it to the system. Between two stages that need much for different things; takes a few milliseconds."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have no such call and no such habit
        trim(0)
