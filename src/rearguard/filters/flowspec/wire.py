"""FlowSpec NLRI, to bytes and back (RFC 8955 section 4, RFC 8956 section 3).

::

    length   1 byte below 240, else 2 bytes 0xFnnn, up to 4095; of what follows
    type 1,2 IPv4: length in bits, then so many bits;  IPv6: length, offset, then (length - offset) bits
    others   (operator, value)+, the operator being  e a len len 0 lt gt eq  or  e a len len 0 0 not m
             e: the last one.  a: joined by AND.  len: the value has 1 << len bytes

What is written has one form only: values in their fewest bytes (a flow label in four, RFC 8956 section 3.7), no
bit set that is not used. What is read may have another one, as RFC 8955 allows; bits that it reserves are ignored.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from rearguard.filters.flowspec.components import (
    BITWISE,
    FlowError,
    FlowRule,
    Kind,
    Part,
    Prefix,
    Term,
    Terms,
)
from rearguard.model.errors import Place

__all__ = ["LONGEST", "decode", "decode_all", "encode", "encode_part"]

LONGEST = 0x0FFF
"""Bytes of one NLRI without its length."""
_SHORT = 0xF0
_END, _AND = 0x80, 0x40
_OPERATOR = {True: 0x03, False: 0x07}
"""The bits of the operator itself, bitwise or numeric."""
_BITS = {4: 32, 6: 128}


def encode(rule: FlowRule) -> bytes:
    """The NLRI with its length. ``FlowError``: it is too long."""
    body = b"".join(encode_part(part) for part in rule.parts)
    if len(body) < _SHORT:
        return bytes((len(body),)) + body
    if len(body) > LONGEST:
        raise FlowError(
            f"the rule takes {len(body):,} bytes, and an NLRI has at most {LONGEST:,}",
            remedy="guard fewer ports in one drop",
        )
    return (0xF000 | len(body)).to_bytes(2, "big") + body


def decode_all(family: int, data: bytes) -> tuple[FlowRule, ...]:
    """The rules that stand one after the other. ``FlowError`` says at which byte they are malformed."""
    found = []
    at = 0
    while at < len(data):
        rule, at = decode(family, data, at)
        found.append(rule)
    return tuple(found)


def decode(family: int, data: bytes, at: int = 0) -> tuple[FlowRule, int]:
    """The rule that begins at a byte, and where the next one does. ``FlowError``: it is malformed."""
    size = _byte(data, at)
    start = at + 1
    if size >= _SHORT:
        size = (size & 0x0F) << 8 | _byte(data, start)
        start += 1
    end = start + size
    if end > len(data):
        raise _malformed("the rule is longer than what is there", at)
    parts: list[Part] = []
    place = start
    try:
        while place < end:
            part, place = _read(family, data[:end], place)
            parts.append(part)
        return FlowRule(family, tuple(parts)), end
    except FlowError as error:
        if error.place.offset is not None:
            raise
        raise _malformed(error.problem, place) from None


def encode_part(part: Part) -> bytes:
    """One component, its type first."""
    if isinstance(part, Prefix):
        length = part.network.prefixlen
        bits = length - part.offset
        size = (bits + 7) // 8
        number = int(part.network.network_address) >> part.network.max_prefixlen - length
        pattern = ((number & (1 << bits) - 1) << 8 * size - bits).to_bytes(size, "big")
        head = (part.kind, length) if part.network.version == 4 else (part.kind, length, part.offset)
        return bytes(head) + pattern
    found = bytearray((part.kind,))
    for at, term in enumerate(part.terms):
        power = 2 if part.kind is Kind.FLOW_LABEL else 0 if term.value < 1 << 8 else 1
        end = _END if at == len(part.terms) - 1 else 0
        found.append(end | (_AND if term.joined else 0) | power << 4 | term.operator)
        found += term.value.to_bytes(1 << power, "big")
    return bytes(found)


def _read(family: int, data: bytes, at: int) -> tuple[Part, int]:
    number = _byte(data, at)
    if number not in Kind.__members__.values():
        raise _malformed(f"there is no component of type {number}", at)
    kind = Kind(number)
    if kind in (Kind.DESTINATION, Kind.SOURCE):
        return _read_prefix(family, kind, data, at + 1)
    return _read_terms(kind, data, at + 1)


def _read_prefix(family: int, kind: Kind, data: bytes, at: int) -> tuple[Part, int]:
    length = _byte(data, at)
    offset = 0
    start = at + 1
    if family == 6:
        offset = _byte(data, start)
        start += 1
    if length > _BITS[family] or (offset >= length and (offset, length) != (0, 0)):
        raise _malformed(f"a prefix of {length} bits at offset {offset}", at)
    bits = length - offset
    size = (bits + 7) // 8
    if start + size > len(data):
        raise _malformed("the prefix is cut off", at)
    number = int.from_bytes(data[start : start + size], "big") >> 8 * size - bits
    number <<= _BITS[family] - length
    network = IPv4Network((number, length)) if family == 4 else IPv6Network((number, length))
    return Prefix(kind, network, offset), start + size


def _read_terms(kind: Kind, data: bytes, at: int) -> tuple[Part, int]:
    terms: list[Term] = []
    while True:
        head = _byte(data, at)
        size = 1 << (head >> 4 & 3)
        if at + 1 + size > len(data):
            raise _malformed("the value is cut off", at)
        value = int.from_bytes(data[at + 1 : at + 1 + size], "big")
        joined = bool(terms) and bool(head & _AND)
        terms.append(Term(head & _OPERATOR[kind in BITWISE], value, joined))
        at += 1 + size
        if head & _END:
            return Terms(kind, tuple(terms)), at


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _malformed("the rule is cut off", at)
    return data[at]


def _malformed(problem: str, at: int) -> FlowError:
    return FlowError(f"malformed FlowSpec: {problem}", place=Place(offset=at))
