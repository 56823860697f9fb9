"""Template sets as they stand in a message of NetFlow v9 (RFC 3954, 5.2 and 6.1) or IPFIX (RFC 7011, 3.4).

=============  ============================================================================================
v9 set 0       template: id, count, then (type, length) each
v9 set 1       options: id, length of the scope fields, length of the option fields, then (type, length) each
IPFIX set 2    template: id, count, then (element, length, and an enterprise number if the high bit is set)
IPFIX set 3    options: id, count of all, count of the scope fields, then as above
=============  ============================================================================================

A template of IPFIX with no fields withdraws the one of its id; with id 2 or 3 (the set's), all of that set
(RFC 7011 section 8.1). Whoever sends templates may be an attacker: every count is checked against what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

from rearguard.sources.exports.fields import IANA

__all__ = ["IPFIX", "MOST_FIELDS", "SCOPE", "V9", "VARIABLE", "Template", "read_templates"]

V9, IPFIX = 9, 10
VARIABLE = 65_535
"""The length of fields that say their own (RFC 7011 section 7). In v9 no field can be so long, and the exporters
that use it mean the same."""
SCOPE = -1
"""In place of the enterprise number: a scope of v9 (1 system, 2 interface, 3 line card, 4 cache, 5 template)."""
MOST_FIELDS = 512
"""Fields of one template; routers send less than a hundred."""
FIRST_DATA = 256


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it was sent; without fields it is the withdrawal of one, or of all (``id`` 2 or 3)."""

    id: int
    fields: tuple[tuple[int, int, int], ...]
    """(enterprise, element, length) each, scope fields first."""
    options: bool = False
    scopes: int = 0
    """How many of the fields are the scope."""

    @property
    def least(self) -> int:
        """Bytes of its shortest record."""
        return sum(1 if length == VARIABLE else length for _, _, length in self.fields)


def read_templates(version: int, body: bytes) -> tuple[list[Template], bool]:
    """The templates of a set (with its four bytes of header), and whether all of it could be read."""
    set_id = int.from_bytes(body[:2], "big")
    found: list[Template] = []
    at = 4
    while at + 4 <= len(body):
        if not any(body[at : at + 4]):
            break  # padding
        template, at = _one(version, set_id, body, at)
        if template is None:
            return found, False
        found.append(template)
    return found, True


def _one(version: int, set_id: int, body: bytes, at: int) -> tuple[Template | None, int]:
    number, count = unpack_from(">HH", body, at)
    at += 4
    options = set_id in (1, 3)
    if version == IPFIX and count == 0:
        known = number >= FIRST_DATA or number == set_id
        return (Template(number, (), options) if known else None), at
    scopes = 0
    if options:
        if at + 2 > len(body):
            return None, at
        (second,) = unpack_from(">H", body, at)
        at += 2
        scopes, count = (count // 4, count // 4 + second // 4) if version == V9 else (second, count)
    if number < FIRST_DATA or not 0 < count <= MOST_FIELDS or scopes > count:
        return None, at
    fields: list[tuple[int, int, int]] = []
    for place in range(count):
        if at + 4 > len(body):
            return None, at
        element, length = unpack_from(">HH", body, at)
        at += 4
        enterprise = IANA
        if version == V9:
            enterprise = SCOPE if place < scopes else IANA
        elif element & 0x8000:
            if at + 4 > len(body):
                return None, at
            (enterprise,) = unpack_from(">I", body, at)
            at += 4
            element &= 0x7FFF
        fields.append((enterprise, element, length))
    return Template(number, tuple(fields), options, scopes), at
