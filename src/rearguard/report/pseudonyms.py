"""Pseudonyms for our own addresses: structure stays, identity goes.

Theory of operation. Every own prefix gets a pseudonym prefix of the same length, out of address space that the
IETF keeps for itself (240.0.0.0/4, RFC 1112 section 4; e000::/4, RFC 4291 section 2.4 as IANA lists it), so that
no pseudonym is the address of somebody else. Within a prefix each bit is flipped or not by a keyed hash of the bits
before it, as Crypto-PAn does it (Xu et al., ICNP 2002): two addresses share as many leading bits under their
pseudonyms as they do in truth. The lower half of an IPv6 address has no structure worth keeping and becomes one
hash, unless a prefix reaches into it.

The key is drawn anew for each run, is kept nowhere, and makes pseudonyms equal within one run only. What this does
not prevent: somebody who sent packets to a device himself may recognise them by time and content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from rearguard.model.address import Address, Network, from_halves, halves
from rearguard.model.errors import UsageError

__all__ = ["Pseudonyms"]

RESERVED: dict[int, Network] = {4: IPv4Network("240.0.0.0/4"), 6: IPv6Network("e000::/4")}

_RUN = re.compile(r"(?<![\d.])[\d.]{7,}(?:/\d{1,3}(?![\d.]))?")
"""Digits and dots: an IPv4 address or prefix, or something that may hide one."""
_WINDOW = re.compile(r"(?=(\d{1,3}(?:\.\d{1,3}){3}))")
_V6 = re.compile(
    r"(?<![0-9A-Fa-f:])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,80}"
    r"(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![0-9A-Fa-f:]|\.\d)(?:/\d{1,3}(?![\d.]))?"
)
_SEPARATED = re.compile(r"(?<!\d)(\d{1,3})([-_]|%2[eE])(\d{1,3})\2(\d{1,3})\2(\d{1,3})(?!\d)")
_REVERSED = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?=\.[A-Za-z])")
_NIBBLES = re.compile(r"(?<![\w.])((?:[0-9A-Fa-f]\.){31}[0-9A-Fa-f])(?=\.ip6\b)")
_NUMBER = re.compile(r"(?<![\w.])(?:0[xX][0-9a-fA-F]{8}|\d{8,10})(?![\w.])")


class Pseudonyms:
    """The mapping of one run. Raises :class:`UsageError` when the own prefixes leave no room for pseudonyms."""

    def __init__(self, own: Iterable[Network], key: bytes) -> None:
        self._key = key
        self._flips: dict[bytes, int] = {}
        self._known: dict[Address, Address] = {}
        prefixes = list(own)
        four = collapse_addresses(net for net in prefixes if isinstance(net, IPv4Network))
        six = collapse_addresses(net for net in prefixes if isinstance(net, IPv6Network))
        self._places = {4: self._allotted(4, list(four)), 6: self._allotted(6, list(six))}

    def is_own(self, address: Address) -> bool:
        """Whether the address lies in one of the own prefixes; an IPv4-mapped one counts as IPv4."""
        return self._place(_unmapped(address)) is not None

    def address(self, address: Address) -> Address:
        """The pseudonym of an own address; any other address as it is."""
        plain = _unmapped(address)
        if plain not in self._known:
            place = self._place(plain)
            if place is None:
                return address
            self._known[plain] = self._pseudonym(plain, *place)
        return self._known[plain]

    def halves(self, high: int, low: int) -> tuple[int, int]:
        """The same for an address in two halves."""
        return halves(self.address(from_halves(high, low)))

    def network(self, network: Network) -> Network:
        """The pseudonym of a prefix inside an own one; any other prefix as it is."""
        first = self.address(network.network_address)
        return ip_network((first, network.prefixlen), strict=False)

    def text(self, text: str) -> str:
        """A text in which every own address is replaced, however it is written.

        Addresses and prefixes in their usual forms, in names (``198-51-100-20.example``, ``in-addr.arpa``,
        ``ip6.arpa``), with escaped dots, and as one decimal or hexadecimal number.
        """
        if not any(char.isdigit() or char == ":" for char in text):
            return text
        for pattern, replace in (
            (_NIBBLES, self._nibbles),
            (_REVERSED, self._reversed),
            (_V6, self._run),
            (_RUN, self._run),
            (_SEPARATED, self._separated),
            (_NUMBER, self._number),
        ):
            text = pattern.sub(replace, text)
        return text

    def _run(self, match: re.Match[str]) -> str:
        """An address or a prefix, perhaps with a full stop behind it; or more than that, which may hide one."""
        core = match[0].strip(".")
        if _parsed(core.partition("/")[0]) is None:
            return self._hidden(match[0])
        before, _, after = match[0].partition(core)
        return f"{before}{self._one(core)}{after}"

    def _one(self, text: str) -> str:
        """An address, or a prefix, whose host bits stay what they were: none, or some."""
        address, slash, length = text.partition("/")
        found = _parsed(address)
        if found is None or not self.is_own(found):
            return text
        replaced = self.address(found)
        if slash and int(length) <= _unmapped(found).max_prefixlen:
            inside = ip_network((_unmapped(found), int(length)), strict=False)
            if inside.network_address == _unmapped(found):
                replaced = ip_network((replaced, int(length)), strict=False).network_address
        return f"{replaced}{slash}{length}"

    def _hidden(self, text: str) -> str:
        """Too many digits, dots or colons: when any part of it is an own address, all of it goes."""
        for part in _parts(text):
            found = _parsed(part)
            if found is not None and self.is_own(found):
                return str(self.address(found))
        return text

    def _nibbles(self, match: re.Match[str]) -> str:
        found = IPv6Address(int(match[1].replace(".", "")[::-1], 16))
        if not self.is_own(found):
            return match[0]
        return ".".join(self.address(found).exploded.replace(":", "")[::-1])

    def _separated(self, match: re.Match[str]) -> str:
        digits, mark = (match[1], match[3], match[4], match[5]), match[2]
        for order in (digits, digits[::-1]):
            found = _parsed(".".join(order))
            if found is not None and self.is_own(found):
                return str(self.address(found)).replace(".", mark)
        return match[0]

    def _reversed(self, match: re.Match[str]) -> str:
        found = _parsed(".".join(match.groups()[::-1]))
        if found is None or not self.is_own(found):
            return match[0]
        return ".".join(str(self.address(found)).split(".")[::-1])

    def _number(self, match: re.Match[str]) -> str:
        number = int(match[0], 0) if match[0][:2].lower() == "0x" else int(match[0])
        if number >> 32 or not self.is_own(IPv4Address(number)):
            return match[0]
        return str(int(self.address(IPv4Address(number))))

    def _allotted(self, version: int, prefixes: Sequence[Network]) -> dict[int, dict[int, int]]:
        """By length: leading bits of an own prefix -> leading bits of its pseudonym; large prefixes first."""
        space = RESERVED[version]
        end = int(space.broadcast_address) + 1
        width = space.max_prefixlen
        following = int(space.network_address)
        places: dict[int, dict[int, int]] = {}
        for prefix in sorted(
            prefixes, key=lambda net: (net.prefixlen, self._hash(net.network_address.packed))
        ):
            shift = width - prefix.prefixlen
            if following + (1 << shift) > end:
                raise UsageError(
                    f"the own IPv{version} networks are too large to be shared under pseudonyms",
                    remedy="name the networks of managed devices more narrowly in the policy",
                )
            places.setdefault(prefix.prefixlen, {})[int(prefix.network_address) >> shift] = following >> shift
            following += 1 << shift
        return places

    def _place(self, address: Address) -> tuple[int, int] | None:
        """Length and leading bits of the pseudonym prefix; None outside all own prefixes."""
        number, width = int(address), address.max_prefixlen
        for length, places in self._places[address.version].items():
            found = places.get(number >> (width - length))
            if found is not None:
                return length, found
        return None

    def _pseudonym(self, address: Address, length: int, lead: int) -> Address:
        width = address.max_prefixlen
        host = self._permuted(address.packed, length) & ((1 << (width - length)) - 1)
        made = (lead << (width - length)) | host
        return IPv4Address(made) if address.version == 4 else IPv6Address(made)

    def _permuted(self, packed: bytes, length: int) -> int:
        """All bits, each flipped by the hash of those before it; of IPv6 the lower half by one hash."""
        made = bytearray()
        whole = len(packed) == 4 or length > 64
        for place in range(len(packed) if whole else 8):
            made.append(self._byte(packed[:place], packed[place]))
        if not whole:
            made += self._hash(packed)[:8]
        return int.from_bytes(made)

    def _byte(self, before: bytes, byte: int) -> int:
        """One byte with its eight bits decided by the bytes before and the bits before within it."""
        flips = self._flips.get(before)
        if flips is None:
            flips = self._flips[before] = int.from_bytes(self._hash(b"flip" + before))
        made, node = 0, 1
        for place in range(7, -1, -1):
            bit = byte >> place & 1
            made = made << 1 | (bit ^ (flips >> node & 1))
            node = node << 1 | bit
        return made

    def _hash(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=32).digest()


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _parts(text: str) -> Iterator[str]:
    """What could be an address within it."""
    if ":" not in text:
        for window in _WINDOW.finditer(text):
            yield from (window[1][: len(window[1]) - cut] for cut in range(3))
        return
    for begin in range(len(text)):
        if begin == 0 or text[begin - 1] != text[begin] or text[begin] != ":":
            yield from (text[begin:end] for end in range(len(text), begin + 3, -1))


def _parsed(text: str) -> Address | None:
    try:
        return ip_address(".".join(str(int(part)) for part in text.split(".")) if ":" not in text else text)
    except ValueError:
        return None
