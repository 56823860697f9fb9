"""Chunk rows by hand: a row is a dict of the CHUNK columns and the number of its source."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import numpy as np

from rearguard.model.address import halves
from rearguard.model.bits import ACK, FIN, KNOWN_PACKET, PSH, RST, SYN, TCP, UDP, WHY_PACKET, WHY_QUOTED
from rearguard.model.chunk import Chunk, new_rows
from rearguard.model.fields import CHUNK

__all__ = ["DEVICE", "SECOND", "START", "STRANGER", "Row", "chunk_of", "numbered", "packet", "rows_of"]

Row = dict[str, int]

SECOND = 1_000_000_000
START = 1_480_204_800 * SECOND  # 27 November 2016, 00:00 UTC
STRANGER = "203.0.113.7"
DEVICE = "198.51.100.20"

FLAGS = {"S": SYN, "A": ACK, "R": RST, "F": FIN, "P": PSH}
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": 1}


def packet(
    src: str = f"{STRANGER}:40001",
    dst: str = f"{DEVICE}:7547",
    flags: str = "S",
    *,
    proto: str = "tcp",
    at: float = 0.0,
    payload: int = 0,
    quoted: bool = False,
    **more: int,
) -> Row:
    """One packet from "address:port" to "address:port"; ``flags`` are letters of SARFP, ``at`` is seconds.

    ``quoted``: an ICMP destination-unreachable that quotes it. Other columns by name.
    """
    row = dict.fromkeys((field.name for field in CHUNK), 0)
    row["src_hi"], row["src_lo"], row["sport"] = _end(src)
    row["dst_hi"], row["dst_lo"], row["dport"] = _end(dst)
    row |= {
        "proto": PROTOCOLS[proto],
        "flags": sum(FLAGS[letter] for letter in flags) if proto == "tcp" else 0,
        "ts": START + round(at * SECOND),
        "end": START + round(at * SECOND),
        "seq": 12345,
        "doff": 10,
        "ipid": 99,
        "packets": 1,
        "bytes": 40 + payload,
        "pay_len": payload,
        "pay_wire": payload,
        "sampling": 1,
        "known": KNOWN_PACKET,
        "why": WHY_QUOTED if quoted else WHY_PACKET,
        "source": 0,
    }
    return row | more


def _end(text: str) -> tuple[int, int, int]:
    address, _, port = text.rpartition(":")
    return (*halves(ipaddress.ip_address(address.strip("[]"))), int(port))


def numbered(rows: Sequence[Row]) -> list[Row]:
    """The rows with record numbers from 1 in the order given, counted in each source apart."""
    counts: dict[int, int] = {}
    out = []
    for row in rows:
        counts[row["source"]] = counts.get(row["source"], 0) + 1
        out.append(row | {"record": counts[row["source"]]})
    return out


def chunk_of(rows: Sequence[Row]) -> Chunk:
    """The rows as a source delivers them."""
    columns = new_rows(max(len(rows), 1))
    for field in CHUNK:
        values = [row[field.name] for row in rows]
        columns[field.name][: len(rows)] = np.array(values, dtype=field.code)
    return Chunk(columns, len(rows))


def rows_of(chunk: Chunk, source: int = 0) -> list[Row]:
    """Inverse of :func:`chunk_of`."""
    columns: dict[str, Any] = {field.name: chunk.column(field.name).tolist() for field in CHUNK}
    return [
        dict(zip(columns, values, strict=True)) | {"source": source}
        for values in zip(*columns.values(), strict=True)
    ]
