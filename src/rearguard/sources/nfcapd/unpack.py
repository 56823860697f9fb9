"""Unpack one block, never to more than a block may have: a bomb costs what a block costs.

All of this lets go of the interpreter lock, so blocks of different files are unpacked at the same time.
"""

from __future__ import annotations

import bz2

import numpy as np

from rearguard.model.compiled import Buffer
from rearguard.sources.nfcapd.layout import BLOCK_LIMIT
from rearguard.sources.nfcapd.lz4 import unpack_lz4
from rearguard.sources.nfcapd.lzo import unpack_lzo

__all__ = ["Unpacker"]


class Unpacker:
    """Unpacks blocks of one compression; what it returns is valid until the next block."""

    def __init__(self, compression: str) -> None:
        self._name = compression
        # Not zeroed, which would cost a small file as much as reading it: no kernel looks at what it did not write.
        self._out: Buffer = np.empty(BLOCK_LIMIT if compression in _KERNELS else 0, np.uint8)

    def unpack(self, packed: Buffer) -> Buffer | None:
        """The block as it was before it was packed; None when it is damaged or too large."""
        if self._name in _KERNELS:
            size = _KERNELS[self._name](packed, self._out)
            return self._out[:size] if size > 0 else None
        try:
            data = _METHODS[self._name](packed)
        except (OSError, EOFError, ValueError, RuntimeError, MemoryError):
            return None
        return np.frombuffer(data, np.uint8) if data and len(data) <= BLOCK_LIMIT else None


def _bzip2(packed: Buffer) -> bytearray:
    state = bz2.BZ2Decompressor()
    data = state.decompress(packed.data, BLOCK_LIMIT)
    return bytearray(data if state.eof else b"")


def _zstd(packed: Buffer) -> bytearray:
    import zstandard

    try:
        size = zstandard.frame_content_size(packed.data)
        if size > BLOCK_LIMIT:
            return bytearray()
        return bytearray(zstandard.ZstdDecompressor().decompress(packed.data, max_output_size=BLOCK_LIMIT))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


_KERNELS = {"lzo": unpack_lzo, "lz4": unpack_lz4}
# All give bytes that could be written to, as the other blocks are: numba would compile the decoders twice.
_METHODS = {"bzip2": _bzip2, "zstd": _zstd}
