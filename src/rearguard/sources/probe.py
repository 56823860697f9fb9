"""Tell by its first bytes what a file is, and say it when it is nothing that can be read."""

from __future__ import annotations

from rearguard.model.errors import InputError, Place
from rearguard.sources.pcap import FILE_HEADER, Pcap, parse_header
from rearguard.sources.pcapng import MAGIC, Pcapng
from rearguard.sources.window import Window

__all__ = ["describe", "open_container"]

INPUTS = "docs/flows.md and docs/decoding.md say what can be read"
TABLE = (
    "a table of flows has the names of its columns in the first line, with , ; | or a tab between them; "
    "print nfdump's flows with nfdump -o csv"
)
CONVERT = "convert it to pcap, for example with: editcap -F pcap IN OUT"

SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (b"snoop\0\0\0", "a Solaris snoop capture", CONVERT),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"\x54\x52\x53\x4e\x49\x46\x46", "an NG Sniffer capture", CONVERT),
    (b"#!", "a script", INPUTS),
    (b"\xff\xfe", "text in UTF-16", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"),
)


def describe(head: bytes) -> tuple[str, str]:
    """What these first bytes look like, and the remedy."""
    for sign, name, remedy in SIGNS:
        if head.startswith(sign):
            return name, remedy
    if len(head) > 262 and head[257:262] == b"ustar":
        return "a tar archive", "unpack it first"
    if head and all(byte in b"\t\n\r" or 0x20 <= byte < 0x7F for byte in head[:64]):
        return "text without a header of columns", TABLE
    shown = head[:8].hex(" ")
    return f"unknown data that begin with the bytes {shown}", INPUTS


def open_container(window: Window, uri: str) -> Pcap | Pcapng:
    """The container that the window's first bytes announce, the window placed at its first record or block.

    Raises InputError for an empty file and for what is neither pcap nor pcapng.
    """
    head = window.take(512)
    place = Place(file="standard input" if uri == "-" else uri)
    if not head:
        raise InputError(
            window.inflow.damaged or "the file is empty",
            remedy="leave it out, or record it again: a capture without packets still has a header",
            place=place,
        )
    if head.startswith(MAGIC):
        state = Pcapng()
        if state.block_length(head[:12]) is None:
            raise InputError("a damaged pcapng section header", remedy="record or copy it again", place=place)
        return state
    header = parse_header(head)
    if header is not None:
        window.pos += FILE_HEADER
        return Pcap(header)
    name, remedy = describe(head)
    if len(head) < FILE_HEADER and remedy == INPUTS:
        raise InputError(
            f"the file has only {len(head)} bytes, too few for a capture's header",
            remedy="record or copy it again",
            place=place,
        )
    raise InputError(f"neither a capture nor flows but {name}", remedy=remedy, place=place)
