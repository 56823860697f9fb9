"""The operator's ground: addresses, who lives there, and what their devices answer.

Customers have one IPv4 address of 10.64.0.0/10 and, some of them, a /56 of 2001:db8:8000::/34 with the same offset.
Everybody else has invented addresses: IPv4 in 11.0.0.0 to 99.255.255.255, a range without special blocks, and IPv6
in 2001:db8::/34. They stand for nobody; nothing is ever sent there. Controllers are at 198.51.100.0/24, exporters
and the collector at 192.0.2.0/24 (RFC 5737).

Distinctness without memory: whoever walks through addresses takes them from a permutation (own addresses), or from
a Weyl sequence (foreign ones), so that none comes twice and a counter is a set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearguard.model.address import V4_MAPPED, format_address
from rearguard.simulate.scenario import Scenario

__all__ = [
    "CALLED_AT",
    "CALLED_AT_V6",
    "CALLS_FROM",
    "HOSTING",
    "LIVE",
    "MANAGED",
    "OPEN_REQUESTS",
    "OPEN_SSDP",
    "OPEN_TELNET",
    "REFUSES",
    "V6",
    "Ground",
    "foreign_v4",
    "foreign_v6",
    "hashed",
    "lay_out",
    "v4",
]

U64 = NDArray[np.uint64]
LIVE, MANAGED, V6, REFUSES, HOSTING, OPEN_REQUESTS, OPEN_TELNET, OPEN_SSDP = (1 << bit for bit in range(8))
"""What is true of an address: bits of :attr:`Ground.roles`."""

OWN_V4 = 10 << 24 | 64 << 16
OWN_V6 = 0x2001_0DB8_8000_0000
"""High half of 2001:db8:8000::/34."""
FOREIGN_V4, FOREIGN_SIZE = 11 << 24, 89 << 24
FOREIGN_V6 = 0x2001_0DB8_0000_0000
CALLS_FROM = tuple(198 << 24 | 51 << 16 | 100 << 8 | last for last in (8, 9, 10, 11))
"""198.51.100.8/30: whence the controllers send Connection Requests."""
CALLED_AT = 198 << 24 | 51 << 16 | 100 << 8 | 20
CALLED_AT_V6 = (0x2001_0DB8_FFFF_0000, 0x20)
MAX_BITS = 22


@dataclass(frozen=True, slots=True)
class Ground:
    """``roles`` has one byte an IPv4 address of ours; the other arrays list offsets in it."""

    bits: int
    roles: NDArray[np.uint8]
    customers: NDArray[np.uint32]
    managed: NDArray[np.uint32]
    with_v6: NDArray[np.uint32]
    hosting: NDArray[np.uint32]

    @property
    def space(self) -> int:
        """Number of IPv4 addresses."""
        return 1 << self.bits

    @property
    def prefixes(self) -> tuple[str, str]:
        """IPv4 and IPv6 prefix of the customers."""
        return f"{format_address(0, V4_MAPPED | OWN_V4)}/{32 - self.bits}", "2001:db8:8000::/34"

    def address(self, offset: NDArray[np.uint32], six: NDArray[np.bool_]) -> tuple[U64, U64]:
        """High and low half of the customers' addresses."""
        wide = offset.astype(np.uint64)
        high = np.where(six, np.uint64(OWN_V6) | wide << np.uint64(8), np.uint64(0))
        low = np.where(six, np.uint64(1), np.uint64(V4_MAPPED | OWN_V4) + wide)
        return high, low

    def text(self, offset: int) -> str:
        """The IPv4 address of one customer."""
        return format_address(0, V4_MAPPED | (OWN_V4 + offset))

    def texts(self, offset: int) -> tuple[str, str | None]:
        """The IPv4 address of one customer, and the IPv6 prefix if there is one."""
        six = bool(self.roles[offset] & V6)
        return self.text(offset), f"{format_address(OWN_V6 | offset << 8, 0)}/56" if six else None

    def walk(self, step: NDArray[np.int64], salt: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """A permutation of all IPv4 offsets for each salt: odd factors and shifted exclusive ors."""
        mask = np.uint32(self.space - 1)
        half = np.uint32(self.bits // 2)
        value = step.astype(np.uint32) & mask
        value = (value * (np.uint32(2) * salt + np.uint32(1)) + (salt >> np.uint32(7))) & mask
        value ^= value >> half
        value = (value * np.uint32(0x2C1B5)) & mask
        return np.asarray(value ^ (value >> half), np.uint32)


def lay_out(scenario: Scenario, rng: np.random.Generator) -> Ground:
    """Give out addresses and roles."""
    management, ordinary = scenario.management, scenario.ordinary
    wanted = scenario.customers / ordinary.live
    bits = min(MAX_BITS, max(6, int(np.ceil(np.log2(wanted)))))
    space = 1 << bits
    customers = np.sort(rng.permutation(space)[: scenario.customers]).astype(np.uint32)
    roles = np.zeros(space, np.uint8)
    roles[customers] = LIVE

    def some(of: NDArray[np.uint32], share: float, role: int) -> NDArray[np.uint32]:
        chosen = np.sort(rng.choice(of, round(share * len(of)), replace=False))
        roles[chosen] |= np.uint8(role)
        return chosen

    managed = some(customers, management.managed, MANAGED)
    with_v6 = some(customers, ordinary.v6, V6)
    hosting = some(customers, ordinary.hosting, HOSTING)
    some(customers, management.refusing, REFUSES)
    some(managed, management.open_requests, OPEN_REQUESTS)
    some(customers, management.open_telnet, OPEN_TELNET)
    some(customers, management.open_ssdp, OPEN_SSDP)
    return Ground(bits, roles, customers, managed, with_v6, hosting)


def hashed(value: NDArray[np.integer], salt: int = 0) -> U64:
    """A fixed mixture of the bits of numbers (the finisher of SplitMix64)."""
    mixed = value.astype(np.uint64) + np.uint64(
        (salt * 0x9E37_79B9_7F4A_7C15 + 0x1234_5678_9ABC_DEF1) % (1 << 64)
    )
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return mixed ^ (mixed >> np.uint64(31))


def v4(address: NDArray[np.integer] | int) -> U64:
    """Low half of IPv4 addresses."""
    return np.asarray(address).astype(np.uint64) | np.uint64(V4_MAPPED)


def foreign_v4(which: NDArray[np.integer]) -> U64:
    """Low half of the invented address number ``which``; different below 89 * 2^24, which they wrap around at."""
    spread = which.astype(np.uint64) * np.uint64(0x9E37_79B1) % np.uint64(FOREIGN_SIZE)
    return v4(spread + np.uint64(FOREIGN_V4))


def foreign_v6(which: NDArray[np.integer]) -> tuple[U64, U64]:
    """Halves of the invented IPv6 address number ``which``: a /48 of its own for most."""
    mixed = hashed(which, 6)
    return (
        np.uint64(FOREIGN_V6) | (mixed & np.uint64(0x3FFF)) << np.uint64(16) | mixed >> np.uint64(48),
        mixed | np.uint64(1 << 63),
    )
