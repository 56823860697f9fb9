"""One row's part in the census: what it tries, and all that its cell must know of it in one word.

    bits   0  8  lower half of the port (the upper half is the number of the bin in which the word waits)
           8  1  whether it is UDP; else it is TCP
           9  2  direction
          11  6  minute within the pool's
          17  4  lane
          21  1  whether the record is one try; else it is as many as it has packets
          22  4  packets
          26 14  bytes
          40 24  registers: of the source's sketch and of the target's, number (6) and the candidate for it (6) each

What does not fit (a large flow, a capture with many interfaces) does not wait.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.contacts.mix import mix2
from rearguard.model.address import V4_MAPPED
from rearguard.model.bits import ACK, KNOWN_FLAGS, SYN, TCP, UDP
from rearguard.model.compiled import inlined

__all__ = [
    "KEY",
    "bytes_in",
    "fits",
    "key_in",
    "key_of",
    "packed",
    "packets_in",
    "registers_in",
    "registers_of",
    "tries_in",
    "tries_of",
]

KEY = np.uint64((1 << 21) - 1)
"""The bits of a word that are its cell's key."""

_V4_PREFIX = np.uint64(V4_MAPPED >> 32)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_RANK = np.zeros(64, dtype=np.uint64)
for _bit in range(64):
    _RANK[((1 << _bit) * int(_DE_BRUIJN) & (1 << 64) - 1) >> 58] = _bit + 1
"""Position of a word's only bit, by its product with a de Bruijn sequence (Leiserson, Prokop, Randall 1998): a loop
over the bits would be mispredicted at nearly every row."""


@inlined
def _register(h: np.uint64) -> np.uint64:
    """HyperLogLog: six bits choose the register, the run of zeros above them is the candidate for it."""
    rest = h >> np.uint64(6) | np.uint64(1 << 57)
    lowest = rest & (~rest + np.uint64(1))
    return np.uint64(h & np.uint64(63) | _RANK[(lowest * _DE_BRUIJN) >> np.uint64(58)] << np.uint64(6))


@inlined
def registers_of(rows: Any, i: int) -> np.uint64:
    """The registers that the row's source (/24, IPv6: /48) and its target touch, 12 bits each."""
    high, low = rows[i].src_hi, rows[i].src_lo
    v4 = high == 0 and low >> np.uint64(32) == _V4_PREFIX
    source = mix2(np.uint64(0), low >> np.uint64(8)) if v4 else mix2(high >> np.uint64(16), np.uint64(1))
    return _register(source) | _register(mix2(rows[i].dst_hi, rows[i].dst_lo)) << np.uint64(12)


@inlined
def key_of(
    port: np.uint64, proto: np.uint64, direction: np.uint64, lane: np.uint64, minute: np.uint64
) -> np.uint64:
    """A cell's key in one word: port 16 | protocol 8 | direction 8 | lane 26 | minute 6, from bit 0."""
    key = np.uint64(port) | np.uint64(proto) << np.uint64(16) | direction << np.uint64(24)
    return key | np.uint64(lane) << np.uint64(32) | minute << np.uint64(58)


@inlined
def fits(lane: int, packets: np.uint64, size: np.uint64) -> bool:
    """Whether a record can wait in one word."""
    return bool(lane < 16 and packets < np.uint64(16) and size < np.uint64(1 << 14))


@inlined
def packed(
    key: np.uint64, tries: np.uint64, packets: np.uint64, size: np.uint64, registers: np.uint64
) -> np.uint64:
    """The word of a record that fits."""
    word = key & np.uint64(0xFF) | (
        np.uint64(1 << 8) if key >> np.uint64(16) & np.uint64(0xFF) == UDP else np.uint64(0)
    )
    word |= (key >> np.uint64(24) & np.uint64(3)) << np.uint64(9) | key >> np.uint64(58) << np.uint64(11)
    word |= (key >> np.uint64(32) & np.uint64(15)) << np.uint64(17)
    word |= np.uint64(1 << 21) if tries != packets else np.uint64(0)
    return word | packets << np.uint64(22) | size << np.uint64(26) | registers << np.uint64(40)


@inlined
def key_in(word: np.uint64, upper: int) -> np.uint64:
    """The key of a word that waits in the bin of that number."""
    return key_of(
        np.uint64(upper) << np.uint64(8) | word & np.uint64(0xFF),
        np.uint64(UDP) if word & np.uint64(1 << 8) else np.uint64(TCP),
        word >> np.uint64(9) & np.uint64(3),
        word >> np.uint64(17) & np.uint64(15),
        word >> np.uint64(11) & np.uint64(63),
    )


@inlined
def tries_in(word: np.uint64) -> np.uint64:
    """The tries of a word."""
    return np.uint64(1) if word & np.uint64(1 << 21) else packets_in(word)


@inlined
def packets_in(word: np.uint64) -> np.uint64:
    """The packets of a word."""
    return word >> np.uint64(22) & np.uint64(15)


@inlined
def bytes_in(word: np.uint64) -> np.uint64:
    """The bytes of a word."""
    return word >> np.uint64(26) & np.uint64((1 << 14) - 1)


@inlined
def registers_in(word: np.uint64) -> np.uint64:
    """The registers of a word."""
    return word >> np.uint64(40)


@inlined
def tries_of(rows: Any, i: int) -> np.uint64:
    """How many tries a row of the list TRIES is: a connection that a flow record tells whole is one."""
    bare = (rows[i].known & KNOWN_FLAGS != 0) & (rows[i].flags & (SYN | ACK) == SYN)
    return np.uint64(rows[i].packets) if (rows[i].proto == UDP) | bare else np.uint64(1)
