"""Random rows that meet: few addresses, few ports, every kind of packet and flow, any order of times."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from tests.contacts.rows import DEVICE, SECOND, START, Row, numbered, packet

from rearguard.contacts.reducer import Sizes
from rearguard.model import bits
from rearguard.model.address import halves

__all__ = ["SIZES", "arranged", "awkward", "row_lists", "shuffled"]

OURS = ["198.51.100.20", "198.51.100.21", "198.51.100.22", "2001:db8:c::1", "2001:db8:c:1::7"]
OTHERS = [
    "203.0.113.7", "203.0.113.8", "203.0.113.200", "192.0.2.9", "192.0.2.20", "8.8.8.8",
    "2001:db8:a::10", "2001:db8:ffff::1", "2001:db8:ffff:1::1",
]  # fmt: skip
PORTS = [7547, 5555, 23, 80, 443, 161, 1900, 53, 8333, 40001, 40002, 50000]
FLAG_SETS = [0x02, 0x12, 0x10, 0x18, 0x04, 0x14, 0x11, 0x01, 0x00, 0x03, 0x06, 0x52, 0xC2, 0x16, 0x1B, 0x3F]
KNOWN = [bits.KNOWN_PACKET] * 4 + [
    bits.KNOWN_FLAGS,
    bits.KNOWN_FLAGS | bits.KNOWN_ONE_PACKET,
    0,
    bits.KNOWN_PACKET & ~bits.KNOWN_SEQ,
    bits.KNOWN_PACKET & ~bits.KNOWN_IPID,
    bits.KNOWN_PACKET | 0x100,
]

SIZES = [
    Sizes(contacts=16, hosts=8, census_cells=2, emitted=8, spill=0),
    Sizes(contacts=16, hosts=8, census_cells=1, emitted=64, spill=1 << 20),
    Sizes(contacts=64, hosts=16, census_cells=16, emitted=64, spill=2000),
    Sizes(contacts=65_536, hosts=64, census_cells=256, emitted=1024, spill=1 << 20),
]
"""``spill`` of nothing or little writes files; the small caches evict all the time."""


@st.composite
def _rows(draw: st.DrawFn) -> Row:
    inbound, inside = draw(st.booleans()), draw(st.integers(0, 9))
    ours, others = st.sampled_from(OURS), st.sampled_from(OTHERS)
    src, dst = (others, ours) if inbound else (ours, others)
    if inside == 0:
        src = dst = ours
    elif inside == 1:
        src = dst = others
    seconds = draw(st.one_of(st.integers(0, 5), st.sampled_from([58, 60, 61, 125, 4000])))
    ts = START + seconds * SECOND + draw(st.integers(0, 2))
    row = packet() | {"ts": ts, "end": ts}
    row["src_hi"], row["src_lo"] = halves(ipaddress.ip_address(draw(src)))
    target = ipaddress.ip_address(draw(dst))
    row["dst_hi"], row["dst_lo"] = halves(target)
    row["sport"], row["dport"] = draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))
    row["proto"] = draw(st.sampled_from([bits.TCP] * 6 + [bits.UDP] * 3 + [1]))
    row["flags"] = draw(st.sampled_from(FLAG_SETS)) if row["proto"] == bits.TCP else 0
    row["seq"] = draw(st.sampled_from([0, 7, int(target) & 0xFFFF_FFFF]))
    formula = (int(target) ^ row["dport"] ^ row["seq"]) & 0xFFFF
    row["ipid"] = draw(st.sampled_from([1, 54321, formula]))
    row["doff"] = draw(st.sampled_from([5, 10]))
    row["pay_wire"] = draw(st.sampled_from([0, 0, 0, 120, 70_000]))
    row["bytes"] = 40 + row["pay_wire"]
    row["known"] = draw(st.sampled_from(KNOWN))
    row["why"] = draw(st.sampled_from([bits.WHY_PACKET] * 10 + [bits.WHY_QUOTED, bits.WHY_NO_PORTS]))
    if row["why"] == bits.WHY_NO_PORTS:
        row |= {"sport": 0, "dport": 0, "frag": bits.FRAG_LATER}
    row["observer"] = draw(st.sampled_from([0, 0, 0, 1, 2]))
    row["sampling"] = draw(st.sampled_from([1, 1, 1, 1, 1000, 0]))
    row["source"] = draw(st.sampled_from([0, 0, 1]))
    if draw(st.integers(0, 4)) == 0:  # a flow: several packets, some time, their flags OR-ed
        row["packets"] = draw(st.integers(1, 90))
        row["end"] = ts + draw(st.sampled_from([0, 1, SECOND]))
        row["known"] &= ~bits.KNOWN_ONE_PACKET
        row["flags"] |= draw(st.sampled_from(FLAG_SETS)) if row["proto"] == bits.TCP else 0
        if row["why"] == bits.WHY_PACKET:
            row["why"] |= draw(st.sampled_from([0, bits.WHY_INITIATOR, bits.WHY_RESPONDER]))
    return row


@st.composite
def row_lists(draw: st.DrawFn, most: int = 60) -> list[Row]:
    """Rows with record numbers. Some repeat, so that partials of one key meet."""
    rows = draw(st.lists(_rows(), max_size=most))
    again = draw(st.lists(st.sampled_from(rows), max_size=most // 3)) if rows else []
    late = [row | {"ts": row["ts"] + k, "end": row["end"] + k} for k, row in enumerate(again)]
    return numbered(rows + late)


def awkward() -> list[Row]:
    """Rows that chance seldom brings together, twice each, so that a single widens too."""
    one, other = f"{DEVICE}:1900", "203.0.113.9:1900"
    rows = [
        packet(one, other, proto="udp", payload=9),  # equal ports, both ways
        packet(other, one, proto="udp", payload=9),
        packet("203.0.113.10:53", one, proto="udp"),  # the other port is a service too
        packet("203.0.113.11:4000", one, proto="udp", payload=70_000),
        packet("203.0.113.12:4000") | {"end": START + SECOND},  # one packet that took a second
        packet("203.0.113.13:4000", bytes=70_000),
        packet("203.0.113.14:4000", known=bits.KNOWN_PACKET | 0x100),
        packet(f"{DEVICE}:7547", f"{DEVICE}:7547"),  # to itself
        packet(f"{DEVICE}:50505", "203.0.113.15:4000", "RA", seq=1),
        packet(f"{DEVICE}:50505", "203.0.113.16:4000", "RA", seq=0),
        packet("203.0.113.17:4000", quoted=True),
        *(packet("203.0.113.18:4000", observer=k, sampling=1 + k % 3) for k in range(40)),
    ]
    return numbered([row | {"ts": row["ts"] + k, "end": row["end"] + k} for k in (5, 0) for row in rows])


@st.composite
def arranged(draw: st.DrawFn, rows: Sequence[Row]) -> list[list[list[Row]]]:
    """The rows in any order, over one to three reducers, in any chunks."""
    seed = draw(st.integers(0, 2**32 - 1))
    return shuffled(rows, np.random.default_rng(seed), draw(st.integers(1, 3)), draw(st.integers(1, 40)))


def shuffled(rows: Sequence[Row], rng: np.random.Generator, workers: int, size: int) -> list[list[list[Row]]]:
    """The rows in random order over ``workers`` reducers, in chunks of about ``size``."""
    parts: list[list[list[Row]]] = [[[]] for _ in range(workers)]
    for at in rng.permutation(len(rows)):
        chunks = parts[int(rng.integers(workers))]
        chunks[-1].append(rows[at])
        if rng.integers(size) == 0:
            chunks.append([])
    return parts
