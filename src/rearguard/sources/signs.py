"""How the formats of flow records begin; each function looks at the first bytes of a file, decompressed."""

from __future__ import annotations

__all__ = [
    "is_argus",
    "is_eve",
    "is_ipfix",
    "is_json",
    "is_nfcapd",
    "is_parquet",
    "is_table",
    "is_zeek",
    "is_zeek_json",
]

_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs write before UTF-8."""


def is_nfcapd(head: bytes) -> bool:
    """A file of nfcapd, of either byte order: the magic number 0xA50C and the number of its layout."""
    mark = "little" if head[:2] == b"\x0c\xa5" else "big" if head[:2] == b"\xa5\x0c" else ""
    return (
        len(head) > 3
        and mark != ""
        and 1 <= int.from_bytes(head[2:4], "big" if mark == "big" else "little") <= 9
    )


def is_ipfix(head: bytes) -> bool:
    """IPFIX messages (RFC 5655): version 10, a length, and a set that begins inside (RFC 7011 section 3.3.2)."""
    if len(head) < 20 or head[:2] != b"\x00\x0a":
        return False
    length, kind, size = (int.from_bytes(head[at : at + 2], "big") for at in (2, 16, 18))
    return length >= 20 and (kind in (2, 3) or kind >= 256) and 4 <= size <= length - 16


def is_zeek(head: bytes) -> bool:
    """A log of Zeek as text: it begins with its separator, or at least with other lines of its header."""
    start = head.removeprefix(_MARK)
    return start.startswith((b"#separator ", b"#fields\t", b"#path\t"))


def is_json(head: bytes) -> bool:
    """JSON objects, or an array of them."""
    start = head.removeprefix(_MARK).lstrip()
    return start.startswith(b"{") or (start.startswith(b"[") and start[1:].lstrip().startswith(b"{"))


def _is_json_lines(head: bytes) -> bool:
    return is_json(head) and head.removeprefix(_MARK).lstrip().startswith(b"{")


def is_zeek_json(head: bytes) -> bool:
    """Zeek's conn.log as JSON lines."""
    return _is_json_lines(head) and b'"id.orig_h"' in head and (b'"conn_state"' in head or b'"_path"' in head)


def is_eve(head: bytes) -> bool:
    """Suricata's eve.json; pmacct has an event_type, too."""
    return (
        _is_json_lines(head)
        and b'"event_type"' in head
        and b'"timestamp"' in head
        and b'"ip_src"' not in head
    )


def is_parquet(head: bytes) -> bool:
    """Apache Parquet."""
    return head.startswith(b"PAR1")


def is_argus(head: bytes) -> bool:
    """A file of argus 3 or 5: a management record of version 3 that carries the argus cookie (argus_def.h)."""
    return head[:1] in (b"\x83", b"\x85") and b"\xe5\x71\x2d\xcb" in head[:16]


def is_table(head: bytes) -> bool:
    """Text whose first line has three cells or more, the first with letters; no control characters anywhere."""
    start = head.removeprefix(_MARK)
    line = start.partition(b"\n")[0].rstrip(b"\r")
    if not line or any(byte < 0x20 and byte not in b"\t\n\r\x0c" for byte in start):
        return False
    return any(
        line.count(mark) >= 2 and any(chr(byte).isalpha() for byte in line.partition(mark)[0])
        for mark in (b",", b"\t", b";", b"|")
    )
