"""What our devices open is noted whatever the port, and told of those that were attacked."""

from __future__ import annotations

import tempfile
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts.rows import DEVICE, START, Row, numbered, packet
from tests.contacts.run import POLICY_GUARD, SMALL, feed
from tests.contacts.strategies import row_lists

from rearguard.contacts.initiations import armed
from rearguard.contacts.reducer import Sizes
from rearguard.model.address import halves
from rearguard.model.bits import (
    ACK,
    KNOWN_FLAGS,
    SYN,
    TCP,
    UDP,
    WHY_INITIATOR,
    WHY_PACKET,
    WHY_QUOTED,
    WHY_RESPONDER,
)

__all__: list[str] = []

HOST = "203.0.113.66:80"
Told = list[tuple[int, int, int, int, int]]  # time, server_lo, port, client port, record pointer


def told(parts: list[list[list[Row]]], device: str = DEVICE, sizes: Sizes = SMALL) -> Told:
    """The initiations of one device after all parts were reduced."""
    with tempfile.TemporaryDirectory() as folder:
        partials = feed(parts, POLICY_GUARD, Path(folder), [sizes])
        rows = armed(partials.initiations, [halves(ip_address(device))])
        partials.close()
    names = ("time", "server_lo", "port", "client_port", "rec")
    return list(zip(*(rows[name].tolist() for name in names), strict=True))


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (packet(f"{DEVICE}:40001", HOST), 1),
        (packet(f"{DEVICE}:40001", "203.0.113.66:65000"), 1),
        (packet(f"{DEVICE}:40001", HOST, "SA"), 0),
        (packet(f"{DEVICE}:40001", HOST, "A"), 0),
        (packet(f"{DEVICE}:40001", HOST, "SAPF", packets=9, known=KNOWN_FLAGS), 0),
        (
            packet(
                f"{DEVICE}:40001", HOST, "SAPF", packets=9, known=KNOWN_FLAGS, why=WHY_PACKET | WHY_INITIATOR
            ),
            1,
        ),
        (
            packet(
                f"{DEVICE}:40001", HOST, "SAPF", packets=9, known=KNOWN_FLAGS, why=WHY_PACKET | WHY_RESPONDER
            ),
            0,
        ),
        (packet(f"{DEVICE}:40001", "203.0.113.66:69", proto="udp", payload=20), 1),
        (packet(f"{DEVICE}:40001", "203.0.113.66:53", proto="udp", payload=20), 0),
        (packet("203.0.113.66:80", f"{DEVICE}:40001"), 0),
        (packet(f"{DEVICE}:40001", HOST, quoted=True), 0),
        (packet("198.51.100.21:40001", HOST), 0),
    ],
)
def test_what_counts_as_an_initiation_of_the_device(row: Row, count: int) -> None:
    assert len(told([[numbered([row])]])) == count


def test_of_a_minute_and_a_peer_the_earliest_is_told() -> None:
    rows = numbered(
        [packet(f"{DEVICE}:{port}", HOST, at=at) for port, at in ((3, 70), (1, 2), (2, 5), (4, 1))]
    )
    assert [(time - START, port, rec & 0xFFFF) for time, _, _, port, rec in told([[rows]])] == [
        (1_000_000_000, 4, 4),
        (70_000_000_000, 3, 1),
    ]


def reference(rows: list[Row]) -> Told:
    """The same, said plainly."""
    _, low = halves(ip_address(DEVICE))
    best: dict[tuple[int, ...], tuple[int, int, int, int, int]] = {}
    for row in rows:
        tftp = row["proto"] == UDP and row["dport"] == 69
        bare = row["known"] & KNOWN_FLAGS and row["flags"] & (SYN | ACK) == SYN
        syn = row["proto"] == TCP and (bare or row["why"] & WHY_INITIATOR)
        if (row["src_hi"], row["src_lo"]) != (0, low) or row["why"] & WHY_QUOTED or not (syn or tftp):
            continue
        key = (row["dst_hi"], row["dst_lo"], row["dport"], row["proto"], row["ts"] // 60_000_000_000)
        rec = row["source"] << 40 | row["record"]
        found = (row["ts"], row["dst_lo"], row["dport"], row["sport"], rec)
        if key not in best or (found[0], found[4]) < (best[key][0], best[key][4]):
            best[key] = found
    return sorted(best.values(), key=lambda found: (found[0], found[4]))


@settings(max_examples=60, deadline=None)
@given(row_lists(most=40), st.lists(st.integers(0, 2), min_size=40, max_size=40))
def test_every_split_tells_the_same_as_the_reference(rows: list[Row], to: list[int]) -> None:
    parts = [[[row for row, part in zip(rows, to, strict=False) if part == number]] for number in range(3)]
    small = Sizes(contacts=64, hosts=16, census_cells=16, emitted=64, spill=1 << 20, initiations=200)
    assert told(parts, sizes=small) == reference(rows[: len(to)])
