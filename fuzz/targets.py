"""What is fuzzed: each target takes bytes and fails on a crash, a broken promise or a second opinion.

A target is a plain function, importable without atheris. ``python fuzz/run.py`` drives them, guided by coverage.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import exports
import lz4.frame
import sflow
import text
import zstandard

from dialogue import said
from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.hear import hear
from rearguard.model.bits import TCP
from rearguard.model.errors import InputError
from rearguard.sources import open_packets
from sources.build import FRAMES, OTHERS, pcap
from sources.containers import decode, read
from sources.rows import outcomes
from sources.test_reference import OWN

__all__ = ["SEEDS", "TARGETS", "capture", "compressed", "dialogue", "packet"]

PLACES = ((6, 7547), (6, 23), (6, 5555), (17, 1900), (17, 161), (6, 80), (6, 37215), (17, 53413))
SIDES = ("client", "server")
ATTACKS, CATALOGUE = load_attacks(), load()
LINKS = (0, 1, 9, 50, 51, 101, 104, 108, 113, 228, 229, 239, 276, 12, 14, 105)
WINDOWS = (1, 300, 1 << 16)
LONGEST = 8 * 1024 * 1024
"""Bytes of unpacked data after which a compressed input is left alone: bombs are allowed, time is not."""


def _file(data: bytes) -> Path:
    path = Path(tempfile.gettempdir()) / f"rearguard-fuzz-{os.getpid()}"
    path.write_bytes(data)
    return path


def capture(data: bytes) -> None:
    """A whole file: rows, reasons and damage are those that the plain reference finds."""
    try:
        source = open_packets(str(_file(data)), window=WINDOWS[len(data) % len(WINDOWS)])
    except InputError:
        return
    with source:
        if source.compression:
            return
        rows = outcomes(source)
        expected = decode(read(data))
        assert rows == [row for row in expected if isinstance(row, dict)]
        assert {k: v for k, v in source.tally.skipped.items() if v} == Counter(
            x for x in expected if isinstance(x, str)
        )


def packet(data: bytes) -> None:
    """One frame: its first byte chooses the link type, its second how much was cut off behind it."""
    if len(data) > 2:
        link = LINKS[data[0] % len(LINKS)]
        capture(pcap(data[2:], link=link, wire=data[1]))


def compressed(data: bytes) -> None:
    """A compressed file: an error of ours or a tally that adds up, and no thread left behind."""
    try:
        source = open_packets(str(_file(data)), window=1 << 16)
    except InputError:
        return
    with source:
        for _ in source.chunks():
            if source.tally.bytes > LONGEST:
                return
        assert source.tally.records == source.tally.rows + sum(source.tally.skipped.values())


def dialogue(data: bytes) -> None:
    """What two sides said: the first byte chooses the port, the second whether the start was seen; the sides take
    turns at each 0xFF. Something is always heard, and it is bounded.
    """
    if len(data) < 3:
        return
    proto, port = PLACES[data[0] % len(PLACES)]
    turns = [(SIDES[number % 2], said) for number, said in enumerate(data[2:].split(b"\xff"))]
    skip = data[1] % 3 if proto == TCP else 0  # datagrams have no gaps
    one = said.dialogue(turns, port=port, proto=proto, skip=skip)
    heard = hear(one, ATTACKS, CATALOGUE)
    assert len(heard.path) <= 200
    assert all(len(hit.excerpt) <= 200 and len(hit.named) <= 64 for hit in heard.hits)
    assert len(heard.hits) <= 1000
    assert len(heard.secrets) <= 1000


TARGETS: dict[str, Callable[[bytes], None]] = {
    "capture": capture,
    "packet": packet,
    "compressed": compressed,
    "dialogue": dialogue,
    "exports": exports.exports,
    "sflow": sflow.sflow,
    "text": text.text,
    "nfcapd": text.nfcapd,
}

SEEDS: dict[str, list[bytes]] = {
    "capture": list(OWN.values()),
    "packet": [
        bytes([LINKS.index(link), 0]) + frame
        for link, frame in (*FRAMES.values(), *OTHERS.values())
        if link in LINKS
    ],
    "compressed": [
        pack(data)
        for data in list(OWN.values())[:3]
        for pack in (gzip.compress, lzma.compress, bz2.compress, zstandard.compress, lz4.frame.compress)
    ],
    "dialogue": [
        b"\x00\x00"
        + said.soap("SetNTPServers", "urn:dslforum-org:service:Time:1", "<NewNTPServer1>x</NewNTPServer1>"),
        b"\x00\x00GET /cr HTTP/1.1\r\nHost: a\r\n\r\n\xffHTTP/1.1 401 No\r\nWWW-Authenticate: Digest a\r\n\r\n",
        b"\x01\x00root\r\n\xfflogin: \xffroot\r\n\xffPassword: \xffxc3511\r\n\xff# \xff/bin/busybox\r\n",
        b"\x02\x00CNXN\x00\x00\x00\x01",
        b"\x03\x00M-SEARCH * HTTP/1.1\r\n\r\n",
        b"\x04\x00\x30\x26\x02\x01\x01\x04\x06public",
    ],
    "exports": exports.SEEDS,
    "sflow": sflow.SEEDS,
    "text": text.TEXT_SEEDS,
    "nfcapd": text.NFCAPD_SEEDS,
}
"""Where each target starts from."""
