"""From sessions to flow records, as a sampling router makes them: packets are chosen first, flows made of those.

Theory. All packets of a window form one sequence, session after session. Each is chosen with probability 1/N,
independently: the places of the chosen ones are the sums of geometric gaps, drawn once (:func:`choose`), so the
number chosen of a session is binomial, and *which* packet of it is chosen decides the flags that a flow has. A
packet goes into the flow of its session's direction. A flow ends when it was silent for the inactive timeout or has
lasted for the active one; a record leaves the router at that time, or a second after a FIN or RST.

Nothing is thinned after it has become a flow, and no packet exists but as a place in the sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import ACK, FIN, RST, SYN, TCP
from rearguard.model.compiled import inlined, kernel, wide

__all__ = [
    "FLOW_TYPE",
    "PORT_COLUMNS",
    "SETTING_TYPE",
    "choose",
    "lengths",
    "meter",
    "packet_time",
    "router",
    "row_of",
]

FLOW_TYPE = np.dtype(
    [
        ("leaves", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("packets", "u8"),
        ("bytes", "u8"),
        ("sport", "u2"),
        ("dport", "u2"),
        ("ingress", "u2"),
        ("egress", "u2"),
        ("exporter", "u2"),
        ("proto", "u1"),
        ("flags", "u1"),
    ],
    align=True,
)
"""``leaves``: when the router exports it. Times in ns; packets and bytes (IP length) as sampled, unscaled."""

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
AFTER_END = 1_000_000_000
OUTSIDE = 1
"""The side of a router that faces the Internet (:data:`~rearguard.simulate.sessions.UPSTREAM`)."""
MILLI = 1_000
SYNACK = SYN | ACK


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
def router(own: int, outward: bool, exporters: int, asymmetric: int) -> int:
    """Which router a customer's packets pass: outward ones of some customers another than inward ones."""
    mixed = (own * 2_654_435_761) & 0xFFFF_FFFF
    at = (mixed >> 8) % exporters
    if outward and (mixed & 0xFFFF) < asymmetric:
        at = (at + 1) % exporters
    return at


@inlined
def put(flow: Any, session: Any, kind: Any, setting: Any, up: bool, held: Any) -> None:
    """Write the record of one direction; ``held`` is (first, last, packets, octets, flags, cut) of it."""
    side, other = session["client_side"], session["server_side"]
    if up:
        flow["src_hi"], flow["src_lo"] = session["client_hi"], session["client_lo"]
        flow["dst_hi"], flow["dst_lo"] = session["server_hi"], session["server_lo"]
        flow["sport"], flow["dport"] = session["cport"], session["sport"]
        flow["ingress"], flow["egress"] = side, other
    else:
        flow["src_hi"], flow["src_lo"] = session["server_hi"], session["server_lo"]
        flow["dst_hi"], flow["dst_lo"] = session["client_hi"], session["client_lo"]
        flow["sport"], flow["dport"] = session["sport"], session["cport"]
        flow["ingress"], flow["egress"] = other, side
    first, last, packets, octets, flags, cut = held
    flow["first"], flow["last"], flow["packets"], flow["bytes"] = first, last, packets, octets
    flow["proto"], flow["flags"] = kind["proto"], flags
    outward = flow["egress"] == OUTSIDE
    flow["exporter"] = router(wide(session["own"]), outward, setting["exporters"], setting["asymmetric"])
    if cut:
        flow["leaves"] = first + setting["active"]
    elif flags & (FIN | RST):
        flow["leaves"] = last + AFTER_END
    else:
        flow["leaves"] = last + setting["inactive"]


@inlined
def note(count: Any, start: int, bucket: int, answered: int, seen: bool, opened: bool) -> None:
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


@kernel
def meter(
    sessions: Any,
    ends: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rows: Any,
    kinds: Any,
    setting: Any,
    flows: Any,
    counts: Any,
    ports: NDArray[np.int64],
    begin: int,
    place: int,
) -> tuple[int, int, int]:
    """Make flows of the sessions from ``begin`` on: (next session, next place in ``chosen``, flows written).

    ``ends``: running sum of :func:`lengths`. Stops before a session that might not fit into ``flows``; the caller
    empties them and goes on. ``counts`` and ``ports`` (protocol 0 TCP 1 UDP, port, :data:`PORT_COLUMNS`) are added
    to.
    """
    every, bucket, written = setting["every"], setting["bucket"], 0
    active, inactive = setting["active"], setting["inactive"]
    for at in range(begin, sessions.size):
        session = sessions[at]
        kind = kinds[session["kind"]]
        base = ends[at - 1] if at else 0
        size = ends[at] - base
        if written + size > flows.size:
            return at, place, written
        turns = wide(session["loops"]) if kind["loop"] else 0
        six = session["client_hi"] != 0
        header = 40 if six else 20
        layer = 0 if kind["proto"] == TCP else 1
        cport, sport = wide(session["cport"]), wide(session["sport"])
        up_packets = kind["up_head"] + turns * kind["up_loop"]
        ports[layer, sport, 0] += up_packets
        ports[layer, cport, 0] += size - up_packets
        if kind["opens"]:
            ports[layer, sport, 1] += 1
        exported = setting["six"] != 0 or not six
        tells_up = exported and (not setting["inbound_only"] or session["client_side"] == OUTSIDE)
        tells_down = exported and (not setting["inbound_only"] or session["server_side"] == OUTSIDE)
        up_first = up_last = up_seen = up_bytes = up_flags = 0
        down_first = down_last = down_seen = down_bytes = down_flags = 0
        up_all = up_flows = down_flows = down_proofs = 0
        opened = False
        start, trip = session["start"], session["trip"]
        step = 0
        while True:
            if every > 1:
                if place >= chosen.size or chosen[place] >= ends[at]:
                    break
                step = chosen[place] - base
                place += 1
            elif step >= size:
                break
            number, turn, waits = row_of(kind, step, turns)
            row = rows[number]
            time = packet_time(kind, row["after"], turn, waits, start, trip)
            step += 1
            octets = header + wide(row["octets"])
            flags = wide(row["flags"])
            if row["up"]:
                if not tells_up:
                    continue
                up_all += 1
                opened = opened or layer == 1 or flags & SYNACK == SYN
                cut = up_seen > 0 and time - up_first >= active
                if up_seen > 0 and (cut or time - up_last >= inactive):
                    held = (up_first, up_last, up_seen, up_bytes, up_flags, cut)
                    put(flows[written], session, kind, setting, True, held)
                    written += 1
                    up_flows += 1
                    up_seen = up_bytes = up_flags = 0
                if up_seen == 0:
                    up_first = time
                up_last = time
                up_seen += 1
                up_bytes += octets
                up_flags |= flags
            else:
                if not tells_down:
                    continue
                cut = down_seen > 0 and time - down_first >= active
                if down_seen > 0 and (cut or time - down_last >= inactive):
                    held = (down_first, down_last, down_seen, down_bytes, down_flags, cut)
                    put(flows[written], session, kind, setting, False, held)
                    written += 1
                    down_flows += 1
                    down_proofs += down_seen == 1 and (layer == 1 or down_flags == SYNACK)
                    ports[layer, cport, 3] += down_seen
                    down_seen = down_bytes = down_flags = 0
                if down_seen == 0:
                    down_first = time
                down_last = time
                down_seen += 1
                down_bytes += octets
                down_flags |= flags
        if up_seen:
            held = (up_first, up_last, up_seen, up_bytes, up_flags, False)
            put(flows[written], session, kind, setting, True, held)
            written += 1
            up_flows += 1
        if down_seen:
            held = (down_first, down_last, down_seen, down_bytes, down_flags, False)
            put(flows[written], session, kind, setting, False, held)
            written += 1
            down_flows += 1
            down_proofs += down_seen == 1 and (layer == 1 or down_flags == SYNACK)
            ports[layer, cport, 3] += down_seen
        ports[layer, sport, 2] += up_flows
        ports[layer, sport, 3] += up_all
        ports[layer, cport, 2] += down_flows
        for who in (session["actor"], session["device"]):
            if who >= 0:
                count = counts[who]
                note(count, start, bucket, wide(kind["answered"]), up_all > 0, opened)
                count["packets"] += up_all
                count["flows"] += up_flows
                count["back_flows"] += down_flows
                count["proofs"] += down_proofs
    return sessions.size, place, written
