"""The packets of sessions, one after another: which of them are chosen, and what is counted of them.

Theory. All packets of a window form one sequence, session after session. Each is chosen with probability 1/N,
independently: the places of the chosen ones are the sums of geometric gaps, drawn once (:func:`choose`), so the
number chosen of a session is binomial. No packet exists but as a place in the sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import TCP
from rearguard.model.compiled import inlined, wide

__all__ = [
    "PORT_COLUMNS",
    "SETTING_TYPE",
    "account",
    "choose",
    "direct",
    "lengths",
    "next_packet",
    "packet_time",
    "row_of",
    "turns_of",
]

SETTING_TYPE = np.dtype(
    [
        ("every", "i8"),
        ("active", "i8"),
        ("inactive", "i8"),
        ("bucket", "i8"),
        ("exporters", "i8"),
        ("asymmetric", "i8"),
        ("inbound_only", "i8"),
        ("six", "i8"),
    ]
)
"""``every``: 1 takes all packets. Timeouts in ns. ``bucket``: the ten minutes that the window lies in.
``asymmetric`` in 1/65536. ``six`` 0: this format cannot tell IPv6, which is therefore not exported."""

PORT_COLUMNS = ("packets", "tries", "flows", "flow_packets")
"""Totals by protocol and destination port: packets, tries of a listener, exported flows, their packets."""
MILLI = 1_000


def lengths(sessions: NDArray[np.void], kinds: NDArray[np.void]) -> NDArray[np.int64]:
    """Packets of each session."""
    kind = kinds[sessions["kind"]]
    turns = sessions["loops"] * (kind["loop"] > 0)
    return np.asarray(kind["head"] + kind["tail"] + turns * kind["loop"], np.int64)


def choose(total: int, every: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The places of the packets that sampling at 1:``every`` takes out of ``total``; empty when all are."""
    if every <= 1 or total == 0:
        return np.zeros(0, np.int64)
    parts, reached = [], -1
    while reached < total:
        expected = (total - reached) / every
        gaps = rng.geometric(1 / every, int(expected + 6 * expected**0.5) + 16)
        places = reached + np.cumsum(gaps)
        parts.append(places)
        reached = int(places[-1])
    chosen = np.concatenate(parts)
    return np.asarray(chosen[: int(np.searchsorted(chosen, total))])


@inlined
def turns_of(session: Any, kind: Any) -> int:
    """How often a session goes through the loop of its kind."""
    return wide(session["loops"]) if kind["loop"] else 0


@inlined
def next_packet(
    chosen: NDArray[np.int64], every: int, place: int, step: int, base: int, end: int
) -> tuple[int, int]:
    """The next packet of a session that is taken after packet ``step``, and the next place in ``chosen``.

    The session's packets stand from ``base`` until before ``end`` in the sequence; -1: none of them is left.
    """
    if every > 1:
        if place >= chosen.size or chosen[place] >= end:
            return -1, place
        return chosen[place] - base, place + 1
    step += 1
    return step if base + step < end else -1, place


@inlined
def row_of(kind: Any, place: int, turns: int) -> tuple[int, int, int]:
    """Of packet ``place`` of a session: its row in the tables, the turns of the loop and the waits before it."""
    first, head, loop = kind["first"], kind["head"], kind["loop"]
    behind = place - head
    if behind < 0:
        return first + place, 0, 0
    if behind < turns * loop:
        turn = behind // loop
        return first + head + behind % loop, turn, turn + 1
    return first + head + loop + behind - turns * loop, turns, turns


@inlined
def packet_time(kind: Any, after: int, turn: int, waits: int, start: int, trip: int) -> int:
    """When a packet is sent, ns."""
    sent: int = start + (after + turn * kind["turn"]) * trip // MILLI + waits * kind["wait"]
    return sent


@inlined
def direct(record: Any, session: Any, up: bool) -> None:
    """Write the addresses and ports of one direction of a session into a flow or packet."""
    if up:
        record["src_hi"], record["src_lo"] = session["client_hi"], session["client_lo"]
        record["dst_hi"], record["dst_lo"] = session["server_hi"], session["server_lo"]
        record["sport"], record["dport"] = session["cport"], session["sport"]
    else:
        record["src_hi"], record["src_lo"] = session["server_hi"], session["server_lo"]
        record["dst_hi"], record["dst_lo"] = session["client_hi"], session["client_lo"]
        record["sport"], record["dport"] = session["sport"], session["cport"]


@inlined
def account(
    session: Any, kind: Any, size: int, bucket: int, seen: Any, counts: Any, ports: NDArray[np.int64]
) -> None:
    """Take a session of ``size`` packets into the ledger's counters and the totals of its ports.

    ``seen``: (packets up, flows up, packets down, flows down, proofs, opened) of what was exported of it.
    """
    up, up_flows, down, down_flows, proofs, opened = seen
    layer = 0 if kind["proto"] == TCP else 1
    cport, sport = wide(session["cport"]), wide(session["sport"])
    all_up = kind["up_head"] + turns_of(session, kind) * kind["up_loop"]
    ports[layer, sport, 0] += all_up
    ports[layer, cport, 0] += size - all_up
    if kind["opens"]:
        ports[layer, sport, 1] += 1
    ports[layer, sport, 2] += up_flows
    ports[layer, sport, 3] += up
    ports[layer, cport, 2] += down_flows
    ports[layer, cport, 3] += down
    for who in (session["actor"], session["device"]):
        if who >= 0:
            count = counts[who]
            _note(count, session["start"], bucket, wide(kind["answered"]), up > 0, opened)
            count["packets"] += up
            count["flows"] += up_flows
            count["back_flows"] += down_flows
            count["proofs"] += proofs


@inlined
def _note(count: Any, start: int, bucket: int, answered: int, seen: bool, opened: bool) -> None:
    """Take a session into the counters of one entry of the ledger."""
    if count["bucket"] != bucket:
        count["bucket"], count["in_bucket"], count["seen_in_bucket"] = bucket, 0, 0
    count["sessions"] += 1
    count["answered"] += answered
    count["in_bucket"] += 1
    count["peak"] = max(count["peak"], count["in_bucket"])
    count["observed"] += seen
    if opened:
        count["opened"] += 1
        count["seen_in_bucket"] += 1
        count["seen_peak"] = max(count["seen_peak"], count["seen_in_bucket"])
    count["first"] = min(count["first"], start)
    count["last"] = max(count["last"], start)
