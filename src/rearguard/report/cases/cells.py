"""What stands in single cells of the operator's tables: addresses, prefixes, port ranges, yes and no."""

from __future__ import annotations

import ipaddress
import re
from socket import AF_INET, AF_INET6, inet_pton

from rearguard.model.address import V4_MAPPED
from rearguard.report.cases.index import span_of
from rearguard.report.cases.table import CellError

__all__ = ["read_ports", "read_prefix", "read_yes"]

_PORTS = re.compile(r"(\d{1,5})(?:\s*[-:–]\s*(\d{1,5}))?", re.ASCII)
_LOW = (1 << 64) - 1
_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "1", "fixed"), True),
    **dict.fromkeys(("no", "n", "false", "0", "open"), False),
}


def read_prefix(text: str) -> tuple[int, int, int]:
    """High half, low half and length (of 128 bits) of an address or a prefix; raises :class:`CellError`."""
    try:  # the usual case first: a million addresses in a second instead of five
        if ":" not in text:
            return 0, V4_MAPPED | int.from_bytes(inet_pton(AF_INET, text)), 128
        number = int.from_bytes(inet_pton(AF_INET6, text))
    except (OSError, ValueError):
        return _prefix(text)
    return number >> 64, number & _LOW, 128


def _prefix(text: str) -> tuple[int, int, int]:
    try:
        whole = ipaddress.ip_network(text, strict=False)
        if "%" in text:
            raise ValueError("a zone means something on one machine only")
        if ipaddress.ip_interface(text).ip == whole.network_address:
            return span_of(whole)
    except ValueError:
        pass
    else:
        raise CellError(f"{text} has bits set behind its prefix", f"write {whole}")
    raise CellError(f"{text!r} is no address and no prefix", "write 198.51.100.7 or 2001:db8:c:100::/56")


def read_ports(text: str) -> tuple[int, int]:
    """First and last port of ``40000-40999``, or of one port; raises :class:`CellError`."""
    match = _PORTS.fullmatch(text)
    first = int(match[1]) if match else -1
    last = int(match[2] or first) if match else -1
    if not 0 <= first <= last <= 0xFFFF:
        raise CellError(f"{text!r} is no port range", "write FIRST-LAST, such as 40000-40999")
    return first, last


def read_yes(text: str) -> bool:
    """Yes or no; raises :class:`CellError`."""
    try:
        return _WORDS[text.casefold()]
    except KeyError:
        raise CellError(f"{text!r} is neither yes nor no", "write yes or no, or leave it empty") from None
