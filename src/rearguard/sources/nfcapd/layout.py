"""The headers of nfcapd files and blocks (``nffile.h`` and ``nffileV2.h`` of nfdump)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "BLOCK_HEADER",
    "BLOCK_LIMIT",
    "MAGIC",
    "BlockHeader",
    "FileHeader",
    "parse_block_header",
    "parse_file_header",
]

MAGIC = 0xA50C
FIXED = 4
"""Bytes that all layouts share: magic and version."""

HEADER_V1 = 140
"""Magic, version, flags, number of blocks, a name of 128 bytes."""
STATISTICS_V1 = 136
HEADER_V2 = 40
"""Magic, version, program's version, time of creation, compression, encryption, appendix blocks, program, offset
of the appendix, block size, number of blocks."""

COMPRESSIONS = ("", "lzo", "bzip2", "lz4", "zstd")
FLAGS_V1 = ((0x01, 1), (0x08, 2), (0x10, 3))
"""Bits of layout 1's flags, and the compression's number in layout 2."""

BLOCK_HEADER = 12
BLOCK_LIMIT = 5 << 20
"""Bytes of a block, packed or not: the size of nfdump's own buffers (BUFFSIZE), so larger ones do not exist."""
UNCOMPRESSED = 0x1
"""Flag of a block that is stored as it is, in a file of compressed ones."""


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the header of a file says."""

    version: int
    big_endian: bool
    size: int = 0
    """Bytes before the first block."""
    compression: str = ""
    """Of the blocks; "?" for one that nobody knows."""
    encrypted: bool = False
    blocks: int = 0
    """Blocks of flows; 0 in a file that was never closed."""
    appendix: int = 0
    """Where the blocks after the flows' begin (statistics, a name); 0 when there are none."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What the header of a block says."""

    records: int
    size: int
    """Bytes that follow, as they are stored."""
    kind: int
    """2: nfdump 1.6; 3: nfdump 1.7; 4: an array of names; 1: nfdump 1.5."""
    packed: bool

    @property
    def possible(self) -> bool:
        """Whether nfdump could have written it."""
        return 1 <= self.kind <= 4 and 0 < self.size <= BLOCK_LIMIT and self.records <= self.size


def parse_file_header(head: bytes) -> FileHeader | None:
    """The header at the beginning of a file; None for what is no nfcapd file.

    A header that is cut short, or of a version that is not known, has the size 0.
    """
    if len(head) < FIXED:
        return None
    order = next((mark for mark in "<>" if struct.unpack_from(mark + "H", head)[0] == MAGIC), "")
    if not order:
        return None
    version = struct.unpack_from(order + "H", head, 2)[0]
    big = order == ">"
    if version == 1 and len(head) >= HEADER_V1:
        flags, blocks = struct.unpack_from(order + "II", head, 4)
        number = next((number for bit, number in FLAGS_V1 if flags & bit), 0)
        return FileHeader(1, big, HEADER_V1 + STATISTICS_V1, COMPRESSIONS[number], blocks=blocks)
    if version == 2 and len(head) >= HEADER_V2:
        number, encryption, extra, _, appendix, _, blocks = struct.unpack_from(order + "BBHIqII", head, 16)
        name = COMPRESSIONS[number] if number < len(COMPRESSIONS) else "?"
        at = max(appendix, 0) if extra else 0
        return FileHeader(2, big, HEADER_V2, name, bool(encryption), blocks, at)
    return FileHeader(version, big)


def parse_block_header(head: bytes, file: FileHeader) -> BlockHeader:
    """The header of a block, 12 bytes. It may be impossible: see :attr:`BlockHeader.possible`."""
    records, size, kind, flags = struct.unpack_from(">IIHH" if file.big_endian else "<IIHH", head)
    return BlockHeader(records, size, kind, bool(file.compression) and not flags & UNCOMPRESSED)
