"""Strings that an attacker may have written, made harmless for a reader and for a shell.

Packets, payloads and file names reach every sink of the report. What a sink's own quoting does not cover
(terminal escapes, bidirectional overrides, zero-width characters, lone surrogates of undecodable file names)
is written out here as a visible escape such as ``\\x1b``.
"""

from __future__ import annotations

import shlex

__all__ = ["shell_quote", "visible", "without_surrogates"]

_BYTE_ESCAPE = 0xDC00  # PEP 383: byte 0xNN of an undecodable name is the lone surrogate U+DCNN


def visible(text: str, limit: int | None = None) -> str:
    """Replace every character that does not print as itself; cut at ``limit`` characters with an ellipsis.

    >>> visible("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def without_surrogates(text: str) -> str:
    """Replace lone surrogates only: strict JSON readers refuse a document that contains one."""
    if text.isascii():
        return text
    return "".join(_escape(char) if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)


def shell_quote(text: str) -> str:
    """Quote a file name for a POSIX shell; unprintable bytes become ``$'\\xNN'``, which bash and zsh read."""
    if text.isprintable():
        return shlex.quote(text)
    parts = []
    for byte in text.encode("utf-8", "surrogateescape"):
        char = chr(byte)
        parts.append(char if byte < 0x80 and char.isprintable() and char not in "'\\" else f"\\x{byte:02x}")
    return f"$'{''.join(parts)}'"


def _escape(char: str) -> str:
    code = ord(char)
    if _BYTE_ESCAPE + 0x80 <= code <= _BYTE_ESCAPE + 0xFF:
        return f"\\x{code - _BYTE_ESCAPE:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
