"""SNMP: the community string of versions 1 and 2c, which is a password in clear (RFC 1157 4, RFC 3417)."""

from __future__ import annotations

__all__ = ["community"]


def community(text: bytes) -> tuple[bytes, int] | None:
    """Community and its place in a message; None when there is none, as in version 3 (RFC 3412)."""
    body = _inside(text, 0, 0x30)
    if (
        body is None
        or text[body : body + 2] != b"\x02\x01"
        or text[body + 2 : body + 3] not in (b"\0", b"\x01")
    ):
        return None
    at = _inside(text, body + 3, 0x04)
    if at is None:
        return None
    length = text[body + 4]
    found = text[at : at + length]
    return (found, at) if length < 0x80 and len(found) == length else None


def _inside(text: bytes, at: int, tag: int) -> int | None:
    """Where the content of the element at this place begins (BER, X.690 8.1)."""
    if len(text) < at + 2 or text[at] != tag:
        return None
    size = text[at + 1]
    if size < 0x80:
        return at + 2
    return at + 2 + (size & 0x7F) if size <= 0x83 else None
