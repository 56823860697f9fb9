"""The two worst cases: a flood of SYNs from invented sources, and packets to random ports.

Both are made of records of one size (54 bytes captured, before Ethernet padding), the most records that a
gigabyte can hold, and neither repeats a source: no table that is keyed by source or by port helps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.frames import OWN_V4, OWN_V4_BITS, SYN, Array, Batch, ipv4_checksum, is_own, new_headers

__all__ = ["FLOOD_RATE", "PORTS_RATE", "random_ports", "syn_flood"]

BATCH = 65_536
FLOOD_RATE = 200_000
"""Packets a second of the flood: what a small botnet sends."""
PORTS_RATE = 50_000
"""Packets a second of the background radiation."""

FRAME = 54
RECORD = 16 + FRAME


def syn_flood(seed: int, start_us: int) -> Iterator[Batch]:
    """Endless batches of SYNs to tcp/7547 of random customers, from uniformly random foreign sources."""
    rng = np.random.default_rng([seed, 1])
    number = 0
    while True:
        headers = _batch(rng, number, start_us, FLOOD_RATE)
        headers["dport"] = 7547
        _as_syn(headers, rng)
        yield _bytes(headers)
        number += BATCH


def random_ports(seed: int, start_us: int) -> Iterator[Batch]:
    """Endless batches to random customers and random ports: every record TCP SYN or UDP by a coin's toss."""
    rng = np.random.default_rng([seed, 2])
    number = 0
    while True:
        headers = _batch(rng, number, start_us, PORTS_RATE)
        headers["dport"] = rng.integers(1, 65_536, BATCH, np.uint16)
        _as_syn(headers, rng)
        udp = rng.integers(0, 2, BATCH, np.uint8).astype(bool)
        headers["proto"] = np.where(udp, np.uint8(17), np.uint8(6))
        # Twenty bytes follow the IP header either way: a TCP header, or a UDP header (whose length and
        # checksum lie where TCP has its sequence number) and twelve bytes of data.
        length_and_checksum = np.uint32((FRAME - 34) << 16)
        headers["seq"] = np.where(udp, length_and_checksum, headers["seq"])
        yield _bytes(headers)
        number += BATCH


def _batch(rng: np.random.Generator, number: int, start_us: int, rate: int) -> Array:
    headers = new_headers(BATCH, v6=False, udp=False, options=False)
    time = start_us + (np.arange(number, number + BATCH, dtype=np.int64) * 1_000_000) // rate
    second = time // 1_000_000
    headers["sec"] = second
    headers["usec"] = time - second * 1_000_000
    headers["caplen"] = FRAME
    headers["length"] = FRAME
    headers["mac_dst_last"] = 1
    headers["mac_src_last"] = 2
    headers["total"] = FRAME - 14
    headers["ident"] = rng.integers(0, 65_536, BATCH, np.uint16)
    headers["ttl"] = rng.integers(40, 60, BATCH, np.uint8)
    source = rng.integers(0, 1 << 32, BATCH, np.uint32)
    headers["src"] = np.where(is_own(source), source ^ np.uint32(1 << 31), source)
    headers["dst"] = OWN_V4 | rng.integers(0, 1 << OWN_V4_BITS, BATCH, np.uint32)
    headers["sport"] = rng.integers(1024, 65_536, BATCH, np.uint16)
    return headers


def _as_syn(headers: Array, rng: np.random.Generator) -> None:
    headers["seq"] = rng.integers(0, 1 << 32, BATCH, np.uint32)
    headers["flags"] = SYN
    headers["window"] = 14_600


def _bytes(headers: Array) -> Batch:
    headers["checksum"] = ipv4_checksum(headers)
    raw = headers.view(np.uint8).reshape(BATCH, headers.dtype.itemsize)
    data = np.ascontiguousarray(raw[:, :RECORD]).reshape(-1)
    return Batch(data, np.arange(1, BATCH + 1, dtype=np.int64) * RECORD)
