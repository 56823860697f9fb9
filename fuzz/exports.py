"""Fuzzed: datagrams of NetFlow and IPFIX. The decoder makes of them what the plain reference makes."""

from __future__ import annotations

from sources import exports_build as b
from sources.test_netflow_reference import check

__all__ = ["SEEDS", "exports"]

ROOMS = (0, 2, 3, 64)
MOST = 40
"""Datagrams of one input: the reference knows no bounds, and what they keep out is tested elsewhere."""


def exports(data: bytes) -> None:
    """The first byte chooses the size of the chunks; then each datagram is its length (two bytes) and itself."""
    datagrams, at = [], 1
    while at + 2 <= len(data) and len(datagrams) < MOST:
        size = int.from_bytes(data[at : at + 2], "big")
        datagrams.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    if datagrams:
        check(datagrams, ROOMS[data[0] % len(ROOMS)])


def _joined(*datagrams: bytes) -> bytes:
    return b"\x00" + b"".join(len(one).to_bytes(2, "big") + one for one in datagrams)


FLOW = (*b.PAIR, *b.COUNTS)
DATA = b.a_set(256, b.pair() + b.counts())

SEEDS = [
    _joined(b.v5(b.v5_record(), b.v5_record()), b.v1(b.v1_record())),
    *(
        _joined(
            b.message(version, DATA),
            b.message(version, b.template(version, 256, FLOW), DATA, sequence=1),
            b.message(version, b.options(version, 257, ((0, 10, 4),), ((0, 34, 4),)), b.a_set(257, bytes(8))),
            b.message(
                version,
                b.template(version, 258, (*FLOW, (0, 291, b.VARIABLE), (0, 152, 8))),
                b.a_set(258, b.pair() + b.counts() + b"\x02ab" + bytes(8)),
            ),
        )
        for version in (9, 10)
    ),
    _joined(b.ipfix(b.template(10, 256, FLOW)), b.ipfix(b.template(10, 256, ())), b.ipfix(DATA)),
]
"""Where it starts from."""
