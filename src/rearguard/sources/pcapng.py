"""The pcapng container (draft-ietf-opsawg-pcapng): sections and interfaces, the state of its walker."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np

from rearguard.model.compiled import Buffer
from rearguard.sources.frames import LAST_LINK
from rearguard.sources.pcapng_walk import INTERFACE, MAX_BLOCK, Interfaces, walk_pcapng

__all__ = ["MAGIC", "Pcapng"]

MAGIC = b"\x0a\x0d\x0d\x0a"
BIG = b"\x1a\x2b\x3c\x4d"
LITTLE = b"\x4d\x3c\x2b\x1a"

MAX_INTERFACES = 65_536
"""Of one section, and observers of one file: more than that is held to be an attack on our memory."""

MAX_NAME = 256

# Options of an interface description block.
END_OF_OPTIONS = 0
IF_NAME = 2
IF_TSRESOL = 9
IF_TSOFFSET = 14


def _grown(table: Any, size: int) -> Any:
    return Interfaces(*(np.concatenate([column, np.zeros(size, column.dtype)]) for column in table))


class Pcapng:
    """The state of a pcapng file while it is walked: byte order and interfaces of the present section."""

    name = "pcapng"
    first_record = 0

    def __init__(self) -> None:
        self.order: Literal["big", "little"] = "little"
        self.observers: list[str] = []
        self._interfaces = Interfaces(
            np.zeros(8, np.uint16),
            np.zeros(8, np.uint8),
            np.zeros(8, np.uint8),
            np.zeros(8, np.int64),
            np.zeros(8, np.uint32),
            np.zeros(8, np.uint32),
        )
        self._defined = 0
        self._numbers: dict[str, int] = {}
        self._in_section: set[str] = set()
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """A digest of all blocks so far that the meaning of the next packet depends on."""
        return self._digest.hexdigest()

    def walk(self, b: Buffer, pos: int, end: int, limit: int, frames: Any) -> tuple[int, int, int, int]:
        """See :func:`rearguard.sources.pcapng_walk.walk_pcapng`."""
        big_endian = self.order == "big"
        return walk_pcapng(b, pos, end, limit, big_endian, self._interfaces, self._defined, frames)

    def block_length(self, head: bytes) -> int | None:
        """The length of the section or interface block that begins with these 12 bytes; None if they are
        wrong."""
        order = self.order
        if head[:4] == MAGIC:
            if head[8:12] not in (BIG, LITTLE):
                return None
            order = "big" if head[8:12] == BIG else "little"
        length = int.from_bytes(head[4:8], order)
        minimum = 28 if head[:4] == MAGIC else 20
        return length if minimum <= length <= MAX_BLOCK and length % 4 == 0 else None

    def define(self, block: bytes) -> str | None:
        """Take in a whole section header or interface block. Returns what is wrong with it, if anything."""
        if block[:4] == MAGIC:
            self.order = "big" if block[8:12] == BIG else "little"
            major = int.from_bytes(block[12:14], self.order)
            if major != 1:
                return f"a section of pcapng version {major}, of which nothing is known"
            self._defined = 0
            self._in_section.clear()
        if block[-4:] != block[4:8]:
            return "a block whose two lengths differ"
        self._digest.update(block)
        if int.from_bytes(block[:4], self.order) == INTERFACE and block[:4] != MAGIC:
            return self._interface(block)
        return None

    def _interface(self, block: bytes) -> str | None:
        if self._defined >= MAX_INTERFACES:
            return f"more than {MAX_INTERFACES} interfaces"
        i = self._defined
        table = self._interfaces
        if i == table.link.size:
            self._interfaces = table = _grown(table, i)
        options = self._options(block[16:-4])
        resolution = options.get(IF_TSRESOL, b"\x06")
        value = resolution[0] if len(resolution) == 1 else 6
        offset = options.get(IF_TSOFFSET, b"")
        link = int.from_bytes(block[8:10], self.order)
        table.link[i] = min(link, LAST_LINK)
        table.binary[i] = value >> 7
        table.exponent[i] = value & 0x7F
        table.seconds[i] = int.from_bytes(offset, self.order, signed=True) if len(offset) == 8 else 0
        table.snaplen[i] = int.from_bytes(block[12:16], self.order)
        name = options.get(IF_NAME, b"").split(b"\0")[0][:MAX_NAME].decode("utf-8", "replace") or f"#{i}"
        observer = self._observer(name, i)
        if observer is None:
            return f"more than {MAX_INTERFACES} interfaces"
        table.observer[i] = observer
        self._defined += 1
        return None

    def _observer(self, name: str, i: int) -> int | None:
        """The number of an observer: one name in two sections is one observer, in one section it is two."""
        if name in self._in_section:
            name = f"{name}#{i}"
        self._in_section.add(name)
        if name not in self._numbers:
            if len(self.observers) >= MAX_INTERFACES:
                return None
            self._numbers[name] = len(self.observers)
            self.observers.append(name)
        return self._numbers[name]

    def _options(self, data: bytes) -> dict[int, bytes]:
        """The options by code, the first of each; a list that runs past its end is read as far as it goes."""
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(data):
            code = int.from_bytes(data[at : at + 2], self.order)
            size = int.from_bytes(data[at + 2 : at + 4], self.order)
            if code == END_OF_OPTIONS or at + 4 + size > len(data):
                break
            found.setdefault(code, data[at + 4 : at + 4 + size])
            at += 4 + (size + 3) // 4 * 4
        return found
